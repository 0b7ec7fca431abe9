"""Old snapshots of a Hub's workspaces: rows before objects, alone with commits, by the profile's numbers."""

import asyncio
import base64
import dataclasses
import os
import random
import threading
import time
from datetime import timedelta

import pytest
from sqlalchemy import update

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.contract import Commit
from jupyterhub_notebooks.errors import Conflict, Damaged
from jupyterhub_notebooks.ledger import audit, notebooks, reverting, snapshots, storage
from jupyterhub_notebooks.ledger.locks import Locks
from jupyterhub_notebooks.ledger.tables import sessions as session_rows
from jupyterhub_notebooks.ledger.tables import snapshots as snapshot_rows
from jupyterhub_notebooks.services.janitor import removing
from jupyterhub_notebooks.services.janitor.pruning import Pruner
from jupyterhub_notebooks.services.janitor.storage import Storage
from jupyterhub_notebooks.workspace import (
    MissingBlocks,
    Volume,
    WorkspaceStore,
    check,
    open_store,
    restore,
    save,
)
from jupyterhub_notebooks.workspace.layout import workspace_prefix
from tests.agents_service import start_agents_service
from tests.workspace.conftest import tree


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    made = start_agents_service(tmp_path_factory.mktemp("agents"))
    yield made
    made.close()


class ThroughService:
    """Blocks straight to the store, commits through services/agents, as an agent does it."""

    def __init__(self, service, session, space):
        self.service, self.session, self.space, self.keys = service, session, space, space.keys
        self.lease, self.missing = 1, 0

    def numbers(self):
        return self.space.numbers()

    def get(self, what):
        return self.space.get(what)

    def commit(self, number, body, facts):
        asked = Commit(
            number, self.lease, base64.b64encode(body).decode(), facts.kind, present=tuple(facts.present)
        )
        status, answer = self.service.call(self.session, "POST", "commit", asked)
        if status == 409:
            raise Conflict(answer["error"]["title"])
        assert status == 200, answer
        if answer["missing"]:
            self.missing += 1
            raise MissingBlocks(answer["missing"])


class Notebook:
    """A notebook with a session and a volume, saved through the service."""

    def __init__(self, service, folder):
        self.service = service
        self.session = service.new_session(f"user{os.urandom(4).hex()}", "churn")
        status, answer = service.call(self.session, "POST", "hello", {"agent_version": "0.1"})
        assert status == 200, answer
        self.id = self.session.workspace
        self.store = open_store(service.settings.store)
        self.space = WorkspaceStore(self.store, workspace_prefix(self.id))
        self.way = ThroughService(service, self.session, self.space)
        self.way.lease = answer["lease"]["number"]
        self.volume = Volume(folder / "files", folder / "state")
        self.volume.files.mkdir(parents=True)
        self.folder = folder
        self.locks = Locks(service.ledger)
        self.trees = {}
        self.beats, self.beaten = 0, time.monotonic()

    def beat(self):
        """Holds the lease, as often as an agent does."""
        if time.monotonic() < self.beaten + 10:
            return
        self.beats, self.beaten = self.beats + 1, time.monotonic()
        beat = {"sequence": self.beats, "phase": "running"}
        status, answer = self.service.call(self.session, "POST", "heartbeat", beat)
        assert status == 200 and answer["lease"], answer

    def save(self, days_ago=0.0, kind="save", number=None):
        """A save of new bytes, whose row says that it was made so long ago."""
        (self.volume.files / "changes").write_bytes(os.urandom(50_000))
        before = self.rows()
        asked = number or max((row.number for row in before), default=0) + 1
        made = save(
            self.volume,
            self.space,
            self.way,
            number=asked,
            parent=self.volume.base,
            workspace_id=self.id,
            kind=kind,
            now=SYSTEM_CLOCK.now(),
            created_by="a test",
        )
        at = SYSTEM_CLOCK.now() - timedelta(days=days_ago)
        here = (snapshot_rows.c.workspace == self.id) & (snapshot_rows.c.number == made.number)
        with self.service.ledger.write() as connection:
            connection.execute(update(snapshot_rows).where(here).values(at=at))
        self.trees[made.number] = tree(self.volume.files)
        return made.number

    def rows(self):
        return snapshots.of_workspace(self.service.ledger, self.id, committed=False)

    def remove(self, days=0.0, **settings):
        chosen = dataclasses.replace(self.service.settings, **settings)
        now = SYSTEM_CLOCK.now() + timedelta(days=days)
        return removing.remove(chosen, self.service.ledger, self.locks, self.store, self.id, now)

    def listed(self):
        answer = self.service.call(self.session, "GET", "snapshots")[1]
        return sorted(row["number"] for row in answer["snapshots"])

    def sound(self):
        report = check(self.space, self.space, read_data=True, stored=self.space.block_sizes())
        assert not report.errors, report.errors
        for number in self.space.numbers():
            back = Volume(self.folder / f"back{number}" / "files", self.folder / f"back{number}" / "state")
            restore(back, self.space, self.space, number)
            assert tree(back.files) == self.trees[number]


@pytest.fixture
def notebook(service, tmp_path):
    made = Notebook(service, tmp_path)
    yield made
    made.locks.close()


def test_old_snapshots_go_rows_first_and_their_blocks_a_day_later(notebook):
    for days in (50, 40, 30, 0):
        notebook.save(days)
    blocks = len(dict(notebook.space.block_sizes()))
    done = notebook.remove(retention={"hours": 0, "days": 0, "weeks": 0})
    assert (done.skipped, done.snapshots) == ("", (1, 2, 3))
    assert notebook.listed() == notebook.space.numbers() == [4]
    assert done.deleted_blocks == 0
    assert len(dict(notebook.space.block_sizes())) == blocks
    later = notebook.remove(1.1, retention={"hours": 0, "days": 0, "weeks": 0})
    assert later.deleted_blocks == blocks - len({*dict(notebook.space.block_sizes())}) > 0
    notebook.sound()
    [row] = notebook.rows()
    assert row.shared_bytes == 0
    assert notebooks.workspace(notebook.service.ledger, notebook.id).stored_bytes == later.stored_bytes
    actions = [one.action for one in audit.rows(notebook.service.ledger, subject=notebook.id)]
    assert "snapshot.removed" in actions
    assert notebook.save() == 5
    notebook.sound()


def test_a_named_snapshot_and_files_that_nobody_looked_at_yet_stay(notebook):
    for days in (90, 80, 70):
        notebook.save(days)
    kept = notebook.save(60)
    notebook.save(10, kind="recovery", number=kept + 1)
    notebook.save(0, kind="recovery", number=kept + 2)
    other = Volume(notebook.folder / "other" / "files", notebook.folder / "other" / "state")
    restore(other, notebook.space, notebook.space, kept)
    book = notebooks.workspace(notebook.service.ledger, notebook.id).notebook
    reverting.name(notebook.service.ledger, book, notebook.id, 1, "before the talk", None, SYSTEM_CLOCK.now())
    notebook.space.name(2, "only in the store", SYSTEM_CLOCK.now())
    notebook.remove(retention={"hours": 1, "days": 30, "weeks": 0})
    assert notebook.listed() == notebook.space.numbers() == [1, 2, kept, kept + 1, kept + 2]
    notebook.sound()


def test_the_numbers_of_the_profile_come_before_those_of_the_setting(notebook):
    with notebook.service.ledger.write() as connection:
        here = session_rows.c.id == notebook.session.id
        launch = {**notebook.session.row.launch, "retention": {"days": 400}}
        connection.execute(update(session_rows).where(here).values(launch=launch))
    for days in (390, 200, 0):
        notebook.save(days)
    now = SYSTEM_CLOCK.now()
    rule = removing.rule_for(notebook.service.ledger, notebook.service.settings, notebook.id, now)
    assert (rule.every_hours, rule.days, rule.weeks) == (24, 400, 12)
    notebook.remove(retention={"days": 1, "weeks": 1})
    assert notebook.listed() == [1, 2, 3]


def test_what_dies_between_row_and_object_is_listed_nowhere_and_goes_with_the_next(notebook, monkeypatch):
    for days in (90, 80, 0):
        notebook.save(days)

    def dies(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(removing, "carry_out", dies)
    with pytest.raises(KeyboardInterrupt):
        notebook.remove(retention={"weeks": 0, "days": 0})
    monkeypatch.undo()
    assert notebook.listed() == [3]
    assert notebook.space.numbers() == [1, 2, 3]
    notebook.sound()
    assert notebook.save() == 4
    assert notebook.remove(retention={"weeks": 0, "days": 0}).snapshots == (1, 2)
    assert notebook.space.numbers() == [3, 4]
    notebook.sound()


def test_a_commit_waits_for_a_removal_and_a_removal_leaves_a_commit_alone(notebook):
    notebook.save(90)
    assert notebook.locks.take(notebook.id)
    saved = []
    saving = threading.Thread(target=lambda: saved.append(notebook.save()))
    saving.start()
    saving.join(1.0)
    assert saving.is_alive()
    assert [row.number for row in notebook.rows()] == [1]
    other = Locks(notebook.service.ledger)
    notebook.locks.give(notebook.id)
    saving.join(15)
    assert saved == [2]
    assert other.take(notebook.id)
    assert notebook.remove().skipped == "it is being saved"
    other.close()
    assert notebook.remove().skipped == ""


def test_nothing_goes_while_the_outcome_of_a_save_is_open_or_store_and_ledger_disagree(notebook):
    for days in (90, 80, 0):
        notebook.save(days)
    row = notebook.rows()[0]
    here = (snapshot_rows.c.workspace == notebook.id) & (snapshot_rows.c.number == 3)
    with notebook.service.ledger.write() as connection:
        connection.execute(update(snapshot_rows).where(here).values(state="reserved"))
    assert (
        notebook.remove(retention={"weeks": 0, "days": 0}).skipped == "the outcome of a save is not known yet"
    )
    snapshots.settle(notebook.service.ledger, notebook.id, row.number, True, SYSTEM_CLOCK.now())
    body = notebook.space.get(1)
    notebook.space.remove_snapshot(1)
    with pytest.raises(Damaged, match="Snapshot 1 is in the ledger and not in the store"):
        notebook.remove(retention={"weeks": 0, "days": 0})
    notebook.space.put_snapshot(1, body)
    assert notebook.space.numbers() == [1, 2, 3]
    notebook.sound()


def test_the_janitor_prunes_what_is_due_in_a_process_of_its_own(notebook):
    for days in (90, 80, 0):
        notebook.save(days)
    service = notebook.service
    settings = service.settings
    pruner = Pruner(settings, service.ledger, Storage(settings), SYSTEM_CLOCK)
    asyncio.run(pruner.look())
    assert notebook.listed() == notebook.space.numbers() == [2, 3]  # 12 weeks are 84 days
    before = notebooks.workspace(service.ledger, notebook.id).pruned_at
    assert before is not None
    assert notebook.id not in {one.id for one in storage.to_prune(service.ledger, before, 50)}
    answer = asyncio.run(pruner.prune(notebook.id))
    assert answer["done"]["skipped"] == ""
    notebook.space.remove_snapshot(notebook.listed()[-1])
    answer = asyncio.run(pruner.prune(notebook.id))
    assert "is in the ledger and not in the store" in answer["error"]
    own, repair = answer["error"].index("Look for it in a copy"), answer["error"].index("notebook repair")
    assert own < repair
    assert notebooks.workspace(service.ledger, notebook.id).pruned_at > before


def removals_beside_saves(notebook, seconds):
    """Saves through the service in a loop, of contents that come and go, beside removals that each come a day later."""
    over, failed = threading.Event(), []
    days = 0.0
    counts = {"saves": 0, "removals": 0, "snapshots": 0, "deleted": 0, "skipped": 0}
    contents = [random.Random(seed).randbytes(2**20 + 1) for seed in range(4)]
    chance = random.Random(3)

    def saver():
        try:
            while not over.is_set():
                notebook.beat()
                for at in range(2):
                    (notebook.volume.files / f"f{at}").write_bytes(chance.choice(contents))
                with stopped_clock:  # the grace is longer than any save may take
                    notebook.save(-days)
                counts["saves"] += 1
        except BaseException as error:
            failed.append(error)
            over.set()

    stopped_clock = threading.RLock()

    def remover():
        nonlocal days
        try:
            while not over.is_set():
                with stopped_clock:
                    days += 1.1
                done = notebook.remove(days, retention={"hours": 60, "days": 0, "weeks": 0})
                counts["removals"] += 1
                counts["snapshots"] += len(done.snapshots)
                counts["deleted"] += done.deleted_blocks
                counts["skipped"] += bool(done.skipped)
        except BaseException as error:
            failed.append(error)
            over.set()

    threads = [threading.Thread(target=saver), threading.Thread(target=remover)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end and not over.wait(0.1):
        if seconds < 60 and counts["snapshots"] > 5 and counts["deleted"] > 3:
            break
    over.set()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return counts


def test_removals_in_a_loop_beside_saves_leave_every_snapshot_whole(notebook):
    counts = removals_beside_saves(notebook, 45)
    notebook.sound()
    assert notebook.listed() == notebook.space.numbers()
    assert counts["snapshots"] > 5, counts
    assert counts["deleted"] > 3, counts


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_ten_minutes_of_removals_beside_saves_through_the_service(notebook):
    counts = removals_beside_saves(notebook, float(os.environ.get("PRUNE_SECONDS", "600")))
    print(counts)
    notebook.sound()
    assert notebook.listed() == notebook.space.numbers()
    assert counts["deleted"] > 100, counts
