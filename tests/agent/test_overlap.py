"""Two sessions of one workspace at the same time, the first frozen through the end of its lease: real agents, real service."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyterhub_notebooks.agent.errors import EXIT_NOT_SAVED
from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.errors import NotebooksError
from jupyterhub_notebooks.ledger import aside, audit, burying, leases, notebooks, sessions, snapshots
from jupyterhub_notebooks.workspace import WorkspaceStore, open_store, parse_snapshot
from jupyterhub_notebooks.workspace.browsing import Contents, read_file
from jupyterhub_notebooks.workspace.layout import workspace_prefix
from tests.agents_service import start_agents_service

from .harness import Notebook, RunningAgent

LAUNCH = {"save_interval_seconds": 1.0}


def until(check: Callable[[], object], what: str, seconds: float = 240.0) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.1)


def content(space: WorkspaceStore, number: int, name: str) -> str:
    """A file of a snapshot; '' where it has none, or there is none."""
    if not number:
        return ""
    try:
        entry = Contents(space, space, number).entry(os.fsencode(name))
        return b"".join(read_file(space, entry)).decode()
    except NotebooksError:
        return ""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_of_two_sessions_that_overlap_one_makes_the_history_and_the_other_a_recovery_snapshot(
    tmp_path: Path, ended: None
) -> None:
    service = start_agents_service(
        tmp_path, lease_seconds=6.0, heartbeat_seconds=1.0, heartbeat_soon_seconds=0.5
    )
    ledger = service.ledger

    def begin(volume: str, place: str, kind: str = "work") -> RunningAgent:
        session = service.new_session("mara", "churn", launch=LAUNCH, volume=volume, kind=kind)
        return RunningAgent(Notebook(service, tmp_path / place, name="churn"), session, None, {})

    def runs(agent: RunningAgent) -> RunningAgent:
        until(lambda: agent.row().phase == "running", f"it runs:\n{agent.said()}")
        sessions.ready(ledger, agent.session.id, SYSTEM_CLOCK.now())
        return agent

    def head() -> int:
        newest = snapshots.head(ledger, space_id)
        return newest.number if newest else 0

    try:
        first = runs(begin("machine-1", "one"))
        space_id, book = first.session.workspace, first.session.notebook
        store = open_store(service.settings.store, serialized=True)
        space = WorkspaceStore(store, workspace_prefix(space_id))
        files = first.notebook.files
        (files / "paper.txt").write_text("first version")
        until(lambda: content(space, head(), "paper.txt") == "first version", "the first save")

        os.kill(first.process.pid, signal.SIGSTOP)
        base = head()
        (files / "paper.txt").write_text("the first one's, never saved")
        (files / "only-there.txt").write_text("new, never saved")
        until(lambda: leases.of_session(ledger, space_id, first.session.id).ends_in_seconds < 0, "its end")
        assert burying.bury(ledger, first.row(), SYSTEM_CLOCK.now())  # as services/janitor does then
        assert notebooks.workspace(ledger, space_id).unsaved_on == "machine-1"

        refused = begin("machine-2", "other")
        refused.wait(240)
        assert refused.row().cause == "volume_away" and "The volume does not open" in refused.said()

        aside.leave(ledger, book, first.row().user, SYSTEM_CLOCK.now())
        second = runs(begin("machine-2", "other"))
        its = second.notebook.files
        assert (its / "paper.txt").read_text() == "first version" and not (its / "only-there.txt").exists()
        (its / "paper.txt").write_text("second version")
        until(lambda: content(space, head(), "paper.txt") == "second version", "the second one's save")

        before = len(first.said())
        os.kill(first.process.pid, signal.SIGCONT)
        until(lambda: "Not saved: " in first.said()[before:], "its try to save")
        tried = next(line for line in first.said()[before:].splitlines() if "Not saved: " in line)
        print("the first one's try:", tried)
        first.ask_to_end()
        assert first.wait(240) == EXIT_NOT_SAVED
        assert (files / "paper.txt").read_text() == "the first one's, never saved"
        second.ask_to_end()
        assert second.wait(240) == 0
        newest = head()

        assert [left.volume for left, _ in aside.waiting(ledger)] == ["machine-1"]
        keeps = begin("machine-1", "one", kind="save")
        until(lambda: aside.recovered(ledger, space_id), f"the recovery snapshot:\n{keeps.said()}")
        runs(keeps)
        keeps.ask_to_end()
        assert keeps.wait(240) == 0
        assert head() == newest and aside.waiting(ledger) == []

        heads = [parse_snapshot(space.get(number), number=number) for number in space.numbers()]
        print("history:", [(one.number, one.kind, one.parent) for one in heads])
        assert [one.number for one in heads] == list(range(1, len(heads) + 1))
        saves = [one for one in heads if one.kind == "save"]
        assert [one.parent for one in saves[1:]] == [one.number for one in saves[:-1]]
        [recovery] = [one for one in heads if one.kind == "recovery"]
        assert recovery.parent == base
        assert content(space, base, "paper.txt") == "first version"
        assert content(space, newest, "paper.txt") == "second version"
        assert content(space, recovery.number, "paper.txt") == "the first one's, never saved"
        assert content(space, recovery.number, "only-there.txt") == "new, never saved"
        [found] = aside.recovered(ledger, space_id)
        assert found.aside is not None and found.aside.session == first.session.id
        acts = [one.action for one in audit.rows(ledger, subject=space_id)]
        assert "volume.set_aside" in acts and "volume.recovered" in acts
    finally:
        service.close()
