"""Several names of one file: read once, and saved as one file only where they still were one when it was read.

Promises: a name is never given the content of another inode than its own; a name whose first name went, or was replaced,
since the workspace was looked at is read by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from .entries import FILE, Entry, order
from .gathering import Gathering
from .scanning import Found

#: Device and number.
Inode = tuple[int, int]


class Links:
    """Of one save. Names come in listing order."""

    def __init__(self) -> None:
        self._firsts: dict[Inode, bytes] = {}
        self._further: dict[bytes, bytes] = {}
        self._inodes: dict[bytes, Inode] = {}
        self._young: set[bytes] = set()
        self._read: dict[bytes, Inode | None] = {}

    def further(self, item: Found, settled_ns: int) -> bool:
        """Whether item is a further name of a file that has been here. settled_ns: what changed after it may be another
        file than the one that was last seen under that number."""
        inode = item.device, item.inode
        first = self._firsts.setdefault(inode, item.path)
        if first == item.path:
            return False
        self._further[item.path] = first
        self._inodes[first] = inode
        if 0 < settled_ns < item.ctime_ns:
            self._young.add(item.path)
        return True

    def all_seen(self) -> None:
        """No name comes any more."""
        self._firsts = {}

    def was_read(self, found: Found, settled: bool) -> None:
        """What was read of a file, which had several names; settled: all of it of one state."""
        if found.path in self._inodes or found.path in self._further:
            self._read[found.path] = (found.device, found.inode) if settled else None

    def give(self, gathered: Gathering) -> list[bytes]:
        """Adds further names of what is gathered as the inode that they had; answers the others, in order, which are to
        be read by themselves."""
        found = gathered.find(self._inodes)
        rest = []
        for path, first in self._further.items():
            at = found.get(first)
            if at is not None and self._is_still(path, first):
                entry, stamp = gathered.at(at)
                if entry.kind == FILE:
                    gathered.add(entry._replace(path=path, hard_link_to=first), stamp)
                    continue
            rest.append(path)
        return rest

    def _is_still(self, path: bytes, first: bytes) -> bool:
        if first in self._read:
            return self._read[first] == self._inodes[first]
        return path not in self._young

    def join(self, gathered: Gathering, names: Sequence[bytes]) -> None:
        """Makes one file again of those names, read by themselves, that were one with the same content."""
        found = gathered.find({*names, *self._inodes})
        alone = set(names)
        leaders: dict[Inode, Entry] = {}
        for path in sorted(found, key=order):
            entry, stamp = gathered.at(found[path])
            inode = self._read.get(path, self._inodes.get(path))
            if inode is None or entry.kind != FILE:
                continue
            leader = leaders.setdefault(inode, entry)
            same = leader._replace(path=path, pieces=entry.pieces) == entry
            if same and leader.path != path and path in alone:
                gathered.add(leader._replace(path=path, hard_link_to=leader.path), stamp)
