"""The crash table of design.md, as far as the agent heals it: who dies, what is left, what the next start does."""

from __future__ import annotations

import os

import pytest

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.ledger import sessions

from .gate import Gate
from .harness import Notebook, until


def _saved_once(notebook: Notebook, size: int = 2_000_000) -> bytes:
    agent = notebook.start().phase("running")
    content = os.urandom(size)
    (notebook.files / "work.bin").write_bytes(content)
    assert agent.stop() == 0, agent.said()
    return content


def test_files_of_a_killed_agent_are_saved_by_the_next_session(notebook: Notebook) -> None:
    _saved_once(notebook)
    agent = notebook.start().phase("running")
    (notebook.files / "newer.txt").write_text("newer than the snapshot")
    agent.die()
    again = notebook.start().phase("running")
    assert (notebook.files / "newer.txt").read_text() == "newer than the snapshot"
    assert again.stop() == 0, again.said()
    assert [one.kind for one in again.snapshots()] == ["save", "save"]
    notebook.lose()
    notebook.start().phase("running")
    assert (notebook.files / "newer.txt").read_text() == "newer than the snapshot"


def test_a_killed_first_session_loses_nothing(notebook: Notebook) -> None:
    agent = notebook.start().phase("running")
    (notebook.files / "first.txt").write_text("never saved")
    agent.die()
    again = notebook.start().phase("running")
    assert again.stop() == 0, again.said()
    assert [one.number for one in again.snapshots()] == [1]
    notebook.lose()
    notebook.start().phase("running")
    assert (notebook.files / "first.txt").read_text() == "never saved"


def test_a_server_that_dies_ends_the_session_saved_and_with_its_cause(notebook: Notebook) -> None:
    import contextlib
    import http.client
    import urllib.request

    agent = notebook.start().phase("running")
    (notebook.files / "work.txt").write_text("mine")
    with contextlib.suppress(urllib.error.URLError, http.client.HTTPException, ConnectionError):
        urllib.request.urlopen(f"http://127.0.0.1:{agent.port}/3", b"", timeout=10)
    assert agent.wait() == 0, agent.said()
    row = agent.row()
    assert (row.cause, row.detail) == ("server_died", "The server ended with exit status 3")
    assert len(agent.snapshots()) == 1


def test_a_server_that_was_killed_is_said_to_have_run_out_of_memory_most_often(notebook: Notebook) -> None:
    agent = notebook.start(["/bin/sh", "-c", "sleep 0.5; kill -9 $$"]).phase(
        "starting", "running", "saving", "ended"
    )
    assert agent.wait() == 0, agent.said()
    assert agent.row().cause == "server_died"
    assert "SIGKILL" in (agent.row().detail or "")


def test_a_server_that_cannot_be_started_says_which_program_is_missing(notebook: Notebook) -> None:
    agent = notebook.start(["no-such-program"])
    assert agent.wait() == 0, agent.said()
    assert agent.row().cause == "server_died"
    assert "no-such-program" in (agent.row().detail or "")


def test_processes_that_outlive_the_server_are_ended(notebook: Notebook) -> None:
    leave = "(trap '' TERM HUP; setsid sleep 600) & (setsid env -i sleep 601 &) ; exec sleep 600"
    agent = notebook.start(["/bin/sh", "-c", leave], {"JUPYTERHUB_SERVICE_URL": ""}).phase("running")
    until(lambda: len(agent.left()) >= 2, "the server's children run")
    import psutil

    family = psutil.Process(agent.process.pid).children(recursive=True)
    assert agent.stop() == 0, agent.said()
    until(lambda: not agent.left() and not any(one.is_running() for one in family), "all of them are gone")


def test_a_restore_that_was_killed_is_finished_by_the_next_start_and_never_saved(
    behind: Notebook, gate: Gate
) -> None:
    content = _saved_once(behind, 30_000_000)
    behind.lose()
    with gate.holding("GET", "/blocks/", (behind.state / "restoring").exists):
        agent = behind.start().phase("restoring")
        until(gate.held.is_set, "a block is asked for while the mark is there")
        until(lambda: agent.row().total_bytes > 30_000_000, "the progress says how many MB there are")
        agent.die()
    assert (behind.state / "restoring").exists()
    again = behind.start().phase("running")
    assert (behind.files / "work.bin").read_bytes() == content
    assert not (behind.state / "restoring").exists()
    assert again.stop() == 0, again.said()
    assert [one.number for one in again.snapshots()] == [1]


def test_a_stop_during_the_restore_leaves_the_mark_and_commits_nothing(behind: Notebook, gate: Gate) -> None:
    content = _saved_once(behind, 30_000_000)
    behind.lose()
    with gate.holding("GET", "/blocks/", (behind.state / "restoring").exists):
        agent = behind.start().phase("restoring")
        until(gate.held.is_set, "a block is asked for while the mark is there")
        agent.ask_to_end()
    assert agent.wait() == 0, agent.said()
    assert (behind.state / "restoring").exists()
    row = agent.row()
    assert (row.phase, row.cause, row.pending_files) == ("ended", "stopped", 0)
    assert len(agent.snapshots()) == 1
    again = behind.start().phase("running")
    assert (behind.files / "work.bin").read_bytes() == content
    again.stop()


def test_a_volume_that_vanished_under_the_server_is_not_saved_as_emptiness(notebook: Notebook) -> None:
    import shutil

    content = _saved_once(notebook)
    agent = notebook.start().phase("running")
    shutil.rmtree(notebook.files)
    notebook.files.mkdir()
    assert agent.stop() == 0, agent.said()
    assert [one.number for one in agent.snapshots()] == [1]
    notebook.start().phase("running")
    assert (notebook.files / "work.bin").read_bytes() == content


def test_a_restore_that_cannot_work_says_why_and_saves_nothing(behind: Notebook, gate: Gate) -> None:
    _saved_once(behind)
    behind.lose()
    gate.rule = lambda method, path: 404 if method == "GET" and "/blocks/" in path else None
    agent = behind.start()
    assert agent.wait() not in (0, 75), agent.said()
    row = agent.row()
    assert row.cause == "snapshot_damaged", row
    assert row.detail.startswith("Snapshot 1 cannot be read in full. Block "), row
    assert row.detail.endswith("nothing was overwritten. Restore an earlier snapshot, then start it."), row
    assert row.closed_at is not None
    assert len(agent.snapshots()) == 1
    gate.rule = lambda method, path: None
    behind.start().phase("running")
    assert (behind.files / "work.bin").exists()


def test_storage_that_is_away_at_the_end_leaves_the_files_and_says_so(behind: Notebook, gate: Gate) -> None:
    _saved_once(behind)
    agent = behind.start().phase("running")
    (behind.files / "unsaved.bin").write_bytes(os.urandom(100_000))
    gate.rule = lambda method, path: 503 if method == "PUT" else None
    assert agent.stop() == 75, agent.said()
    row = agent.row()
    assert row.pending_files >= 1 and row.phase == "ended"
    gate.rule = lambda method, path: None
    again = behind.start().phase("running")
    assert again.stop() == 0, again.said()
    assert [one.number for one in again.snapshots()] == [2, 1]


def test_a_service_that_is_started_again_finds_the_session_going_on(behind: Notebook, gate: Gate) -> None:
    behind.launch = {"save_interval_seconds": 0.5}
    agent = behind.start().phase("running")
    until(lambda: len(agent.snapshots()) == 1, "the first save")
    behind.service.kill()
    (behind.files / "meanwhile.txt").write_text("written while the service was away")
    agent.logged("does not answer")
    assert agent.process.poll() is None
    agent.get()
    behind.service.start()
    until(lambda: len(agent.snapshots()) >= 2, "a save after the service came back")
    agent.logged("answers again")
    assert agent.stop() == 0, agent.said()


def test_files_of_a_base_that_is_not_head_become_a_recovery_snapshot(notebook: Notebook) -> None:
    _saved_once(notebook)
    agent = notebook.start().phase("running")
    (notebook.files / "loser.txt").write_text("only here")
    agent.die()
    elsewhere = Notebook(notebook.service, notebook.place / "elsewhere", name=notebook.name)
    other = elsewhere.start().phase("running")
    (elsewhere.files / "winner.txt").write_text("saved")
    assert other.stop() == 0, other.said()
    again = notebook.start().phase("running")
    assert (notebook.files / "winner.txt").exists() and not (notebook.files / "loser.txt").exists()
    assert [one.kind for one in again.snapshots()] == ["recovery", "save", "save"]
    assert any("recovery snapshot 3" in one for one in again.row().warnings)
    assert again.stop() == 0, again.said()
    assert [one.number for one in again.snapshots() if one.kind == "recovery"] == [3]


def test_files_without_state_are_all_kept_before_head_is_restored(notebook: Notebook) -> None:
    import shutil

    content = _saved_once(notebook)
    (notebook.files / "work.bin").write_bytes(b"changed")
    (notebook.files / "extra.txt").write_text("extra")
    shutil.rmtree(notebook.state)
    again = notebook.start().phase("running")
    assert (notebook.files / "work.bin").read_bytes() == content
    assert [one.kind for one in again.snapshots()] == ["recovery", "save"]


def test_files_of_another_workspace_are_kept_before_head_is_restored(notebook: Notebook) -> None:
    content = _saved_once(notebook)
    other = Notebook(notebook.service, notebook.place / "other", user="noor", name="hers")
    _saved_once(other)
    (notebook.files / ".workspace.initialized").write_bytes(
        (other.files / ".workspace.initialized").read_bytes()
    )
    (notebook.files / "work.bin").write_bytes(b"hers")
    again = notebook.start().phase("running")
    assert (notebook.files / "work.bin").read_bytes() == content
    assert [one.kind for one in again.snapshots()] == ["recovery", "save"]


def test_an_agent_whose_session_was_given_up_ends_with_its_files_kept(notebook: Notebook) -> None:
    first = notebook.start().phase("running")
    sessions.close(notebook.service.ledger, first.session.id, SYSTEM_CLOCK.now(), "given_up")
    elsewhere = Notebook(notebook.service, notebook.place / "elsewhere", name=notebook.name)
    second = elsewhere.start().phase("running")
    assert second.stop() == 0, second.said()
    (notebook.files / "late.txt").write_text("too late")
    assert first.stop() == 75, first.said()
    assert (notebook.files / "late.txt").exists()
    assert len(second.snapshots()) == 1


def test_a_start_waits_for_a_lease_that_runs_out(notebook: Notebook) -> None:
    _saved_once(notebook)
    _hold_lease(notebook, seconds=4)
    agent = notebook.start().phase("running")
    assert "This notebook waits for its files" in agent.said()
    assert not agent.row().warnings


def _hold_lease(notebook: Notebook, seconds: float) -> None:
    """The lease of the workspace belongs to a session that has long ended, for so long."""
    from datetime import timedelta

    from sqlalchemy import select, update

    from jupyterhub_notebooks.ledger.tables import leases

    session = notebook.service.new_session(notebook.user, notebook.name)
    sessions.close(notebook.service.ledger, session.id, SYSTEM_CLOCK.now(), "died")
    with notebook.service.ledger.write() as connection:
        assert connection.execute(select(leases).where(leases.c.workspace == session.workspace)).first()
        connection.execute(
            update(leases)
            .where(leases.c.workspace == session.workspace)
            .values(session=session.id, ends_at=SYSTEM_CLOCK.now() + timedelta(seconds=seconds))
        )


def test_a_lease_that_was_taken_over_stops_commits_and_keeps_the_files(notebook: Notebook) -> None:
    from sqlalchemy import update

    from jupyterhub_notebooks.ledger.tables import leases

    notebook.launch = {"save_interval_seconds": 0.5}
    agent = notebook.start().phase("running")
    until(lambda: len(agent.snapshots()) == 1, "the first save")
    with notebook.service.ledger.write() as connection:
        connection.execute(
            update(leases)
            .where(leases.c.workspace == agent.session.workspace)
            .values(session="another", number=leases.c.number + 1)
        )
    (notebook.files / "late.txt").write_text("too late")
    until(lambda: any("took over" in one for one in agent.row().warnings or ()), "the user is told", 60)
    assert agent.stop() == 75, agent.said()
    assert len(agent.snapshots()) == 1
    assert agent.row().pending_files >= 1


def test_a_notebook_that_stays_open_elsewhere_is_refused_in_words(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyterhub_notebooks.agent import greeting, run
    from jupyterhub_notebooks.agent.options import Options

    _saved_once(notebook)
    _hold_lease(notebook, seconds=600)
    monkeypatch.setattr(greeting, "HELD_SECONDS", 0.5)
    session = notebook.service.new_session(notebook.user, notebook.name)
    place = notebook.place / "run"
    options = Options(
        *(notebook.files, notebook.state, place, place / "log", ("sleep", "1")),
        *(session.id, session.token, notebook.service.url),
    )
    assert run.Agent(options, {}, 0.0).run() == 5
    row = sessions.get(notebook.service.ledger, session.id)
    assert row.cause == "open_elsewhere"
    assert "Only one session may write a workspace" in (row.detail or "")
    assert row.closed_at is not None
