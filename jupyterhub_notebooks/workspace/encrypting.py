"""Making an encrypted workspace of one that is not, or has another key: every snapshot again, at another address.

Promises: the workspace that is read is not changed; each snapshot keeps its number, kind, parent and time; one appears
in the new place only when all that it needs is there; begun again after it was cut off, it goes on, also where the old
workspace is being removed already.
"""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..contract import Progress
from ..errors import Conflict, Damaged
from . import fetching, pages
from .blocks import encode
from .entries import FILE, Entry, Piece, content_of
from .keys import Keys, keys_of
from .marking import MOST_BLOCKS
from .pool import Pool, away
from .ports import Blocks, OnProgress, Snapshots
from .snapshots import SnapshotHead, compose_snapshot, head_of
from .volume import MARKER, marker_body

_Part = tuple[bytes, int, int]


class NewPlace(Protocol):
    """Where the copies go; ``keys`` are those of the new workspace."""

    keys: Keys

    def put(self, name: str, body: bytes) -> bool: ...

    def numbers(self) -> list[int]: ...

    def get(self, what: int | str, /) -> bytes: ...

    def put_snapshot(self, number: int, body: bytes) -> None: ...


@dataclass(frozen=True)
class EncryptReport:
    """snapshots: their numbers. read_bytes: plain bytes of the blocks that were read. written_bytes: stored."""

    snapshots: tuple[int, ...]
    read_bytes: int
    written_bytes: int


def encrypt(
    blocks: Blocks,
    snapshots: Snapshots,
    place: NewPlace,
    *,
    workspace_id: str,
    progress: OnProgress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> EncryptReport:
    """Copies all snapshots into place, which is workspace_id.

    Where place has all of them and more, nothing is to be done: the rest was removed here after it had been copied.
    Raises Damaged before anything is written of a snapshot that is not sound, Conflict where place has other ones,
    Cancelled, StorageAway. The total of progress is that of all snapshots that are to be copied.
    """
    one = _Encrypt(blocks, place, workspace_id, progress, cancelled)
    numbers = snapshots.numbers()
    there = set(place.numbers())
    strange = sorted(there - set(numbers))
    if strange and not there.issuperset(numbers):
        raise Conflict(
            f"The new place has a snapshot {strange[0]} that the old one lacks",
            "Something else was saved there.",
            ["Name an empty place"],
        )
    heads = {number: head_of(snapshots, number) for number in numbers}
    for number in numbers:
        if number in there:
            one.same(heads[number], number)
    todo = [heads[number] for number in numbers if number not in there]
    one.measure(todo)
    for head in todo:
        one.snapshot(head)
    return EncryptReport(tuple(numbers), one.read_bytes, one.written_bytes)


class _Encrypt:
    def __init__(
        self,
        blocks: Blocks,
        place: NewPlace,
        workspace_id: str,
        progress: OnProgress | None,
        cancelled: Callable[[], bool],
    ) -> None:
        self._blocks, self._place, self._workspace = blocks, place, workspace_id
        self._old, self._new = keys_of(blocks), place.keys
        self._progress, self._cancelled = progress, cancelled
        self._names: dict[bytes, bytes] = {}
        self._contents: dict[_Part, bytes] = {}
        self._lock = threading.Lock()
        self.read_bytes = self.written_bytes = 0
        self._done = Progress()

    def measure(self, heads: Iterable[SnapshotHead]) -> None:
        """How much there is to read for all of them; each page is read once."""
        lengths: dict[bytes, int] = {}
        fetch = fetching.fetcher(self._blocks, self._cancelled)
        refs = {(head.root.name, head.root.level): head.root for head in heads if head.root is not None}
        seen = set(refs)
        while refs:
            level = max(ref.level for ref in refs.values())
            mine = [refs.pop(key) for key in list(refs) if key[1] == level]
            for ref, plain in zip(mine, fetch([(ref.name, ref.length) for ref in mine]), strict=True):
                if not level:
                    lengths.update(pages.blocks_of(plain))
                    continue
                for child in pages.children_of(ref, plain):
                    if (child.name, child.level) not in seen:
                        seen.add((child.name, child.level))
                        refs[(child.name, child.level)] = child
            if len(lengths) > MOST_BLOCKS:
                raise Damaged("The snapshots cannot be used", f"They name over {MOST_BLOCKS:,} blocks")
        self._done = Progress(0, sum(lengths.values()))

    def same(self, head: SnapshotHead, number: int) -> None:
        """Checks that a snapshot which is there already is a copy of head."""
        there = head_of(self._place, number, self._workspace)
        if (there.at, there.entries, there.size_bytes) != (head.at, head.entries, head.size_bytes):
            raise Conflict(
                f"The new place has another snapshot {number}",
                "Something else was saved there.",
                ["Name an empty place"],
            )

    def snapshot(self, head: SnapshotHead) -> None:
        """One snapshot: its blocks, its pages, then itself."""
        fetch = fetching.fetcher(self._blocks, self._cancelled)
        entries = list(pages.read(head.root, fetch))
        before = self.written_bytes
        self._copy(entries)
        listing = pages.build([self._entry(entry, head.workspace) for entry in entries], self._new)
        with Pool(self._cancelled, name="encrypt-pages") as pool:
            for page in listing.pages:
                pool.submit(2 * page.ref.length, self._put, page.ref.name, page.plain, done=lambda _: None)
            pool.finish()
        made = dataclasses.replace(
            head,
            workspace=self._workspace,
            lease=None,
            stored_bytes=self.written_bytes - before,
            root=listing.root,
        )
        self._place.put_snapshot(head.number, compose_snapshot(made, os.urandom(16), self._new))

    def _copy(self, entries: Sequence[Entry]) -> None:
        """The blocks that entries need and that were not copied yet."""
        wanted: dict[bytes, set[_Part]] = {}
        lengths: dict[bytes, int] = {}
        for entry in entries:
            alone = len(entry.pieces) == 1
            for piece in entry.pieces:
                if not piece.block:
                    continue
                part = (piece.block, piece.offset, piece.length)
                if piece.block not in self._names or (alone and part not in self._contents):
                    wanted.setdefault(piece.block, set())
                    if alone:
                        wanted[piece.block].add(part)
                lengths[piece.block] = piece.block_length
        self._blocks.expect([name.hex() for name in wanted])
        with Pool(self._cancelled, name="encrypt") as pool:
            for name, parts in wanted.items():
                pool.submit(3 * lengths[name], self._block, name, lengths[name], parts, done=self._step)
            pool.finish()

    def _block(self, name: bytes, length: int, parts: set[_Part]) -> int:
        plain = fetching.get(self._blocks, name, length)
        view = memoryview(plain)
        named = self._new.hash_of(plain)
        contents = {part: self._new.hash_of(view[part[1] : part[1] + part[2]]) for part in parts}
        self._put(named, plain)
        with self._lock:
            self._names[name] = named
            self._contents.update(contents)
        return length

    def _put(self, name: bytes, plain: bytes) -> None:
        body = encode(plain, self._new, name)
        if away(lambda: self._place.put(name.hex(), body)):
            with self._lock:
                self.written_bytes += len(body)

    def _step(self, length: int) -> None:
        self.read_bytes += length
        done = self._done.done_bytes + length
        self._done = Progress(done, max(done, self._done.total_bytes))
        if self._progress is not None:
            self._progress(self._done)

    def _entry(self, entry: Entry, workspace_id: str) -> Entry:
        if entry.kind != FILE:
            return entry
        if entry.path == MARKER.encode() and entry.content == self._old.hash_of(marker_body(workspace_id)):
            body = marker_body(self._workspace)  # it names the workspace, and that is another one now
            named = self._new.hash_of(body)
            self._put(named, body)
            return entry._replace(content=named, pieces=(Piece(named, len(body), 0, len(body)),))
        pieces = tuple(
            Piece(self._names[piece.block], piece.block_length, piece.offset, piece.length)
            if piece.block
            else piece
            for piece in entry.pieces
        )
        if len(pieces) == 1 and pieces[0].block:
            old = entry.pieces[0]
            content = self._contents[(old.block, old.offset, old.length)]
        else:
            content = content_of(pieces, self._new)
        return entry._replace(pieces=pieces, content=content)
