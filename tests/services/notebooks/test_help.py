"""Help, Feedback and About: on every page, of the version that runs; and safe mode from a page's form to the Hub."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyterhub_notebooks import __version__
from jupyterhub_notebooks.client.actions import ACTIONS
from jupyterhub_notebooks.enforcement.words import BADGES
from jupyterhub_notebooks.services.notebooks import help_pages

from .conftest import PREFIX, Site
from .saved import Saved


async def test_every_page_leads_to_help_feedback_and_about(site: Site, tmp_path: Path) -> None:
    token = site.hub.add("mara")
    saved = Saved(site, tmp_path)
    saved.save({"a.txt": "one"})
    for path in (
        "",
        "new",
        "n/mara/churn",
        "n/mara/churn/snapshots",
        "n/mara/churn/snapshots/1",
        "help",
        "none",
    ):
        page = (await site.page(token, path)).body.decode()
        for where in ("help", "feedback", "about"):
            assert f'href="{PREFIX}{where}"' in page, (path, where)
    for where in ("help", "help/guide", "about"):
        assert __version__ in (await site.page(token, where)).body.decode()


async def test_the_user_guide_has_every_state_and_every_command(site: Site) -> None:
    page = (await site.page(site.hub.add("mara"), "help/guide")).body.decode()
    for action in ACTIONS.values():
        assert f"jupyterhub-notebooks {action.command}" in page
    told = {badge for badge, _, _ in help_pages.STATES}
    assert told | {"RUNNING", "waiting", "DELETING"} == set(BADGES)
    for badge in told:
        assert BADGES[badge].words in page


async def test_the_administrator_guide_is_for_administrators(site: Site) -> None:
    assert (await site.page(site.hub.add("mara"), "help/admin")).code == 404
    boss = site.hub.add("petra", admin=True)
    page = (await site.page(boss, "help/admin")).body.decode()
    assert "session why USER/NOTEBOOK" in page and "storage does not answer" in page
    assert "Administrator guide" in (await site.page(boss, "help")).body.decode()


@pytest.mark.parametrize(
    ("contact", "mail"),
    [("Platform team, platform@example.org", "mailto:platform@example.org"), ("your administrator", "")],
)
async def test_feedback_says_whom_to_ask(
    site: Site, monkeypatch: pytest.MonkeyPatch, contact: str, mail: str
) -> None:
    object.__setattr__(site.context.settings, "contact", contact)
    page = (await site.page(site.hub.add("mara"), "feedback")).body.decode()
    assert ("mailto:" in page) == bool(mail) and mail in page


async def test_safe_mode_is_asked_of_the_hub_once_and_is_not_remembered(site: Site, tmp_path: Path) -> None:
    token = site.hub.add("mara")
    saved = Saved(site, tmp_path)
    saved.close(saved.begin(ready=False), "server_died", "The server ended with exit status 1")
    page = (await site.page(token, "n/mara/churn")).body.decode()
    assert "Start in safe mode" in page and "says what to remove" in page
    assert (await site.post(token, "n/mara/churn/start", {"safe": "1"})).code == 303
    assert site.hub.asked[-1][3]["user_options"]["run"] == "safe"
    from jupyterhub_notebooks.ledger import notebooks

    assert "run" not in notebooks.get(site.ledger, saved.notebook.id).options
