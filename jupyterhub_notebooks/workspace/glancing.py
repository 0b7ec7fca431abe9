"""Whether anything moved since this process last saw the whole workspace saved: one pass that builds nothing.

Promises: "the same" is said only where a whole save would find nothing either: every path has the inode, times and
size it had, each older by the margin of contracts than the look before, and the base is still in the store.
Everything else is left to the whole save. What is kept is one number and what was left out, in this process's memory.
A large workspace is looked at by two processes.
"""

from __future__ import annotations

import marshal
import os
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from ..errors import Damaged, NotFound
from . import marks
from .crew import processors
from .entries import DIRECTORY, FILE
from .keys import WrongKey, keys_of
from .lastseen import NAME, owner_of
from .ports import Snapshots
from .scanning import SETTLED_NS, Found, Seen, sync
from .snapshots import head_of
from .volume import Volume

_MOST_KEPT = 4
_MOST_LEFT_OUT = 50_000
#: So many paths are worth a second process.
_LEAST_FOR_TWO = 20_000


class Marked(NamedTuple):
    """How all paths looked when a save began, as in ``Glance``."""

    left_out: frozenset[bytes]
    mark: int
    half: tuple[bytes, ...]


class Glance(NamedTuple):
    """What a whole save saw. scan: identity of the file in state/ that it wrote; mark: all paths and how they looked;
    half: folders below which about half of them lie, none where there are few."""

    owner: str
    number: int
    scan: tuple[int, int, int]
    never_saved: tuple[str, ...]
    left_out: frozenset[bytes]
    mark: int
    half: tuple[bytes, ...]
    size_bytes: int
    files: int


_kept: OrderedDict[str, Glance] = OrderedDict()


def marked(seen: Seen, tick_ns: int) -> Marked | None:
    """What a walk saw, of a file system whose time was tick_ns just before; None where the next save has to look again."""
    if seen.skipped or seen.blind or len(seen.left_out) > _MOST_LEFT_OUT:
        return None
    settled_ns = tick_ns - SETTLED_NS
    if any(item.ctime_ns > settled_ns for item in seen.found):
        return None
    folders = [
        _of_folder(folder, items)
        for folder, items in groupby(seen.found, key=lambda item: item.path.rpartition(b"/")[0])
    ]
    empty = {item.path for item in seen.found if item.kind == DIRECTORY} | {b""}
    empty -= {item.path.rpartition(b"/")[0] for item in seen.found}
    mark = marks.together([*folders, *(_of_folder(folder, ()) for folder in empty)])
    return Marked(frozenset(seen.left_out), mark, half_of(seen.found))


def keep(
    volume: Volume,
    owner: str,
    number: int,
    began: Marked | None,
    never_saved: Sequence[str],
    totals: tuple[int, int],
) -> None:
    """After a save that took every path as it looked when it began; totals are bytes and files."""
    _kept.pop(str(volume.state), None)
    scan = _scan(volume)
    if scan is None or began is None:
        return
    _kept[str(volume.state)] = Glance(owner, number, scan, tuple(never_saved), *began, *totals)
    while len(_kept) > _MOST_KEPT:
        _kept.popitem(last=False)


def known(volume: Volume, owner: str | None, never_saved: Sequence[str]) -> Glance | None:
    """What was kept of this very state of the volume, saved by the same rules."""
    glance = _kept.get(str(volume.state))
    if glance is None or glance.number != volume.base or glance.scan != _scan(volume):
        return None
    return glance if owner in (None, glance.owner) and glance.never_saved == tuple(never_saved) else None


def unchanged(
    volume: Volume,
    snapshots: Snapshots,
    workspace_id: str,
    never_saved: Sequence[str],
    always_read: Callable[[], Collection[tuple[int, int]]] | None,
) -> Glance | None:
    """What was kept, where a save would find nothing; None where it has to look. Raises WrongKey, StorageAway."""
    glance = known(volume, owner_of(workspace_id, keys_of(snapshots)), never_saved)
    if glance is None or glance.number not in snapshots.numbers() or (always_read and always_read()):
        return None
    try:
        head_of(snapshots, glance.number, workspace_id)
    except WrongKey:
        raise
    except (Damaged, NotFound):
        return None
    files = os.fsencode(volume.files)
    sync(files)
    return glance if same(files, glance) else None


def _of_folder(folder: bytes, items: Iterable[Found]) -> int:
    inside = marks.Folder(folder)
    for item in items:
        inside.add(item.path.rpartition(b"/")[2], hash(_look(item)))
    return inside.number()


def _look(item: Found) -> marks.Look:
    size = item.size if item.kind == FILE else 0
    device = item.device if item.kind == DIRECTORY else 0
    return item.inode, item.ctime_ns, item.mtime_ns, size, item.links, device


def half_of(found: Sequence[Found]) -> tuple[bytes, ...]:
    """Folders, none in another, below which about half of what was found lies; none where that is not much."""
    if len(found) < _LEAST_FOR_TWO:
        return ()
    below = {item.path: 0 for item in found if item.kind == DIRECTORY}
    for item in found:
        parent = item.path.rpartition(b"/")[0]
        if parent:
            below[parent] += 1
    for path in sorted(below, key=lambda path: path.count(b"/"), reverse=True):
        parent = path.rpartition(b"/")[0]
        if parent:
            below[parent] += below[path]
    wanted = len(found) // 2
    chosen: set[bytes] = set()
    for path, count in sorted(below.items(), key=lambda pair: -pair[1]):
        if 0 < count <= wanted and not chosen.intersection(_above(path)):
            chosen.add(path)
            wanted -= count
            if wanted < len(found) // 50:
                break
    return tuple(sorted(chosen))


def _above(path: bytes) -> Iterator[bytes]:
    while path:
        path = path.rpartition(b"/")[0]
        yield path


def same(files: bytes, glance: Glance) -> bool:
    """Whether every path looks as it did. False also where something cannot be looked at."""
    half = glance.half if processors() > 1 else ()
    try:
        if not half:
            return marks.below(files, [b""], glance.left_out) == glance.mark
        other = subprocess.Popen(
            [sys.executable, "-I", "-S", marks.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        with other:
            assert other.stdin is not None and other.stdout is not None
            other.stdin.write(marshal.dumps((files, half, glance.left_out)))
            other.stdin.close()
            mark = marks.below(files, [b""], glance.left_out, frozenset(half))
            told = other.stdout.read()
        return bool(told) and marks.together([mark, marshal.loads(told)]) == glance.mark
    except OSError:
        return False


def _scan(volume: Volume) -> tuple[int, int, int] | None:
    try:
        about = os.stat(volume.state / NAME)
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns, about.st_size
