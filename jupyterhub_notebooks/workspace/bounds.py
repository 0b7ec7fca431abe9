"""How much of a listing one restore holds in memory: what its snapshot says of itself allows, and no more.

Promises: whoever writes a snapshot of few files cannot make a restore of it take much memory; every listing that a save commits is
within what is allowed, also one of millions of files, of files of terabytes, or of entries as long as entries may be: a save refuses
what no restore would take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from ..errors import Damaged, Refusal
from ..units import show_size
from .blocks import MOST_PLAIN
from .entries import MOST_PIECES, Entry
from .pages import MOST_ENTRIES, MOST_PAGES, Fetch, Listing
from .snapshots import SnapshotHead

#: What any listing may have, whatever its snapshot says.
_FREE_BYTES = 64 * 2**20
_FREE_ENTRIES = 100_000
_FREE_PIECES = MOST_PIECES
#: Bytes of pages for each entry: 64 KiB of attributes and what lies around them, path, and target or hard link of 4,095 bytes each;
#: most rows have some hundred. A piece has about 50, and is of 8 MiB or a hole.
_ENTRY_BYTES = 80 * 2**10
_PIECE_BYTES = 64
_BYTES_A_PIECE = 2**18
_ENTRY_PIECES = 2
#: And whatever it says: rows of the most entries that there may be, and pieces of 10 TB in slices.
_MOST_PAGE_BYTES = 4 * 2**30
_MOST_PIECES = 1_500_000


_LEAVE_OUT = "Name folders that need no snapshots in .notebookignore, then save again"


class Beyond(Damaged):
    """A listing has more than its snapshot may have."""


def most_page_bytes(head: SnapshotHead) -> int:
    """So many bytes its pages may have, together."""
    return _page_bytes(head.entries, head.size_bytes)


def _page_bytes(entries: int, size_bytes: int) -> int:
    pieces = size_bytes // _BYTES_A_PIECE
    return min(_FREE_BYTES + entries * _ENTRY_BYTES + pieces * _PIECE_BYTES, _MOST_PAGE_BYTES)


def most_pieces(head: SnapshotHead) -> int:
    """So many pieces its files may have, together."""
    return _pieces(head.entries, head.size_bytes)


def _pieces(entries: int, size_bytes: int) -> int:
    own = min(entries, MOST_ENTRIES) * _ENTRY_PIECES
    return _FREE_PIECES + own + min(size_bytes // _BYTES_A_PIECE, _MOST_PIECES)


def refuse_larger(
    listing: Listing, entries: Sequence[Entry], size_bytes: int, remedy: str = _LEAVE_OUT
) -> None:
    """Before a save or repair commits listing, which is of entries. Raises Refusal, with that remedy, where no restore
    would take it."""
    count, most_bytes = len(entries), _page_bytes(len(entries), size_bytes)
    page_bytes = sum(page.ref.length for page in listing.pages)
    if page_bytes > most_bytes:
        raise _too_large(
            f"Their names, links and attributes take {show_size(page_bytes)}, and {show_size(most_bytes)} is the most.",
            remedy,
        )
    if count > MOST_ENTRIES or len(listing.pages) > MOST_PAGES:
        raise _too_large(f"They are {count:,}, and {MOST_ENTRIES:,} are the most.", remedy)
    if size_bytes // MOST_PLAIN <= _MOST_PIECES:
        return  # a piece is 8 MiB long, or a hole, or its file's last: there cannot be too many
    pieces, most = sum(len(entry.pieces) for entry in entries), _pieces(count, size_bytes)
    if pieces > most:
        raise _too_large(f"Their contents lie in {pieces:,} places, and {most:,} are the most.", remedy)


def bounded(fetch: Fetch, head: SnapshotHead) -> Fetch:
    """fetch, for the pages of head's listing and no more of them than it may have. Raises Beyond before it fetches those."""
    asked = 0

    def fetching(wanted: Sequence[tuple[bytes, int]]) -> Iterator[bytes]:
        nonlocal asked
        asked += sum(length for _, length in wanted)
        refuse_pages(asked, head)
        return fetch(wanted)

    return fetching


def refuse_pages(page_bytes: int, head: SnapshotHead) -> None:
    """Raises Beyond where the pages of head's listing have more bytes together than they may have."""
    most = most_page_bytes(head)
    if page_bytes > most:
        raise _beyond(head, f"more than {show_size(most)} of pages")


def whole(entries: Iterable[Entry], head: SnapshotHead) -> list[Entry]:
    """The entries of head's listing. Raises Beyond where they are more than it may have."""
    found: list[Entry] = []
    count = counting(head)
    for entry in entries:
        count(entry)
        found.append(entry)
    return found


def counting(head: SnapshotHead) -> Callable[[Entry], None]:
    """To be called with each entry of head's listing. Raises Beyond at the first that it may not have."""
    most, places = max(head.entries, _FREE_ENTRIES), most_pieces(head)
    number, left = 0, places

    def count(entry: Entry) -> None:
        nonlocal number, left
        number += 1
        left -= len(entry.pieces)
        if left < 0:
            raise _beyond(head, f"more than {places:,} places of contents")
        if number > most:
            raise _beyond(head, f"more than {most:,} entries")

    return count


def _too_large(why: str, remedy: str) -> Refusal:
    return Refusal("These files are more than one snapshot can hold", why, [remedy], label="too_large")


def _beyond(head: SnapshotHead, what: str) -> Beyond:
    return Beyond(
        "The listing of a snapshot cannot be used",
        f"The listing of snapshot {head.number} has {what}, and the snapshot speaks of {head.entries:,} entries of {show_size(head.size_bytes)}",
        ["Take an earlier snapshot", "Run `jupyterhub-notebooks workspace check`"],
    )
