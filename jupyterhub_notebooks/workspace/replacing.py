"""Restoring into a directory that is in use: new files are written aside, then everything is put in place.

Promises: nothing that was there is changed before all that is new lies aside, complete; files whose content is right
already are kept; what is left out of saves is never removed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence

from . import reading, scanning
from .comparing import FILE_BYTES, SLICE_BYTES
from .entries import DIRECTORY, FILE, SYMLINK, Entry, Piece, content_of, links_of, order
from .ignore import ASIDE, Ignore
from .keys import OPEN, Keys
from .large import joined
from .placing import Places
from .pool import Pool
from .scanning import Found

Fill = Callable[[Places, Sequence[tuple[bytes, Entry]]], None]


def replace(
    files: bytes,
    places: Places,
    entries: Sequence[Entry],
    leave: Ignore,
    fill: Fill,
    cancelled: Callable[[], bool],
    keys: Keys = OPEN,
) -> int:
    """Makes the directory what entries say; fill writes contents. Answers how many files were right already."""
    places.remove_all(ASIDE)
    seen = scanning.walk(files, leave).found
    now = {item.path: item for item in seen}
    links = links_of(entries)
    right = _right_already(files, entries, now, links, cancelled, keys)
    wanted = [
        (_aside(number), entry)
        for number, entry in enumerate(entries)
        if entry.kind == FILE and entry.path not in links and entry.path not in right
    ]
    odd = _odd(seen, entries)
    closed = [item.path for item in seen if item.kind == DIRECTORY and item.mode & 0o700 != 0o700]
    del seen, now  # the contents need the memory
    places.make_folder(ASIDE)
    fill(places, wanted)
    for path in closed:
        places.make_folder(path)
    _remove(places, odd)
    for number, entry in enumerate(entries):
        _put(places, number, entry, links, right)
    places.remove_all(ASIDE)
    return len(right)


def _aside(number: int) -> bytes:
    return ASIDE + b"/%d" % number


def _right_already(
    files: bytes,
    entries: Sequence[Entry],
    now: dict[bytes, Found],
    links: dict[bytes, bytes],
    cancelled: Callable[[], bool],
    keys: Keys,
) -> set[bytes]:
    """Files that have the content they shall have, and no other name."""
    right: set[bytes] = set()

    def note(path: bytes | None) -> None:
        if path is not None:
            right.add(path)

    with Pool(cancelled, name="compare") as pool:
        for entry in entries:
            item = now.get(entry.path)
            if entry.kind != FILE or item is None or item.kind != FILE or item.size != entry.size:
                continue
            if item.links > 1 or entry.path in links:
                continue
            cost = min(item.size, SLICE_BYTES)
            pool.submit(cost, _same_content, files, item, entry, keys, done=note)
        pool.finish()
    return right


def _same_content(files: bytes, item: Found, entry: Entry, keys: Keys) -> bytes | None:
    try:
        content = content_id(files, item, keys)
    except (reading.Gone, reading.Grown, OSError):
        return None
    return item.path if content == entry.content else None


def content_id(files: bytes, item: Found, keys: Keys = OPEN) -> bytes | None:
    """The content id of a file on the disk, None where it does not hold still. Raises Gone, Grown, OSError."""
    if not item.size:
        return keys.empty
    if item.size <= FILE_BYTES:
        read = reading.whole(files, item, FILE_BYTES)
        return keys.hash_of(read.data) if read.settled else None
    slices: dict[int, Piece] = {}
    for number in reading.data_slices(files, item, SLICE_BYTES):
        offset = number * SLICE_BYTES
        part = reading.part(files, item.path, offset, min(SLICE_BYTES, item.size - offset))
        if (part.found.size, part.found.ctime_ns) != (item.size, item.ctime_ns) or not part.data:
            return None
        length = len(part.data)
        if part.data.count(0) != length:
            slices[number] = Piece(keys.hash_of(part.data), length, 0, length)
    return content_of(joined(slices, item.size), keys)


def _odd(seen: Sequence[Found], entries: Sequence[Entry]) -> list[tuple[Found, bool]]:
    """What the snapshot lacks, or has as another kind (True), the deepest first."""
    kinds = {entry.path: entry.kind for entry in entries}
    odd = [(item, item.path in kinds) for item in seen if kinds.get(item.path) != item.kind]
    return sorted(odd, key=lambda one: order(one[0].path), reverse=True)


def _remove(places: Places, odd: Sequence[tuple[Found, bool]]) -> None:
    for item, is_another in odd:
        is_folder = item.kind == DIRECTORY
        if is_folder:
            places.forget()
        if not places.remove(item.path, is_folder) and is_another:
            places.move(item.path, _spared(places, item.path))


def _spared(places: Places, path: bytes) -> bytes:
    """A free name beside path, for a directory that holds what is never saved and stands in a file's place."""
    number = 1
    while places.look(path + b".before-restore-%d" % number) is not None:
        number += 1
    return path + b".before-restore-%d" % number


def _put(places: Places, number: int, entry: Entry, links: dict[bytes, bytes], right: set[bytes]) -> None:
    path = entry.path
    if entry.kind == DIRECTORY:
        places.make_folder(path)
    elif path in right:
        places.undo_differences(path, entry)
    elif path in links:
        _link(places, links[path], path, number)
    elif entry.kind == SYMLINK:
        places.symlink(_aside(number), entry)
        places.move(_aside(number), path)
    else:
        places.move(_aside(number), path)


def _link(places: Places, first: bytes, path: bytes, number: int) -> None:
    one, other = places.look(first), places.look(path)
    if one is not None and other is not None and os.path.samestat(one, other) and stat.S_ISREG(one.st_mode):
        return
    places.link(first, _aside(number))
    places.move(_aside(number), path)
