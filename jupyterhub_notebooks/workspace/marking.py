"""Which blocks snapshots name: what removal must leave alone.

Promises: a block that a marked snapshot's restore would ask for is in the answer, or Damaged is raised; each page is
read once, however many snapshots share it; the answer is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ..errors import Damaged
from .fetching import fetcher
from .pages import MOST_LEVEL, MOST_PAGES, PageRef, blocks_of, children_of
from .ports import Blocks
from .snapshots import SnapshotHead

MOST_BLOCKS = 5_000_000


class Marked:
    """Names (32 bytes) of all blocks and pages of the snapshots that were given to ``add``."""

    def __init__(self, blocks: Blocks, cancelled: Callable[[], bool] = lambda: False) -> None:
        self._fetch = fetcher(blocks, cancelled)
        self._pages: set[tuple[bytes, int]] = set()
        self.names: set[bytes] = set()

    def add(self, heads: Iterable[SnapshotHead]) -> None:
        """Marks what those name. Raises Damaged, NotFound, StorageAway: then the answer is not whole."""
        waiting: dict[int, list[PageRef]] = {}
        for head in heads:
            if head.root is not None:
                waiting.setdefault(head.root.level, []).append(head.root)
        for level in range(MOST_LEVEL, -1, -1):
            refs = self._new(waiting.get(level, ()))
            for ref, plain in zip(refs, self._plains(refs), strict=True):
                if level:
                    waiting.setdefault(level - 1, []).extend(children_of(ref, plain))
                else:
                    self.names.update(name for name, _ in blocks_of(plain))
                if len(self.names) > MOST_BLOCKS:
                    raise Damaged("The snapshots cannot be used", f"They name over {MOST_BLOCKS:,} blocks")

    def _plains(self, refs: list[PageRef]) -> Iterator[bytes]:
        return self._fetch([(ref.name, ref.length) for ref in refs])

    def _new(self, refs: Iterable[PageRef]) -> list[PageRef]:
        new = []
        for ref in refs:
            if (ref.name, ref.level) not in self._pages:
                self._pages.add((ref.name, ref.level))
                self.names.add(ref.name)
                # The first path of a shared page is checked against one parent only; a restore checks all.
                new.append(ref)
        if len(self._pages) > 20 * MOST_PAGES:
            raise Damaged("The snapshots cannot be used", f"They have over {20 * MOST_PAGES:,} pages")
        return new
