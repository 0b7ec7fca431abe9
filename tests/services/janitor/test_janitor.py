"""A real Hub with its janitor: what dies is told, what is not saved is saved, and there is one janitor."""

import os
import shutil
import signal
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from jupyterhub_notebooks.ledger import audit, intents, notebooks, sessions, snapshots, users
from jupyterhub_notebooks.names import new_id
from jupyterhub_notebooks.spawners.processes import agent_of, of_session
from tests.hub import start_hub, until

SHORT = {
    "janitor_interval_seconds": 0.5,
    "save_again_seconds": 1.0,
    "lease_seconds": 30.0,
    "heartbeat_seconds": 1.0,
    "save_timeout_seconds": 8.0,
    "no_progress_seconds": 20.0,
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """Each test uses a user of its own."""
    running = start_hub(tmp_path_factory.mktemp("janitor"), janitor=True, settings=SHORT)
    yield running
    running.stop()


def notebook_of(hub, user):
    return notebooks.find(hub.ledger, users.by_name(hub.ledger, user).id, "")


def view_of(hub, user):
    return notebooks.views(hub.ledger, notebook=notebook_of(hub, user).id)[0]


def past(hub, user):
    return sessions.of_notebook(hub.ledger, notebook_of(hub, user).id)


def started(hub, user):
    hub.user(user)
    assert hub.start(user).status == 201
    return past(hub, user)[0]


def file_of(hub, user, name="results.csv"):
    return hub.state / "volumes" / notebook_of(hub, user).id / "files" / name


def janitors(hub):
    found = []
    for process in hub.left():
        try:
            if process.cmdline()[1:4] == [
                "-m",
                "jupyterhub_notebooks.services.janitor",
                "--ends-with-parent",
            ]:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def saved_by_itself(hub, user):
    """Returns once a run that only saves has saved the notebook, and the Hub runs nothing of it."""
    until(lambda: view_of(hub, user).workspace.unsaved_on is None, 60, what="the save")
    until(lambda: past(hub, user)[0].closed_at, what="the end of the run")
    until(lambda: not hub.active(user), what="the Hub's end of the run")
    row = past(hub, user)[0]
    assert row.kind == "save" and row.cause == "saved" and row.pending_files == 0
    assert of_session(row.id) == []
    return row


@pytest.mark.slow
def test_files_that_storage_did_not_take_are_saved_as_soon_as_it_answers_without_anybody(hub):
    session = started(hub, "anna")
    file_of(hub, "anna").write_text("1,2,3")
    store, away = hub.state / "store", hub.state / "store-away"
    store.rename(away)
    try:
        hub.end("anna")
        row = sessions.get(hub.ledger, session.id)
        assert row.closed_at and row.pending_files
        assert view_of(hub, "anna").workspace.unsaved_on
        assert [one.kind for one in past(hub, "anna")] == ["work"]
    finally:
        shutil.rmtree(store, ignore_errors=True)
        away.rename(store)
    row = saved_by_itself(hub, "anna")
    assert view_of(hub, "anna").session.id == session.id  # the run that saved is not shown as one of theirs
    assert snapshots.head(hub.ledger, row.workspace).session == row.id
    assert notebook_of(hub, "anna").profile == "notebook-cpu-small"

    file_of(hub, "anna").unlink()
    shutil.rmtree(hub.state / "volumes" / notebook_of(hub, "anna").id)
    assert hub.start("anna").status == 201
    assert file_of(hub, "anna").read_text() == "1,2,3"
    hub.end("anna")


@pytest.mark.slow
def test_a_killed_agent_is_told_and_what_it_left_is_saved(hub):
    session = started(hub, "berta")
    file_of(hub, "berta").write_text("left")
    psutil.Process(agent_of(session.id).pid).kill()
    until(lambda: sessions.get(hub.ledger, session.id).closed_at, 90, what="the end")
    assert sessions.get(hub.ledger, session.id).cause == "agent_died"
    saved_by_itself(hub, "berta")
    ends = [one for one in audit.rows(hub.ledger, subject=session.id) if one.action == "session.ended"]
    assert [(one.cause, one.actor) for one in ends] == [("agent_died", None)]


@pytest.mark.slow
def test_a_session_that_nobody_runs_and_nobody_hears_is_closed(hub):
    hub.user("carla")
    hub.start("carla")
    hub.end("carla")
    notebook, now = notebook_of(hub, "carla"), datetime.now(UTC)
    lost = sessions.begin(
        hub.ledger, new_id(now, os.urandom), notebook.id, {}, "f" * 64, now - timedelta(hours=1)
    )
    until(lambda: sessions.get(hub.ledger, lost.id).closed_at, what="the end")
    assert sessions.get(hub.ledger, lost.id).cause == "did_not_start"
    assert hub.start("carla").status == 201
    hub.end("carla")


@pytest.mark.slow
def test_a_session_that_the_hub_does_not_know_saves_and_ends(hub):
    session = started(hub, "dora")
    file_of(hub, "dora").write_text("known to nobody")
    hub.kill("hub")
    with hub.ledger.write() as connection:
        long_ago = (datetime.now(UTC) - timedelta(minutes=5)).replace(tzinfo=None).isoformat(" ")
        connection.exec_driver_sql(
            "UPDATE sessions SET ready_at = ?, asked_at = ? WHERE id = ?", (long_ago, long_ago, session.id)
        )
    forget(hub, "dora")
    hub.start_hub()
    until(lambda: sessions.get(hub.ledger, session.id).closed_at, what="the end")
    assert sessions.get(hub.ledger, session.id).pending_files == 0
    assert snapshots.head(hub.ledger, session.workspace).session == session.id
    until(lambda: not of_session(session.id), what="the end of its processes")


def forget(hub, user):
    """The Hub's database loses a server, as one that was put back from a copy has."""
    import sqlite3

    with sqlite3.connect(hub.state / "jupyterhub.sqlite") as base:
        base.execute("DELETE FROM spawners WHERE user_id = (SELECT id FROM users WHERE name = ?)", (user,))


def test_a_stop_that_a_dying_hub_forgot_is_asked_for_again(hub):
    session = started(hub, "emil")
    asked_at = datetime.now(UTC) - timedelta(minutes=1)
    intents.ask(hub.ledger, session.id, "stop", "idle", None, asked_at)  # and then the Hub died
    until(lambda: sessions.get(hub.ledger, session.id).closed_at, what="the stop")
    assert sessions.get(hub.ledger, session.id).cause == "idle"
    until(lambda: not hub.active("emil"), what="the Hub's end of it")


def test_a_commit_that_was_cut_off_is_settled_by_its_object(hub):
    session = started(hub, "frida")
    file_of(hub, "frida").write_text("x")
    hub.end("frida")
    head = snapshots.head(hub.ledger, session.workspace)
    with hub.ledger.write() as connection:
        old = (datetime.now(UTC) - timedelta(hours=1)).replace(tzinfo=None).isoformat(" ")
        connection.exec_driver_sql("UPDATE sessions SET closed_at = ? WHERE id = ?", (old, session.id))
        connection.exec_driver_sql(
            "UPDATE snapshots SET state = 'reserved', at = ? WHERE session = ?", (old, session.id)
        )
        connection.exec_driver_sql(
            "INSERT INTO snapshots (workspace, number, kind, state, session, sha256, at, size_bytes, files,"
            " stored_bytes) SELECT workspace, number + 1, kind, state, session, ?, at, size_bytes, files,"
            " stored_bytes FROM snapshots WHERE session = ? AND number = ?",
            ("0" * 64, session.id, head.number),
        )
    assert snapshots.head(hub.ledger, session.workspace) is None
    until(lambda: not snapshots.reserved(hub.ledger, datetime.now(UTC)), what="the settling")
    assert snapshots.head(hub.ledger, session.workspace).number == head.number
    assert snapshots.next_number(hub.ledger, session.workspace) == head.number + 1


@pytest.mark.slow
def test_what_a_closed_session_left_running_is_ended(hub):
    session = started(hub, "gerd")
    pid = agent_of(session.id).pid
    os.kill(pid, signal.SIGSTOP)  # frozen: it neither saves nor ends
    hub.admin("DELETE", "/hub/api/users/gerd/server", wait=False)
    with hub.ledger.write() as connection:
        old = (datetime.now(UTC) - timedelta(minutes=5)).replace(tzinfo=None).isoformat(" ")
        connection.exec_driver_sql("UPDATE sessions SET closed_at = ? WHERE id = ?", (old, session.id))
    until(lambda: not of_session(session.id), 60, what="the end of its processes")
    until(lambda: not hub.active("gerd"), 60, what="the Hub's end of it")


@pytest.mark.slow
def test_a_notebook_that_says_nothing_any_more_is_ended_though_the_hub_calls_it_ready(hub):
    session = started(hub, "hilde")
    file_of(hub, "hilde").write_text("written before it was stuck")
    os.kill(
        agent_of(session.id).pid, signal.SIGSTOP
    )  # as a machine that is lost: the Hub sees a process that is there
    until(lambda: intents.last_stop(hub.ledger, session.id), 200, what="the stop")
    row = sessions.get(hub.ledger, session.id)
    assert (datetime.now(UTC) - row.heard_at).total_seconds() > 2 * SHORT["lease_seconds"]
    until(lambda: sessions.get(hub.ledger, session.id).closed_at, 90, what="the end")
    assert sessions.get(hub.ledger, session.id).cause == "silent"
    assert of_session(session.id) == []
    saved_by_itself(hub, "hilde")
    ends = [one for one in audit.rows(hub.ledger, subject=session.id) if one.action == "session.ended"]
    assert [(one.cause, one.actor) for one in ends] == [("silent", None)]


@pytest.mark.slow
def test_the_proxys_routes_come_back_after_its_death(hub):
    started(hub, "ilse")
    page = hub.browser("ilse")
    hub.kill("proxy")
    hub.start_proxy()

    def reached():
        try:
            return page.get("/user/ilse/api").status == 200
        except OSError:
            return False

    until(reached, 30, 0.5, "the way to the notebook")
    hub.end("ilse")


@pytest.mark.slow
def test_after_its_death_and_the_hubs_there_is_one_janitor_again(hub):
    [first] = until(lambda: janitors(hub), what="the janitor")
    first.kill()
    [second] = until(lambda: [one for one in janitors(hub) if one.pid != first.pid], 60, what="another")
    hub.kill("hub")
    hub.start_hub()
    until(lambda: not second.is_running() and len(janitors(hub)) == 1, 30, what="one janitor")
