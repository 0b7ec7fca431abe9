"""Who asks to stop is not kept waiting: by a store that says nothing, by very much work on one block, by a disk."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from jupyterhub_notebooks.workspace import (
    Cancelled,
    WorkspaceStore,
    check,
    copy_all,
    copy_paths,
    listing,
    open_store,
    pool,
    save,
    scanning,
)
from jupyterhub_notebooks.workspace.pool import Pool, ask_aside, away, in_order

from ..faults import faulty
from ..s3 import BUCKET
from .conftest import NOW, WORKSPACE, Space, tree

#: Well below the 20 s for which a connection waits for an answer, and far above the second that it takes.
DEADLINE = 12.0


class Ending:
    """Runs act in a thread, and says how it ended."""

    def __init__(self, act):
        self._act, self.error = act, None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            self._act()
        except BaseException as error:
            self.error = error

    def ended(self):
        self.thread.join(DEADLINE)
        assert not self.thread.is_alive(), "it still waits"
        return self.error


class Silent:
    """A workspace's store that answers nothing to what the mode says, until ``answers`` is set."""

    def __init__(self, space: WorkspaceStore, mode: str) -> None:
        self._space, self._mode = space, mode
        self.asked, self.answers = threading.Event(), threading.Event()
        self.pages = 1

    def __getattr__(self, name):
        return getattr(self._space, name)

    def _wait(self, what):
        if what == self._mode:
            self.asked.set()
            self.answers.wait()

    def get(self, what, /):
        if isinstance(what, int):
            self._wait("snapshot")
        else:
            self.pages -= 1
            self._wait("page" if self.pages >= 0 else "block")
        return self._space.get(what)

    def get_into(self, name, room):
        return self.get(name)

    def put(self, name, body):
        self._wait("put")
        return self._space.put(name, body)


@contextmanager
def through(space, store):
    before, space.store = space.store, store
    try:
        yield store
    finally:
        space.store = before


def filled(volume):
    for number in range(40):
        (volume.files / f"f{number}").write_bytes(os.urandom(2**20 + 1))


@pytest.mark.parametrize("mode", ["snapshot", "page", "block"])
def test_a_restore_ends_though_the_store_never_answers_and_nothing_goes_on_when_it_does(space, volume, mode):
    filled(volume)
    space.save(volume)
    back = space.volume("back")
    (back.files / "mine").write_text("mine")
    was = tree(back.files)
    with through(space, Silent(space.store, mode)) as silent:
        ending = Ending(lambda: space.restore(back, 1, cancelled=silent.asked.is_set))
        assert isinstance(ending.ended(), Cancelled)
        assert tree(back.files) == was
        waiting = [
            thread for thread in threading.enumerate() if thread.name.startswith(("restore", "workspace"))
        ]
        assert all(thread.daemon for thread in waiting)
        silent.answers.set()
        for thread in waiting:
            thread.join(DEADLINE)
            assert not thread.is_alive()
    assert tree(back.files) == was
    space.restore(back, 1)
    assert tree(back.files) == tree(volume.files)


def test_a_save_ends_though_the_store_never_answers_and_the_next_one_is_whole(space, volume):
    filled(volume)
    with through(space, Silent(space.store, "put")) as silent:
        ending = Ending(lambda: space.save(volume, cancelled=silent.asked.is_set))
        assert isinstance(ending.ended(), Cancelled)
        silent.answers.set()
    assert space.save(volume).number == 1
    back = space.volume("back")
    space.restore(back)
    assert tree(back.files) == tree(volume.files)


def test_a_part_or_a_copy_ends_though_the_store_never_answers(space, volume, tmp_path):
    filled(volume)
    space.save(volume)
    for number, mode in enumerate(["snapshot", "page", "block"]):
        for into, act in {
            "part": lambda *of: copy_paths(*of[:3], [b"f1"], of[3], cancelled=of[4]),
            "all": copy,
        }.items():
            silent, folder = Silent(space.store, mode), tmp_path / f"{into}-{number}"
            asked = (silent, silent, 1, folder, silent.asked.is_set)
            ending = Ending(lambda act=act, asked=asked: act(*asked))
            assert isinstance(ending.ended(), Cancelled)
            assert not folder.exists() or not list(folder.iterdir())
            silent.answers.set()


def copy(blocks, snapshots, number, into, cancelled):
    copy_all(blocks, snapshots, number, into, cancelled=cancelled)


def test_a_check_ends_though_the_store_never_answers(space, volume):
    filled(volume)
    space.save(volume)
    silent = Silent(space.store, "page")
    ending = Ending(lambda: check(silent, silent, read_data=True, cancelled=silent.asked.is_set))
    assert isinstance(ending.ended(), Cancelled)
    silent.answers.set()


@pytest.fixture
def behind(s3_server, tmp_path):
    """A workspace in an S3 that is reached through what can be made silent."""
    with faulty(s3_server.endpoint) as proxy:
        options = {**s3_server.options, "endpoint_url": proxy.url}
        address = f"s3://{BUCKET}/silent/{os.urandom(4).hex()}"
        store = WorkspaceStore(open_store(address, options))
        store.create(WORKSPACE, lease="objects", now=NOW)
        store.take_lease("a test", NOW)
        yield Space(tmp_path, store), proxy, options


def test_a_connection_on_which_nothing_comes_keeps_no_cancelled_restore_or_save(behind):
    space, proxy, _ = behind
    volume = space.volume()
    filled(volume)
    space.save(volume)
    back = space.volume("back")

    def silenced(_):
        proxy.mode = "silent"

    def met():
        return proxy.met["silent"] > 0

    ending = Ending(lambda: space.restore(back, 1, progress=silenced, cancelled=met))
    assert isinstance(ending.ended(), Cancelled)
    assert proxy.met["silent"]
    (volume.files / "more").write_bytes(os.urandom(2**20 + 1))
    ends = time.monotonic() + 0.5  # whatever is asked waits by then
    known = {"number": 2, "parent": 1, "workspace_id": WORKSPACE, "now": NOW, "created_by": "a test"}
    ending = Ending(
        lambda: save(volume, space.store, space.store, cancelled=lambda: time.monotonic() > ends, **known)
    )
    assert isinstance(ending.ended(), Cancelled)
    proxy.mode = "through"
    assert space.save(volume).number == 2
    space.restore(back)
    assert tree(back.files) == tree(volume.files)


def test_the_command_ends_at_the_first_ctrl_c_though_nothing_comes(behind, tmp_path, monkeypatch):
    space, proxy, options = behind
    volume = space.volume()
    filled(volume)
    space.save(volume)
    space.store.release_lease(NOW)
    proxy.mode, proxy.bytes_a_second = "slow", 2_000_000
    words = [
        "workspace", "restore", str(tmp_path / "out"), "--store", space.store.store.url, "--state", str(tmp_path / "its"),
    ]  # fmt: skip
    monkeypatch.setenv("ITS_SECRET", options["secret"])
    for name, value in {**options, "secret": "env:ITS_SECRET"}.items():
        words += ["--store-option", f"{name}={value}"]
    code = "import sys; from jupyterhub_notebooks.cli.main import cli, run; sys.exit(run(cli, sys.argv[1:]))"
    process = subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.PIPE)
    try:
        ends = time.monotonic() + 60
        while not any((tmp_path / "out").glob("f*")):
            assert process.poll() is None and time.monotonic() < ends
            time.sleep(0.02)
        proxy.mode = "silent"
        while not proxy.met["silent"]:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 130
    finally:
        process.kill()
        process.communicate()
    assert json.loads((tmp_path / "its" / "restoring").read_text())["number"] == 1


# Much work on one block


def space_listing(space):
    return listing(space.store, space.store, 1)


@pytest.fixture
def counted(monkeypatch):
    """How much is written at once is small here."""
    monkeypatch.setattr("jupyterhub_notebooks.workspace.filling._MOST_AT_ONCE", 2 * 2**20)
    monkeypatch.setattr("jupyterhub_notebooks.workspace.filling._MOST_FILES_AT_ONCE", 500)


KINDS = {
    "slices": lambda files: (files / "slices").write_bytes(b"\xff" * (4 * 2**23)),
    "small files": lambda files: [(files / f"f{n}").write_bytes(b"label") for n in range(4000)],
    "files": lambda files: [(files / f"f{n}").write_bytes(b"\xfe" * 2**19) for n in range(40)],
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_block_that_is_wanted_very_often_is_written_with_progress_and_may_be_stopped(
    space, volume, counted, kind
):
    KINDS[kind](volume.files)
    space.save(volume)
    everything = next(e.pieces[0].block for e in space_listing(space) if e.pieces)
    assert all(piece.block == everything for e in space_listing(space) for piece in e.pieces)
    back, told = space.volume("back"), []
    space.restore(back, progress=told.append)
    assert tree(back.files) == tree(volume.files)
    steps = [done.done_bytes for done in told]
    assert len(steps) >= 4 and steps == sorted(steps)
    assert (steps[-1], told[-1].done_files) == (told[-1].total_bytes, told[-1].total_files)
    other, seen = space.volume("other"), []
    with pytest.raises(Cancelled):
        space.restore(other, progress=seen.append, cancelled=lambda: any(done.done_bytes for done in seen))
    assert 0 < seen[-1].done_bytes < seen[-1].total_bytes


# What the rest of a restore asks


def test_each_long_step_of_a_restore_asks_whether_to_go_on(space, volume, monkeypatch):
    monkeypatch.setattr(pool, "_ASK_EACH", 1)
    for number in range(3):
        (volume.files / f"d{number}").mkdir()
        (volume.files / f"d{number}" / "f").write_text(f"{number}")
        (volume.files / f"d{number}" / "link").symlink_to("f")
    space.save(volume)
    syncing, never = threading.Event(), threading.Event()

    def sync(_):
        syncing.set()
        never.wait()

    back = space.volume("back")
    with monkeypatch.context() as another:
        another.setattr(scanning, "sync", sync)
        ending = Ending(lambda: space.restore(back, 1, cancelled=syncing.is_set))
        assert isinstance(ending.ended(), Cancelled)
        never.set()
    assert back.restoring == 1
    ended = 0
    for asked in range(1, 200):
        answers = iter([False] * asked)
        try:
            space.restore(back, 1, cancelled=lambda answers=answers: next(answers, True))
            break
        except Cancelled:
            ended += 1
    assert ended > 20
    assert tree(back.files) == tree(volume.files)


def test_a_walk_asks_in_each_folder(tmp_path):
    from jupyterhub_notebooks.workspace.ignore import Ignore

    (tmp_path / "a" / "b").mkdir(parents=True)
    answers = iter([False, True])
    with pytest.raises(Cancelled):
        scanning.walk(os.fsencode(tmp_path), Ignore(), lambda: next(answers))


# The threads themselves


def test_what_a_pool_left_waiting_does_nothing_more(tmp_path):
    answers, waits, done = threading.Event(), threading.Event(), []

    def task():
        away(lambda: (waits.set(), answers.wait()))
        done.append("went on")

    with pytest.raises(Cancelled), Pool(waits.is_set) as one:
        one.submit(0, task, done=done.append)
        one.finish()
    answers.set()
    left = [thread for thread in threading.enumerate() if thread.name.startswith("workspace_")]
    for thread in left:
        thread.join(DEADLINE)
    assert done == []


def test_a_pool_that_is_left_waits_for_what_changes_something():
    begun, may_end, done = threading.Event(), threading.Event(), []

    def task():
        begun.set()
        may_end.wait()
        done.append("ended")

    def run():
        with Pool(begun.is_set) as one:
            one.submit(0, task, done=lambda _: None)
            one.finish()

    ending = Ending(run)
    begun.wait()
    assert not done and ending.thread.is_alive()
    may_end.set()
    assert isinstance(ending.ended(), Cancelled)
    assert done == ["ended"]


def test_answers_come_in_order_and_errors_as_they_are():
    def act(number):
        if number == 70:
            raise TimeoutError("its own")
        return number * 2

    answers = in_order(act, range(100), lambda: False)
    assert [next(answers) for _ in range(70)] == [number * 2 for number in range(70)]
    with pytest.raises(TimeoutError, match="its own"):
        next(answers)
    with pytest.raises(TimeoutError, match="its own"):
        ask_aside(lambda: act(70), lambda: False)
    assert ask_aside(lambda: act(7), lambda: False) == 14
