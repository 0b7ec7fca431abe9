"""A run that only saves: who may start it, what it shows, what it leaves alone, and what its user can do meanwhile."""

import urllib.request
from datetime import UTC, datetime

import psutil
import pytest

from jupyterhub_notebooks.ledger import intents, notebooks, sessions, snapshots
from jupyterhub_notebooks.spawners.processes import agent_of, of_session
from tests.hub import until

from .conftest import last_session, notebook_of

SAVE = {"run": "save"}


def killed_with_files(hub, user):
    """A notebook whose agent was killed before it saved results.csv; its session, closed."""
    hub.user(user)
    assert hub.start(user, options={"profile": "notebook-cpu-large"}).status == 201
    session = last_session(hub, user)
    files = hub.state / "volumes" / notebook_of(hub, user).id / "files"
    (files / "results.csv").write_text("1,2,3")
    psutil.Process(agent_of(session.id).pid).kill()
    hub.end(user)
    until(lambda: sessions.get(hub.ledger, session.id).closed_at, what="the end")
    assert view_of(hub, user).workspace.unsaved_on
    return session, files


def view_of(hub, user):
    return notebooks.views(hub.ledger, notebook=notebook_of(hub, user).id)[0]


@pytest.mark.slow
def test_without_an_order_nobody_starts_one(hub):
    killed_with_files(hub, "mona")
    answer = hub.start("mona", options=SAVE)
    assert answer.status == 403 and "Only this Hub's own services" in answer.json["message"]
    assert len(sessions.of_notebook(hub.ledger, notebook_of(hub, "mona").id)) == 1


@pytest.mark.slow
def test_it_saves_shows_that_it_does_and_changes_nothing_else(hub):
    session, files = killed_with_files(hub, "nils")
    before = sorted(path.name for path in files.iterdir())
    marks = {path: path.stat().st_mtime_ns for path in files.rglob("pyvenv.cfg")}
    order = intents.ask(hub.ledger, session.id, "save_only", "not_saved", None, datetime.now(UTC))
    assert hub.start("nils", options=SAVE).status == 201
    row = last_session(hub, "nils")
    assert row.kind == "save" and row.ready_at and intents.open_of(hub.ledger, session.id) == []
    assert order.id not in [one.id for one in intents.open_everywhere(hub.ledger)]
    view = view_of(hub, "nils")
    assert view.session.id == session.id and view.saving.id == row.id
    with urllib.request.urlopen(f"{hub.url}/user/nils/lab/tree/results.csv") as page:
        text = page.read().decode()
    assert "is being saved" in text and "1,2,3" not in text
    assert not any("singleuser" in " ".join(one.cmdline()) for one in of_session(row.id))

    refused = hub.start("nils")  # by its user, in the middle of it
    assert refused.status == 400
    hub.end("nils")
    row = sessions.get(hub.ledger, row.id)
    assert row.closed_at and row.pending_files == 0
    view = view_of(hub, "nils")
    assert view.workspace.unsaved_on is None and view.saving is None
    assert snapshots.head(hub.ledger, row.workspace).session == row.id
    assert sorted(path.name for path in files.iterdir()) == before
    assert {path: path.stat().st_mtime_ns for path in files.rglob("pyvenv.cfg")} == marks
    assert of_session(row.id) == []
    assert notebook_of(hub, "nils").profile == "notebook-cpu-large"

    assert hub.start("nils").status == 201
    assert last_session(hub, "nils").kind == "work"
    assert last_session(hub, "nils").profile == "notebook-cpu-large"
    assert (files / "results.csv").read_text() == "1,2,3"
    hub.end("nils")


@pytest.mark.slow
def test_files_that_prove_to_be_saved_are_no_longer_said_to_be_unsaved(hub):
    killed_with_files(hub, "olga")
    hub.start("olga")
    hub.end("olga")
    session = last_session(hub, "olga")
    with hub.ledger.write() as connection:
        connection.exec_driver_sql(
            "UPDATE workspaces SET unsaved_on = ?, unsaved_files = 1 WHERE id = ?",
            (session.volume, session.workspace),
        )
    intents.ask(hub.ledger, session.id, "save_only", "not_saved", None, datetime.now(UTC))
    assert hub.start("olga", options=SAVE).status == 201
    hub.end("olga")
    assert view_of(hub, "olga").workspace.unsaved_on is None
    assert snapshots.head(hub.ledger, session.workspace).session == session.id
