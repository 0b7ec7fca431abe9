"""A store whose requests fail in every planned way: each fault is proved to have happened, and nothing is lost by it."""

import dataclasses
import os
from datetime import timedelta

import pytest

from jupyterhub_notebooks.errors import Damaged, NoSpace, NotebooksError, StorageAway
from jupyterhub_notebooks.workspace import Rule, WorkspaceStore, check, open_store, prune
from jupyterhub_notebooks.workspace.store import direct as straight
from jupyterhub_notebooks.workspace.store import s3
from jupyterhub_notebooks.workspace.store.directory import DirectoryStore

from ..planned import planned
from .conftest import NOW, WORKSPACE, Space, tree
from .test_damage import fill

PASSING = ("error", "slow_down", "cut", "lost", "half", pytest.param("silent", marks=pytest.mark.slow))
BLOCKS = "/blocks/"


@pytest.fixture
def quick(monkeypatch):
    """A server that says nothing is given up after three seconds, not after a minute."""
    real = s3._arguments

    def arguments(options):
        made = real(options)
        return {**made, "config_kwargs": {**made["config_kwargs"], "read_timeout": 3.0}}

    monkeypatch.setattr(s3, "_arguments", arguments)
    monkeypatch.setattr(straight, "ANSWER_SECONDS", 3.0)


def opened(server, folder, url=""):
    """A workspace at a new address of the server, its lease held."""
    address = url or f"s3://notebooks/faults-{os.urandom(4).hex()}"
    store = WorkspaceStore(open_store(address, server.options))
    if store.facts() is None:
        store.create(WORKSPACE, lease="objects", now=NOW)
    store.take_lease("a test", NOW)
    return Space(folder, store)


def sound(store):
    report = check(store, store, read_data=True, stored=store.block_sizes())
    assert not report.errors, report.errors


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_costs_time_only(s3_server, tmp_path, quick, fault):
    def plan(method, path, number):
        fires = number % 7 == 0 and proxy.fired[fault] < 4
        return fault if fires and (method == "GET" or fault != "half") else ""

    with planned(s3_server.endpoint) as proxy:
        space = opened(dataclasses.replace(s3_server, endpoint=proxy.url), tmp_path)
        proxy.plan = plan
        volume = space.volume()
        fill(volume)
        assert space.save(volume).number == 1
        seen = [proxy.fired[fault]]
        fill(volume, b"2")
        proxy.fired.clear()
        assert space.save(volume, now=NOW + timedelta(days=3)).number == 2
        seen.append(proxy.fired[fault])
        proxy.fired.clear()
        back = space.volume("back")
        space.restore(back)
        seen.append(proxy.fired[fault])
        assert tree(back.files) == tree(volume.files)
        for day in (4, 6):
            proxy.fired.clear()
            done = prune(
                space.store, now=NOW + timedelta(days=day), rule=Rule(0, 0, 0), guard=space.store.still_held
            )
            seen.append(proxy.fired[fault])
        assert done.deleted_blocks > 0
        direct = WorkspaceStore(open_store(space.store.store.url, s3_server.options))
    print(f"{fault}: met {seen} times in first save, second save, restore, prune, prune")
    assert sum(seen) >= 5, seen
    assert direct.numbers() == [2]
    sound(direct)


@pytest.mark.parametrize("fault", ["short", "flipped"])
def test_an_answer_that_is_not_what_was_stored_is_refused_and_the_next_restore_works(
    s3_server, tmp_path, fault
):
    with planned(s3_server.endpoint) as proxy:
        space = opened(dataclasses.replace(s3_server, endpoint=proxy.url), tmp_path)
        volume = space.volume()
        fill(volume)
        space.save(volume)
        data = []

        def plan(method, path, number):
            if method == "GET" and BLOCKS in path:
                data.append(path)
                return fault if len(data) == 3 else ""
            return ""

        proxy.plan = plan
        back = space.volume("back")
        with pytest.raises(Damaged) as refused:
            space.restore(back)
        assert proxy.fired[fault] == 1
        print(f"{fault}: {refused.value.sentence()}")
        assert back.situation() in ("restoring", "empty")
        proxy.plan = lambda *_: ""
        space.restore(back)
        assert tree(back.files) == tree(volume.files)
        sound(space.store)


@pytest.mark.parametrize(("at", "word"), [("blocks", BLOCKS), ("commit", "/snapshots/")])
def test_a_store_that_is_full_leaves_the_snapshot_before_and_says_so(s3_server, tmp_path, at, word):
    with planned(s3_server.endpoint) as proxy:
        space = opened(dataclasses.replace(s3_server, endpoint=proxy.url), tmp_path)
        volume = space.volume()
        fill(volume)
        space.save(volume)
        before = tree(volume.files)
        fill(volume, b"2")
        proxy.plan = lambda method, path, number: "full" if method == "PUT" and word in path else ""
        with pytest.raises(NoSpace) as full:
            space.save(volume)
        assert proxy.fired["full"] >= 1
        print(f"full at {at}: {full.value.sentence()}")
        assert space.store.numbers() == [1]
        back = space.volume("back")
        space.restore(back)
        assert tree(back.files) == before
        proxy.plan = lambda *_: ""
        assert space.save(volume).number == 2
        sound(space.store)


@pytest.mark.slow
def test_a_store_that_never_answers_any_more_ends_the_save_and_keeps_the_snapshot_before(
    s3_server, tmp_path, quick
):
    with planned(s3_server.endpoint) as proxy:
        space = opened(dataclasses.replace(s3_server, endpoint=proxy.url), tmp_path)
        space.store.store.patience_seconds = 1.5
        volume = space.volume()
        fill(volume)
        space.save(volume)
        fill(volume, b"2")
        for fault in ("silent", "slow_down", "cut"):
            proxy.plan = lambda method, path, number, fault=fault: fault if method == "PUT" else ""
            with pytest.raises(StorageAway):
                space.save(volume)
            assert proxy.fired[fault] >= 2
        proxy.plan = lambda *_: ""
        assert space.store.numbers() == [1]
        assert space.save(volume).number == 2
        sound(space.store)


def test_a_directory_store_on_a_full_disk_leaves_the_snapshot_before(space, volume, monkeypatch):
    fill(volume)
    space.save(volume)
    fill(volume, b"2")
    real, left, fired = DirectoryStore._aside, [2], []

    def full(self, body):
        left[0] -= 1
        if left[0] < 0:
            fired.append(len(body))
            raise OSError(28, "No space left on device")
        return real(self, body)

    monkeypatch.setattr(DirectoryStore, "_aside", full)
    with pytest.raises(NotebooksError, match="disk of the store is full"):
        space.save(volume)
    assert fired
    monkeypatch.undo()
    assert space.store.numbers() == [1]
    assert space.save(volume).number == 2
    sound(space.store)


def test_what_stopped_writers_left_in_a_directory_store_is_removed_by_the_next_one(space, volume):
    fill(volume)
    space.save(volume)
    aside = space.folder / "store" / ".aside"
    assert list(aside.iterdir()) == []
    left, young = aside / ("ab" * 8), aside / ("cd" * 8)
    left.write_bytes(b"x" * 1000)
    young.write_bytes(b"y" * 1000)  # its writer may still be there
    long_ago = os.stat(left).st_mtime - 2 * 3600
    os.utime(left, (long_ago, long_ago))
    other = DirectoryStore(space.folder / "store")
    assert other.put_new("snapshots/0000000009", b"z")
    assert list(aside.iterdir()) == [young]
    os.utime(young, (long_ago, long_ago))
    other.replace("snapshots/0000000009", b"zz")  # looked for once
    assert list(aside.iterdir()) == [young]
