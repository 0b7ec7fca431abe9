"""Looking into one snapshot: an entry, a folder or a file's bytes, without reading the whole listing.

Promises: reads the pages on the way and no others; holds a few pages and one block in memory, whatever the workspace's
size; what a page or block says is checked before it is believed. Raises Damaged where what is asked cannot be read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice
from typing import TypeVar

from ..errors import BadInput, Damaged, NotFound
from . import fetching
from .entries import DIRECTORY, FILE, Entry, order, shown, why_not_a_path
from .pages import MOST_LEVEL, PageRef, children_of, entries_of
from .pages import below as lies_in_folder
from .ports import Blocks, Snapshots
from .snapshots import head_of

T = TypeVar("T")

MOST_CHILDREN = 10_000
_PAGES_KEPT = 8
_HOLE = bytes(2**20)
_AFTER = b"\1"  # behind all that a directory contains, in the order of listings


class Contents:
    """One snapshot's listing, read where it is looked at. Not for several threads at once."""

    def __init__(self, blocks: Blocks, snapshots: Snapshots, number: int) -> None:
        """Raises NotFound, Damaged, StorageAway."""
        self.head = head_of(snapshots, number)
        self._blocks = blocks
        self._nodes: OrderedDict[bytes, list[PageRef]] = OrderedDict()
        self._leaves: OrderedDict[bytes, list[Entry]] = OrderedDict()

    def entry(self, path: bytes) -> Entry:
        """What is at path. Raises NotFound."""
        if wrong := why_not_a_path(path):
            raise BadInput(f"There can be no {wrong}", field="path")
        found = next(self.since(order(path)), None)
        if found is None or found.path != path:
            raise NotFound(
                f"Snapshot {self.head.number} has no {shown(path)}", next=["Look with: workspace list"]
            )
        return found

    def below(self, path: bytes = b"") -> Iterator[Entry]:
        """All that the directory at path contains, in order; the whole listing for b"". Raises Damaged where something
        lies in no directory."""
        parts = path.split(b"/") if path else []
        parents = [b"/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
        inside = order(path) + b"\0" if path else b""
        for entry in self.since(inside):
            if not order(entry.path).startswith(inside):
                return
            lies_in_folder(parents, entry)
            yield entry

    def children(self, path: bytes = b"", *, after: bytes = b"", most: int = 1000) -> list[Entry]:
        """What lies in the directory at path itself, in order, from behind the name ``after`` on.

        Skips what lies deeper without reading it. Raises NotFound, BadInput where path is no directory.
        """
        if path and self.entry(path).kind != DIRECTORY:
            raise BadInput(f"{shown(path)} is no directory", field="path")
        inside = order(path) + b"\0" if path else b""
        place = inside + order(after) + _AFTER if after else inside
        most = min(most, MOST_CHILDREN)
        found: list[Entry] = []
        while len(found) < most:
            for entry in self.since(place):
                at = order(entry.path)
                if not at.startswith(inside):
                    return found
                name, deeper, _ = at[len(inside) :].partition(b"\0")
                if deeper:
                    place = inside + name + _AFTER
                    break
                found.append(entry)
                if len(found) == most:
                    break
            else:
                return found
        return found

    def since(self, place: bytes) -> Iterator[Entry]:
        """Entries in order, from the first on whose ``order(path)`` is not below place."""
        if self.head.root is not None:
            before = b""
            for entry in self._from(self.head.root, place):
                at = order(entry.path)
                if at <= before:
                    raise _odd("entries out of order")
                before = at
                if at >= place:
                    yield entry

    def _from(self, ref: PageRef, place: bytes) -> Iterator[Entry]:
        if not ref.level:
            yield from self._leaf(ref)
            return
        children = self._node(ref)
        first = max(0, bisect_right(children, place, key=lambda child: order(child.first)) - 1)
        for child in islice(children, first, None):
            yield from self._from(child, place)

    def _node(self, ref: PageRef) -> list[PageRef]:
        if not 0 <= ref.level <= MOST_LEVEL:
            raise _odd(f"a listing of {ref.level} levels")
        if ref.name not in self._nodes:
            _kept(self._nodes, ref.name, children_of(ref, self._plain(ref)))
        return self._nodes[ref.name]

    def _leaf(self, ref: PageRef) -> list[Entry]:
        if ref.name not in self._leaves:
            _kept(self._leaves, ref.name, list(entries_of([ref], [self._plain(ref)], whole=False)))
        return self._leaves[ref.name]

    def _plain(self, ref: PageRef) -> bytes:
        return fetching.get(self._blocks, ref.name, ref.length)


def read_file(blocks: Blocks, entry: Entry, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
    """The bytes of a file from start on, in runs of at most 8 MiB, holes as zeros. Raises BadInput, Damaged."""
    if entry.kind != FILE:
        raise BadInput(f"{shown(entry.path)} is a {entry.kind}, not a file", field="path")
    end = entry.size if length is None else min(entry.size, start + length)
    at = 0
    for piece in entry.pieces:
        begins, ends = max(at, start), min(at + piece.length, end)
        if begins < ends:
            skip, count = begins - at, ends - begins
            if piece.block:
                plain = fetching.get(blocks, piece.block, piece.block_length)
                yield plain[piece.offset + skip : piece.offset + skip + count]
            else:
                yield from _zeros(count)
        at += piece.length


def _zeros(count: int) -> Iterator[bytes]:
    for _ in range(count // len(_HOLE)):
        yield _HOLE
    if count % len(_HOLE):
        yield _HOLE[: count % len(_HOLE)]


def _kept(cache: OrderedDict[bytes, T], name: bytes, value: T) -> None:
    cache[name] = value
    if len(cache) > _PAGES_KEPT:
        cache.popitem(last=False)


def _odd(what: str) -> Damaged:
    return Damaged(
        "The listing of a snapshot cannot be used", f"Found in it: {what}", ["Take an earlier snapshot"]
    )
