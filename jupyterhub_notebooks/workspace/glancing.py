"""Whether anything moved since this process last saw the whole workspace saved: one pass that builds nothing.

Promises: "the same" is said only where a whole save would find nothing either: every path has the inode, times and
size it had, each older by the margin of contracts than the look before, and the base is still in the store.
Everything else is left to the whole save. What is kept is one number and what was left out, in this process's memory.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from ..errors import Damaged, NotFound
from .entries import DIRECTORY, FILE
from .keys import WrongKey, keys_of
from .lastseen import NAME, Stamp, owner_of
from .ports import Snapshots
from .scanning import SETTLED_NS, Found, Seen, sync
from .snapshots import head_of
from .volume import Volume

_MOST_KEPT = 4
_MOST_LEFT_OUT = 50_000


class Glance(NamedTuple):
    """What a whole save saw. scan: identity of the file in state/ that it wrote; mark: all paths and how they looked."""

    owner: str
    number: int
    scan: tuple[int, int, int]
    never_saved: tuple[str, ...]
    left_out: frozenset[bytes]
    mark: int
    size_bytes: int
    files: int


_kept: OrderedDict[str, Glance] = OrderedDict()


def keep(
    volume: Volume,
    owner: str,
    number: int,
    seen: Seen,
    stamps: Mapping[bytes, Stamp],
    tick_ns: int,
    never_saved: Sequence[str],
    totals: tuple[int, int],
) -> None:
    """After a save: stamps are those of the files as they were saved; totals are bytes and files."""
    _kept.pop(str(volume.state), None)
    scan = _scan(volume)
    if scan is None or seen.skipped or seen.blind or len(seen.left_out) > _MOST_LEFT_OUT:
        return
    settled_ns = tick_ns - SETTLED_NS
    if any(not _settled(item, stamps, settled_ns) for item in seen.found):
        return
    mark = 0
    for item in seen.found:
        name = item.path.rpartition(b"/")[2]
        size = item.size if item.kind == FILE else 0
        device = item.device if item.kind == DIRECTORY else 0
        look = (name, item.inode, item.ctime_ns, item.mtime_ns, size, item.links, device)
        mark = hash((mark, look))
    _kept[str(volume.state)] = Glance(
        owner, number, scan, tuple(never_saved), frozenset(seen.left_out), mark, *totals
    )
    while len(_kept) > _MOST_KEPT:
        _kept.popitem(last=False)


def _settled(item: Found, stamps: Mapping[bytes, Stamp], settled_ns: int) -> bool:
    if item.ctime_ns > settled_ns:
        return False
    return item.kind != FILE or stamps.get(item.path) == (item.inode, item.ctime_ns)


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


def same(files: bytes, glance: Glance) -> bool:
    """Whether every path looks as it did. False also where something cannot be looked at."""
    mark = 0
    left_out = glance.left_out
    waiting = [b""]
    try:
        while waiting:
            folder = waiting.pop()
            with os.scandir(os.path.join(files, folder) if folder else files) as inside:
                prefix = folder + b"/" if folder else b""
                for item in inside:
                    name = item.name
                    if left_out and prefix + name in left_out:
                        continue
                    at = item.stat(follow_symlinks=False)
                    size = device = 0
                    if item.is_dir(follow_symlinks=False):
                        device = at.st_dev
                        waiting.append(prefix + name)
                    elif item.is_file(follow_symlinks=False):
                        size = at.st_size
                    look = (name, at.st_ino, at.st_ctime_ns, at.st_mtime_ns, size, at.st_nlink, device)
                    mark = hash((mark, look))
    except OSError:
        return False
    return mark == glance.mark


def _scan(volume: Volume) -> tuple[int, int, int] | None:
    try:
        about = os.stat(volume.state / NAME)
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns, about.st_size
