"""Our overrides of the Hub's pages, rendered over the installed Hub's own templates: they lead to our pages."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader
from jupyterhub._data import DATA_FILES_PATH

from jupyterhub_notebooks.configure import TEMPLATES
from jupyterhub_notebooks.spawners.refusing import Refused, html_of

OWN = sorted(path.name for path in TEMPLATES.glob("*.html"))
BAD = "<script>alert(1)</script>"


def rendered(name: str, **more: Any) -> str:
    base = Path(DATA_FILES_PATH) / "templates"
    loader = ChoiceLoader(
        [
            PrefixLoader({"templates": FileSystemLoader(base)}, "/"),
            FileSystemLoader([str(TEMPLATES), str(base)]),
        ]
    )
    environment = Environment(loader=loader, autoescape=True)
    user = SimpleNamespace(name=BAD, json_escaped_name="x", spawner=SimpleNamespace(options_form=""))
    values: dict[str, Any] = {
        "notebooks_url": "/services/notebooks/",
        "base_url": "/hub/",
        "static_url": lambda path, **_: f"/hub/static/{path}",
        "user": user,
        "for_user": user,
        "spawner": SimpleNamespace(name="one"),
        "server_name": "one",
        "services": [
            SimpleNamespace(name="notebooks", href="/x"),
            SimpleNamespace(name="grafana", href="/g"),
        ],
        "parsed_scopes": {"admin-ui": {}},
        "url": "/hub/spawn",
        "spawner_options_form": "<fieldset>cards</fieldset>",
        **more,
    }
    return environment.get_template(name).render(values)


def test_the_pages_that_people_may_land_on_are_all_overridden() -> None:
    assert OWN == [
        "home.html",
        "not_running.html",
        "page.html",
        "spawn.html",
        "spawn_pending.html",
        "stop_pending.html",
    ]
    assert sys.modules["jupyterhub"]


@pytest.mark.parametrize("name", OWN)
def test_each_leads_to_our_pages_and_executes_no_name(name: str) -> None:
    page = rendered(name)
    assert "/services/notebooks/" in page
    assert BAD not in page
    assert 'href="/g"' in page and 'href="/x"' not in page


def test_the_pages_of_one_server_lead_to_the_page_of_its_notebook() -> None:
    for name in ("not_running.html", "spawn_pending.html", "stop_pending.html"):
        assert "/services/notebooks/n/%3Cscript%3Ealert%281%29%3C/script%3E/one" in rendered(name)
    assert "/-" in rendered("not_running.html", server_name="")
    assert "Main is not running" in rendered("not_running.html", server_name="")


def test_the_spawn_page_has_the_cards_in_place_and_the_reason_of_a_refusal() -> None:
    from jupyterhub_notebooks.errors import Refusal

    error = Refused(Refusal(BAD, "Because", ["Ask mara"]))
    page = rendered("spawn.html", html_error_message=error.jupyterhub_html_message)
    assert "<fieldset>cards</fieldset>" in page
    assert html_of(error.error) in page and BAD not in page
    assert "Because." in rendered("not_running.html", failed=True, failed_html_message=html_of(error.error))
    assert BAD not in rendered("spawn.html", error_message=BAD)
