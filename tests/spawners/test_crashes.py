"""The crash table's rows of the Hub's side: who dies, what is left, who heals it."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from jupyterhub_notebooks.ledger import audit, notebooks, sessions
from jupyterhub_notebooks.spawners.local import run_dir
from jupyterhub_notebooks.spawners.processes import agent_of, of_session
from tests.hub import until

from .conftest import last_session, notebook_of


def gone(session: str) -> bool:
    return not of_session(session)


def killed(pid):
    """Ends a process; once that is to be seen, whoever looks sees it."""
    process = psutil.Process(pid)
    process.kill()

    def over():
        try:
            return process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    until(over, 30, what="its end")


def test_a_killed_agent_leaves_nothing_running_and_the_next_start_has_its_files(hub):
    hub.user("otto")
    hub.start("otto")
    session, notebook = last_session(hub, "otto"), notebook_of(hub, "otto")
    kept = hub.state / "volumes" / notebook.id / "files" / "results.csv"
    kept.write_text("1,2,3")
    daemon = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        env={"NOTEBOOK_SESSION_ID": session.id},
        start_new_session=True,
    )
    killed(agent_of(session.id).pid)

    assert hub.start("otto").status == 201  # the Hub notices, clears away and starts anew
    assert daemon.wait(10) == -signal.SIGTERM
    assert gone(session.id) and not run_dir(session.id).exists()
    row = sessions.get(hub.ledger, session.id)
    assert row.cause == "agent_died" and row.closed_at and row.pending_files >= 1
    assert kept.read_text() == "1,2,3"
    assert last_session(hub, "otto").id != session.id
    hub.end("otto")
    assert notebooks.workspace(hub.ledger, notebook.workspace).unsaved_on is None


def test_a_killed_hub_finds_its_notebooks_again_and_can_stop_them(own_hub):
    hub = own_hub()
    hub.user("paul")
    hub.start("paul", "work", {"profile": "notebook-cpu-large"})
    session = last_session(hub, "paul", "work")
    agent = agent_of(session.id)
    hub.kill("hub")
    assert agent.runs
    hub.start_hub()
    until(lambda: (hub.server("paul", "work") or {}).get("ready"), what="the adoption")
    assert agent.runs and agent_of(session.id) == agent
    assert hub.server("paul", "work")["user_options"] == {"profile": "notebook-cpu-large"}
    hub.end("paul", "work")
    row = sessions.get(hub.ledger, session.id)
    assert row.cause == "stopped" and row.closed_at and row.pending_files == 0
    assert gone(session.id)


@pytest.mark.slow
def test_a_notebook_that_ended_while_the_hub_was_dead_is_stopped_in_words(own_hub):
    hub = own_hub()
    hub.user("rosa")
    hub.start("rosa")
    session = last_session(hub, "rosa")
    hub.kill("hub")
    killed(agent_of(session.id).pid)
    hub.start_hub()
    until(lambda: sessions.get(hub.ledger, session.id).closed_at, what="the end of the row")
    assert sessions.get(hub.ledger, session.id).cause == "agent_died"
    until(lambda: gone(session.id), what="the end of what it left")


@pytest.mark.slow
def test_a_start_survives_the_death_of_the_hub(bad_hub):
    hub = bad_hub
    hub.user("slow")
    hub.admin("POST", "/hub/api/users/slow/server")
    until(
        lambda: notebook_of(hub, "slow") and last_session(hub, "slow").phase == "restoring",
        what="the restore",
    )
    session = last_session(hub, "slow")
    agent = agent_of(session.id)
    hub.kill("hub")
    hub.start_hub()
    (hub.state / "volumes" / session.notebook / "go").touch()
    until(lambda: (hub.server("slow") or {}).get("ready"), what="the adoption")
    assert agent.runs and last_session(hub, "slow").id == session.id
    assert sessions.get(hub.ledger, session.id).ready_at
    hub.end("slow")
    assert gone(session.id)


@pytest.mark.slow
def test_a_session_that_the_hub_forgot_is_stopped_and_told_as_being_saved(own_hub):
    hub = own_hub()
    hub.user("sven")
    hub.start("sven")
    session = last_session(hub, "sven")
    hub.kill("hub")
    (hub.state / "jupyterhub.sqlite").rename(hub.state / "lost.sqlite")
    created = sqlite_value(hub.state / "lost.sqlite", "SELECT created FROM users WHERE name = 'sven'")
    hub.start_hub()
    hub.user("sven")
    sqlite_value(hub.state / "jupyterhub.sqlite", "UPDATE users SET created = ? WHERE name = 'sven'", created)
    hub.kill("hub")
    hub.start_hub()

    refused = hub.start("sven")
    assert refused.status == 409 and "is still being saved" in refused.json["message"]
    until(lambda: sessions.get(hub.ledger, session.id).closed_at and gone(session.id), what="the last save")
    assert sessions.get(hub.ledger, session.id).pending_files == 0
    assert hub.start("sven").status == 201
    hub.end("sven")


def sqlite_value(path, query, *values):
    import sqlite3

    with sqlite3.connect(path) as connection:
        row = connection.execute(query, values).fetchone()
    return row[0] if row else None


def test_an_agent_that_does_not_hear_is_killed_once_nothing_moves_and_it_is_journalled(bad_hub):
    hub = bad_hub
    hub.user("deaf")
    hub.start("deaf")
    session = last_session(hub, "deaf")
    assert hub.end("deaf").status in (202, 204)
    row = sessions.get(hub.ledger, session.id)
    assert row.closed_at and row.pending_files == 1 and "made no progress for 7" in row.detail
    assert "session.killed" in [one.action for one in audit.rows(hub.ledger, subject=session.id)]
    assert gone(session.id) and "made no progress" in hub.log()


@pytest.mark.slow
def test_a_stop_that_the_hub_did_not_finish_is_finished_after_its_restart(bad_hub):
    hub = bad_hub
    hub.user("deaf")
    hub.start("deaf", "cut")
    session = last_session(hub, "deaf", "cut")
    hub.admin("DELETE", "/hub/api/users/deaf/servers/cut", wait=False)
    until(lambda: sessions.get(hub.ledger, session.id).stop_asked_at, what="the beginning of the stop")
    hub.kill("hub")
    assert not gone(session.id)
    hub.start_hub()
    until(lambda: sessions.get(hub.ledger, session.id).closed_at, what="the end of the stop")
    assert sessions.get(hub.ledger, session.id).cause == "stopped"
    until(lambda: gone(session.id), what="the end of the processes")
    assert [one.do for one in intents_of(hub, session.id)].count("stop") == 1


def intents_of(hub, session):
    with hub.ledger.read() as connection:
        return connection.exec_driver_sql("SELECT do FROM intents WHERE session = ?", (session,)).all()


def test_a_stop_in_the_middle_of_a_start_leaves_nothing(bad_hub):
    hub = bad_hub
    hub.user("slow")
    hub.admin("POST", "/hub/api/users/slow/servers/cut")
    until(
        lambda: notebook_of(hub, "slow", "cut") and last_session(hub, "slow", "cut").done_bytes,
        what="the restore",
    )
    session = last_session(hub, "slow", "cut")
    hub.end("slow", "cut")
    row = sessions.get(hub.ledger, session.id)
    assert row.cause == "cancelled" and row.ended_at and row.closed_at and row.ready_at is None
    assert row.pending_files == 0
    assert gone(session.id)


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["hook", "ledger"])
def test_a_stop_ends_the_processes_whatever_else_fails(own_hub, broken):
    more = {
        "hook": "def hook(spawner, session):\n    raise RuntimeError('from the hook')\nc.NotebookSpawner.pre_stop_hook = hook",
        "ledger": "",
    }[broken]
    hub = own_hub(more=more)
    hub.user("tim")
    hub.start("tim")
    session = last_session(hub, "tim")
    if broken == "ledger":
        for name in ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"):
            (hub.state / name).unlink(missing_ok=True)
        (hub.state / "ledger.sqlite").mkdir()
    hub.admin("DELETE", "/hub/api/users/tim/server", seconds=100)
    until(lambda: gone(session.id), what="the end of the processes")
    until(lambda: not hub.active("tim"), what="the stop")
    if broken == "hook":
        assert "from the hook" in hub.log()
        assert sessions.get(hub.ledger, session.id).cause == "stopped"


def test_a_pid_that_was_given_to_another_process_is_not_ours(hub):
    from jupyterhub_notebooks.spawners.processes import Known, known

    me = known(os.getpid())
    assert me.runs and not Known(me.pid, me.created - 60).runs
    child = subprocess.Popen([sys.executable, "-c", ""])
    seen = known(child.pid)
    until(lambda: not seen.runs, what="the zombie")  # ended and not reaped is not running
    assert time.time() > seen.created
    child.wait()
