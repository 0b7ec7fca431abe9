"""What snapshots take in the store: logical bytes, stored bytes, and what of these earlier ones need too.

Promises: each page is read once; the answer is bounded as marking is. Raises Damaged where a snapshot cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ..errors import Damaged
from .fetching import fetcher
from .marking import MOST_BLOCKS
from .pages import MOST_LEVEL, MOST_PAGES, PageRef, blocks_of, children_of
from .ports import Blocks
from .snapshots import SnapshotHead


@dataclass(frozen=True)
class Measured:
    """Bytes of one snapshot. logical: of its files. stored: of the blocks that it needs, as they lie in the store.

    shared: of these, what an earlier snapshot that is there needs as well.
    """

    number: int
    logical_bytes: int
    stored_bytes: int
    shared_bytes: int


def measure(
    blocks: Blocks,
    heads: Iterable[SnapshotHead],
    sizes: Mapping[str, int],
    cancelled: Callable[[], bool] = lambda: False,
) -> list[Measured]:
    """By number. sizes: stored bytes of every block, by name; a block that is not there counts nothing."""
    tree = _Tree(blocks, cancelled)
    before: set[bytes] = set()
    found = []
    for head in sorted(heads, key=lambda one: one.number):
        mine = tree.names(head)
        stored = sum(sizes.get(name.hex(), 0) for name in mine)
        shared = sum(sizes.get(name.hex(), 0) for name in mine & before)
        before |= mine
        if len(before) > MOST_BLOCKS:
            raise Damaged("The snapshots cannot be used", f"They name over {MOST_BLOCKS:,} blocks")
        found.append(Measured(head.number, head.size_bytes, stored, shared))
    return found


class _Tree:
    """Names of all blocks below a page; pages that were seen before are not read again."""

    def __init__(self, blocks: Blocks, cancelled: Callable[[], bool]) -> None:
        self._fetch = fetcher(blocks, cancelled)
        self._children: dict[tuple[bytes, int], list[PageRef]] = {}
        self._names: dict[bytes, frozenset[bytes]] = {}

    def names(self, head: SnapshotHead) -> set[bytes]:
        refs = [head.root] if head.root is not None else []
        found: set[bytes] = set()
        for level in range(head.root.level if head.root else 0, -1, -1):
            if not 0 <= level <= MOST_LEVEL:
                raise Damaged("The listing of a snapshot cannot be used", f"It has {level} levels")
            self._read([ref for ref in refs if not self._known(ref)])
            found.update(ref.name for ref in refs)
            if level:
                below = (child for ref in refs for child in self._children[(ref.name, ref.level)])
                refs = list({child.name: child for child in below}.values())
                if len(self._children) + len(self._names) > 20 * MOST_PAGES:
                    raise Damaged("The listing of a snapshot cannot be used", "It has too many pages")
        for ref in refs:
            found |= self._names[ref.name]
        return found

    def _known(self, ref: PageRef) -> bool:
        return (ref.name, ref.level) in self._children if ref.level else ref.name in self._names

    def _read(self, refs: list[PageRef]) -> None:
        plains = self._fetch([(ref.name, ref.length) for ref in refs])
        for ref, plain in zip(refs, plains, strict=True):
            if ref.level:
                self._children[(ref.name, ref.level)] = children_of(ref, plain)
            else:
                self._names[ref.name] = frozenset(name for name, _ in blocks_of(plain))
