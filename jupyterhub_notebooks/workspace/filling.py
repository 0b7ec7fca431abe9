"""Writing the contents of files: each block fetched once, verified, and its parts written where they belong."""

from __future__ import annotations

import os
import threading
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ..contract import Progress
from . import fetching
from .blocks import MOST_PLAIN, MOST_STORED, decode_in_place
from .crew import Crew, HandGone, Slot
from .entries import Entry
from .hand import Write
from .keys import keys_of
from .placing import Places
from .pool import Pool
from .ports import Blocks
from .rooms import Rooms
from .stamps import Stamp

_EMPTY_AT_ONCE = 256
#: A task writes about so many bytes and files at most: then it is seen whether all is still wanted, and how far it is.
_MOST_AT_ONCE = 32 * 2**20
_MOST_FILES_AT_ONCE = 10_000
#: So many files of a block are worth a hand's while.
_LEAST_FOR_HAND = 8
#: Files are written by so many threads at once: more of them only wait for each other, for the interpreter and for
#: the file system's journal. Fetching and unpacking is not bounded by it, and where there are hands they write.
_WRITERS = min(4, os.cpu_count() or 1)


class _Part(NamedTuple):
    """Bytes of a block that belong into a file. file: its number among those wanted."""

    file: int
    offset: int
    length: int
    file_offset: int


class _Members(NamedTuple):
    """What of a block is wanted. whole: numbers of files that lie in it alone, in one piece; parts: of other files."""

    whole: Sequence[int]
    parts: Sequence[_Part]


class _Later(NamedTuple):
    """A block that is unpacked, and what of it is not written yet."""

    plain: bytes
    members: _Members


class _Told(NamedTuple):
    """What a task wrote, and what it left to others."""

    size: int
    files: int
    later: Sequence[_Later] = ()


class Filling:
    """One run over the files wanted: (where to write, entry)."""

    def __init__(
        self,
        places: Places,
        blocks: Blocks,
        pool: Pool,
        progress: Callable[[Progress], None],
        wanted: Sequence[tuple[bytes, Entry]],
        crew: Crew,
    ) -> None:
        self._crew = crew
        self._places, self._blocks, self._pool = places, blocks, pool
        self._progress, self._wanted = progress, wanted
        self._lock = threading.Lock()
        self._left: dict[int, int] = {}
        self._rooms = Rooms()
        self._writers = threading.BoundedSemaphore(_WRITERS)
        self._ready = threading.Event()
        self._in_vain = False
        self._later: deque[_Later] = deque()
        self.stamps: dict[bytes, Stamp] = {}
        self.fetched_bytes = 0
        self._done_bytes = self._done_files = 0
        self._total_bytes = sum(entry.size for _, entry in wanted)

    def run(self, before: Callable[[], None] = lambda: None) -> None:
        """Returns when all files are written. before: makes their folders, while the first blocks are fetched."""
        self._pool.submit(0, self._prepare, before, done=lambda _: None)
        blocks, lengths, empty = self._sorted()
        self._blocks.expect([name.hex() for name in blocks])
        self._tell(0, 0)
        for batch in _runs(empty, _EMPTY_AT_ONCE):
            self._pool.submit(0, self._without_blocks, batch, done=self._took)
        for name, members in blocks.items():
            length = lengths[name]
            self._pool.submit(2 * length, self._block, name, length, members, done=self._took)
            self.fetched_bytes += length
            self._go_on()
        self._pool.finish()
        while self._later:
            self._go_on()
            self._pool.finish()

    def _took(self, told: _Told) -> None:
        self._later.extend(told.later)
        self._tell(told.size, told.files)

    def _go_on(self) -> None:
        """Has written what of blocks of very many uses was left for later."""
        while self._later:
            later = self._later.popleft()
            self._pool.submit(len(later.plain), self._rest, later, done=self._took)

    def _rest(self, later: _Later) -> _Told:
        if self._crew.hands and len(later.members.whole) >= _LEAST_FOR_HAND:
            with self._crew.slot() as slot:
                return self._put(later.members, memoryview(later.plain), slot)
        return self._put(later.members, memoryview(later.plain), None)

    def _sorted(self) -> tuple[dict[bytes, _Members], dict[bytes, int], list[int]]:
        """What belongs where, by block in the order of first mention; and files without any block."""
        members: dict[bytes, tuple[array[int], list[_Part]]] = {}
        lengths: dict[bytes, int] = {}
        empty: list[int] = []
        for number, (_, entry) in enumerate(self._wanted):
            if len(entry.pieces) == 1 and (only := entry.pieces[0]).block:
                name = only.block
                if name not in members:
                    members[name] = array("I"), []
                members[name][0].append(number)
                lengths[name] = max(lengths.get(name, 0), only.block_length)
                continue
            with_block = sum(1 for piece in entry.pieces if piece.block)
            if not with_block:
                empty.append(number)
                continue
            self._left[number] = with_block
            at = 0
            for piece in entry.pieces:
                if piece.block:
                    part = _Part(number, piece.offset, piece.length, at)
                    members.setdefault(piece.block, (array("I"), []))[1].append(part)
                    lengths[piece.block] = max(lengths.get(piece.block, 0), piece.block_length)
                at += piece.length
        return {name: _Members(*of) for name, of in members.items()}, lengths, empty

    def _prepare(self, before: Callable[[], None]) -> None:
        self._in_vain = True
        try:
            before()
            self._in_vain = False
        finally:
            self._ready.set()

    def _may_write(self) -> bool:
        """Waits for the folders; False where they could not be made, which is raised elsewhere."""
        while not self._ready.wait(0.2):
            if self._pool.over:
                return False
        return not self._in_vain

    def _without_blocks(self, numbers: Sequence[int]) -> _Told:
        if not self._may_write():
            return _Told(0, 0)
        wanted = [self._wanted[number] for number in numbers]
        empty = [(path, entry, 0) for path, entry in wanted if not entry.size]
        if self._crew.hands and len(empty) >= _LEAST_FOR_HAND:
            with self._crew.slot() as slot:
                self._write(empty, memoryview(b""), slot)
        else:
            self._write(empty, memoryview(b""), None)
        for path, entry in wanted:
            if entry.size:
                self.stamps[path] = self._places.whole(path, entry._replace(sparse=True), b"")
        return _Told(sum(entry.size for _, entry in wanted), len(numbers))

    def _block(self, name: bytes, length: int, members: _Members) -> _Told:
        with self._rooms.lend(length + MOST_STORED - MOST_PLAIN) as room:
            stored = fetching.stored_in(self._blocks, name, room)
            if self._crew.hands and len(members.whole) >= _LEAST_FOR_HAND:
                with self._crew.slot() as slot:  # nothing is unpacked before there is room for it
                    return self._unpacked(name, stored, length, members, slot.view, slot)
            with self._rooms.lend(length) as into:
                return self._unpacked(name, stored, length, members, into, None)

    def _unpacked(
        self,
        name: bytes,
        stored: bytes | memoryview,
        length: int,
        members: _Members,
        into: memoryview,
        slot: Slot | None,
    ) -> _Told:
        plain = memoryview(decode_in_place(name, stored, length, keys_of(self._blocks), into))
        if not self._may_write():
            return _Told(0, 0)
        return self._put(members, plain, slot)

    def _put(self, members: _Members, plain: memoryview, slot: Slot | None) -> _Told:
        """Writes what is wanted of a block; of one that is wanted very often the first of it."""
        whole = [self._wanted[number] for number in members.whole]
        size = sum(entry.size for _, entry in whole) + sum(part.length for part in members.parts)
        if len(whole) > _MOST_FILES_AT_ONCE or (size > _MOST_AT_ONCE and len(whole) + len(members.parts) > 1):
            first, *rest = self._shares(members)
            kept = bytes(plain)  # a slot or room is given back, and is what others write then
            now = self._put(first, plain, slot)
            return now._replace(later=[_Later(kept, share) for share in rest])
        files = len(whole)
        self._write([(path, entry, entry.pieces[0].offset) for path, entry in whole], plain, slot)
        if members.parts:
            with self._writers:
                files += sum(self._part(part, plain) for part in members.parts)
        return _Told(size, files)

    def _shares(self, members: _Members) -> Iterator[_Members]:
        """Members in shares of what is written at once."""
        at = size = 0
        for end, number in enumerate(members.whole):
            more = size + self._wanted[number][1].size
            if end > at and (more > _MOST_AT_ONCE or end - at >= _MOST_FILES_AT_ONCE):
                yield _Members(members.whole[at:end], ())
                at, size = end, 0
            size += self._wanted[number][1].size
        if at < len(members.whole):
            yield _Members(members.whole[at:], ())
        at = size = 0
        for end, part in enumerate(members.parts):
            if size and size + part.length > _MOST_AT_ONCE:
                yield _Members((), members.parts[at:end])
                at, size = end, 0
            size += part.length
        if at < len(members.parts):
            yield _Members((), members.parts[at:])

    def _write(self, files: Sequence[tuple[bytes, Entry, int]], plain: memoryview, slot: Slot | None) -> None:
        """Makes whole files, (where, what, its offset in plain): by a hand where there is a slot."""
        quick: list[Write] = []
        for path, entry, offset in files:
            if entry.sparse or entry.xattrs:
                data = plain[offset : offset + entry.size]
                self.stamps[path] = self._places.whole(path, entry, data)
            else:
                quick.append((path, entry.mode, entry.mtime_ns, offset, entry.size))
        if slot is not None and quick:
            try:
                if plain.obj is not slot.view.obj:
                    slot.view[: len(plain)] = plain
                stamps = self._crew.write(self._places.root, slot, quick)
                self.stamps.update(zip([path for path, *_ in quick], stamps, strict=True))
                return
            except HandGone:
                if self._crew.over:
                    return
        with self._writers:
            self.stamps.update(
                self._places.plain(
                    (path, mode, mtime_ns, plain[at : at + size]) for path, mode, mtime_ns, at, size in quick
                )
            )

    def _part(self, part: _Part, plain: memoryview) -> bool:
        """Writes one part of a file that has several; whether it was the last."""
        path, entry = self._wanted[part.file]
        data = plain[part.offset : part.offset + part.length]
        self._places.write(path, part.file_offset, data, entry.sparse)
        with self._lock:
            self._left[part.file] -= 1
            last = not self._left[part.file]
        if last:
            self.stamps[path] = self._places.dress(path, entry)
        return last

    def _tell(self, size: int, files: int) -> None:
        self._done_bytes += size
        self._done_files += files
        self._progress(Progress(self._done_bytes, self._total_bytes, self._done_files, len(self._wanted)))


def _runs(numbers: Sequence[int], most: int) -> Iterator[Sequence[int]]:
    for at in range(0, len(numbers), most):
        yield numbers[at : at + most]
