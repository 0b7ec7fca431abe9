"""The short ways of the engine lead where the long ones do: a look instead of a save, files before the disk has them."""

import os
import shutil

import pytest

from jupyterhub_notebooks.errors import Refusal
from jupyterhub_notebooks.workspace import changes, glancing, lastseen, saving
from jupyterhub_notebooks.workspace import volume as volumes
from jupyterhub_notebooks.workspace.entries import FILE, Entry
from jupyterhub_notebooks.workspace.gathering import Gathering
from jupyterhub_notebooks.workspace.restoring import settle_restore
from jupyterhub_notebooks.workspace.stamps import Stamps, stamp_of

from .conftest import Space, tree


@pytest.fixture
def settled(monkeypatch):
    """As if every file had been there for a while when it was saved."""
    monkeypatch.setattr(glancing, "SETTLED_NS", -(10**12))
    monkeypatch.setattr("jupyterhub_notebooks.workspace.comparing.SETTLED_NS", -(10**12))


@pytest.fixture
def loads(monkeypatch):
    """How often what was last seen is read: each time a save or a look goes the long way."""
    counted = []
    load = lastseen.load

    def counting(*what):
        counted.append(what)
        return load(*what)

    monkeypatch.setattr(lastseen, "load", counting)
    return counted


def grown(volume):
    files = volume.files
    (files / "folder" / "deep").mkdir(parents=True)
    for number in range(20):
        (files / "folder" / f"file-{number}").write_bytes(b"%d" % number)
    (files / "folder" / "deep" / "other").write_bytes(b"other")
    (files / "link").symlink_to("folder")
    return files


def test_a_second_save_of_what_nothing_touched_reads_nothing_of_what_was_seen(space, volume, settled, loads):
    grown(volume)
    first = space.save(volume)
    del loads[:]
    again = space.save(volume)
    assert (again.number, again.files, again.size_bytes) == (0, first.files, first.size_bytes)
    assert changes(volume).differs is False
    assert not loads


CHANGES = {
    "written": lambda files: (files / "folder" / "file-3").write_bytes(b"new"),
    "same size and time": lambda files: _same_size_and_time(files / "folder" / "file-3"),
    "added": lambda files: (files / "folder" / "more").write_bytes(b"more"),
    "added below": lambda files: (files / "folder" / "deep" / "more").mkdir(),
    "removed": lambda files: (files / "folder" / "file-3").unlink(),
    "renamed over": lambda files: (files / "folder" / "file-4").rename(files / "folder" / "file-3"),
    "moved": lambda files: (files / "folder" / "deep").rename(files / "deep"),
    "mode": lambda files: (files / "folder" / "file-3").chmod(0o640),
    "mode of a folder": lambda files: (files / "folder").chmod(0o700),
    "link": lambda files: _linked_elsewhere(files / "link"),
    "no folder any more": lambda files: _now_a_file(files / "folder"),
}


def _same_size_and_time(path):
    about = path.stat()
    path.write_bytes(b"9")
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


def _linked_elsewhere(path):
    path.unlink()
    path.symlink_to("elsewhere")


def _now_a_file(path):
    shutil.rmtree(path)
    path.write_bytes(b"a file")


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_moves_is_looked_at_in_full_and_saved(space, volume, settled, change):
    files = grown(volume)
    space.save(volume)
    CHANGES[change](files)
    assert changes(volume).differs
    assert space.save(volume).number == 2
    back = space.volume("back")
    space.restore(back)
    assert tree(back.files) == tree(files)


def test_files_that_are_too_young_to_be_sure_of_are_not_only_glanced_at(space, volume, loads):
    grown(volume)
    space.save(volume)
    del loads[:]
    assert space.save(volume).number == 0
    assert loads


def test_mapped_files_other_rules_and_a_lost_base_need_the_whole_save(space, volume, settled, loads):
    grown(volume)
    space.save(volume)
    for more in ({"always_read": lambda: {(1, 2)}}, {"never_saved": ("/link",)}):
        del loads[:]
        space.save(volume, **more)
        assert loads
    space.store.remove_snapshot(volume.base)
    assert space.save(volume).number


def test_a_restore_that_does_not_wait_for_the_disk_can_be_saved_at_once(space, volume):
    files = grown(volume)
    space.save(volume)
    back = space.volume("back")
    space.restore(back, wait_for_disk=False)
    assert back.restoring is None and back.unsynced and back.situation() == "kept"
    assert tree(back.files) == tree(files)
    (back.files / "new").write_bytes(b"new")
    assert space.save(back).number == 2
    assert back.unsynced is None and not (back.state / "restoring").exists()


def test_where_the_machine_ended_before_the_disk_had_it_the_restore_is_unfinished(space, volume, monkeypatch):
    files = grown(volume)
    space.save(volume)
    back = space.volume("back")
    space.restore(back, wait_for_disk=False)
    monkeypatch.setattr(volumes, "boot_id", lambda: "another run of the machine")
    assert back.restoring == 1 and back.unsynced is None and back.situation() == "restoring"
    with pytest.raises(Refusal):
        space.save(back)
    space.restore(back)
    assert back.restoring is None and tree(back.files) == tree(files)


def test_where_the_system_does_not_name_its_runs_nothing_counts_as_written(space, volume, monkeypatch):
    monkeypatch.setattr(volumes, "boot_id", lambda: "")
    grown(volume)
    space.save(volume)
    back = space.volume("back")
    space.restore(back, wait_for_disk=False)
    assert back.restoring == 1


def test_settling_ends_the_mark_of_its_own_restore_only(space, volume, monkeypatch):
    grown(volume)
    space.save(volume)
    back = space.volume("back")
    space.restore(back, wait_for_disk=False)
    syncs = []

    def another_restore_begins(folder):
        if not syncs:
            back.begin_restore(1)
        syncs.append(folder)

    monkeypatch.setattr("jupyterhub_notebooks.workspace.scanning.sync", another_restore_begins)
    settle_restore(back)
    assert len(syncs) == 2 and back.restoring == 1
    back.restore_written(1, base=1)
    settle_restore(back)
    assert back.restoring is None and not (back.state / "restoring").exists()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_modes_come_back_whatever_the_umask(space, volume, umask):
    files = volume.files
    for mode in (0o644, 0o755, 0o600, 0o400, 0o777, 0o000, 0o2755, 0o4755):
        path = files / f"of-{mode:o}"
        path.write_bytes(b"content %o" % mode)
        path.chmod(mode)
    if os.geteuid() != 0:
        (files / "of-0").unlink()
    space.save(volume)
    back = space.volume("back")
    was = os.umask(umask)
    try:
        space.restore(back)
    finally:
        os.umask(was)
    assert tree(back.files) == tree(files)


def test_after_a_restore_a_save_reads_no_file_again(space: Space, volume, settled):
    grown(volume)
    os.link(volume.files / "folder" / "file-1", volume.files / "hard")
    (volume.files / "large").write_bytes(os.urandom(9 * 2**20))
    (volume.files / "empty").write_bytes(b"")
    space.save(volume)
    back = space.volume("back")
    space.restore(back)
    todo = saving.plan(
        saving.in_order(
            saving.scanning.walk(os.fsencode(back.files), saving.ignore.of(os.fsencode(back.files))).found
        ),
        lastseen.load(back),
    )
    assert [item.path for item in todo.read] == []


UNUSABLE = {
    "stamps of too few": lambda seen: seen._replace(stamps=Stamps([1], [1])),
    "stamps of too many": lambda seen: seen._replace(stamps=Stamps([1] * 99, [1] * 99)),
    "a page that is none": lambda seen: seen._replace(leaves=[b"no page"]),
    "a page twice": lambda seen: seen._replace(leaves=[*seen.leaves, *seen.leaves]),
    "a page of no bytes": lambda seen: seen._replace(leaves=[1]),
}


@pytest.mark.parametrize("damage", UNUSABLE)
def test_what_was_seen_and_cannot_be_used_is_as_if_nothing_had_been(space, volume, settled, damage):
    files = grown(volume)
    space.save(volume)
    lastseen.write(volume, UNUSABLE[damage](lastseen.load(volume)))
    assert changes(volume).pending_files == 21
    (files / "folder" / "file-3").write_bytes(b"new")
    (files / "folder" / "file-4").unlink()
    report = space.save(volume)
    assert (report.number, report.changed_files, report.skipped) == (2, 20, ())
    back = space.volume("back")
    space.restore(back)
    assert tree(back.files) == tree(files)
    (files / "new").touch()
    assert space.save(volume).changed_files == 1


def test_a_path_that_was_taken_twice_is_in_the_listing_as_it_was_taken_last():
    gathered = Gathering()
    for path, size, stamp in ((b"b", 1, 1), (b"a", 2, 2), (b"b", 3, 3)):
        gathered.add(Entry(path, FILE, 0o644, 0, size), stamp_of(stamp, stamp))
    entries, stamps = gathered.taken()
    assert [(entry.path, entry.size) for entry in entries] == [(b"a", 2), (b"b", 3)]
    assert list(stamps) == [stamp_of(2, 2), stamp_of(3, 3)]
