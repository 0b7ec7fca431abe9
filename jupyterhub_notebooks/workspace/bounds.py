"""How much of a listing one restore holds in memory: what its snapshot says of itself allows, and no more.

Promises: whoever writes a snapshot of few files cannot make a restore of it take much memory; every listing that a save makes is
far within what is allowed, also one of millions of files, or of files of terabytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..errors import Damaged
from ..units import show_size
from .entries import MOST_PIECES, Entry
from .pages import MOST_ENTRIES, Fetch
from .snapshots import SnapshotHead

#: What any listing may have, whatever its snapshot says.
_FREE_BYTES = 64 * 2**20
_FREE_ENTRIES = 100_000
_FREE_PIECES = MOST_PIECES
#: Bytes of pages for each entry; most rows have some hundred. A piece has about 50, and is of 8 MiB or a hole.
_ENTRY_BYTES = 2048
_PIECE_BYTES = 64
_BYTES_A_PIECE = 2**18
_ENTRY_PIECES = 2
#: And whatever it says: rows of the most entries that there may be, and pieces of 10 TB in slices.
_MOST_PAGE_BYTES = 4 * 2**30
_MOST_PIECES = 1_500_000


def most_page_bytes(head: SnapshotHead) -> int:
    """So many bytes its pages may have, together."""
    pieces = head.size_bytes // _BYTES_A_PIECE
    return min(_FREE_BYTES + head.entries * _ENTRY_BYTES + pieces * _PIECE_BYTES, _MOST_PAGE_BYTES)


def most_pieces(head: SnapshotHead) -> int:
    """So many pieces its files may have, together."""
    entries = min(head.entries, MOST_ENTRIES)
    return _FREE_PIECES + entries * _ENTRY_PIECES + min(head.size_bytes // _BYTES_A_PIECE, _MOST_PIECES)


def bounded(fetch: Fetch, head: SnapshotHead) -> Fetch:
    """fetch, for the pages of head's listing and no more of them than it may have. Raises Damaged before it fetches those."""
    left = most_page_bytes(head)

    def fetching(wanted: Sequence[tuple[bytes, int]]) -> Iterator[bytes]:
        nonlocal left
        left -= sum(length for _, length in wanted)
        if left < 0:
            raise _beyond(head, f"more than {show_size(most_page_bytes(head))} of pages")
        return fetch(wanted)

    return fetching


def whole(entries: Iterable[Entry], head: SnapshotHead) -> list[Entry]:
    """The entries of head's listing. Raises Damaged where they are more than it may have."""
    found: list[Entry] = []
    most, left = max(head.entries, _FREE_ENTRIES), most_pieces(head)
    for entry in entries:
        left -= len(entry.pieces)
        found.append(entry)
        if left < 0:
            raise _beyond(head, f"more than {most_pieces(head):,} places of contents")
        if len(found) > most:
            raise _beyond(head, f"more than {most:,} entries")
    return found


def _beyond(head: SnapshotHead, what: str) -> Damaged:
    return Damaged(
        "The listing of a snapshot cannot be used",
        f"It has {what}, and its snapshot speaks of {head.entries:,} entries of {show_size(head.size_bytes)}",
        ["Take an earlier snapshot", "Run `jupyterhub-notebooks workspace check`"],
    )
