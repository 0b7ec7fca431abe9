"""Making the best of damage: a new snapshot without what is lost, and the names of what that is.

Promises: nothing of what was there is changed before the new snapshot is committed; a file is in it only where all its
bytes were read and verified; a file whose bytes lie whole in another snapshot is taken from there; what is lost is named
with the newest snapshot that has an older version. Nothing is taken for damaged after one bad read. A damaged block is
removed only where its own bytes show that nothing can be made of it, so that a later save can store it again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from ..contract import Progress
from ..errors import Damaged, NotFound
from . import fetching
from .blocks import beyond_use, encode
from .entries import DIRECTORY, FILE, Entry, Piece, order, shown
from .keys import WrongKey, keys_of
from .pages import build
from .pool import Pool
from .ports import Blocks, CommitFacts, OnProgress, Snapshots
from .salvaging import Gap, entries, left_of
from .snapshots import SnapshotHead, compose_snapshot, head_of

#: A block's name, and its plain length as a listing says it.
_Block = tuple[bytes, int]


class Repairable(Blocks, Snapshots, Protocol):
    """What a repair asks of a store; ``store.WorkspaceStore`` has it all."""

    def get(self, what: str | int, /) -> bytes: ...

    def remove_block(self, name: str) -> None: ...

    def remove_snapshot(self, number: int) -> None: ...


@dataclass(frozen=True)
class Lost:
    """A path that is not in the repaired snapshot, or (folder) a run of paths. older: the newest snapshot that has an
    earlier version of it whose listing can be read, 0 where none has."""

    path: str
    why: str
    size_bytes: int = 0
    older: int = 0


@dataclass(frozen=True)
class RepairReport:
    """number: the new snapshot, 0 where ``of`` was sound. unreadable: snapshots whose object cannot be used.
    mended_files: taken from other snapshots' blocks. removed_*: what was damaged and is gone from the store."""

    of: int
    number: int
    kind: str
    files: int
    size_bytes: int
    lost: tuple[Lost, ...]
    mended_files: int
    unreadable: tuple[int, ...]
    removed_blocks: int
    removed_snapshots: tuple[int, ...]


def repair(
    space: Repairable,
    *,
    now: datetime,
    created_by: str,
    of: int | None = None,
    lease: int | None = None,
    remove_damaged: bool = False,
    progress: OnProgress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> RepairReport:
    """Reads all of snapshot ``of`` (default: the newest save whose object can be read); where something of it is
    damaged, commits the rest as the next snapshot: a save where ``of`` is the head, else a recovery snapshot.

    remove_damaged: then remove damaged snapshots too, but never the highest number. Raises NotFound, Damaged (where
    ``of`` itself cannot be read), Conflict, StorageAway, Cancelled.
    """
    heads, unreadable = _heads(space)
    head_number = max((number for number, head in heads.items() if head.kind == "save"), default=0)
    number = of or head_number
    if number not in heads:
        if number in unreadable:
            head_of(space, number)
        raise NotFound("There is no snapshot that can be repaired", next=["Run: workspace check"])
    one = _Repair(space, heads, number, progress, cancelled)
    one.read()
    kind = "save" if number == head_number else "recovery"
    made = 0
    if one.lost or one.mended:
        made = max([*heads, *unreadable]) + 1
        one.commit(made, kind, lease, now, created_by)
    removed = one.remove_blocks() if made else 0
    gone: list[int] = []
    if remove_damaged:
        last = made or max([*heads, *unreadable])
        gone = sorted({*unreadable, *one.broken, *([number] if made else [])} - {last})
        for old in gone:
            space.remove_snapshot(old)
    files = [entry for entry in one.good if entry.kind == FILE]
    size = sum(entry.size for entry in files)
    return RepairReport(
        number,
        made,
        kind,
        len(files),
        size,
        tuple(one.lost),
        one.mended,
        tuple(unreadable),
        removed,
        tuple(gone),
    )


def _heads(space: Snapshots) -> tuple[dict[int, SnapshotHead], list[int]]:
    heads: dict[int, SnapshotHead] = {}
    unreadable = []
    for number in space.numbers():
        try:
            heads[number] = _head(space, number)
        except WrongKey:
            raise
        except (Damaged, NotFound):
            unreadable.append(number)
    return heads, unreadable


def _head(space: Snapshots, number: int) -> SnapshotHead:
    return fetching.certain(lambda: head_of(space, number))


class _Repair:
    """good: the entries of the new snapshot. broken: other snapshots whose listing has damaged pages."""

    def __init__(
        self,
        space: Repairable,
        heads: Mapping[int, SnapshotHead],
        number: int,
        progress: OnProgress | None,
        cancelled: Callable[[], bool],
    ) -> None:
        self._space, self._heads, self._number = space, heads, number
        self._progress, self._cancelled = progress, cancelled
        self._keys = keys_of(space)
        self._bad: dict[_Block, str] = {}
        self._sound: set[_Block] = set()
        self._gaps: list[Gap] = []
        self.good: list[Entry] = []
        self.lost: list[Lost] = []
        self.mended = 0
        self.broken: list[int] = []

    def read(self) -> None:
        """Finds out what is good, what can be mended and what is lost."""
        head = self._heads[self._number]
        found = list(self._entries(head, self._gaps.append))
        self._verify(found)
        bad = {entry.path: entry for entry in found if self._why(entry)}
        elsewhere, older = self._others(bad) if bad or self._gaps else ({}, {})
        for entry in found:
            why = self._why(entry)
            pieces = elsewhere.get(entry.content) if why else None
            if pieces is not None:
                self.mended += 1
                self.good.append(entry._replace(pieces=pieces))
            elif why:
                self.lost.append(Lost(shown(entry.path), why, entry.size, older.get(entry.path, 0)))
            else:
                self.good.append(entry)
        for gap in self._gaps:
            what = f"{gap.ref.files} files {gap.where()}"
            self.lost.append(Lost(what, f"a page of the listing: {gap.why}", gap.ref.size_bytes))
        self.good = list(_with_parents(self.good))

    def _entries(self, head: SnapshotHead, gap: Callable[[Gap], object]) -> Iterator[Entry]:
        """What is left of a listing, in order; out of order counts as lost."""
        left = left_of(head.root, self._space, self._cancelled)
        for one in left.gaps:
            gap(one)
        before = b""
        for _, found in entries(left, self._space, self._cancelled):
            if isinstance(found, Gap):
                gap(found)
                continue
            for entry in found:
                if order(entry.path) > before:
                    before = order(entry.path)
                    yield entry

    def _verify(self, found: list[Entry]) -> None:
        """Reads every block that found needs and that was not read yet."""
        wanted = {
            (piece.block, piece.block_length): None
            for entry in found
            for piece in entry.pieces
            if piece.block
        }
        blocks = [block for block in wanted if block not in self._sound and block not in self._bad]
        total, done = sum(length for _, length in blocks), 0

        def note(result: tuple[_Block, str]) -> None:
            nonlocal done
            block, why = result
            if why:
                self._bad[block] = why
            else:
                self._sound.add(block)
            done += block[1]
            if self._progress is not None:
                self._progress(Progress(done, total))

        self._space.expect([name.hex() for name, _ in blocks])
        with Pool(self._cancelled, name="repair") as pool:
            for block in blocks:
                pool.submit(2 * block[1], self._one, block, done=note)
            pool.finish()

    def _one(self, block: _Block) -> tuple[_Block, str]:
        try:
            fetching.certain(lambda: fetching.get(self._space, *block))
        except WrongKey:
            raise
        except Damaged as error:
            return block, error.why
        return block, ""

    def _why(self, entry: Entry) -> str:
        whys = (self._bad.get((piece.block, piece.block_length)) for piece in entry.pieces)
        return next((why for why in whys if why), "")

    def _others(self, bad: Mapping[bytes, Entry]) -> tuple[dict[bytes, tuple[Piece, ...]], dict[bytes, int]]:
        """From the other snapshots, newest first: whole copies of what is damaged, and who has older versions."""
        wanted = {entry.content for entry in bad.values()}
        elsewhere: dict[bytes, tuple[Piece, ...]] = {}
        older: dict[bytes, int] = {}
        for number in sorted(self._heads.keys() - {self._number}, reverse=True):
            gaps: list[Gap] = []
            same = []
            for entry in self._entries(self._heads[number], gaps.append):
                if entry.kind != FILE:
                    continue
                if entry.path in bad and entry.content != bad[entry.path].content:
                    older.setdefault(entry.path, number)
                if entry.content in wanted and entry.content not in elsewhere:
                    same.append(entry)
            if gaps:
                self.broken.append(number)
            self._verify(same)
            elsewhere |= {entry.content: entry.pieces for entry in same if not self._why(entry)}
        return elsewhere, older

    def commit(self, number: int, kind: str, lease: int | None, now: datetime, created_by: str) -> None:
        """Writes pages that are not there, then the snapshot."""
        listing = build(self.good, self._keys)
        stored, present = 0, []
        for page in listing.pages:
            body = encode(page.plain, self._keys, page.ref.name)
            if self._space.put(page.ref.name.hex(), body):
                stored += len(body)
            else:
                present.append(page.ref.name.hex())
        old = self._heads[self._number]
        files = [entry for entry in self.good if entry.kind == FILE]
        size = sum(entry.size for entry in files)
        head = replace(
            old,
            number=number,
            kind=kind,
            parent=self._number,
            lease=lease,
            at=now,
            created_by=created_by,
            size_bytes=size,
            files=len(files),
            entries=len(self.good),
            stored_bytes=stored,
            skipped=len(self.lost),
            root=listing.root,
            check="",
        )
        body = compose_snapshot(head, os.urandom(16), self._keys)
        self._space.commit(number, body, CommitFacts(kind, size, len(files), stored, tuple(present)))

    def remove_blocks(self) -> int:
        """Removes damaged blocks of which nothing can be made; a save can store them again under their names."""
        removed = 0
        kept = {piece.block for entry in self.good for piece in entry.pieces}
        bad = {name for name, _ in self._bad} | {gap.ref.name for gap in self._gaps}
        for name in sorted(bad - kept):
            if self._hopeless(name):
                self._space.remove_block(name.hex())
                removed += 1
        return removed

    def _hopeless(self, name: bytes) -> bool:
        """Whether the stored bytes are there, however often they are read, and are never what their name says.

        What a listing says of them counts for nothing here: whoever wrote it may have lied.
        """
        for _ in range(fetching.READS):
            try:
                stored = self._space.get(name.hex())
            except NotFound:
                return False
            if not beyond_use(name, stored, self._keys):
                return False
        return True


def _with_parents(good: list[Entry]) -> Iterator[Entry]:
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
