"""Listings as trees of pages (FORMAT.md, Page): built so that what is unchanged has unchanged pages, read with
every bound checked.

Promises: ``build`` is a function of the entries alone; ``read`` yields them in order, each below a directory
that came before it, or raises Damaged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import msgpack

from ..errors import Damaged
from .blocks import MOST_PLAIN
from .entries import DIRECTORY, FILE, MOST_XATTR_NAMES, Entry, from_row, order, to_row, why_not_a_path
from .keys import OPEN, Keys
from .rows import at_once, follow, way_to_last

PREFIX = b"NBPG\x01"
ONE_IN = 512
MOST_ROWS = 4096
MOST_BYTES = 2**20
_TABLE_ROW = 40  # bytes that a block in a page's table counts for
MOST_LEVEL = 6
MOST_PAGES = 200_000
MOST_ENTRIES = 20_000_000
_BELOW = 2**32 // ONE_IN
_MOST_ARRAY = 3 * 140_000
#: Bytes that a list or map does not begin with. So many others may stand for more lists than there is memory for.
_NO_HEADS = bytes(byte for byte in range(256) if not (0x80 <= byte <= 0x9F or 0xDC <= byte <= 0xDF))
_MANY_HEADS = 2**20
_LEAST_BLOCK = 36  # bytes of one in a page's table

#: Plaintexts of blocks, in the order asked: ``fetch([(name, plain length), …])``.
Fetch = Callable[[Sequence[tuple[bytes, int]]], Iterator[bytes]]


class PageRef(NamedTuple):
    """A page and what lies below it."""

    name: bytes
    length: int
    level: int
    first: bytes
    entries: int
    files: int
    size_bytes: int


class Page(NamedTuple):
    """A page that was made: its reference and plaintext."""

    ref: PageRef
    plain: bytes


class Listing(NamedTuple):
    """root is None where there is no entry. pages: all of them, leaves first."""

    root: PageRef | None
    pages: tuple[Page, ...]


def build(entries: Iterable[Entry], keys: Keys = OPEN) -> Listing:
    """The pages of entries, which must be in order."""
    pages = list(_leaves(entries, keys))
    level = pages
    while len(level) > 1:
        level = list(_nodes([page.ref for page in level], keys))
        pages += level
    return Listing(level[0].ref if level else None, tuple(pages))


def _leaves(entries: Iterable[Entry], keys: Keys) -> Iterator[Page]:
    pack = msgpack.Packer(autoreset=True).pack
    rows: list[bytes] = []
    members: list[Entry] = []
    index: dict[bytes, int] = {}
    lengths: dict[bytes, int] = {}
    size = 0
    for entry in entries:
        if rows and (len(rows) >= MOST_ROWS or size >= MOST_BYTES or _begins(entry.path, 0, keys)):
            yield _leaf(rows, members, index, lengths, keys)
            rows, members, index, lengths, size = [], [], {}, {}, 0
        for piece in entry.pieces:
            if piece.block:
                lengths[piece.block] = piece.block_length
        known = len(index)
        row = pack(to_row(entry, index))
        size += len(row) + _TABLE_ROW * (len(index) - known)
        rows.append(row)
        members.append(entry)
    if rows:
        yield _leaf(rows, members, index, lengths, keys)


def _leaf(
    rows: list[bytes], members: list[Entry], index: dict[bytes, int], lengths: dict[bytes, int], keys: Keys
) -> Page:
    plain = _page(0, [[block, lengths[block]] for block in index], rows)
    files = [entry for entry in members if entry.kind == FILE]
    size = sum(entry.size for entry in files)
    ref = PageRef(keys.hash_of(plain), len(plain), 0, members[0].path, len(members), len(files), size)
    return Page(ref, plain)


def _nodes(children: Sequence[PageRef], keys: Keys) -> Iterator[Page]:
    pack = msgpack.Packer(autoreset=True).pack
    group: list[PageRef] = []
    rows: list[bytes] = []
    size = 0
    for child in children:
        full = len(group) >= MOST_ROWS or size >= MOST_BYTES
        # With one child only, a level would not be smaller than the one below.
        if full or (len(group) >= 2 and _begins(child.first, child.level + 1, keys)):
            yield _node(group, rows, keys)
            group, rows, size = [], [], 0
        group.append(child)
        rows.append(
            pack([child.name, child.length, child.first, child.entries, child.files, child.size_bytes])
        )
        size += len(rows[-1])
    if group:
        yield _node(group, rows, keys)


def _node(children: list[PageRef], rows: list[bytes], keys: Keys) -> Page:
    level = children[0].level + 1
    plain = _page(level, [], rows)
    below = [
        sum(column) for column in zip(*((c.entries, c.files, c.size_bytes) for c in children), strict=True)
    ]
    return Page(PageRef(keys.hash_of(plain), len(plain), level, children[0].first, *below), plain)


def _page(level: int, blocks: list[list[Any]], rows: list[bytes]) -> bytes:
    packer = msgpack.Packer(autoreset=False)
    packer.pack_array_header(3)
    packer.pack(level)
    packer.pack(blocks)
    packer.pack_array_header(len(rows))
    head: bytes = packer.bytes()
    return PREFIX + head + b"".join(rows)


def _begins(path: bytes, level: int, keys: Keys) -> bool:
    return int.from_bytes(keys.hash_of(path)[4 * level : 4 * level + 4], "big") < _BELOW


def read(
    root: PageRef | None, fetch: Fetch, seen: Callable[[PageRef], object] | None = None
) -> Iterator[Entry]:
    """The entries below root in order. seen is told of each page. Raises Damaged."""
    leaves = leaves_of(root, fetch, seen)
    yield from entries_of(leaves, fetch([(ref.name, ref.length) for ref in leaves]))


def leaves_of(
    root: PageRef | None, fetch: Fetch, seen: Callable[[PageRef], object] | None = None
) -> list[PageRef]:
    """The references of all leaves, level by level."""
    if root is None:
        return []
    if not 0 <= root.level <= MOST_LEVEL:
        raise _odd(f"a listing of {root.level} levels")
    refs = [root]
    for _ in range(root.level):
        _tell(seen, refs)
        pages = fetch([(ref.name, ref.length) for ref in refs])
        below: list[PageRef] = []
        for ref, plain in zip(refs, pages, strict=True):
            below += children_of(ref, plain)
            if len(below) > MOST_PAGES:
                raise _odd(f"more than {MOST_PAGES} pages")
        refs = below
    _tell(seen, refs)
    return refs


def _tell(seen: Callable[[PageRef], object] | None, refs: Sequence[PageRef]) -> None:
    for ref in refs if seen else ():
        seen(ref)  # type: ignore[misc]


def blocks_of(plain: bytes) -> list[tuple[bytes, int]]:
    """The blocks that a leaf mentions, with their plain lengths. Raises Damaged."""
    return _table(_opened(plain, 0)[0])


def children_of(ref: PageRef, plain: bytes) -> list[PageRef]:
    """The references in a node. Raises Damaged."""
    level = ref.level
    blocks, rows = _opened(plain, level)
    if blocks:
        raise _odd("a node with blocks")
    children = []
    for row in rows:
        if not isinstance(row, list) or len(row) != 6:
            raise _odd("a reference of another shape")
        name, length, first, *counts = row
        good = (
            isinstance(name, bytes) and len(name) == 32 and type(length) is int and 0 < length <= MOST_PLAIN
        )
        if not good or why_not_a_path(first) or not all(type(n) is int and 0 <= n < 2**62 for n in counts):
            raise _odd("a reference that cannot be")
        children.append(PageRef(name, length, level - 1, first, *counts))
    if ref.first and children[0].first != ref.first:
        raise _odd("a page in the place of another")
    if any(order(one.first) >= order(other.first) for one, other in pairwise(children)):
        raise _odd("pages out of order")
    return children


def entries_of(refs: Sequence[PageRef], pages: Iterable[bytes], *, whole: bool = True) -> Iterator[Entry]:
    """The entries of leaves in order, with order and parents checked; whole: False where leaves between them are
    left out, so that parents may be missing."""
    parents: list[bytes] = []
    before = b""
    total = 0
    for ref, plain in zip(refs, pages, strict=True):
        blocks, rows = _opened(plain, 0)
        total += len(rows)
        if total > MOST_ENTRIES:
            raise _odd(f"more than {MOST_ENTRIES} entries")
        table = _table(blocks)
        entries = _usual(ref, rows, table, before, parents if whole else None)
        if entries is not None:
            before = order(entries[-1].path)
            yield from entries
            continue
        for at, row in enumerate(rows):
            entry = from_row(row, table)
            if at == 0 and ref.first and entry.path != ref.first:
                raise _odd("a page in the place of another")
            place = order(entry.path)
            if place <= before:
                raise _odd("entries out of order")
            before = place
            if whole:
                below(parents, entry)
            yield entry


def _usual(
    ref: PageRef,
    rows: list[Any],
    table: Sequence[tuple[bytes, int]],
    before: bytes,
    parents: list[bytes] | None,
) -> list[Entry] | None:
    """The entries of a leaf with nothing unusual, and parents moved on to the last of them. None where its rows are to be
    looked at one by one, which tells what is wrong."""
    entries = at_once(rows, table)
    if entries is None or not follow(before, entries) or (ref.first and entries[0].path != ref.first):
        return None
    if parents is not None:
        way = way_to_last(parents, entries)
        if way is None:
            return None
        parents[:] = way
    return entries


def below(parents: list[bytes], entry: Entry) -> None:
    """Checks that the parent of entry is a directory that was listed, and keeps the way to it."""
    parent = entry.path.rpartition(b"/")[0]
    while parents and parents[-1] != parent:
        parents.pop()
    if parent and not parents:
        raise _odd(f"{entry.path!r}, which lies in no directory of the listing")
    if entry.kind == DIRECTORY:
        parents.append(entry.path)


def _table(blocks: list[Any]) -> list[tuple[bytes, int]]:
    table = []
    for block in blocks:
        if not isinstance(block, list) or len(block) != 2:
            raise _odd("a block of another shape")
        name, length = block
        if (
            not isinstance(name, bytes)
            or len(name) != 32
            or type(length) is not int
            or not 0 < length <= MOST_PLAIN
        ):
            raise _odd("a block that cannot be")
        table.append((name, length))
    return table


def _opened(plain: bytes, level: int) -> tuple[list[Any], list[Any]]:
    if plain[:4] != PREFIX[:4]:
        raise _odd("a block that is no page")
    if plain[4:5] != PREFIX[4:5]:
        raise _odd(f"a page of format {plain[4:5].hex()}, newer than this program reads")
    hooks = {}
    if len(plain) > MOST_BYTES and len(plain.translate(None, _NO_HEADS)) > _MANY_HEADS:
        counted = _counted(len(plain) // _LEAST_BLOCK + 4 * MOST_ROWS + 3)
        hooks = {"list_hook": counted, "object_hook": counted}
    try:
        value = msgpack.unpackb(
            memoryview(plain)[5:],
            **hooks,
            strict_map_key=True,
            max_str_len=1,
            max_array_len=_MOST_ARRAY,
            max_map_len=MOST_XATTR_NAMES,
            max_ext_len=0,
        )
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        raise _odd(f"a page that does not unpack ({type(error).__name__})") from None
    good = (
        isinstance(value, list)
        and len(value) == 3
        and isinstance(value[1], list)
        and isinstance(value[2], list)
    )
    if not good or value[0] != level or type(value[0]) is not int or not 0 < len(value[2]) <= MOST_ROWS:
        raise _odd("a page of another shape")
    return value[1], value[2]


def _counted(most: int) -> Callable[[Any], Any]:
    """Lets so many lists and maps pass. Raises ValueError for one more, before there are very many of them."""
    seen = 0

    def hook(value: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen > most:
            raise ValueError("more lists than a page has")
        return value

    return hook


def _odd(what: str) -> Damaged:
    return Damaged(
        "The listing of a snapshot cannot be used",
        f"Found in it: {what}",
        ["Take an earlier snapshot", "Run `jupyterhub-notebooks workspace check`"],
    )
