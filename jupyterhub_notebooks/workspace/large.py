"""Large files, slice by slice, several slices at once.

Promises: the slices of one entry were all read from the same state of the file, or the entry is marked unsettled.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from .blocks import MOST_PLAIN
from .comparing import FILE_BYTES, SLICE_BYTES
from .entries import FILE, MOST_PIECES, Entry, Piece, content_of
from .keys import OPEN, Keys
from .pool import Pool
from .reading import Gone, Part, Unreadable, data_slices, look, xattrs_of
from .scanning import Found
from .storing import Read, Storing

_TRIES = 3
assert SLICE_BYTES <= MOST_PLAIN

SliceResult = tuple[Part, Piece | None] | Gone | Unreadable


class _One:
    """A large file on its way."""

    def __init__(self, asked: Found, found: Found, tries: int) -> None:
        self.asked, self.found, self.tries = asked, found, tries
        self.pieces: dict[int, Piece] = {}
        self.waiting = 0
        self.submitted = False
        self.moved = False
        self.gone = False
        self.why = ""


class Large:
    """Call ``begin`` and let the pool finish; ``done`` is called once for each file and ``step`` with the length of
    each slice, in the thread of the pool's owner."""

    def __init__(
        self,
        files: bytes,
        storing: Storing,
        pool: Pool,
        done: Callable[[Read], None],
        step: Callable[[int], None],
    ) -> None:
        self._files, self._storing, self._pool = files, storing, pool
        self._done, self._step = done, step

    def begin(self, found: Found, asked: Found | None = None, tries: int = 0) -> None:
        """Starts reading a file of any size."""
        one = _One(asked or found, found, tries)
        try:
            numbers = data_slices(self._files, found, SLICE_BYTES)
            for count, number in enumerate(numbers):
                if count >= MOST_PIECES:
                    one.why = "it is larger than this program can save"
                    break
                one.waiting += 1
                self._pool.submit(
                    3 * SLICE_BYTES, self._slice, one, number, done=partial(self._sliced, one, number)
                )
                if one.why or one.gone:
                    break
        except Gone:
            one.gone = True
        except OSError as error:
            one.why = str(Unreadable(error))
        one.submitted = True
        if not one.waiting:
            self._finished(one)

    def _slice(self, one: _One, number: int) -> SliceResult:
        offset = number * SLICE_BYTES
        length = min(SLICE_BYTES, one.found.size - offset)
        try:
            return self._storing.slice(self._files, one.found.path, offset, length)
        except (Gone, Unreadable) as error:
            return error

    def _sliced(self, one: _One, number: int, result: SliceResult) -> None:
        one.waiting -= 1
        if isinstance(result, Gone):
            one.gone = True
        elif isinstance(result, Unreadable):
            one.why = str(result)
        else:
            part, piece = result
            seen, expected = part.found, one.found
            one.moved |= (seen.size, seen.mtime_ns, seen.ctime_ns, seen.inode) != (
                expected.size,
                expected.mtime_ns,
                expected.ctime_ns,
                expected.inode,
            )
            if piece is not None:
                one.pieces[number] = piece
                self._step(piece.length)
        if one.submitted and not one.waiting:
            self._finished(one)

    def _finished(self, one: _One) -> None:
        if one.gone or one.why:
            self._done(Read(one.asked, one.found, None, one.why))
            return
        if one.moved and one.tries + 1 < _TRIES:
            try:
                self.begin(look(self._files, one.found.path), one.asked, one.tries + 1)
            except Gone:
                self._done(Read(one.asked, one.found, None))
            except OSError as error:
                self._done(Read(one.asked, one.found, None, str(Unreadable(error))))
            return
        pieces = joined(one.pieces, one.found.size)
        found = one.found._replace(size=sum(piece.length for piece in pieces))
        if len(pieces) > MOST_PIECES:
            self._done(Read(one.asked, found, None, "it is larger than this program can save"))
            return
        xattrs = xattrs_of(os.path.join(self._files, found.path))
        self._done(
            Read(one.asked, found, entry_of(found, pieces, xattrs, self._storing.keys), settled=not one.moved)
        )


def joined(slices: dict[int, Piece], size: int) -> tuple[Piece, ...]:
    """The pieces of a file of that size: what is in no slice is a hole, and neighbouring holes are one."""
    pieces: list[Piece] = []
    hole = 0
    count = -(-size // SLICE_BYTES)
    at = 0
    for number in [*sorted(slices), count]:
        hole += max(0, min(number * SLICE_BYTES, size) - at)
        if number == count:
            break
        piece = slices[number]
        at = number * SLICE_BYTES + piece.length
        if not piece.block:
            hole += piece.length
            continue
        if hole:
            pieces.append(Piece(b"", 0, 0, hole))
            hole = 0
        pieces.append(piece)
    if hole:
        pieces.append(Piece(b"", 0, 0, hole))
    return tuple(pieces)


def entry_of(
    found: Found,
    pieces: tuple[Piece, ...],
    xattrs: tuple[tuple[bytes, bytes], ...] = (),
    keys: Keys = OPEN,
) -> Entry:
    """The entry of a sliced file."""
    content = content_of(pieces, keys)
    sparse = found.stored_bytes < found.size and found.size > FILE_BYTES
    return Entry(
        found.path,
        FILE,
        found.mode,
        found.mtime_ns,
        found.size,
        content,
        pieces,
        xattrs=xattrs,
        sparse=sparse,
    )
