"""What is good in one damaged snapshot, what other snapshots have of the rest, and what is lost.

Promises: reads only; a file counts as good only where all its bytes were read and are what its entry says; nothing is
taken for damaged after one bad read; what is left of a listing can be committed as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from ..contract import Progress
from ..errors import Damaged
from . import bounds, fetching
from .entries import DIRECTORY, FILE, Entry, Piece, order, shown
from .keys import WrongKey, keys_of
from .pool import Pool
from .ports import Blocks, OnProgress
from .salvaging import Gap, entries, left_of
from .snapshots import SnapshotHead


@dataclass(frozen=True)
class Lost:
    """A path that is not in the repaired snapshot, or (folder) a run of paths. older: the newest snapshot that has an
    earlier version of it whose listing can be read, 0 where none has."""

    path: str
    why: str
    size_bytes: int = 0
    older: int = 0


class _Part(NamedTuple):
    """What an entry needs of a block. content: of what lies at offset, b"" where that is known by the block's name."""

    block: bytes
    block_length: int
    offset: int = 0
    length: int = 0
    content: bytes = b""


def _parts(entry: Entry) -> Iterator[_Part]:
    whole = len(entry.pieces) == 1
    for piece in entry.pieces:
        if piece.block and whole:
            yield _Part(piece.block, piece.block_length, piece.offset, piece.length, entry.content)
        elif piece.block:
            yield _Part(piece.block, piece.block_length)


class Mending:
    """good: the entries of the new snapshot. mended: how many files of them come from other snapshots' blocks.

    broken_blocks: names of blocks and pages that could not be used as the listings describe them.
    """

    def __init__(
        self,
        space: Blocks,
        heads: Mapping[int, SnapshotHead],
        number: int,
        progress: OnProgress | None,
        cancelled: Callable[[], bool],
    ) -> None:
        self._space, self._heads, self._number = space, heads, number
        self._progress, self._cancelled = progress, cancelled
        self._keys = keys_of(space)
        self._bad: dict[_Part, str] = {}
        self._sound: set[_Part] = set()
        self._gaps: list[Gap] = []
        self.good: list[Entry] = []
        self.lost: list[Lost] = []
        self.mended = 0

    @property
    def broken_blocks(self) -> set[bytes]:
        return {part.block for part in self._bad} | {gap.ref.name for gap in self._gaps}

    def read(self) -> None:
        """Finds out what is good, what can be mended and what is lost. Raises Damaged where the listing is larger than any
        that a save commits."""
        odd: list[Entry] = []
        found = list(self._entries(self._heads[self._number], self._gaps.append, odd.append))
        self._verify(found)
        bad = {entry.path: entry for entry in found if self._why(entry)}
        elsewhere, older = self._others(bad) if bad or self._gaps else ({}, {})
        good = []
        for entry in found:
            why = self._why(entry)
            pieces = elsewhere.get(entry.content) if why else None
            if pieces is not None:
                self.mended += 1
                good.append(entry._replace(pieces=pieces))
            elif why:
                self.lost.append(Lost(shown(entry.path), why, entry.size, older.get(entry.path, 0)))
            else:
                good.append(entry)
        for gap in self._gaps:
            what = f"{gap.ref.files} files {gap.where()}"
            self.lost.append(Lost(what, f"a page of the listing: {gap.why}", gap.ref.size_bytes))
        self.good = list(_linked(_with_parents(good)))
        kept = {entry.path for entry in self.good}
        odd += [entry for entry in good if entry.path not in kept]
        self.lost += [Lost(shown(one.path), "its place in the listing cannot be", one.size) for one in odd]

    def _entries(
        self,
        head: SnapshotHead,
        gap: Callable[[Gap], object],
        odd: Callable[[Entry], object] = lambda _: None,
    ) -> Iterator[Entry]:
        """What is left of a listing, in order. odd is told of what is out of order. Raises Beyond where there is more
        of it than the snapshot may have."""
        left = left_of(head.root, self._space, self._cancelled)
        for one in left.gaps:
            gap(one)
        before, count = b"", bounds.counting(head)
        for _, found in entries(left, self._space, self._cancelled):
            if isinstance(found, Gap):
                gap(found)
                continue
            for entry in found:
                count(entry)
                if order(entry.path) > before:
                    before = order(entry.path)
                    yield entry
                else:
                    odd(entry)

    def _verify(self, found: Iterable[Entry]) -> None:
        """Reads every block of which found needs a part that was not looked at yet."""
        wanted: dict[tuple[bytes, int], set[_Part]] = {}
        for entry in found:
            for part in _parts(entry):
                if part not in self._sound and part not in self._bad:
                    wanted.setdefault((part.block, part.block_length), set()).add(part)
        total, done = sum(length for _, length in wanted), 0

        def note(result: tuple[int, dict[_Part, str]]) -> None:
            nonlocal done
            length, whys = result
            for part, why in whys.items():
                if why:
                    self._bad[part] = why
                else:
                    self._sound.add(part)
            done += length
            if self._progress is not None:
                self._progress(Progress(done, total))

        self._space.expect([name.hex() for name, _ in wanted])
        with Pool(self._cancelled, name="repair") as pool:
            for (name, length), parts in wanted.items():
                pool.submit(2 * length, self._one, name, length, parts, done=note)
            pool.finish()

    def _one(self, name: bytes, length: int, parts: set[_Part]) -> tuple[int, dict[_Part, str]]:
        """Why each of the parts cannot be used, "" where it can."""
        try:
            plain = memoryview(fetching.certain_block(self._space, name, length))
        except WrongKey:
            raise
        except Damaged as error:
            return length, dict.fromkeys(parts, error.why)
        whys = dict.fromkeys(parts, "")
        for part in parts:
            here = plain[part.offset : part.offset + part.length]
            if part.content and self._keys.hash_of(here) != part.content:
                whys[part] = "its place in a block holds another file's bytes"
        return length, whys

    def _why(self, entry: Entry) -> str:
        whys = (self._bad.get(part) for part in _parts(entry))
        return next((why for why in whys if why), "")

    def _others(self, bad: Mapping[bytes, Entry]) -> tuple[dict[bytes, tuple[Piece, ...]], dict[bytes, int]]:
        """From the other snapshots, newest first: whole copies of what is damaged, and who has older versions."""
        wanted = {entry.content for entry in bad.values()}
        elsewhere: dict[bytes, tuple[Piece, ...]] = {}
        older: dict[bytes, int] = {}
        for number in sorted(self._heads.keys() - {self._number}, reverse=True):
            same: list[Entry] = []
            with suppress(bounds.Beyond):  # larger than it may be: what came before counts
                for entry in self._entries(self._heads[number], lambda _: None):
                    if entry.kind != FILE:
                        continue
                    if entry.path in bad and entry.content != bad[entry.path].content:
                        older.setdefault(entry.path, number)
                    if entry.content in wanted and entry.content not in elsewhere:
                        same.append(entry)
            self._verify(same)
            elsewhere |= {entry.content: entry.pieces for entry in same if not self._why(entry)}
        return elsewhere, older


def _with_parents(good: Iterable[Entry]) -> Iterator[Entry]:
    """good with directories where those above an entry are lost; without entries below what is no directory."""
    folders: dict[bytes, bool] = {}
    for entry in good:
        parts = entry.path.split(b"/")
        above = [b"/".join(parts[:depth]) for depth in range(1, len(parts))]
        for path in above:
            if path not in folders:
                folders[path] = True
                yield Entry(path, DIRECTORY, 0o755, entry.mtime_ns)
        if all(folders[path] for path in above):
            folders[entry.path] = entry.kind == DIRECTORY
            yield entry


def _linked(good: Iterable[Entry]) -> Iterator[Entry]:
    """good, where another name of a lost file is a file of its own."""
    files: dict[bytes, bytes] = {}
    for entry in good:
        if entry.hard_link_to and files.get(entry.hard_link_to) != entry.content:
            entry = entry._replace(hard_link_to=b"")
        if entry.kind == FILE:
            files[entry.path] = entry.content
        yield entry
