"""After damage: what check says it costs, and what repair makes of it."""

import os
import random
from dataclasses import replace

import pytest

from jupyterhub_notebooks.errors import Damaged, NotFound, Refusal
from jupyterhub_notebooks.workspace import CommitFacts, WorkspaceStore, bounds, check, listing, open_store
from jupyterhub_notebooks.workspace.blocks import encode
from jupyterhub_notebooks.workspace.entries import SYMLINK, Entry
from jupyterhub_notebooks.workspace.fetching import fetcher
from jupyterhub_notebooks.workspace.pages import build, leaves_of
from jupyterhub_notebooks.workspace.pruning import prune
from jupyterhub_notebooks.workspace.repairing import repair
from jupyterhub_notebooks.workspace.snapshots import SnapshotHead, compose_snapshot, head_of

from .conftest import NOW, WORKSPACE, Space, tree
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
    assert f"{victim.files}\u00a0files" in found[0].cost
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


def test_a_page_of_the_repaired_listing_that_lies_there_broken_is_written_anew(space, volume):
    many(volume)
    space.save(volume)
    (volume.files / "zz").write_bytes(large(1))
    space.save(volume)
    first, second = (leaves_of(head_of(space.store, n).root, fetcher(space.store)) for n in (1, 2))
    (page,) = {ref.name for ref in first} - {ref.name for ref in second}
    damage(stored(space, page))
    damage(block(space, 2, b"zz"))
    report = repaired(space)
    assert [lost.path for lost in report.lost] == ["zz"]
    assert page in {ref.name for ref in leaves_of(head_of(space.store, 3).root, fetcher(space.store))}
    assert [problem.snapshots for problem in errors(space)] == [(2,)]


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


def test_a_highest_number_that_cannot_be_read_is_followed_by_a_copy_of_the_head_and_can_then_go(
    space, volume
):
    for number in (1, 2):
        (volume.files / "x").write_bytes(large(number))
        space.save(volume)
    damage(space.folder / "store" / "snapshots" / "0000000002", "empty")
    report = repaired(space)
    assert (report.of, report.number, report.kind, report.lost) == (1, 3, "save", ())
    assert (report.left, report.removable) == ((2,), (2,))
    assert head_of(space.store, 3).root == head_of(space.store, 1).root
    again = repaired(space)
    assert (again.number, again.left) == (0, (2,))
    last = repaired(space, remove_damaged=True)
    assert (last.number, last.removed_snapshots, last.left) == (0, (2,), ())
    assert space.store.numbers() == [1, 3]
    assert not errors(space)
    prune(space.store, now=NOW)


def test_every_damaged_snapshot_that_check_names_goes_and_check_is_content(space, volume):
    (volume.files / "lost").write_bytes(large(1))
    for number in (1, 2, 3):
        (volume.files / "kept").write_text(f"{number}")
        space.save(volume)
    (volume.files / "lost").unlink()
    (volume.files / "kept").write_text("4")
    space.save(volume)
    (volume.files / "lost").write_bytes(large(5))
    space.save(volume)
    damage(block(space, 5, b"lost"))
    damage(block(space, 2, b"lost"), "truncated")
    report = repaired(space)
    assert (report.of, report.number, report.removed_snapshots) == (5, 6, ())
    assert report.damaged == report.left == report.removable == (1, 2, 3, 5)
    assert {number for problem in report.problems for number in problem.snapshots} == {1, 2, 3, 5}
    report = repaired(space, remove_damaged=True)
    assert (report.number, report.removed_snapshots, report.left) == (0, (1, 2, 3, 5), ())
    assert space.store.numbers() == [4, 6]
    assert not errors(space)


def test_an_old_snapshot_that_is_damaged_is_told_though_the_newest_is_whole(space, volume):
    for number in (1, 2):
        (volume.files / "x").write_bytes(large(number))
        space.save(volume)
    damage(block(space, 1, b"x"))
    report = repaired(space)
    assert (report.of, report.number, report.damaged, report.left) == (2, 0, (1,), (1,))
    assert report.removed_blocks == 1  # so that a save of the same content stores it again
    other = space.volume("other")
    (other.files / "x").write_bytes(large(1))
    space.save(other, kind="recovery")
    assert not errors(space)


def test_a_damaged_recovery_snapshot_above_the_head_is_repaired_beside_it(space, volume):
    (volume.files / "x").write_bytes(large(1))
    space.save(volume)
    other = space.volume("other")
    (other.files / "x").write_bytes(large(2))
    (other.files / "y").write_text("y")
    space.save(other, kind="recovery")
    damage(block(space, 2, b"x"))
    report = repaired(space, remove_damaged=True)
    assert (report.of, report.number, report.kind, report.removed_snapshots) == (2, 3, "recovery", (2,))
    assert [entry.path for entry in listing(space.store, space.store, 3)] == [b"y"]
    assert not errors(space)


def test_a_snapshot_of_a_newer_version_is_not_removed(space, volume):
    for number in (1, 2):
        (volume.files / "x").write_bytes(large(number))
        space.save(volume)
    old = space.folder / "store" / "snapshots" / "0000000001"
    old.write_bytes(old.read_bytes().replace(b'"format":1', b'"format":2'))
    report = repaired(space, remove_damaged=True)
    assert (report.removed_snapshots, report.left) == ((), (1,))
    assert old.exists()


@pytest.mark.parametrize("what", ["whole", "damaged", "asked for", "a recovery above", "the only one"])
def test_no_older_state_is_put_above_a_newer_versions_save(space, volume, what):
    numbers = (2,) if what == "the only one" else (1, 2)
    for number in numbers:
        (volume.files / "x").write_bytes(large(number))
        (volume.files / "y").write_text("y")
        space.save(volume, number=number)
    if what == "a recovery above":
        space.save(volume, number=3, kind="recovery")
    newer = space.folder / "store" / "snapshots" / "0000000002"
    newer.write_bytes(newer.read_bytes().replace(b'"format":1', b'"format":2'))
    if what in ("damaged", "asked for", "a recovery above"):
        damage(block(space, 1, b"x"))
    before = tree(space.folder / "store")
    with pytest.raises(Refusal, match=r"Snapshot 2 was made by a newer version") as refused:
        repaired(space, remove_damaged=True, of=1 if what == "asked for" else None)
    assert "newer version" in refused.value.next[0]
    assert tree(space.folder / "store") == before


def test_another_name_of_a_file_whose_page_is_lost_is_a_file_of_its_own(space, volume):
    many(volume)
    os.link(volume.files / "d00" / "f000", volume.files / "z")
    space.save(volume)
    leaves = leaves_of(head_of(space.store, 1).root, fetcher(space.store))
    damage(stored(space, leaves[0].name))
    repaired(space)
    back = space.volume("back")
    space.restore(back, 2)
    assert (back.files / "z").read_text() == "0 0"


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


def links(space, count, number=1, says=None):
    """Snapshot number, of so many links, which speaks of another number of them."""
    listing = build([Entry(b"%03d" % at, SYMLINK, 0o777, 0, target=b"x") for at in range(count)])
    for page in listing.pages:
        space.store.put(page.ref.name.hex(), encode(page.plain))
    head = SnapshotHead(
        WORKSPACE, number, "save", None, None, NOW, "x", 0, 0, says or count, 0, 0, listing.root
    )
    space.store.commit(number, compose_snapshot(head, bytes(16)), CommitFacts("save", 0, 0, 0))


def test_a_listing_larger_than_its_snapshot_says_is_not_taken_into_memory(space, monkeypatch):
    monkeypatch.setattr(bounds, "_FREE_ENTRIES", 5)
    links(space, 9, says=8)
    (error,) = errors(space)
    assert ("more than 8 entries" in error.what, error.cost) == (True, "Snapshot 1 cannot be restored")
    with pytest.raises(Damaged) as raised:
        repaired(space)
    assert "more than 8 entries" in raised.value.why and "Take an earlier snapshot" in raised.value.next
    assert space.store.numbers() == [1]


def test_pages_larger_than_their_snapshot_may_have_are_an_error_of_check(space, monkeypatch):
    links(space, 9)
    monkeypatch.setattr(bounds, "_FREE_BYTES", 0)
    monkeypatch.setattr(bounds, "_ENTRY_BYTES", 1)
    (error,) = errors(space)
    assert ("of pages" in error.what, error.cost) == (True, "Snapshot 1 cannot be restored")


def test_a_larger_one_elsewhere_does_not_keep_what_is_damaged_from_being_mended(space, volume, monkeypatch):
    (volume.files / "000").write_bytes(large(1))
    (volume.files / "kept").write_text("kept")
    space.save(volume)
    damage(block(space, 1, b"000"))
    links(space, 9, number=2, says=8)
    monkeypatch.setattr(bounds, "_FREE_ENTRIES", 5)
    report = repaired(space, of=1)
    assert [lost.path for lost in report.lost] == ["000"]
    assert [entry.path for entry in listing(space.store, space.store, report.number)] == [b"kept"]


def test_what_is_left_is_not_committed_where_no_restore_would_take_it(space, volume, monkeypatch):
    (volume.files / "lost").write_bytes(large(1))
    (volume.files / "kept").write_text("kept")
    space.save(volume)
    damage(block(space, 1, b"lost"))
    monkeypatch.setattr(bounds, "_MOST_PAGE_BYTES", 10)
    with pytest.raises(Refusal, match="more than one snapshot can hold") as raised:
        repaired(space)
    assert raised.value.next == ("Take files out of it with: workspace restore --path",)
    assert space.store.numbers() == [1]


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
    with pytest.raises(Damaged, match="None of the snapshots can be read"):
        repaired(space)
    (volume.files / "x").write_text("y")
    space.save(volume)
    assert repaired(space, remove_damaged=True).removed_snapshots == (1,)
    prune(space.store, now=NOW)


class Flips(WorkspaceStore):
    """A store whose first answers for each block and snapshot have a flipped byte."""

    times = 1

    def __init__(self, *known):
        super().__init__(*known)
        self.left, self.fired = {}, 0

    def get(self, what, /):
        body, left = super().get(what), self.left.setdefault(what, self.times)
        if not left:
            return body
        self.left[what] = left - 1
        self.fired += 1
        return body[:-5] + bytes([body[-5] ^ 1]) + body[-4:]

    def get_into(self, name, room):
        return self.get(name)


def flipping(space, times):
    made = Flips(space.store.store)
    made.times = times
    made.take_lease("a test", NOW)
    return made


@pytest.mark.parametrize("times", [1, 2])
def test_answers_that_are_bad_once_or_twice_cost_neither_a_block_nor_a_page_nor_a_snapshot(
    space, volume, times
):
    many(volume)
    (volume.files / "large").write_bytes(large(1))
    space.save(volume)
    (volume.files / "large").write_bytes(large(2))
    space.save(volume)
    before = sorted(space.store.store.list(""))
    space.store.release_lease(NOW)
    store = flipping(space, times)
    report = repair(store, now=NOW, created_by="a test", remove_damaged=True)
    assert store.fired > 10
    assert (report.number, report.lost, report.unreadable, report.removed_snapshots) == (0, (), (), ())
    store.release_lease(NOW)
    known = {key for key, _ in before if not key.startswith("leases/")}
    assert {key for key, _ in store.store.list("") if not key.startswith("leases/")} == known
    assert not check(flipping(space, times), space.store).errors


def test_a_block_that_is_whole_when_it_is_to_be_removed_stays(space, volume):
    (volume.files / "large").write_bytes(large(1))
    many(volume)
    space.save(volume)
    blocks = space.blocks()
    space.store.release_lease(NOW)
    store = flipping(space, 0)
    store.left = {path.name: 3 for path in blocks}
    store.left[head_of(space.store, 1).root.name.hex()] = 0
    report = repair(store, now=NOW, created_by="a test")
    assert report.lost
    assert report.removed_blocks == 0
    assert all(path.exists() for path in blocks)


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_listing_that_lies_about_a_blocks_length_costs_nobody_that_block(tmp_path, encrypted):
    store = WorkspaceStore(open_store((tmp_path / "store").as_uri()))
    store.unlock(bytes(range(32)) if encrypted else None)
    store.create(WORKSPACE, lease="objects", now=NOW)
    store.take_lease("a test", NOW)
    space = Space(tmp_path, store)
    volume = space.volume()
    (volume.files / "large").write_bytes(large(1))
    (volume.files / "other").write_text("other")
    space.save(volume)
    lies = []
    for entry in listing(store, store, 1):
        if entry.path == b"large":
            piece = entry.pieces[0]
            lies.append(entry._replace(pieces=(piece._replace(block_length=piece.block_length + 1),)))
        else:
            lies.append(entry)
    made = build(lies, store.keys)
    for page in made.pages:
        store.put(page.ref.name.hex(), encode(page.plain, store.keys))
    head = replace(head_of(store, 1), number=2, parent=1, root=made.root, check="")
    store.put_snapshot(2, compose_snapshot(head, bytes(16), store.keys))
    victim, first = block(space, 1, b"large"), store.get(1)
    store.remove_snapshot(1)
    report = repair(store, now=NOW, created_by="a test")
    assert [lost.path for lost in report.lost] == ["large"]
    assert report.removed_blocks == 0
    assert victim.exists()
    store.put_snapshot(1, first)
    assert repair(store, now=NOW, created_by="a test", of=2).mended_files == 1
    assert [problem.snapshots for problem in check(store, store).errors] == [(2,)]
    assert [problem.snapshots for problem in check(store, store, stored=store.block_sizes()).errors] == [(2,)]
    back = space.volume("back")
    space.restore(back, 1)
    assert tree(back.files) == tree(volume.files)
    damage(block(space, 1, b"large"), "flipped")
    assert repair(store, now=NOW, created_by="a test", of=1).removed_blocks == 1
