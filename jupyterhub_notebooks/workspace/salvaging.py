"""Reading a listing that may be damaged: all that is left of it, and between which paths something is missing.

Promises: one damaged page hides only what lies below it; a page is read again before it is
said to be damaged; a wrong key or an unreachable store is no damage and is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ..errors import Damaged
from . import fetching
from .entries import Entry, order, shown
from .keys import WrongKey
from .pages import MOST_LEVEL, MOST_PAGES, PageRef, children_of, entries_of
from .pool import in_order
from .ports import Blocks


class Gap(NamedTuple):
    """A page that cannot be used. until: the first path behind what lies below it, b"" where nothing follows."""

    ref: PageRef
    why: str
    until: bytes

    def where(self) -> str:
        """Between which paths it lies, for people."""
        until = f" before {shown(self.until)}" if self.until else ""
        return f"from {shown(self.ref.first)} on{until}" if self.ref.first else f"everything{until}"


class Left(NamedTuple):
    """What is left of a listing: leaves with their entries come from ``entries``."""

    leaves: tuple[PageRef, ...]
    gaps: tuple[Gap, ...]


def left_of(
    root: PageRef | None,
    blocks: Blocks,
    cancelled: Callable[[], bool] = lambda: False,
    seen: Callable[[PageRef], object] = lambda _: None,
) -> Left:
    """Reads the nodes. seen is told of each page, damaged or not."""
    if root is None:
        return Left((), ())
    if not 0 <= root.level <= MOST_LEVEL:
        return Left((), (Gap(root, f"a listing of {root.level} levels", b""),))
    refs, gaps = [root], []
    for _ in range(root.level):
        below: list[PageRef] = []
        lost: list[Gap] = []
        for at, (ref, found) in enumerate(_each(refs, blocks, cancelled)):
            seen(ref)
            try:
                children = children_of(ref, _plain(found))
                if below and order(children[0].first) <= order(below[-1].first):
                    raise Damaged("The listing of a snapshot cannot be used", "pages out of order")
                below += children
            except WrongKey:
                raise
            except Damaged as error:
                lost.append(Gap(ref, error.why, _behind(at, refs)))
            if len(below) > MOST_PAGES:
                return Left((), (Gap(root, f"more than {MOST_PAGES} pages", b""),))
        gaps += lost
        refs = below
    for ref in refs:
        seen(ref)
    return Left(tuple(refs), tuple(gaps))


def entries(
    left: Left, blocks: Blocks, cancelled: Callable[[], bool] = lambda: False
) -> Iterator[tuple[PageRef, list[Entry] | Gap]]:
    """For each leaf its entries, or why they cannot be had. Parents may be missing."""
    for at, (ref, found) in enumerate(_each(left.leaves, blocks, cancelled)):
        try:
            yield ref, list(entries_of([ref], [_plain(found)], whole=False))
        except WrongKey:
            raise
        except Damaged as error:
            yield ref, Gap(ref, error.why, _behind(at, left.leaves))


def _behind(at: int, refs: Sequence[PageRef]) -> bytes:
    return refs[at + 1].first if at + 1 < len(refs) else b""


def _plain(found: bytes | Damaged) -> bytes:
    if isinstance(found, Damaged):
        raise found
    return found


def _each(
    refs: Sequence[PageRef], blocks: Blocks, cancelled: Callable[[], bool]
) -> Iterator[tuple[PageRef, bytes | Damaged]]:
    """Pages in order, a few dozen ahead of the reader; a damaged one as the error."""

    def one(ref: PageRef) -> bytes | Damaged:
        try:
            return fetching.certain_block(blocks, ref.name, ref.length)
        except WrongKey:
            raise
        except Damaged as error:
            return error

    blocks.expect([ref.name.hex() for ref in refs])
    yield from zip(refs, in_order(one, refs, cancelled), strict=True)
