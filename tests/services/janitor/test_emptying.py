"""The trash of a janitor: what is emptied, when, and what of it is left."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.errors import Refusal
from jupyterhub_notebooks.ledger import Ledger, audit, notebooks, trashing, upgrade, users
from jupyterhub_notebooks.names import new_id
from jupyterhub_notebooks.services.janitor import emptying
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


async def test_volumes_of_an_engine_are_removed_by_the_program_that_knows_it(
    place, tmp_path, monkeypatch
) -> None:
    ledger, settings = place
    user, notebook, space, _ = made(ledger, settings, "churn")
    settings = dataclasses.replace(settings, volumes="docker:")
    notebooks.trash(ledger, notebook.id, user.id, SYSTEM_CLOCK.now() - timedelta(days=31))
    told = tmp_path / "told"
    away = "import sys; print('Docker does not answer: x', file=sys.stderr); sys.exit(1)"
    monkeypatch.setitem(emptying.REMOVE, "docker:", ("Docker", (sys.executable, "-c", away)))
    await emptier(ledger, settings).look()
    assert [one.notebook for one in trashing.left(ledger)] == [notebook.id]
    works = f"import sys; open({str(told)!r}, 'w').write(sys.argv[1])"
    monkeypatch.setitem(emptying.REMOVE, "docker:", ("Docker", (sys.executable, "-c", works)))
    await emptier(ledger, settings).look()
    assert trashing.left(ledger) == [] and told.read_text() == notebook.id
    assert space.facts() is None


@pytest.mark.parametrize(
    ("volumes", "told"),
    [("kubernetes:", ""), ("kubernetes:team-a", "team-a"), ("kubernetes:*", "*")],
)
async def test_claims_are_removed_from_the_namespace_that_the_setting_names(
    place, tmp_path, monkeypatch, volumes, told
) -> None:
    ledger, settings = place
    user, notebook, _, _ = made(ledger, settings, "churn")
    settings = dataclasses.replace(settings, volumes=volumes)
    notebooks.trash(ledger, notebook.id, user.id, SYSTEM_CLOCK.now() - timedelta(days=31))
    path = tmp_path / "told"
    writes = f"import sys; open({str(path)!r}, 'w').write(' '.join(sys.argv[1:]))"
    monkeypatch.setitem(emptying.REMOVE, "kubernetes:", ("The cluster", (sys.executable, "-c", writes)))
    await emptier(ledger, settings).look()
    assert trashing.left(ledger) == [] and path.read_text() == f"{notebook.id} {told}".rstrip()


def test_an_engine_that_is_away_is_said_in_one_line(tmp_path) -> None:
    notebook = new_id(SYSTEM_CLOCK.now(), os.urandom)
    environment = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path / 'none.sock'}"}
    done = subprocess.run(
        [*emptying.REMOVE["docker:"][1], notebook], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr.startswith("Docker does not answer: ")
    assert len(done.stderr.splitlines()) == 1
    assert (
        subprocess.run(
            [*emptying.REMOVE["docker:"][1], "../x"], env=environment, capture_output=True
        ).returncode
        == 2
    )
