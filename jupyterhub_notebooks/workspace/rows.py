"""The rows of one leaf, checked column by column, which takes half as long as row after row.

Promises: what ``at_once`` answers is what ``from_row`` answers for each row. It answers None where that would raise, where
it would make very many objects before anybody can count them, and for some of what no save writes.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from itertools import islice, repeat
from typing import Any

from ..errors import Damaged
from .entries import (
    DIRECTORY,
    FILE,
    LEAST_TIME,
    MOST_COMPONENT,
    MOST_SIZE,
    MOST_TIME,
    ORDER,
    Entry,
    Piece,
    from_row,
    why_not_a_path,
)

#: Places of contents in one leaf; a leaf with more of them is read row by row.
_MOST_PIECES = 2**16
_COLUMNS = 7
_INT, _BYTES = {int}, {bytes}
_MODES: dict[int, int] = {}  # each of the few there are once in memory


def at_once(rows: Sequence[Any], blocks: Sequence[tuple[bytes, int]]) -> list[Entry] | None:
    """The entries of a leaf's rows; blocks is the leaf's table."""
    if set(map(type, rows)) != {list}:
        return None
    lengths = set(map(len, rows))
    if not lengths <= {_COLUMNS, _COLUMNS + 1}:
        return None
    heads = rows if lengths == {_COLUMNS} else [row[:_COLUMNS] for row in rows]
    paths, kinds, modes, times, sizes, contents, wheres = zip(*heads, strict=True)
    if not (
        set(map(type, kinds))
        == set(map(type, modes))
        == set(map(type, times))
        == set(map(type, sizes))
        == _INT
        and set(map(type, paths)) == set(map(type, contents)) == _BYTES
        and 0 <= min(modes) <= max(modes) <= 0o7777
        and LEAST_TIME <= min(times) <= max(times) <= MOST_TIME
        and 0 <= min(sizes) <= max(sizes) <= MOST_SIZE
        and _are_paths(paths)
        and sum(len(where) for where in wheres if type(where) is list) <= 3 * _MOST_PIECES
    ):
        return None
    try:
        return _entries(rows, blocks)
    except Damaged:
        return None


def _entries(rows: Sequence[list[Any]], blocks: Sequence[tuple[bytes, int]]) -> list[Entry]:
    """Of rows whose columns are checked. Raises Damaged."""
    new = tuple.__new__  # what a NamedTuple calls, with one call less
    entries: list[Entry] = []
    count = len(blocks)
    for row in rows:
        if len(row) == _COLUMNS:
            path, kind, mode, mtime_ns, size, content, where = row
            if kind == 0 and type(where) is list and len(where) == 3 and len(content) == 32:
                number, offset, length = where
                if (
                    type(number) is type(offset) is type(length) is int
                    and 0 <= number < count
                    and offset >= 0
                    and 1 <= length == size
                ):
                    block, block_length = blocks[number]
                    if offset + size <= block_length:
                        piece = new(Piece, (block, block_length, offset, size))
                        mode = _MODES.setdefault(mode, mode)
                        entries.append(
                            new(
                                Entry,
                                (path, FILE, mode, mtime_ns, size, content, (piece,), b"", b"", (), False),
                            )
                        )
                        continue
            elif kind == 1 and where is None and not size and not content:
                mode = _MODES.setdefault(mode, mode)
                entries.append(new(Entry, (path, DIRECTORY, mode, mtime_ns, 0, b"", (), b"", b"", (), False)))
                continue
        entries.append(from_row(row, blocks))
    return entries


def _are_paths(paths: Sequence[bytes]) -> bool:
    """Whether ``why_not_a_path`` finds nothing wrong with any of them."""
    framed = b"/" + b"/\0/".join(paths) + b"/"
    if (
        b"//" not in framed
        and b"/./" not in framed
        and b"/../" not in framed
        and framed.count(b"\0") == len(paths) - 1
        and max(map(len, paths)) <= MOST_COMPONENT
    ):
        return True
    return not any(map(why_not_a_path, paths))


def follow(before: bytes, entries: Sequence[Entry]) -> bool:
    """Whether each comes after the one before it, and the first after the place before."""
    places = list(map(bytes.translate, map(operator.itemgetter(0), entries), repeat(ORDER)))
    return before < places[0] and all(map(operator.lt, places, islice(places, 1, None)))


def way_to_last(parents: Sequence[bytes], entries: Sequence[Entry]) -> list[bytes] | None:
    """The directories on the way to the last of entries, itself too if it is one; None where one lies in no directory
    of them or of parents, which were on the way to the entry before. entries are in order."""
    known = {b"", *parents}
    known.update(entry[0] for entry in entries if entry[1] is DIRECTORY)
    if not known.issuperset({entry[0].rpartition(b"/")[0] for entry in entries}):
        return None
    last = entries[-1]
    parts = last.path.split(b"/")
    way = [b"/".join(parts[:depth]) for depth in range(1, len(parts))]
    return [*way, last.path] if last.kind == DIRECTORY else way
