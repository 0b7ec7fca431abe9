"""Two sessions of one workspace at the same time: one history, nothing overwritten, and the loser's files come back.

The first runs on a machine that goes out of reach: its processes are frozen (SIGSTOP) through the end of their lease, nobody
can see or end them, and their volume does not open. Everything else is real.
"""

from __future__ import annotations

import os
import signal

import pytest

from jupyterhub_notebooks.ledger import aside, audit, sessions, snapshots
from jupyterhub_notebooks.spawners.processes import of_session
from jupyterhub_notebooks.workspace import Volume, WorkspaceStore, open_store, parse_snapshot
from jupyterhub_notebooks.workspace.browsing import Contents, read_file
from jupyterhub_notebooks.workspace.layout import workspace_prefix
from tests.hub import until
from tests.outages import Place, place

MACHINES = '''
from jupyterhub_notebooks.spawners.local import LocalNotebookSpawner
from jupyterhub_notebooks.spawners.refusing import NotStarted

class OnMachines(LocalNotebookSpawner):
    """Of what the file names (sessions, volumes) nobody knows more than that it was there."""

    def lost(self, name):
        path = Path(given["state"]) / "out-of-reach"
        return path.exists() and name in path.read_text().split()

    async def backend_poll(self):
        return 0 if self.lost(self._session_id) else await super().backend_poll()

    async def backend_running(self, session):
        return self.lost(session.id) or await super().backend_running(session)

    async def backend_stop(self, session, patience):
        return "" if self.lost(session.id) else await super().backend_stop(session, patience)

    async def backend_left_over(self, session):
        return [] if self.lost(session.id) else await super().backend_left_over(session)

    def _launch_agent(self, session, environment):
        if self.lost(session.volume):
            raise NotStarted("The volume does not open", "Its machine does not answer", cause="volume_away")
        return super()._launch_agent(session, environment)

c.JupyterHub.spawner_class = OnMachines
'''


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    folder = tmp_path_factory.mktemp("overlap")
    with place(
        folder, settings={"lease_seconds": 12.0}, more=MACHINES, LocalNotebookSpawner__poll_interval=1
    ) as made:
        yield made


def out_of_reach(here: Place, *names: str) -> None:
    (here.hub.state / "out-of-reach").write_text("\n".join(names))


def each(session: str, number: signal.Signals) -> None:
    for process in of_session(session):
        process.send_signal(number)


def store_of(here: Place, workspace: str) -> WorkspaceStore:
    store = open_store(here.server.url, here.server.options, serialized=True)
    return WorkspaceStore(store, workspace_prefix(workspace))


def content(space: WorkspaceStore, number: int, name: str) -> bytes:
    entry = Contents(space, space, number).entry(os.fsencode(name))
    return b"".join(read_file(space, entry))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_of_two_sessions_forced_to_overlap_one_makes_the_history_and_the_other_a_recovery_snapshot(here):
    # The first saves, works on, and is frozen with its machine.
    here.start("mara")
    first = here.past("mara")[0]
    paper = here.file("mara", "paper.txt")
    paper.write_text("first version")
    here.saved_after("mara", 0)
    until(lambda: here.seen("mara")["saved"] and not here.view("mara").session.pending_files, what="the save")
    base = here.head("mara")
    each(first.id, signal.SIGSTOP)
    paper.write_text("the first one's, never saved")
    here.file("mara", "only-there.txt").write_text("new, never saved")
    out_of_reach(here, first.id, first.volume)

    # Its lease ends, it is given up, and its volume does not open.
    until(lambda: sessions.get(here.hub.ledger, first.id).closed_at, 60, what="the end of the first")
    assert sessions.get(here.hub.ledger, first.id).cause == "agent_died"
    assert here.view("mara").workspace.unsaved_on == first.volume
    said = here.until_said("mara", "The volume does not open")
    assert "not saved" in said
    told = here.seen("mara")
    assert (told["state"], told["sub_state"]) == ("ERROR", "not saved")
    assert "Your last save of" in told["safe"] and "is safe" in told["safe"]

    # Its user is told what stays behind, and starts from the last save.
    told = here.ask("mara", "api/v1/notebooks/mara/-/recovery")[1]
    assert (
        "Stays behind" in told["start_from_last_save"] and "recovery snapshot" in told["start_from_last_save"]
    )
    # Between two tries to save what is on the volume, the pages offer it.
    for page in ("n/mara/-", ""):
        until(
            lambda page=page: "Start from the last save" in here.ask("mara", page)[1],
            what=f"{page} offers it",
        )
    until(lambda: "Stays behind" in here.ask("mara", "n/mara/-")[1], what="what stays behind")
    status, told = here.ask("mara", "api/v1/notebooks/mara/-/start-from-save", "POST", {})
    assert status == 202, told
    here.until_state("mara", "RUNNING", 240)
    second = here.past("mara")[0]
    assert second.volume == f"{first.volume}.1"
    its = here.hub.state / "volumes" / f"{second.notebook}.1" / "files"
    assert (its / "paper.txt").read_text() == "first version" and not (its / "only-there.txt").exists()
    (its / "paper.txt").write_text("second version")
    here.saved_after("mara", base)
    head = here.head("mara")

    # The first goes on, tries to save, and cannot.
    log = here.hub.state / "logs" / "sessions" / f"{first.id}.log"
    before = len(log.read_text())
    each(first.id, signal.SIGCONT)
    until(lambda: "Not saved: " in log.read_text()[before:], 60, what="its try to save")
    refused = next(line for line in log.read_text()[before:].splitlines() if "Not saved: " in line)
    print("the first one's try:", refused)
    assert here.head("mara") >= head
    rows = snapshots.of_workspace(here.hub.ledger, first.workspace)
    assert {one.session for one in rows} == {first.id, second.id}
    assert all(one.session == second.id for one in rows if one.number > base)

    # What was left behind becomes a recovery snapshot once its machine is back, by itself.
    left = here.ask("mara", "api/v1/notebooks/mara/-/recovery")[1]["left_behind"]
    assert [(one["volume"], one["head"], one["settled_at"]) for one in left] == [(first.volume, base, None)]
    until(lambda: not of_session(first.id), 120, what="the end of what the first left running")
    out_of_reach(here)
    here.stop("mara")
    here.until_state("mara", "STOPPED")
    head = here.head("mara")
    until(lambda: aside.recovered(here.hub.ledger, first.workspace), 90, what="the recovery snapshot")
    until(lambda: not here.view("mara").saving, what="the end of that run")
    [found] = aside.recovered(here.hub.ledger, first.workspace)
    assert found.aside is not None and found.aside.session == first.id and found.aside.actor == first.user
    assert here.head("mara") == head and here.seen("mara")["state"] == "STOPPED"

    # One history, nothing overwritten, all of it readable.
    space = store_of(here, first.workspace)
    heads = [parse_snapshot(space.get(number), number=number) for number in space.numbers()]
    assert [one.number for one in heads] == list(range(1, len(heads) + 1))
    saves = [one for one in heads if one.kind == "save"]
    assert [one.parent for one in saves[1:]] == [one.number for one in saves[:-1]]
    [recovery] = [one for one in heads if one.kind == "recovery"]
    assert recovery.parent == base and recovery.number == found.snapshot.number
    assert content(space, base, "paper.txt") == b"first version"
    assert content(space, head, "paper.txt") == b"second version"
    assert content(space, recovery.number, "paper.txt") == b"the first one's, never saved"
    assert content(space, recovery.number, "only-there.txt") == b"new, never saved"

    # Its user sees whose it is, takes from it, and is done with it.
    [told] = here.ask("mara", "api/v1/notebooks/mara/-/recovery")[1]["snapshots"]
    assert told["number"] == recovery.number and told["session"] == first.id and told["dismissed_at"] is None
    assert "started from the save" in told["why"] and "stopped answering" in told["why"]
    page = here.ask("mara", "n/mara/-")[1]
    assert "Recovered files" in page
    for part in (
        "which stopped answering at",
        "you started from the save of",
        "Their volume was found again at",
    ):
        assert part in told["why"] and part in page  # the times between them are elements of their own
    actions = [one.action for one in audit.rows(here.hub.ledger, subject=first.workspace)]
    assert "volume.set_aside" in actions and "volume.recovered" in actions

    take = f"api/v1/notebooks/mara/-/snapshots/{recovery.number}"
    status, told = here.ask("mara", f"{take}/restore", "POST", {"paths": ["only-there.txt"]})
    assert status == 202 and "from the next start on" in told["said"], told
    status, told = here.ask("mara", f"{take}/restore", "POST", {"paths": ["paper.txt"], "copies": True})
    assert status == 202 and "as a copy in restored/" in told["said"], told
    here.start("mara")
    assert (its / "only-there.txt").read_text() == "new, never saved"
    assert (its / "paper.txt").read_text() == "second version"
    [copy] = (its / "restored").rglob("paper.txt")
    assert copy.read_text() == "the first one's, never saved"
    here.stop("mara")
    here.until_state("mara", "STOPPED")
    status, told = here.ask("mara", f"{take}/restore-all", "POST", {})
    assert status == 200, told
    assert here.ask("mara", f"{take}/dismiss", "POST", {})[0] == 200
    assert here.ask("mara", "api/v1/notebooks/mara/-/recovery")[1]["snapshots"][0]["dismissed_at"]
    assert "Recovered files" not in here.ask("mara", "n/mara/-")[1]
    here.start("mara")
    assert (its / "paper.txt").read_text() == "the first one's, never saved"
    assert Volume(its, its.parent / "state").base == here.head("mara")
    here.stop("mara")
    here.until_state("mara", "STOPPED")
