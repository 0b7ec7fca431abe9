"""What a save has to read, and whether anything differs: decided from what was seen, without touching a file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from .entries import DIRECTORY, FILE, Entry
from .lastseen import LastSeen
from .scanning import SETTLED_NS, Found
from .stamps import Stamp, stamp_of
from .volume import MARKER

#: Files up to this size are bundled, larger ones sliced. Bundles are filled up to, slices cut at.
FILE_BYTES = 2**20
BUNDLE_BYTES = 4 * 2**20
SLICE_BYTES = 8 * 2**20
BUNDLE_FILES = 1024
#: Bundles below this that are not full of files either, or less than half of which is in use, are worth joining once there
#: are so many of them.
SMALL_BUNDLE_BYTES = 2**20
TIDY_BLOCKS = 32
#: Or once they hold so many bytes of files that are gone, and a quarter of what is in use.
DEAD_BYTES = 16 * 2**20
_MARKER = MARKER.encode()


class Plan(NamedTuple):
    """kept: (found, entry as it was). read: what must be read. links: path to the first path of the same file.

    recheck: paths in read that stat alone calls unchanged.
    """

    kept: list[tuple[Found, Entry]]
    read: list[Found]
    links: dict[bytes, bytes]
    recheck: set[bytes]


def plan(
    found: Sequence[Found], last: LastSeen | None, always_read: Collection[tuple[int, int]] = frozenset()
) -> Plan:
    """Decides for each file of found (in listing order) whether what is known of it still holds."""
    before = {entry.path: entry for entry in last.entries if entry.kind == FILE} if last else {}
    stamps: Mapping[bytes, Stamp] = last.stamps if last else {}
    settled_ns = last.tick_ns - SETTLED_NS if last else 0
    result = Plan([], [], {}, set())
    firsts: dict[tuple[int, int], bytes] = {}
    for item in found:
        if item.kind != FILE:
            continue
        if item.links > 1:
            first = firsts.setdefault((item.device, item.inode), item.path)
            if first != item.path:
                result.links[item.path] = first
                continue
        old = before.get(item.path)
        if old is None or not _looks_same(item, old, stamps):
            result.read.append(item)
        elif item.ctime_ns > settled_ns or (item.device, item.inode) in always_read:
            result.read.append(item)
            result.recheck.add(item.path)
        else:
            result.kept.append((item, old))
    return result


def _looks_same(item: Found, old: Entry, stamps: Mapping[bytes, Stamp]) -> bool:
    return (
        item.size == old.size
        and item.mtime_ns == old.mtime_ns
        and stamps.get(item.path) == stamp_of(item.inode, item.ctime_ns)
    )


def worth_joining(kept: Iterable[tuple[Found, Entry]]) -> set[bytes]:
    """Blocks whose files are worth reading again, to be stored in fewer and fuller bundles."""
    used: dict[bytes, int] = {}
    files: dict[bytes, int] = {}
    length: dict[bytes, int] = {}
    for _, entry in kept:
        if entry.size <= FILE_BYTES and len(entry.pieces) == 1 and entry.pieces[0].block:
            piece = entry.pieces[0]
            used[piece.block] = used.get(piece.block, 0) + piece.length
            files[piece.block] = files.get(piece.block, 0) + 1
            length[piece.block] = piece.block_length
    candidates = {
        block
        for block, bytes_used in used.items()
        if (length[block] < SMALL_BUNDLE_BYTES and files[block] < BUNDLE_FILES // 2)
        or bytes_used < length[block] // 2
    }
    dead = sum(length[block] - used[block] for block in candidates)
    mostly_dead = dead > DEAD_BYTES and dead > sum(used.values()) // 4
    return candidates if mostly_dead or len(candidates) > TIDY_BLOCKS else set()


def same(old: Entry, new: Entry) -> bool:
    """Whether a snapshot with old serves as well as one with new. The time of a directory alone is no change:
    files that are never saved move it."""
    return (
        old.kind == new.kind
        and old.mode == new.mode
        and old.size == new.size
        and old.content == new.content
        and old.target == new.target
        and old.hard_link_to == new.hard_link_to
        and old.xattrs == new.xattrs
        and (old.mtime_ns == new.mtime_ns or new.kind == DIRECTORY)
    )


def nothing_differs(before: Sequence[Entry], after: Sequence[Entry]) -> bool:
    """Whether two listings say the same, wherever the bytes lie. Our own marker is a sign and no content: that it
    names the workspace that this one was made of is no change."""
    return len(before) == len(after) and all(
        old.path == new.path and (same(old, new) or (new.path == _MARKER and old.kind == new.kind))
        for old, new in zip(before, after, strict=True)
    )


def tree_differs(found: Sequence[Found], last: LastSeen) -> bool:
    """Whether paths came, went or changed in kind or mode; contents apart."""
    if len(found) != len(last.entries):
        return True
    return any(
        item.path != entry.path
        or item.kind != entry.kind
        or item.mode != entry.mode
        or (item.kind != DIRECTORY and item.mtime_ns != entry.mtime_ns)
        for item, entry in zip(found, last.entries, strict=True)
    )


def batches(files: list[Found]) -> Iterator[list[Found]]:
    """Small files in listing order, in runs that make one bundle each. Lets go of them on the way: files is empty then."""
    batch: list[Found] = []
    size = 0
    files.reverse()
    while files:
        item = files.pop()
        if batch and (size + item.size > BUNDLE_BYTES or len(batch) >= BUNDLE_FILES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += item.size
    if batch:
        yield batch
