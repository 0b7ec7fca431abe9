"""What crashes, faults and hostile bytes leave: every row of FORMAT.md's tables that the engine heals by itself."""

import os
import signal
import subprocess
import sys
import threading

import msgpack
import pytest

from jupyterhub_notebooks.errors import AlreadyRunning, Damaged, NoSpace, NotFound, Refusal, StorageAway
from jupyterhub_notebooks.workspace import (
    Cancelled,
    CommitFacts,
    WorkspaceStore,
    changes,
    check,
    listing,
    open_store,
    pages,
)
from jupyterhub_notebooks.workspace.blocks import encode, hash_of
from jupyterhub_notebooks.workspace.entries import EMPTY
from jupyterhub_notebooks.workspace.layout import condemned_json
from jupyterhub_notebooks.workspace.pages import PageRef
from jupyterhub_notebooks.workspace.snapshots import SnapshotHead, compose_snapshot, parse_snapshot

from .conftest import NOW, WORKSPACE, Space, tree


class Faulty:
    """A workspace's store whose n-th writing call fails, before or after it was carried out."""

    def __init__(self, space: WorkspaceStore, at: int = -1, *, after: bool = False) -> None:
        self._space, self._at, self._after = space, at, after
        self._lock = threading.Lock()
        self.calls = 0

    def __getattr__(self, name):
        return getattr(self._space, name)

    def _count(self, act):
        with self._lock:
            self.calls += 1
            hit = self.calls == self._at
        if hit and not self._after:
            raise StorageAway("planned")
        result = act()
        if hit:
            raise StorageAway("planned, and the answer is lost")
        return result

    def put(self, name, body):
        return self._count(lambda: self._space.put(name, body))

    def commit(self, number, body, facts):
        return self._count(lambda: self._space.commit(number, body, facts))


def fill(volume, version=b"1"):
    for number in range(30):
        folder = volume.files / f"d{number % 3}"
        folder.mkdir(exist_ok=True)
        (folder / f"f{number}").write_bytes(version * (50_000 + number))
    (volume.files / "big").write_bytes(version * (9 * 2**20))


def save_through(space: Space, store, volume, number):
    before, space.store = space.store, store
    try:
        return space.save(volume, number=number)
    finally:
        space.store = before


@pytest.mark.parametrize("after", [False, True])
def test_a_save_that_dies_at_any_write_leaves_the_snapshot_before_and_the_next_save_is_whole(
    space, volume, after
):
    fill(volume)
    space.save(volume)
    was = tree(volume.files)
    fill(volume, b"2")
    at, fired = 1, 0
    while True:
        faulty = Faulty(space.store, at, after=after)
        try:
            save_through(space, faulty, volume, 2)
        except StorageAway:
            fired += 1
        else:
            break
        if space.store.numbers() == [1]:
            back = space.volume(f"back-{at}")
            space.restore(back)
            assert tree(back.files) == was
        else:
            break
        at += 1
    assert fired >= 2
    space.save(volume)
    assert not check(space.store, space.store, read_data=True, stored=space.store.block_sizes()).errors
    last = space.volume("last")
    space.restore(last)
    assert tree(last.files) == tree(volume.files)


def test_a_commit_whose_answer_was_lost_becomes_the_base_at_the_next_save(space, volume):
    fill(volume)

    class LosesCommit(Faulty):
        def commit(self, number, body, facts):
            self._space.commit(number, body, facts)
            raise StorageAway("the answer is lost")

    with pytest.raises(StorageAway):
        save_through(space, LosesCommit(space.store), volume, 1)
    assert volume.base is None
    assert volume.pending[0] == 1
    (volume.files / "more").write_text("more")
    report = space.save(volume, number=1, parent=None)  # as if nothing had been heard of it
    assert report.number == 2
    assert volume.base == 2
    assert parse_snapshot(space.store.get(2)).parent == 1


def test_a_pending_commit_that_never_arrived_is_forgotten(space, volume):
    fill(volume)

    class NeverCommits(Faulty):
        def commit(self, number, body, facts):
            raise StorageAway("planned")

    with pytest.raises(StorageAway):
        save_through(space, NeverCommits(space.store), volume, 1)
    assert volume.settle(space.store) is None
    assert volume.pending is None
    assert space.save(volume).number == 1


KILLED = """
import os, signal, sys
from pathlib import Path
from jupyterhub_notebooks.workspace import Volume, WorkspaceStore, open_store, restore
class Dies(WorkspaceStore):
    left = int(sys.argv[3])
    def get(self, what, /):
        if isinstance(what, str):
            Dies.left -= 1
            if Dies.left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return super().get(what)
    def get_into(self, name, room):
        return self.get(name)
space = Dies(open_store(sys.argv[1]))
folder = Path(sys.argv[2])
restore(Volume(folder / "files", folder / "state"), space, space, 1)
"""


@pytest.mark.parametrize("used", [False, True], ids=["empty", "in-use"])
def test_a_restore_that_is_killed_never_leads_to_a_save_and_the_next_one_finishes(space, volume, used):
    fill(volume)
    space.save(volume)
    back = space.volume("back")
    if used:
        fill(back, b"9")
        (back.files / "other").write_text("x")
    was = tree(back.files)
    killed = 0
    for blocks in range(1, 20):
        arguments = [
            sys.executable,
            "-c",
            KILLED,
            space.store.store.url,
            str(space.folder / "back"),
            str(blocks),
        ]
        status = subprocess.run(arguments, check=False).returncode
        if status == 0:
            break
        assert status == -signal.SIGKILL
        if back.situation() != "restoring":
            left = tree(back.files)
            assert was == {path: what for path, what in left.items() if b".notebooks-restore" not in path}
            killed += used  # in a used directory nothing is changed before all is fetched
            continue
        killed += 1
        with pytest.raises(Refusal) as refused:
            space.save(back, kind="recovery")
        assert refused.value.label == "restoring"
        assert space.store.numbers() == [1]
    assert killed
    assert back.situation() == "kept"
    assert tree(back.files) == tree(volume.files)
    assert not (back.files / ".notebooks-restore").exists()


def test_a_restore_that_is_cancelled_stays_unfinished_and_can_be_repeated(space, volume):
    fill(volume)
    space.save(volume)
    back = space.volume("back")
    with pytest.raises(Cancelled):
        asked = iter([False] * 4 + [True] * 1000)
        space.restore(back, cancelled=lambda: next(asked))
    assert back.situation() == "restoring"
    with pytest.raises(Refusal):
        space.save(back)
    space.restore(back)
    assert tree(back.files) == tree(volume.files)


def test_a_cancelled_save_leaves_the_snapshot_before(space, volume):
    fill(volume)
    with pytest.raises(Cancelled):
        space.save(volume, cancelled=lambda: True)
    assert space.store.numbers() == []
    assert space.save(volume).number == 1


def test_a_used_directory_is_untouched_while_the_new_files_are_not_all_there(space, volume):
    fill(volume)
    space.save(volume)
    back = space.volume("back")
    fill(back, b"9")
    was = tree(back.files)
    victim = next(path for path in space.blocks() if path.stat().st_size > 300)
    damage(victim)
    with pytest.raises(Damaged):
        space.restore(back)
    now = {
        path: what for path, what in tree(back.files).items() if not path.startswith(b".notebooks-restore")
    }
    assert now == was


def damage(path, how="flipped"):
    body = bytearray(path.read_bytes())
    if how == "flipped":
        body[-1] ^= 1
    elif how == "truncated":
        body = body[: len(body) // 2]
    elif how == "empty":
        body = bytearray()
    elif how == "another format":
        body[4] = 9
    elif how == "unknown codec":
        body[5] = 77
    elif how == "encrypted":
        body[5] = 3
    elif how == "longer":
        body += b"more"
    elif how == "a bomb":
        import zstandard

        body = body[:10] + zstandard.ZstdCompressor(write_content_size=False).compress(bytes(2**28))
        body[5] = 1
    path.write_bytes(body)


HOW = ["flipped", "truncated", "empty", "another format", "unknown codec", "encrypted", "longer", "a bomb"]


@pytest.mark.parametrize("how", HOW)
def test_a_damaged_block_is_found_by_check_and_refused_by_restore(space, volume, how):
    (volume.files / "precious").write_bytes(os.urandom(5000))
    space.save(volume)
    entry = next(listing(space.store, space.store, 1))
    name = entry.pieces[0].block.hex()
    damage(space.folder / "store" / "blocks" / name[:2] / name, how)
    report = check(space.store, space.store, read_data=True, stored=space.store.block_sizes())
    assert len(report.errors) == 1
    assert "precious" in report.errors[0].cost
    assert report.errors[0].snapshots == (1,)
    back = space.volume("back")
    with pytest.raises(Damaged) as refused:
        space.restore(back)
    assert name[:12] in refused.value.title
    assert back.situation() == "restoring"


def test_swapped_blocks_are_found_and_refused(space, volume):
    (volume.files / "a").write_bytes(os.urandom(2 * 2**20))
    (volume.files / "b").write_bytes(os.urandom(2 * 2**20))
    space.save(volume)
    one, two = sorted(space.blocks(), key=lambda path: path.stat().st_size)[-2:]
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    assert len(check(space.store, space.store, read_data=True).errors) == 2
    with pytest.raises(Damaged, match="not what its name says"):
        space.restore(space.volume("back"))


def test_a_missing_block_is_found_without_reading_data(space, volume):
    fill(volume)
    space.save(volume)
    entry = next(e for e in listing(space.store, space.store, 1) if e.pieces)
    name = entry.pieces[0].block.hex()
    (space.folder / "store" / "blocks" / name[:2] / name).unlink()
    report = check(space.store, space.store, stored=space.store.block_sizes())
    assert [problem.what for problem in report.errors] == [f"Block {name[:12]} is damaged: it is missing"]
    with pytest.raises(Damaged, match="it is missing"):
        space.restore(space.volume("back"))


def test_a_damaged_page_costs_its_snapshot_and_a_restore_refuses_before_it_touches_anything(space, volume):
    fill(volume)
    space.save(volume)
    root = parse_snapshot(space.store.get(1)).root.name.hex()
    damage(space.folder / "store" / "blocks" / root[:2] / root)
    report = check(space.store, space.store, stored=space.store.block_sizes())
    assert report.errors[0].cost == "Snapshot 1 cannot be restored"
    back = space.volume("back")
    (back.files / "mine").write_text("x")
    with pytest.raises(Damaged):
        space.restore(back)
    assert back.restoring is None
    assert (back.files / "mine").read_text() == "x"


@pytest.mark.parametrize("how", ["flipped", "truncated", "empty"])
def test_a_damaged_snapshot_object_is_refused_and_another_number_is_taken(space, volume, how):
    fill(volume)
    space.save(volume)
    damage(space.folder / "store" / "snapshots" / "0000000001", how)
    with pytest.raises(Damaged):
        space.restore(space.volume("back"))
    assert check(space.store, space.store).errors
    assert space.save(volume).number == 2


def test_a_snapshot_in_the_place_of_another_is_refused(space, volume):
    fill(volume)
    space.save(volume)
    snapshots = space.folder / "store" / "snapshots"
    (snapshots / "0000000002").write_bytes((snapshots / "0000000001").read_bytes())
    with pytest.raises(Damaged, match="calls itself number 1"):
        space.restore(space.volume("back"), 2)
    with pytest.raises(Damaged, match="another workspace"):
        parse_snapshot(space.store.get(1), workspace="somebody-elses")


def test_a_snapshot_that_is_not_there_is_not_found(space, volume):
    with pytest.raises(NotFound):
        space.restore(volume, 7)
    assert volume.restoring is None


def leaf(*rows, blocks=()) -> bytes:
    return pages.PREFIX + msgpack.packb([0, [list(block) for block in blocks], list(rows)])


def file_row(path, where=(), size=0, content=EMPTY, kind=0, **extra):
    row = [path, kind, 0o644, 0, size, content, list(where) if kind == 0 else None]
    return [*row, extra] if extra else row


def folder_row(path):
    return [path, 1, 0o755, 0, 0, b"", None]


def link_row(path, target):
    return [path, 2, 0o777, 0, 0, b"", target]


def commit_page(space, plain, level=0):
    """A snapshot that somebody with the session's rights made by hand."""
    name = hash_of(plain)
    space.store.put(name.hex(), encode(plain))
    root = PageRef(name, len(plain), level, b"", 1, 1, 0)
    head = SnapshotHead(WORKSPACE, 1, "save", None, None, NOW, "hostile", 0, 1, 1, 0, 0, root)
    space.store.commit(1, compose_snapshot(head, bytes(16)), CommitFacts("save", 0, 1, 0))


HOSTILE = {
    "a parent": leaf(file_row(b"../out")),
    "dots inside": leaf(folder_row(b"a"), file_row(b"a/../../out")),
    "absolute": leaf(file_row(b"/tmp/out")),
    "no name": leaf(file_row(b"")),
    "an empty component": leaf(folder_row(b"a"), file_row(b"a//b")),
    "a zero byte": leaf(file_row(b"a\0b")),
    "a dot": leaf(file_row(b".")),
    "text for bytes": leaf(file_row("text")),
    "a symbolic link as parent": leaf(link_row(b"l", b"/tmp"), file_row(b"l/out")),
    "a file as parent": leaf(file_row(b"f"), file_row(b"f/out")),
    "no parent": leaf(file_row(b"nowhere/out")),
    "out of order": leaf(file_row(b"b"), file_row(b"a")),
    "twice": leaf(file_row(b"a"), file_row(b"a")),
    "a link then a folder of that name": leaf(link_row(b"l", b"/tmp"), folder_row(b"l"), file_row(b"l/x")),
    "a kind of tomorrow": leaf(file_row(b"a", kind=9)),
    "an extra of tomorrow": leaf(file_row(b"a", Z=1)),
    "an attribute outside user": leaf(file_row(b"a", x={b"security.capability": b"x"})),
    "a hard link that leads out": leaf(file_row(b"a", n=b"../../etc/passwd")),
    "more bytes than places": leaf(file_row(b"a", size=5)),
    "a place outside its block": leaf(file_row(b"a", (0, 5, 10), 10), blocks=[(bytes(32), 10)]),
    "a block that is not listed": leaf(file_row(b"a", (3, 0, 10), 10), blocks=[(bytes(32), 10)]),
    "a negative length": leaf(file_row(b"a", (-1, 0, 20, -1, 0, -10), 10)),
    "an enormous block": leaf(file_row(b"a", (0, 0, 2**40), 2**40), blocks=[(bytes(32), 2**40)]),
    "a mode beyond modes": leaf([b"a", 0, 0o170777, 0, 0, EMPTY, []]),
    "no rows": leaf(),
    "no page": b"something else entirely",
    "a page of tomorrow": b"NBPG\x02" + leaf(file_row(b"a"))[5:],
    "cut off": leaf(file_row(b"a"))[:-3],
    "an array that claims billions": pages.PREFIX + b"\x93\x00\x90\xdd\xff\xff\xff\xff",
    "nested a thousand deep": pages.PREFIX + b"\x91" * 5000 + b"\xc0",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_listing_is_refused_before_anything_is_touched(space, what):
    commit_page(space, HOSTILE[what])
    back = space.volume("back")
    with pytest.raises(Damaged):
        space.restore(back)
    assert list(back.files.iterdir()) == []
    assert back.restoring is None
    assert not (space.folder / "out").exists()
    assert check(space.store, space.store).errors


def test_a_node_that_names_itself_again_and_again_ends(space):
    """Levels are counted down, so a page cannot be its own child; a chain that claims more levels is refused."""
    child = leaf(file_row(b"a"))
    row = [hash_of(child), len(child), b"a", 1, 1, 0]
    node = pages.PREFIX + msgpack.packb([3, [], [row]])
    space.store.put(hash_of(child).hex(), encode(child))
    commit_page(space, node, level=3)
    with pytest.raises(Damaged):
        space.restore(space.volume("back"))


def test_a_symbolic_link_that_appears_while_restoring_is_not_followed(space, volume, tmp_path):
    (volume.files / "d").mkdir()
    (volume.files / "d" / "x").write_text("new")
    space.save(volume)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x").write_text("not ours")
    back = space.volume("back")
    os.symlink(outside, back.files / "d")
    space.restore(back)
    assert (outside / "x").read_text() == "not ours"
    assert (back.files / "d" / "x").read_text() == "new"
    assert not (back.files / "d").is_symlink()


def test_blocks_that_were_removed_meanwhile_are_stored_again_and_then_committed(space, volume):
    (volume.files / "x").write_bytes(os.urandom(5000))
    space.save(volume)
    gone = next(listing(space.store, space.store, 1)).pieces[0].block.hex()
    other = space.volume("other")
    (other.files / "y").write_bytes((volume.files / "x").read_bytes())
    raw = space.store.store

    class RemovedInBetween(Faulty):
        removed = False

        def commit(self, number, body, facts):
            if not self.removed:
                assert gone in facts.present
                raw.put_new("condemned/0000000001", condemned_json(1, ["0" * 64], NOW))
                raw.delete(f"blocks/{gone[:2]}/{gone}")
                RemovedInBetween.removed = True
            self._space.commit(number, body, facts)

    before, space.store = space.store, RemovedInBetween(space.store)
    space.save(other, number=2, kind="recovery")
    space.store = before
    assert RemovedInBetween.removed
    assert not check(before, before, read_data=True, stored=before.block_sizes()).errors


def test_a_commit_takes_the_blocks_it_needs_off_the_condemned_list(space, volume):
    (volume.files / "x").write_bytes(os.urandom(5000))
    space.save(volume)
    kept = next(listing(space.store, space.store, 1)).pieces[0].block.hex()
    space.store.store.put_new("condemned/0000000001", condemned_json(1, [kept, "f" * 64], NOW))
    other = space.volume("other")
    (other.files / "y").write_bytes((volume.files / "x").read_bytes())
    space.save(other, kind="recovery")
    left = space.store.store.get("condemned/0000000001")
    assert kept.encode() not in left
    assert b"f" * 64 in left


def test_a_base_that_was_removed_is_not_relied_on(space, volume):
    fill(volume)
    space.save(volume)
    space.store.store.delete("snapshots/0000000001")
    for path in space.blocks():
        path.unlink()
    (volume.files / "new").write_text("x")
    report = space.save(volume, number=2)
    assert report.number == 2
    assert not check(space.store, space.store, read_data=True, stored=space.store.block_sizes()).errors


@pytest.mark.parametrize("what", ["removed", "flipped", "empty", "of another workspace"])
def test_a_scan_that_cannot_be_used_costs_reading_only(space, volume, what):
    fill(volume)
    space.save(volume)
    scan = volume.state / "scan"
    if what == "removed":
        scan.unlink()
    elif what == "of another workspace":
        other = space.volume("other")
        space.save(other, kind="recovery", workspace_id="0" * 26)
        scan.write_bytes((other.state / "scan").read_bytes())
    else:
        damage(scan, what)
    report = space.save(volume)
    assert report.number == 0
    assert report.changed_files == 31
    assert report.stored_bytes == 0


def test_the_situations_of_a_volume(space, tmp_path):
    volume = space.volume()
    assert volume.situation() == "empty"
    (volume.files / "x").write_text("x")
    assert volume.situation() == "unknown"
    volume.remember(lease=2)
    assert (volume.situation(), volume.base) == ("unknown", None)
    volume.remember(base=0, lease=3)
    assert (volume.situation(), volume.base, volume.lease) == ("kept", 0, 3)
    volume.remember(base=4)
    assert (volume.base, volume.lease) == (4, 3)
    (volume.state / "base.json").write_text("{torn")
    assert (volume.situation(), volume.base) == ("unknown", None)
    volume.begin_restore(7)
    assert (volume.situation(), volume.restoring) == ("restoring", 7)
    (volume.state / "restoring").write_text("")
    assert volume.situation() == "restoring"
    volume.end_restore()
    assert volume.situation() == "unknown"


def test_the_marker_names_the_workspace_and_is_mended(space, volume):
    marker = volume.files / ".workspace.initialized"
    assert volume.marker() is None
    assert volume.write_marker(WORKSPACE)
    assert volume.marker() == WORKSPACE
    for broken in (b"", b"\xff\xfe", b"[]", b'{"workspace": 3}', b"x" * 10_000):
        marker.write_bytes(broken)
        assert volume.marker() is None
    marker.unlink()
    os.symlink("/etc/passwd", marker)
    assert volume.marker() is None
    assert volume.write_marker(WORKSPACE)
    assert not marker.is_symlink()
    marker.unlink()
    marker.mkdir()
    assert volume.marker() is None
    assert not volume.write_marker(WORKSPACE)


def test_a_volume_is_saved_by_one_process_at_a_time(space, volume):
    (volume.files / "x").write_text("x")
    with volume.locked(), pytest.raises(AlreadyRunning):
        space.save(volume)
    assert space.save(volume).number == 1


def test_a_full_disk_is_said_with_numbers_and_nothing_is_taken_for_restored(space, volume, monkeypatch):
    fill(volume)
    space.save(volume)
    back = space.volume("back")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(NoSpace, match="The workspace needs 11\u00a0MB"):
        space.restore(back)
    monkeypatch.undo()
    assert back.situation() == "restoring"


def test_nothing_is_known_of_a_volume_that_was_never_saved(space, volume):
    fill(volume)
    pending = changes(volume)
    assert (pending.pending_files, pending.differs) == (31, True)


def test_a_workspace_over_s3_comes_back(s3_server, tmp_path):
    store = WorkspaceStore(open_store(f"s3://notebooks/engine/{os.urandom(4).hex()}", s3_server.options))
    store.create(WORKSPACE, lease="objects", now=NOW)
    store.take_lease("a test", NOW)
    space = Space(tmp_path, store)
    volume = space.volume()
    fill(volume)
    space.save(volume)
    (volume.files / "more").write_bytes(os.urandom(2**20))
    assert space.save(volume).number == 2
    back = space.volume("back")
    space.restore(back)
    assert tree(back.files) == tree(volume.files)
    report = check(store, store, read_data=True, stored=store.block_sizes(), strange=store.strange_keys())
    assert (report.errors, report.hints) == ((), ())
    store.release_lease(NOW)
