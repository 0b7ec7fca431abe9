"""Restoring into a directory that is in use: new files are written aside, then everything is put in place.

Promises: nothing that was there is changed before all that is new lies aside, complete, and ``begin`` was called; files whose
content is right already are kept; what is left out of saves is never removed, and never lost: where the snapshot has
something else in its place, it is moved beside that.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..errors import Refusal
from . import reading, scanning
from .comparing import FILE_BYTES, SLICE_BYTES
from .entries import (
    DIRECTORY,
    FILE,
    MOST_COMPONENT,
    MOST_PATH,
    SYMLINK,
    Entry,
    Piece,
    content_of,
    links_of,
    order,
    shown,
)
from .ignore import ASIDE, Ignore
from .keys import OPEN, Keys
from .large import joined
from .placing import Places, Touched
from .pool import Pool, ask_now_and_then
from .scanning import Found, found_of, kind_of

Fill = Callable[[Places, Sequence[tuple[bytes, Entry]]], None]
#: Names that things in the way are given; a restore that goes on with one that was cut off leaves them.
MOVED_ASIDE = "*.before-restore-[0-9]*"
_BEFORE = b".before-restore-"


class Replaced(NamedTuple):
    """right: how many files were right already. moved: (path, where what was there lies now). touched: of those that were right,
    the ones whose mode, time or attributes were not."""

    right: int
    moved: list[tuple[bytes, bytes]]
    touched: dict[bytes, Touched]


class _InTheWay(NamedTuple):
    """What stands, left out of saves, where the snapshot has something. files: by path, those that may be right already.
    others: paths of what has to move. closed: directories that keep their owner out, and have to be opened before anything
    in them moves. hidden: paths that cannot be looked at before that."""

    files: dict[bytes, Found]
    others: list[bytes]
    closed: list[bytes]
    hidden: list[bytes]


def replace(
    files: bytes,
    places: Places,
    entries: Sequence[Entry],
    leave: Ignore,
    fill: Fill,
    begin: Callable[[], None],
    cancelled: Callable[[], bool],
    keys: Keys = OPEN,
) -> Replaced:
    """Makes the directory what entries say; fill writes contents, begin is called before anything is changed.

    Raises Refusal where files belong on another file system that is mounted there.
    """
    places.remove_all(ASIDE)
    seen = scanning.walk(files, leave, cancelled)
    now = {item.path: item for item in seen.found}
    links = links_of(entries)
    strange = {*seen.left_out, *(path for path, _ in seen.skipped)}.difference(seen.blind)
    way = _in_the_way(files, places, strange, entries, changing=False)
    now |= way.files
    right = _right_already(files, entries, now, links, cancelled, keys)
    moving = [*way.others, *_others(files, entries, way.files, right, keys)]
    wanted = [
        (_aside(number), entry)
        for number, entry in enumerate(entries)
        if entry.kind == FILE and entry.path not in links and entry.path not in right
    ]
    odd = _odd(seen.found, entries)
    closed = [item.path for item in seen.found if item.kind == DIRECTORY and item.mode & 0o700 != 0o700]
    closed, hidden = closed + way.closed, way.hidden
    del seen, now, way, strange  # the contents need the memory
    places.make_folder(ASIDE)
    fill(places, wanted)
    begin()
    for path in closed:
        places.make_folder(path)
    if hidden:
        way = _in_the_way(files, places, set(hidden), entries, changing=True)
        moving += [*way.others, *_others(files, entries, way.files, right, keys)]
    moved = [_spare(places, path) for path in sorted(moving, key=order)]
    moved += _remove(places, odd, cancelled)
    touched: dict[bytes, Touched] = {}
    for number, entry in ask_now_and_then(enumerate(entries), cancelled):
        moved += _put(places, number, entry, links, right, touched)
    places.remove_all(ASIDE)
    return Replaced(len(right), moved, touched)


def _aside(number: int) -> bytes:
    return ASIDE + b"/%d" % number


def _in_the_way(
    files: bytes, places: Places, strange: set[bytes], entries: Sequence[Entry], changing: bool
) -> _InTheWay:
    """What the walk did not enter (strange and below) and the snapshot has all the same. changing: directories that keep their
    owner out are opened on the way; otherwise nothing is changed. Raises Refusal."""
    device = os.stat(files).st_dev
    way = _InTheWay({}, [], [], [])
    inside = mounted = b"\0"  # no path begins so
    for entry in entries if strange else ():
        path = entry.path
        if not path.startswith(inside):
            if path not in strange:
                continue
            inside = path + b"/"
        try:
            about = places.look(path)
        except PermissionError:
            if changing:
                raise
            way.hidden.append(path)
            continue
        another = about is not None and about.st_dev != device
        if entry.kind == DIRECTORY and another:
            mounted = mounted if path.startswith(mounted) else path + b"/"
        elif another or path.startswith(mounted):
            raise _elsewhere(path)
        if about is None or (kind := kind_of(about)) is None:
            continue
        if kind == entry.kind == DIRECTORY:
            if about.st_mode & 0o700 != 0o700 and not another:
                if changing:
                    places.make_folder(path)
                else:
                    way.closed.append(path)
        elif kind == entry.kind == FILE and about.st_size == entry.size:
            way.files[path] = found_of(path, kind, about)
        elif not (kind == entry.kind == SYMLINK and _target(files, path) == entry.target):
            way.others.append(path)
    return way


def _others(
    files: bytes, entries: Sequence[Entry], there: dict[bytes, Found], right: set[bytes], keys: Keys
) -> list[bytes]:
    """Those files in the way that have another content than the snapshot's."""
    if not there:
        return []
    doubtful = [entry for entry in entries if entry.path in there and entry.path not in right]
    return [entry.path for entry in doubtful if _same_content(files, there[entry.path], entry, keys) is None]


def _target(files: bytes, path: bytes) -> bytes | None:
    try:
        return os.readlink(os.path.join(files, path))
    except OSError:
        return None


def _elsewhere(path: bytes) -> Refusal:
    return Refusal(
        f"{shown(path)} lies on another file system now",
        "Something is mounted where the snapshot has files, and nothing is written there.",
        ["Take the mount away, then restore again", "Or bring single files back to another directory"],
        label="mounted",
    )


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


def _remove(
    places: Places, odd: Sequence[tuple[Found, bool]], cancelled: Callable[[], bool]
) -> list[tuple[bytes, bytes]]:
    moved = []
    for item, is_another in ask_now_and_then(odd, cancelled):
        is_folder = item.kind == DIRECTORY
        if is_folder:
            places.forget()
        if not places.remove(item.path, is_folder) and is_another:
            moved.append(_spare(places, item.path))
    return moved


def _spare(places: Places, path: bytes) -> tuple[bytes, bytes]:
    """Moves what is at path, or holds what is never saved, to a free name beside it: (path, that name)."""
    parent, slash, name = path.rpartition(b"/")
    room = min(MOST_COMPONENT, MOST_PATH - len(parent + slash)) - len(_BEFORE) - 4
    number = 1
    while places.look(to := parent + slash + name[:room] + _BEFORE + b"%d" % number) is not None:
        number += 1
    places.forget()
    places.move(path, to)
    return path, to


def _put(
    places: Places,
    number: int,
    entry: Entry,
    links: dict[bytes, bytes],
    right: set[bytes],
    touched: dict[bytes, Touched],
) -> list[tuple[bytes, bytes]]:
    """Puts one entry in its place; what had to be moved for it. Adds to touched."""
    path = entry.path
    try:
        if entry.kind == DIRECTORY:
            places.make_folder(path)
        elif path in right:
            if (one := places.undo_differences(path, entry)) is not None:
                touched[path] = one
        elif path in links:
            _link(places, links[path], path, number)
        else:
            if entry.kind == SYMLINK:
                places.symlink(_aside(number), entry)
            places.move(_aside(number), path)
    except IsADirectoryError:  # made since the walk
        moved = _spare(places, path)
        places.move(_aside(number), path)
        return [moved]
    except OSError as error:
        error.filename, error.filename2 = path, None  # instead of a name of ours
        raise
    return []


def _link(places: Places, first: bytes, path: bytes, number: int) -> None:
    one, other = places.look(first), places.look(path)
    if one is not None and other is not None and os.path.samestat(one, other) and stat.S_ISREG(one.st_mode):
        return
    places.link(first, _aside(number))
    places.move(_aside(number), path)
