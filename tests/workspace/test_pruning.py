"""Removal in two steps: what goes, what stays, and what dying in between leaves."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest

from jupyterhub_notebooks.errors import BadInput, Conflict, Damaged, StorageAway
from jupyterhub_notebooks.settings import Settings
from jupyterhub_notebooks.workspace import (
    MissingBlocks,
    WorkspaceStore,
    check,
    comparing,
    copy_all,
    open_store,
    save,
)
from jupyterhub_notebooks.workspace.marking import Marked
from jupyterhub_notebooks.workspace.pruning import LEAST_GRACE, prune
from jupyterhub_notebooks.workspace.retention import Rule
from jupyterhub_notebooks.workspace.snapshots import head_of, parse_snapshot

from .conftest import NOW, WORKSPACE, Space, tree
from .test_damage import Faulty, damage

ONLY_HEAD = Rule(0, 0, 0)
LATER = timedelta(hours=25)


def write(volume, number, files=6):
    for at in range(files):
        random_bytes = random.Random(f"{number} {at}").randbytes(20_000)
        (volume.files / f"f{at}").write_bytes(random_bytes)


def history(space, volume, length=4):
    """Snapshots a day apart; each has other bytes."""
    trees = {}
    for number in range(1, length + 1):
        write(volume, number)
        assert space.save(volume, now=NOW + timedelta(days=number)).number == number
        trees[number] = tree(volume.files)
    return trees


def run(space, days, **more):
    return prune(
        space.store,
        now=NOW + timedelta(days=days),
        guard=space.store.still_held,
        **{"rule": ONLY_HEAD, **more},
    )


def sound(space):
    report = check(space.store, space.store, read_data=True, stored=space.store.block_sizes())
    assert not report.errors, report.errors
    return report


def test_what_no_kept_snapshot_needs_is_condemned_first_and_deleted_a_day_later(space, volume):
    trees = history(space, volume)
    before = len(space.blocks())
    first = run(space, 5)
    assert first.removed_snapshots == (1, 2, 3)
    assert (first.deleted_blocks, first.condemned_blocks) == (0, 6)
    assert len(space.blocks()) == before
    assert sound(space).unused_blocks == 6
    soon = run(space, 5.9)
    assert (soon.deleted_blocks, soon.condemned_blocks, soon.waiting_blocks) == (0, 0, 6)
    last = run(space, 6.1)
    assert (last.deleted_blocks, last.condemned_blocks, last.waiting_blocks) == (6, 0, 0)
    assert len(space.blocks()) == before - 6
    assert sound(space).unused_blocks == 0
    back = space.volume("back")
    space.restore(back)
    assert tree(back.files) == trees[4]


def test_a_dry_run_says_the_same_and_changes_nothing(space, volume):
    history(space, volume)
    was = sorted(space.store.store.list(""))
    said = run(space, 5, dry_run=True)
    assert sorted(space.store.store.list("")) == was
    done = run(space, 5)
    assert said.dry_run and not done.dry_run
    assert (said.removed_snapshots, said.condemned_blocks, said.condemned_bytes) == (
        done.removed_snapshots,
        done.condemned_blocks,
        done.condemned_bytes,
    )


def test_a_named_snapshot_and_all_it_needs_stays(space, volume):
    trees = history(space, volume)
    space.store.name(2, "before the talk", NOW)
    assert space.store.names() == {2: "before the talk"}
    run(space, 5, named=space.store.names())
    run(space, 7, named=space.store.names())
    assert space.store.numbers() == [2, 4]
    back = space.volume("back")
    space.restore(back, 2)
    assert tree(back.files) == trees[2]
    space.store.name(2, "", NOW)
    run(space, 8, named=space.store.names())
    assert space.store.numbers() == [4]


def test_a_service_gives_its_own_times(space, volume):
    history(space, volume, 3)
    times = {number: NOW + timedelta(days=100) for number in (1, 2, 3)}
    report = run(space, 100, rule=Rule(), times=times)
    assert report.removed_snapshots == ()


def test_what_a_cut_off_save_left_goes_too(space, volume):
    write(volume, 1)
    with pytest.raises(StorageAway):
        before, space.store = space.store, Faulty(space.store, 2)
        try:
            space.save(volume)
        finally:
            space.store = before
    assert len(space.blocks()) == 1
    run(space, 1)
    assert run(space, 3).deleted_blocks == 1
    assert space.blocks() == []
    assert space.save(volume).number == 1
    sound(space)


def test_a_block_that_is_needed_again_meanwhile_is_not_deleted(space, volume):
    history(space, volume, 2)
    run(space, 5)
    write(volume, 1)
    other = space.volume("other")
    write(other, 1)
    space.save(other, kind="recovery", now=NOW + timedelta(days=5.5))
    run(space, 6.1, rule=Rule())
    assert len(space.store.numbers()) == 2
    sound(space)


def test_a_save_that_found_a_block_there_which_is_deleted_before_its_commit_stores_it_again(space, volume):
    history(space, volume, 2)
    run(space, 5)
    other = space.volume("other")
    write(other, 1)
    real, held = space.store.commit, []

    def late(number, body, facts):
        if not held:
            held.append(facts.present)
            assert run(space, 6.1).deleted_blocks
        real(number, body, facts)

    space.store.commit = late
    space.save(other, kind="recovery", now=NOW + timedelta(days=6.1))
    assert held[0]
    sound(space)


def test_a_snapshot_that_goes_now_keeps_its_blocks_for_its_own_grace(space, volume):
    trees = history(space, volume, 2)
    run(space, 3)
    other = space.volume("other")
    space.restore(other, 2)
    write(other, 1)
    space.save(other, kind="recovery", now=NOW + timedelta(days=3))
    assert tree(other.files).keys() == trees[1].keys()
    write(volume, 9)
    space.save(volume, now=NOW + timedelta(days=3.5))
    report = run(space, 4.1)
    assert report.deleted_blocks < 6
    sound(space)


def test_nothing_goes_where_a_snapshot_that_stays_cannot_be_read(space, volume):
    history(space, volume)
    was = sorted(space.store.store.list(""))
    root = parse_snapshot(space.store.get(4)).root.name.hex()
    path = space.folder / "store" / "blocks" / root[:2] / root
    body = path.read_bytes()
    damage(path)
    with pytest.raises(Damaged):
        run(space, 5)
    path.write_bytes(body)
    damage(space.folder / "store" / "snapshots" / "0000000002", "truncated")
    with pytest.raises(Damaged, match="Snapshot 2"):
        run(space, 5)
    assert [key for key, _ in sorted(space.store.store.list(""))] == [key for key, _ in was]


def test_a_list_that_cannot_be_read_is_made_anew(space, volume):
    history(space, volume)
    run(space, 5)
    damage(space.folder / "store" / "condemned" / "0000000001", "truncated")
    report = run(space, 6.1)
    assert report.hints
    assert (report.deleted_blocks, report.condemned_blocks) == (0, 6)
    assert run(space, 7.2).deleted_blocks == 6


def test_a_lost_lease_ends_it_before_anything_goes(space, volume):
    history(space, volume)
    was = sorted(space.store.store.list("blocks/"))
    other = WorkspaceStore(open_store(space.store.store.url))
    other.break_lease("another", NOW)
    with pytest.raises(Conflict):
        run(space, 5)
    assert space.store.numbers() == [1, 2, 3, 4]
    assert sorted(space.store.store.list("blocks/")) == was


def test_a_grace_below_a_day_is_refused(space):
    with pytest.raises(BadInput) as refused:
        prune(space.store, now=NOW, grace=timedelta(hours=23))
    assert refused.value.field == "grace"


class Dies(WorkspaceStore):
    """A store that refuses its n-th change and all that follow."""

    left = -1

    def _change(self):
        self.left -= 1
        if self.left <= 0:
            raise StorageAway("planned")

    def condemn(self, number, names, now):
        self._change()
        super().condemn(number, names, now)

    def forget_condemned(self, number):
        self._change()
        super().forget_condemned(number)

    def remove_block(self, name):
        self._change()
        super().remove_block(name)

    def remove_snapshot(self, number):
        self._change()
        super().remove_snapshot(number)


def test_dying_at_any_change_leaves_every_kept_snapshot_whole_and_the_next_run_goes_on(space, volume):
    trees = history(space, volume, 3)
    run(space, 3.5, rule=Rule(0, 1, 0))  # 1 goes; 2 and 3 stay
    at, fired = 0, 0
    while True:
        at += 1
        dying = Dies(space.store.store)
        dying.left = at
        days = 5 + at * 0.01
        try:
            prune(dying, now=NOW + timedelta(days=days), rule=ONLY_HEAD)
        except StorageAway:
            fired += 1
        else:
            break
        sound(space)
        back = space.volume(f"back-{at}")
        space.restore(back, 3)
        assert tree(back.files) == trees[3]
    assert fired >= 3
    run(space, 7)
    run(space, 9)
    assert sound(space).unused_blocks == 0


KILLED = """
import os, sys, time
from datetime import datetime, timedelta
from jupyterhub_notebooks.workspace import WorkspaceStore, open_store, prune, Rule

class Announced(WorkspaceStore):
    phase = ""
    def say(self, phase):
        if phase != self.phase:
            self.phase = phase
            os.write(1, phase.encode() + b"\\n")
            time.sleep(0.01)  # a full machine reads it late
    def numbers(self):
        self.say("reading")
        return super().numbers()
    def remove_block(self, name):
        self.say("deleting")
        super().remove_block(name)
    def remove_snapshot(self, number):
        self.say("dropping")
        super().remove_snapshot(number)
    def condemn(self, number, names, now):
        self.say("condemning")
        super().condemn(number, names, now)
    def forget_condemned(self, number):
        self.say("forgetting")
        super().forget_condemned(number)

space = Announced(open_store(sys.argv[1]))
now = datetime.fromisoformat(sys.argv[2])
for _ in range(100):
    prune(space, now=now, rule=Rule(0, 1, 0))
    now += timedelta(hours=25)
"""
PHASES = ("reading", "deleting", "dropping", "condemning", "forgetting")


def killed_prunes(space, volume, rounds):
    """kill -9 a random moment after each phase began, in turn: how many died in which phase."""
    chance = random.Random(5)
    trees = history(space, volume, 2)
    number = 2
    run(space, 3)
    hit = dict.fromkeys(PHASES, 0)
    for attempt in range(rounds):
        for _ in range(3):
            number += 1
            write(volume, number)
            assert space.save(volume, now=NOW + timedelta(days=number)).number == number
            trees[number] = tree(volume.files)
        hit[killed_prune(space, number, PHASES[attempt % len(PHASES)], chance)] += 1
        sound(space)
        assert space.store.numbers()[-1] == number
        for kept in space.store.numbers():
            back = space.volume(f"back-{attempt}-{kept}")
            space.restore(back, kept)
            assert tree(back.files) == trees[kept]
    return hit


def killed_prune(space, number, phase, chance):
    begin = (NOW + timedelta(days=number, hours=1)).isoformat()
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, space.store.store.url, begin], stdout=subprocess.PIPE, text=True
    )
    said = ""
    while said != phase:
        said = process.stdout.readline().strip()
        assert said, f"it ended without {phase}"
    time.sleep(chance.random() * 0.014)
    process.send_signal(signal.SIGKILL)
    rest = process.communicate()[0].split()
    assert process.returncode == -signal.SIGKILL
    return rest[-1] if rest else phase


def test_a_prune_that_is_killed_leaves_every_snapshot_that_is_there_whole(space, volume):
    assert sum(killed_prunes(space, volume, 5).values()) == 5


@pytest.mark.slow
def test_seventy_prunes_that_are_killed_leave_every_snapshot_that_is_there_whole(space, volume):
    hit = killed_prunes(space, volume, 70)
    print(hit)
    assert all(hit.values()), hit


class Served:
    """Commits as a service does them: under the workspace's lock. Blocks go straight to the store.

    Each commit waits for a prune (at most a moment), so that most saves have one between their blocks and it.
    """

    def __init__(self, store, lock, pruned):
        self._store, self._lock, self._pruned = store, lock, pruned
        self.missing = 0

    def __getattr__(self, name):
        return getattr(self._store, name)

    def commit(self, number, body, facts):
        self._pruned.clear()
        self._pruned.wait(0.1)
        with self._lock:
            try:
                self._store.spare(facts.present)
            except MissingBlocks:
                self.missing += 1
                raise
            self._store.put_snapshot(number, body)
            whole(self._store)


def whole(store):
    """Every snapshot has all its blocks."""
    marked = Marked(store)
    marked.add(head_of(store, number) for number in store.numbers())
    gone = {name.hex() for name in marked.names} - {name for name, _ in store.block_sizes()}
    assert not gone, gone


CONTENTS = [random.Random(seed).randbytes(2**20 + 1) for seed in range(5)]


class Time:
    """A clock that may pass the grace only when no save has been running since before: the bound on saves."""

    def __init__(self):
        self.now = NOW
        self._moved = threading.Condition()
        self._begun = 0
        self._running: dict[int, int] = {}

    def begin(self, who):
        with self._moved:
            self._begun += 1
            self._running[who] = self._begun

    def end(self, who):
        with self._moved:
            self._running.pop(who, None)
            self._moved.notify_all()

    def pass_a_day(self):
        with self._moved:
            until = self._begun
            if not self._moved.wait_for(
                lambda: all(begun > until for begun in self._running.values()), timeout=120
            ):
                raise AssertionError("a save never ended")
            self.now += LATER
        return self.now


def prunes_beside_saves(space, seconds, enough=lambda counts: False):
    """Two volumes are saved in a loop, one as recovery snapshots of ever the same old files; a prune runs beside."""
    lock, over, clock = threading.Lock(), threading.Event(), Time()
    failed: list[BaseException] = []
    pruned = threading.Event()
    counts = {"saves": 0, "prunes": 0, "deleted": 0, "again": 0, "missing": 0}

    def saver(who, kind):
        chance = random.Random(who)
        store = Served(WorkspaceStore(open_store(space.store.store.url)), lock, pruned)
        volume = space.volume(f"saver-{who}")
        try:
            while not over.is_set():
                for at in range(2):
                    # Few contents, so that blocks are dropped, condemned and needed again all the time.
                    (volume.files / f"f{at}").write_bytes(chance.choice(CONTENTS))
                clock.begin(who)
                try:
                    with lock:
                        number = max(store.numbers(), default=0) + 1
                    try:
                        save(
                            volume,
                            store,
                            store,
                            number=number,
                            parent=volume.base,
                            kind=kind,
                            workspace_id=WORKSPACE,
                            now=clock.now,
                            created_by="a test",
                        )
                        counts["saves"] += 1
                    except Conflict:
                        counts["again"] += 1
                finally:
                    clock.end(who)
                    counts["missing"] += store.missing
                    store.missing = 0
        except BaseException as error:
            failed.append(error)
            over.set()

    def pruner():
        store = WorkspaceStore(open_store(space.store.store.url))
        try:
            while not over.is_set():
                now = clock.pass_a_day()
                with lock:
                    report = prune(store, now=now, rule=Rule(30, 0, 0))
                    whole(store)
                pruned.set()
                counts["prunes"] += 1
                counts["deleted"] += report.deleted_blocks
        except BaseException as error:
            failed.append(error)
            over.set()

    threads = [
        threading.Thread(target=saver, args=(1, "save")),
        threading.Thread(target=saver, args=(2, "recovery")),
        threading.Thread(target=pruner),
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    while not over.wait(0.05) and not enough(counts) and time.monotonic() < deadline:
        pass
    over.set()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    sound(space)
    for number in space.store.numbers():
        space.restore(space.volume(f"back-{number}"), number)
    return counts


def test_prunes_in_a_loop_beside_saves_in_a_loop_leave_every_snapshot_whole(space):
    least = {"saves": 8, "prunes": 8, "deleted": 8, "missing": 1}

    def enough(counts):
        return all(counts[what] >= number for what, number in least.items())

    assert enough(prunes_beside_saves(space, 90, enough))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_ten_minutes_of_prunes_beside_saves_leave_every_snapshot_whole(space):
    counts = prunes_beside_saves(space, float(os.environ.get("PRUNE_SECONDS", "600")))
    print(counts)
    assert counts["deleted"] > 100
    assert counts["missing"] > 5


def test_removal_and_history_work_over_s3(s3_server, tmp_path):
    store = WorkspaceStore(open_store(f"s3://notebooks/prune-{os.urandom(4).hex()}", s3_server.options))
    store.create(WORKSPACE, lease="objects", now=NOW)
    store.take_lease("a test", NOW)
    space = Space(tmp_path, store)
    trees = history(space, space.volume(), 3)
    store.name(1, "first", NOW)
    assert run(space, 4, named=store.names()).removed_snapshots == (2,)
    done = run(space, 6, named=store.names())
    assert done.deleted_blocks == 2
    assert sound(space).unused_blocks == 0
    for number in (1, 3):
        copy_all(store, store, number, tmp_path / f"back-{number}")
        assert tree(tmp_path / f"back-{number}") == trees[number]
    store.name(1, "", NOW)
    assert store.names() == {}


def test_after_many_changes_the_store_holds_little_more_than_the_workspace(space, volume, monkeypatch):
    monkeypatch.setattr(comparing, "DEAD_BYTES", 2**20)
    monkeypatch.setattr(comparing, "SETTLED_NS", -(10**12))  # as if every file had been there for a while
    chance = random.Random(7)
    for at in range(400):
        (volume.files / f"f{at}").write_bytes(chance.randbytes(20_000))
    space.save(volume)
    days = 0
    for _ in range(30):
        days += 1
        for at in chance.sample(range(400), 20):
            (volume.files / f"f{at}").write_bytes(chance.randbytes(20_000))
        space.save(volume, now=NOW + timedelta(days=days))
        run(space, days)
    run(space, days + 2)
    run(space, days + 4)
    size = sum(size for _, size in space.store.block_sizes())
    assert size < 2 * 400 * 20_000
    sound(space)


def test_the_grace_is_longer_than_any_save_may_take():
    longest = Settings.__dataclass_fields__["save_timeout_seconds"].default
    assert LEAST_GRACE.total_seconds() > 2 * longest
