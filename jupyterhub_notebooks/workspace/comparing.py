"""What a save has to read, and whether anything differs: decided from what was seen, without touching a file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from .entries import DIRECTORY, FILE, Entry, order
from .gathering import Gathering
from .hardlinks import Links
from .lastseen import LastSeen
from .scanning import SETTLED_NS, Found
from .stamps import UNSETTLED, Stamp, stamp_of
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
    """kept: entries as they were, of files that stay, with their stamps. read: what must be read. links: further names of
    files in both.

    recheck: paths in read that stat alone calls unchanged. before: all entries of last.
    """

    kept: Gathering
    read: list[Found]
    links: Links
    recheck: set[bytes]
    before: list[Entry]


def plan(
    found: list[Found], last: LastSeen | None, always_read: Collection[tuple[int, int]] = frozenset()
) -> Plan:
    """Decides for each file of found (in listing order) whether what is known of it still holds. Lets go of found on the
    way: it is empty then. Raises Unusable."""
    settled_ns = last.tick_ns - SETTLED_NS if last else 0
    result = Plan(Gathering(), [], Links(), set(), [])
    known = _Known(last, result.before)
    found.reverse()
    while found:
        item = found.pop()
        if item.kind != FILE:
            continue
        if item.links > 1 and result.links.further(item, settled_ns):
            continue
        old, stamp = known.of(item.path)
        if old is None or not _looks_same(item, old, stamp):
            result.read.append(item)
        elif item.ctime_ns > settled_ns or (item.device, item.inode) in always_read:
            result.read.append(item)
            result.recheck.add(item.path)
        else:
            result.kept.add(old._replace(hard_link_to=b"") if old.hard_link_to else old, stamp)
    known.finish()
    result.links.all_seen()
    return result


class _Known:
    """What was seen last, in order, each noted in before. Its methods raise Unusable."""

    def __init__(self, last: LastSeen | None, before: list[Entry]) -> None:
        self._each: Iterator[tuple[Entry | None, Stamp]] = last.each() if last else iter(())
        self._before = before
        self._entry: Entry | None = None
        self._stamp = UNSETTLED
        self._step()

    def of(self, path: bytes) -> tuple[Entry | None, Stamp]:
        """What was seen at path, which lies behind all that were asked for before."""
        if self._entry is not None and self._entry.path != path:
            place = order(path)
            while self._entry is not None and order(self._entry.path) < place:
                self._step()
        if self._entry is None or self._entry.path != path:
            return None, UNSETTLED
        answer = self._entry, self._stamp
        self._step()
        return answer

    def finish(self) -> None:
        """The rest is in before as well, then."""
        while self._entry is not None:
            self._step()

    def _step(self) -> None:
        self._entry, self._stamp = next(self._each, (None, UNSETTLED))
        if self._entry is not None:
            self._before.append(self._entry)


def _looks_same(item: Found, old: Entry, stamp: Stamp) -> bool:
    return (
        old.kind == FILE
        and item.size == old.size
        and item.mtime_ns == old.mtime_ns
        and stamp == stamp_of(item.inode, item.ctime_ns)
    )


def worth_joining(kept: Gathering) -> set[bytes]:
    """Blocks whose files are worth reading again, to be stored in fewer and fuller bundles."""
    used: dict[bytes, int] = {}
    files: dict[bytes, int] = {}
    length: dict[bytes, int] = {}
    for entry, _ in kept:
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


def tree_differs(found: Sequence[Found], before: Sequence[Entry]) -> bool:
    """Whether paths came, went or changed in kind or mode; contents apart."""
    if len(found) != len(before):
        return True
    return any(
        item.path != entry.path
        or item.kind != entry.kind
        or item.mode != entry.mode
        or (item.kind != DIRECTORY and item.mtime_ns != entry.mtime_ns)
        for item, entry in zip(found, before, strict=True)
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
