"""A snapshot that says it is small takes little memory to restore, whatever its listing holds; honest ones of any size pass."""

import os
import random
import resource
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from jupyterhub_notebooks.errors import Damaged, Refusal
from jupyterhub_notebooks.workspace import CommitFacts, Volume, bounds
from jupyterhub_notebooks.workspace.blocks import MOST_PLAIN, encode
from jupyterhub_notebooks.workspace.entries import FILE, SYMLINK, Entry, Piece, content_of
from jupyterhub_notebooks.workspace.keys import OPEN
from jupyterhub_notebooks.workspace.pages import Listing, build, entries_of, leaves_of
from jupyterhub_notebooks.workspace.restoring import listing as listing_of
from jupyterhub_notebooks.workspace.snapshots import SnapshotHead, compose_snapshot

from .conftest import NOW, WORKSPACE, tree


def head_of(root, entries: int, size_bytes: int = 0) -> SnapshotHead:
    return SnapshotHead(WORKSPACE, 1, "save", None, None, NOW, "x", size_bytes, entries, entries, 0, 0, root)


def committed(space, listing: Listing, entries: int, size_bytes: int = 0) -> None:
    for page in listing.pages:
        space.store.put(page.ref.name.hex(), encode(page.plain))
    head = head_of(listing.root, entries, size_bytes)
    space.store.commit(1, compose_snapshot(head, bytes(16)), CommitFacts("save", 0, 1, 0))


def long_links(count):
    """Entries of 8 kB each, which compress to nothing."""
    for number in range(count):
        yield Entry(b"%08d" % number + b"/".join([b"n" * 240] * 16), SYMLINK, 0o777, 0, target=b"t" * 4095)


def in_pieces(count):
    """Files of 100,000 pieces each: a run of ones, and a hole, again and again."""
    pieces = (Piece(b"b" * 32, MOST_PLAIN, 0, 1), Piece(b"", 0, 0, 1)) * 50_000
    content = content_of(pieces)
    for number in range(count):
        yield Entry(b"%08d" % number, FILE, 0o644, 0, len(pieces), content, pieces)


def test_pages_beyond_what_the_snapshot_says_are_refused_before_they_are_fetched(space):
    listing = build(list(long_links(12_000)))
    assert sum(page.ref.length for page in listing.pages) > 90_000_000
    committed(space, listing, 10)
    asked = []
    get = space.store.get
    space.store.get = lambda what: asked.append(what) or get(what)
    back = space.volume("back")
    (back.files / "mine").write_text("mine")
    with pytest.raises(Damaged, match=r"more than 6\d.MB of pages.*10 entries"):
        space.restore(back, 1)
    assert len(asked) < 20
    assert back.restoring is None and (back.files / "mine").read_text() == "mine"


def test_pieces_beyond_what_the_snapshot_says_are_refused_with_little_memory(space):
    committed(space, build(list(in_pieces(40))), 40, 40)
    child = os.fork()
    if not child:
        most = 500 * 2**20 + _used()
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        try:
            space.restore(space.volume("back"), 1)
        except Damaged as error:
            os._exit(7 if "places of contents" in error.why else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def _used() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def test_more_entries_than_the_snapshot_says_are_refused(space, volume, monkeypatch):
    monkeypatch.setattr(bounds, "_FREE_ENTRIES", 5)
    listing = build([Entry(b"%03d" % number, SYMLINK, 0o777, 0, target=b"x") for number in range(9)])
    committed(space, listing, 8)
    with pytest.raises(Damaged, match="more than 8 entries"):
        space.restore(space.volume("back"), 1)


@pytest.mark.parametrize(
    ("entries", "size_bytes", "row_bytes"),
    [
        (0, 0, 0),
        (1, 0, 70_000),
        (900, 10**9, 70_000),
        (50_000, 10**9, 80_000),
        (1_000_000, 10**11, 500),
        (20_000_000, 10**13, 200),
    ],
)
def test_what_a_save_makes_of_very_many_files_is_within_the_bounds(entries, size_bytes, row_bytes):
    head = head_of(None, entries, size_bytes)
    slices = size_bytes // MOST_PLAIN
    assert bounds.most_page_bytes(head) >= entries * row_bytes + 60 * slices
    assert bounds.most_pieces(head) >= entries + 2 * slices


def test_a_file_of_a_terabyte_is_within_the_bounds(space):
    slices = 10**12 // MOST_PLAIN
    chance = random.Random(1)
    pieces = tuple(Piece(chance.randbytes(32), MOST_PLAIN, 0, MOST_PLAIN) for _ in range(slices))
    size = slices * MOST_PLAIN
    one = Entry(b"large", FILE, 0o644, 0, size, content_of(pieces), pieces)
    listing = build([one])
    head = head_of(listing.root, 1, size)
    fetch = bounds.bounded(lambda wanted: iter(()), head)
    list(fetch([(page.ref.name, page.ref.length) for page in listing.pages]))
    assert bounds.whole([one], head) == [one]
    assert len(list(islice(bounds.whole([one] * 8, head_of(None, 8, 8 * size)), 9))) == 8


def noted(count):
    """Files with 4 kB of attributes each."""
    for number in range(count):
        attributes = tuple((b"user.%d" % each, random.Random(number).randbytes(1000)) for each in range(4))
        yield Entry(b"%08d" % number, FILE, 0o644, 0, 0, OPEN.empty, xattrs=attributes)


def furthest(count):
    """Files with all that a row may have: the longest path and hard link, and 1,024 attributes of 64 KiB together."""
    long = b"/".join([b"n" * 255] * 15)
    values = [(b"user.%04d" % each, bytes(55)) for each in range(1024)]
    for number in range(count):
        path = b"%0255d/" % number + long
        yield Entry(path, FILE, 0o644, 0, 0, OPEN.empty, (), b"", path, tuple(values), True)


@pytest.mark.parametrize(("made", "count"), [(long_links, 20_000), (noted, 40_000), (furthest, 3_000)])
def test_a_listing_of_long_entries_that_a_save_may_commit_is_one_that_a_restore_takes(made, count):
    entries = list(made(count))
    listing = build(entries)
    assert sum(page.ref.length for page in listing.pages) > 64 * 2**20 + 2048 * count
    bounds.refuse_larger(listing, entries, 0)
    plain = {page.ref.name: page.plain for page in listing.pages}
    head = head_of(listing.root, count)
    fetch = bounds.bounded(lambda wanted: (plain[name] for name, _ in wanted), head)
    refs = leaves_of(head.root, fetch)
    leaves = fetch([(ref.name, ref.length) for ref in refs])
    assert bounds.whole(entries_of(refs, leaves, whole=False), head) == entries


def test_a_save_commits_what_a_restore_just_takes_and_refuses_a_byte_more(space, volume, monkeypatch):
    for number in range(300):
        (volume.files / f"f{number}").symlink_to("x" * 2000)
    first = space.save(volume)
    assert first.number == 1
    entries = list(listing_of(space.store, space.store, 1))
    page_bytes = sum(page.ref.length for page in build(entries).pages)
    other = space.volume("other")
    for path in volume.files.iterdir():
        (other.files / path.name).symlink_to("y" * 2000)
        os.utime(other.files / path.name, ns=(0, path.lstat().st_mtime_ns), follow_symlinks=False)
    monkeypatch.setattr(bounds, "_MOST_PAGE_BYTES", page_bytes - 1)
    with pytest.raises(Refusal, match="more than one snapshot can hold"):
        space.save(other, kind="recovery")
    assert space.store.numbers() == [1]
    monkeypatch.setattr(bounds, "_MOST_PAGE_BYTES", page_bytes)
    assert space.save(other, kind="recovery").number == 2
    back = space.volume("back")
    space.restore(back, 2)
    assert tree(back.files) == tree(other.files)


def test_a_save_of_more_pieces_than_a_restore_takes_is_refused(monkeypatch):
    monkeypatch.setattr(bounds, "_FREE_PIECES", 0)
    monkeypatch.setattr(bounds, "_MOST_PIECES", 4)
    size = 8 * MOST_PLAIN
    pieces = (Piece(b"b" * 32, MOST_PLAIN, 0, MOST_PLAIN),) * 8
    one = Entry(b"large", FILE, 0o644, 0, size, content_of(pieces), pieces)
    with pytest.raises(Refusal, match="more than one snapshot can hold"):
        bounds.refuse_larger(build([one]), [one], size)
    monkeypatch.setattr(bounds, "_MOST_PIECES", 6)
    bounds.refuse_larger(build([one]), [one], size)
    assert bounds.whole([one], head_of(None, 1, size)) == [one]


@pytest.mark.parametrize("count", [1024, 1025])
def test_a_file_with_more_attributes_than_a_row_may_have_is_saved_without_them(space, count):
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None  # most disks keep fewer of a file
    with TemporaryDirectory(dir=memory) as name:
        volume, back = (Volume(Path(name) / one / "files", Path(name) / one / "state") for one in "ab")
        volume.files.mkdir(parents=True)
        (volume.files / "noted").write_text("noted")
        try:
            for number in range(count):
                os.setxattr(volume.files / "noted", f"user.{number}", b"")
        except OSError:
            pytest.skip("this file system does not keep so many attributes")
        space.save(volume)
        space.restore(back)
        assert len(os.listxattr(back.files / "noted")) == (count if count <= 1024 else 0)


def test_what_was_saved_comes_back(space, volume):
    for number in range(300):
        (volume.files / f"f{number}").write_bytes(b"%d" % number)
    space.save(volume)
    back = space.volume("back")
    space.restore(back)
    assert tree(back.files) == tree(volume.files)
