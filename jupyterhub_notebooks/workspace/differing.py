"""What differs between two snapshots, read from their listings alone.

Promises: pages that both have are not compared entry by entry; holds one page of each side in memory and the names of
all pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from . import comparing
from .entries import DIRECTORY, FILE, Entry, order
from .fetching import fetcher
from .pages import PageRef, entries_of, leaves_of
from .ports import Blocks, Snapshots
from .snapshots import head_of

What = Literal["added", "removed", "changed", "attributes"]


class Difference(NamedTuple):
    """One path. changed: another kind, content or target; attributes: only mode, time or extended attributes."""

    path: bytes
    what: What
    before: Entry | None
    after: Entry | None


def differences(
    blocks: Blocks,
    snapshots: Snapshots,
    first: int,
    second: int,
    *,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Difference]:
    """What one has to do to first to get second, in order. The time of a directory alone is no difference.

    Raises NotFound, Damaged, StorageAway, also on the way.
    """
    fetch = fetcher(blocks, cancelled)
    one = leaves_of(head_of(snapshots, first).root, fetch)
    other = leaves_of(head_of(snapshots, second).root, fetch)
    shared = {ref.name for ref in one} & {ref.name for ref in other}

    def entries(refs: list[PageRef]) -> Iterator[Entry]:
        own = [ref for ref in refs if ref.name not in shared]
        return entries_of(own, fetch([(ref.name, ref.length) for ref in own]), whole=False)

    return _merged(entries(one), entries(other))


def _merged(one: Iterator[Entry], other: Iterator[Entry]) -> Iterator[Difference]:
    before, after = next(one, None), next(other, None)
    while before is not None or after is not None:
        left = order(before.path) if before is not None else None
        right = order(after.path) if after is not None else None
        if right is None or (left is not None and left < right):
            assert before is not None
            yield Difference(before.path, "removed", before, None)
            before = next(one, None)
        elif left is None or right < left:
            assert after is not None
            yield Difference(after.path, "added", None, after)
            after = next(other, None)
        else:
            assert before is not None and after is not None
            what = _what(before, after)
            if what is not None:
                yield Difference(after.path, what, before, after)
            before, after = next(one, None), next(other, None)


def _what(before: Entry, after: Entry) -> What | None:
    if comparing.same(before, after):
        return None
    if (before.kind, before.target) != (after.kind, after.target) or before.size != after.size:
        return "changed"
    if before.kind == FILE and before.content != after.content:
        return "changed"
    if before.kind == DIRECTORY and (before.mode, before.xattrs) == (after.mode, after.xattrs):
        return None
    return "attributes"
