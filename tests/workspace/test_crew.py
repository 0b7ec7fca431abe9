"""Small files are read and made by processes beside the engine; none of that is seen in what is saved and restored."""

import fcntl
import os
import random
import threading
import time
from pathlib import Path

import pytest

from jupyterhub_notebooks.errors import AlreadyRunning
from jupyterhub_notebooks.workspace import copy_all, crew, filling, glancing, storing
from jupyterhub_notebooks.workspace import volume as volumes
from jupyterhub_notebooks.workspace.ports import Cancelled

from .conftest import tree
from .test_encryption import KEY, sealed
from .test_kinds import differences, everything

FILES = 400
needs_hands = pytest.mark.skipif(not crew._count(), reason="this machine lends this process one processor")


@pytest.fixture
def hands(monkeypatch):
    """As if so few files were worth it; answers the process ids of all hands that were started, and what they did."""
    monkeypatch.setattr(crew, "LEAST_FILES", 1)
    monkeypatch.setattr(filling, "_LEAST_FOR_HAND", 1)
    monkeypatch.setattr(storing, "_LEAST_FOR_HAND", 1)
    seen = Seen()
    start, ask = crew.Crew._hand, crew.Crew._ask

    def started(self, shared):
        hand = start(self, shared)
        seen.pids.append(hand.process.pid)
        return hand

    def asked(self, what):
        if seen.before is not None:
            seen.before(self, what[0])
        answer = ask(self, what)
        seen.done.append(what[0])
        return answer

    monkeypatch.setattr(crew.Crew, "_hand", started)
    monkeypatch.setattr(crew.Crew, "_ask", asked)
    return seen


class Seen:
    def __init__(self):
        self.pids, self.done, self.before = [], [], None

    def alive(self):
        return [pid for pid in self.pids if Path(f"/proc/{pid}").exists()]


def many(files: Path, count: int = FILES) -> None:
    """Small files of all kinds of sizes and modes, some with equal contents, some empty."""
    chance = random.Random(3)
    for number in range(count):
        path = files / f"folder {number % 17}" / f"{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(chance.randbytes(chance.choice([0, 10, 10, 5000, 40_000])))
        path.chmod(chance.choice([0o644, 0o755, 0o600, 0o666, 0o4755, 0o400]))
        os.utime(path, ns=(number, 10**18 + number))
    (files / "twice").write_bytes((files / "folder 1" / "1.txt").read_bytes())


@needs_hands
def test_what_hands_saved_and_made_is_the_same_in_every_attribute(space, volume, hands):
    everything(volume.files)
    many(volume.files)
    space.save(volume)
    back = space.volume("back")
    space.restore(back)
    assert {"read", "write"} == set(hands.done)
    assert differences(volume.files, back.files) == ""
    assert tree(volume.files) == tree(back.files)
    assert space.save(back).number == 0, "nothing differs, and nothing is read anew"
    assert not hands.alive()


@needs_hands
def test_what_hands_saved_is_what_is_saved_without_them(space, volume, hands, monkeypatch):
    many(volume.files)
    space.save(volume)
    monkeypatch.setattr(crew, "LEAST_FILES", 10**9)
    other = space.volume("other")
    space.restore(other)
    assert space.save(other).number == 0
    (other.state / "scan").unlink()
    assert space.save(other).number == 0, "contents have the same names"


@needs_hands
def test_hands_name_contents_of_an_encrypted_workspace_by_its_key(tmp_path, hands):
    space = sealed(tmp_path, KEY)
    volume = space.volume()
    many(volume.files)
    space.save(volume)
    back = space.volume("back")
    space.restore(back)
    assert tree(volume.files) == tree(back.files)
    assert "read" in hands.done


@needs_hands
def test_hands_also_write_copies_and_into_a_folder_in_use(space, volume, hands, tmp_path):
    many(volume.files)
    space.save(volume)
    copy_all(space.store, space.store, 1, tmp_path / "copy")
    assert tree(tmp_path / "copy") == tree(volume.files)
    back = space.volume("back")
    (back.files / "mine").write_text("x")
    space.restore(back)
    assert tree(back.files) == tree(volume.files)


@needs_hands
@pytest.mark.parametrize("what", ["read", "write"])
def test_hands_that_are_killed_cost_nothing_but_time(space, volume, hands, what):
    many(volume.files)

    def kill(crew, asked):
        if asked == what:
            for hand in crew._all:
                hand.process.kill()

    hands.before = kill
    space.save(volume)
    back = space.volume("back")
    space.restore(back)
    assert what not in hands.done
    assert tree(back.files) == tree(volume.files)


@needs_hands
def test_the_volume_stays_locked_until_the_last_hand_of_a_killed_restore_is_gone(volume, monkeypatch):
    monkeypatch.setattr(volumes, "_WAIT_SECONDS", 0.0)
    volume.state.mkdir(parents=True, exist_ok=True)
    handle = os.open(volume.state / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with crew.Crew(crew.LEAST_FILES, inherit=handle) as hands:
        os.close(handle)  # as the end of its owner closes it
        with pytest.raises(AlreadyRunning), volume.locked():
            pass
        for hand in hands._all:
            hand.process.kill()
            hand.process.wait()
        with volume.locked():
            pass


@needs_hands
def test_a_hand_writes_nothing_once_its_owner_is_gone(tmp_path):
    memory = memoryview(bytearray(10))
    from jupyterhub_notebooks.workspace.hand import Hand

    child = os.fork()
    if not child:
        Hand(memory, owner=1).write(os.fsencode(tmp_path), 0, [(b"a", 0o644, 0, 0, 10)])
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert not (tmp_path / "a").exists()


@needs_hands
@pytest.mark.parametrize("way", ["save", "restore"])
def test_a_cancel_ends_within_a_second_and_leaves_nothing_half(space, volume, hands, way):
    many(volume.files, 3000)
    if way == "restore":
        space.save(volume)
    working, stop = threading.Event(), threading.Event()
    hands.before = lambda crew, asked: (working.set(), time.sleep(0.01))
    back = space.volume("back")
    ended = {}

    def run():
        try:
            if way == "save":
                space.save(volume, cancelled=stop.is_set)
            else:
                space.restore(back, cancelled=stop.is_set)
        except Cancelled:
            ended["at"] = time.monotonic()

    thread = threading.Thread(target=run)
    thread.start()
    assert working.wait(30)
    asked = time.monotonic()
    stop.set()
    thread.join(30)
    print(f"{way}: ended {ended['at'] - asked:.2f} s after it was cancelled")
    assert not hands.alive(), "nothing of it runs any more"
    hands.before = None
    if way == "save":
        assert space.store.numbers() == [] and volume.base in (None, 0)
        space.save(volume)
    else:
        assert back.restoring == 1, "nothing is saved of it"
    space.restore(back)
    assert tree(back.files) == tree(volume.files)


def test_a_save_that_yields_to_others_starts_no_processes():
    counted = []

    def count():
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        counted.append(crew.Crew(10**6).hands)

    thread = threading.Thread(target=count)
    thread.start()
    thread.join()
    assert counted == [0]


@needs_hands
def test_two_processes_see_what_moved_in_either_half(space, volume, monkeypatch):
    monkeypatch.setattr(glancing, "_LEAST_FOR_TWO", 1)
    monkeypatch.setattr(glancing, "SETTLED_NS", -(10**12))
    many(volume.files)
    for folder in ("folder 1", "folder 16"):
        space.save(volume)
        kept = glancing.known(volume, None, ())
        assert kept is not None and kept.half
        assert glancing.same(os.fsencode(volume.files), kept)
        (volume.files / folder / "new").touch()
        assert not glancing.same(os.fsencode(volume.files), kept)
    assert b"folder 1" in kept.half and b"folder 16" not in kept.half
