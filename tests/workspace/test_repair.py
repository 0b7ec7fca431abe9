"""After damage: what check says it costs, and what repair makes of it."""

import os
import random

import pytest

from jupyterhub_notebooks.errors import Damaged, NotFound
from jupyterhub_notebooks.workspace import check, listing
from jupyterhub_notebooks.workspace.fetching import fetcher
from jupyterhub_notebooks.workspace.pages import leaves_of
from jupyterhub_notebooks.workspace.pruning import prune
from jupyterhub_notebooks.workspace.repairing import repair
from jupyterhub_notebooks.workspace.snapshots import head_of

from .conftest import NOW, tree
from .test_damage import damage


def large(seed):
    return random.Random(seed).randbytes(2**20 + 1)


def stored(space, name):
    return space.folder / "store" / "blocks" / name.hex()[:2] / name.hex()


def block(space, number, path):
    entry = next(entry for entry in listing(space.store, space.store, number) if entry.path == path)
    return stored(space, entry.pieces[0].block)


def repaired(space, **more):
    return repair(space.store, now=NOW, created_by="a test", **more)


def errors(space):
    return check(space.store, space.store, read_data=True, stored=space.store.block_sizes()).errors


def test_a_whole_snapshot_is_left_as_it_is(space, volume):
    (volume.files / "x").write_text("x")
    space.save(volume)
    report = repaired(space)
    assert (report.of, report.number, report.lost) == (1, 0, ())
    assert space.store.numbers() == [1]


@pytest.mark.parametrize("how", ["flipped", "truncated", "empty", "missing"])
def test_the_rest_is_saved_and_what_is_lost_is_named_with_its_older_version(space, volume, how):
    (volume.files / "lost").write_bytes(large(1))
    (volume.files / "d").mkdir()
    (volume.files / "d" / "kept").write_bytes(large(2))
    space.save(volume)
    (volume.files / "lost").write_bytes(large(3))
    space.save(volume)
    victim = block(space, 2, b"lost")
    if how == "missing":
        victim.unlink()
    else:
        damage(victim, how)
    report = repaired(space)
    assert (report.of, report.number, report.kind) == (2, 3, "save")
    assert [(lost.path, lost.older, lost.size_bytes) for lost in report.lost] == [("lost", 1, 2**20 + 1)]
    back = space.volume("back")
    space.restore(back, 3)
    assert tree(back.files).keys() == {b"d", b"d/kept"}
    assert head_of(space.store, 3).skipped == 1
    assert not victim.exists()


def test_a_directory_that_still_has_the_files_heals_every_snapshot(space, volume):
    (volume.files / "lost").write_bytes(large(1))
    (volume.files / "kept").write_bytes(large(2))
    space.save(volume)
    damage(block(space, 1, b"lost"))
    repaired(space)
    assert errors(space)
    volume.remember(base=2)
    assert space.save(volume).number == 3
    assert not errors(space)
    back = space.volume("back")
    space.restore(back, 1)
    assert tree(back.files) == tree(volume.files)


def test_a_file_that_lies_whole_in_another_snapshot_is_taken_from_there(space, volume):
    (volume.files / "a").write_bytes(b"a" * 1000)
    space.save(volume)
    other = space.volume("other")
    (other.files / "z").write_bytes(os.urandom(1000))
    (other.files / "b").write_bytes(b"a" * 1000)
    os.utime(other.files / "b", (1, 1))
    space.save(other, kind="recovery")
    damage(block(space, 1, b"a"), "truncated")
    report = repaired(space)
    assert (report.mended_files, report.lost) == (1, ())
    back = space.volume("back")
    space.restore(back, 3)
    assert tree(back.files) == tree(volume.files)


def many(volume):
    for folder in range(20):
        (volume.files / f"d{folder:02}").mkdir()
        for file in range(150):
            (volume.files / f"d{folder:02}" / f"f{file:03}").write_text(f"{folder} {file}")


def test_a_damaged_page_costs_what_lies_below_it_and_check_names_that_range(space, volume):
    many(volume)
    space.save(volume)
    (volume.files / "new").write_text("x")
    space.save(volume)
    leaves = leaves_of(head_of(space.store, 2).root, fetcher(space.store))
    assert len(leaves) > 3
    victim = leaves[1]
    damage(stored(space, victim.name))
    found = errors(space)
    assert len(found) == 1
    assert found[0].snapshots == (1, 2)
    assert f"{victim.files} files" in found[0].cost
    assert f"from {victim.first.decode()} on before {leaves[2].first.decode()}" in found[0].cost
    report = repaired(space)
    assert len(report.lost) == 1
    assert report.files == 20 * 150 + 1 - victim.files
    was = tree(volume.files)
    back = space.volume("back")
    space.restore(back, 3)
    now = tree(back.files)
    files = {path for path, what in now.items() if what[2] is not None}
    assert all(now[path] == was[path] for path in files)
    assert len(files) == report.files


def test_an_older_snapshot_is_repaired_beside_the_head(space, volume):
    (volume.files / "x").write_bytes(large(1))
    (volume.files / "y").write_text("y")
    space.save(volume)
    (volume.files / "x").write_bytes(large(2))
    space.save(volume)
    damage(block(space, 1, b"x"))
    assert repaired(space).number == 0
    report = repaired(space, of=1)
    assert (report.number, report.kind) == (3, "recovery")
    assert [lost.path for lost in report.lost] == ["x"]
    assert [entry.path for entry in listing(space.store, space.store, 3)] == [b"y"]


def test_damaged_snapshots_can_be_removed_so_that_prune_goes_on(space, volume):
    for number in (1, 2, 3):
        (volume.files / "x").write_bytes(large(number))
        space.save(volume)
    damage(space.folder / "store" / "snapshots" / "0000000002", "truncated")
    with pytest.raises(Damaged):
        prune(space.store, now=NOW)
    report = repaired(space)
    assert (report.number, report.unreadable, report.removed_snapshots) == (0, (2,), ())
    assert repaired(space, remove_damaged=True).removed_snapshots == (2,)
    assert space.store.numbers() == [1, 3]
    prune(space.store, now=NOW)


def test_the_highest_number_stays_though_it_cannot_be_read(space, volume):
    for number in (1, 2):
        (volume.files / "x").write_bytes(large(number))
        space.save(volume)
    damage(space.folder / "store" / "snapshots" / "0000000002", "empty")
    report = repaired(space, remove_damaged=True)
    assert (report.of, report.removed_snapshots) == (1, ())
    assert space.store.numbers() == [1, 2]


def test_what_a_newer_version_wrote_is_not_removed(space, volume):
    (volume.files / "x").write_bytes(large(1))
    (volume.files / "y").write_text("y")
    space.save(volume)
    victim = block(space, 1, b"x")
    damage(victim, "another format")
    report = repaired(space)
    assert [lost.path for lost in report.lost] == ["x"]
    assert report.removed_blocks == 0
    assert victim.exists()


def test_nothing_to_repair_is_said(space, volume):
    with pytest.raises(NotFound):
        repaired(space)
    (volume.files / "x").write_text("x")
    space.save(volume)
    with pytest.raises(NotFound):
        repaired(space, of=7)
    damage(space.folder / "store" / "snapshots" / "0000000001", "truncated")
    with pytest.raises(Damaged, match="Snapshot 1"):
        repaired(space, of=1)
