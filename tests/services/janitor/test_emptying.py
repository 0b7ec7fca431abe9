"""The trash of a janitor: what is emptied, when, and what of it is left."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.errors import Refusal
from jupyterhub_notebooks.ledger import Ledger, audit, notebooks, trashing, upgrade, users
from jupyterhub_notebooks.services.janitor.emptying import Emptier
from jupyterhub_notebooks.services.janitor.storage import Storage
from jupyterhub_notebooks.settings import Settings
from jupyterhub_notebooks.workspace import WorkspaceStore, open_store, workspace_prefix
from jupyterhub_notebooks.workspace.layout import ROOT_KEY

CREATED = "2026-01-01T00:00:00Z"


@pytest.fixture
def place(tmp_path: Path):
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    upgrade(ledger)
    settings = Settings(
        ledger=str(ledger.url),
        store=f"file://{tmp_path}/store",
        profiles="p",
        agents_url="http://127.0.0.1:1",
        agents_api_token="a",
        signing_key="k",
        volumes=str(tmp_path / "volumes"),
    )
    (tmp_path / "store").mkdir()
    open_store(settings.store, {}, serialized=True).put_new(ROOT_KEY, b"{}")
    yield ledger, settings
    ledger.close()


def made(ledger: Ledger, settings: Settings, name: str):
    now = SYSTEM_CLOCK.now()
    user = users.seen(ledger, "mara", CREATED, now)
    notebook = notebooks.create(ledger, user.id, name, name, now, store=settings.store)
    store = open_store(settings.store, {}, serialized=True)
    space = WorkspaceStore(store, workspace_prefix(notebook.workspace))
    space.create(notebook.workspace, lease="service", now=now)
    files = Path(settings.volumes) / notebook.id / "files"
    files.mkdir(parents=True)
    (files / "a.txt").write_text("a")
    return user, notebook, space, files


def emptier(ledger: Ledger, settings: Settings) -> Emptier:
    return Emptier(settings, ledger, Storage(settings), SYSTEM_CLOCK)


async def test_what_can_still_be_put_back_is_left_alone(place) -> None:
    ledger, settings = place
    user, notebook, space, files = made(ledger, settings, "churn")
    notebooks.trash(ledger, notebook.id, user.id, SYSTEM_CLOCK.now() - timedelta(days=29))
    await emptier(ledger, settings).look()
    assert space.facts() is not None and (files / "a.txt").exists()
    notebooks.put_back(ledger, notebook.id, user.id, SYSTEM_CLOCK.now())
    assert len(notebooks.views(ledger, user=user.id)) == 1


async def test_after_its_days_in_the_trash_nothing_of_it_is_left(place) -> None:
    ledger, settings = place
    user, notebook, space, files = made(ledger, settings, "churn")
    _, _, other, kept = made(ledger, settings, "other")
    notebooks.trash(ledger, notebook.id, user.id, SYSTEM_CLOCK.now() - timedelta(days=31))
    await emptier(ledger, settings).look()
    assert space.facts() is None and not files.parent.exists()
    assert other.facts() is not None and (kept / "a.txt").exists()
    assert trashing.left(ledger) == []
    assert ("notebook.emptied", "expired") in [(row.action, row.cause) for row in audit.rows(ledger)]
    assert made(ledger, settings, "churn")[1].id != notebook.id


async def test_what_its_owner_empties_is_erased_at_the_next_look(place) -> None:
    ledger, settings = place
    user, notebook, space, files = made(ledger, settings, "churn")
    with pytest.raises(Refusal):
        trashing.empty(ledger, notebook.id, user.id, SYSTEM_CLOCK.now())
    notebooks.trash(ledger, notebook.id, user.id, SYSTEM_CLOCK.now())
    assert trashing.empty(ledger, notebook.id, user.id, SYSTEM_CLOCK.now())
    await emptier(ledger, settings).look()
    assert space.facts() is None and not files.parent.exists()
