"""How a file lay on this machine when it was last seen: its inode and the time of its last change, in one number.

Very many of them are kept at once, and one number takes a third of the room of a pair.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

#: Of one file, as ``stamp_of`` makes it.
Stamp = int
#: The file has to be read again.
UNSETTLED: Stamp = 0
_CTIME = 2**64 - 1


def stamp_of(inode: int, ctime_ns: int) -> Stamp:
    """Both numbers, each below 2^64."""
    return inode << 64 | ctime_ns & _CTIME


class Stamps:
    """Those of many files one after the other, in 16 bytes each."""

    def __init__(self, inodes: Iterable[int] = (), ctimes: Iterable[int] = ()) -> None:
        """Raises OverflowError, TypeError for what are no numbers of 64 bits."""
        self.inodes, self.ctimes = array("Q", inodes), array("Q", ctimes)

    def append(self, stamp: Stamp) -> None:
        self.inodes.append(stamp >> 64)
        self.ctimes.append(stamp & _CTIME)

    def pop(self) -> None:
        """Without the last."""
        self.inodes.pop()
        self.ctimes.pop()

    def __len__(self) -> int:
        return len(self.inodes)

    def __getitem__(self, at: int) -> Stamp:
        return self.inodes[at] << 64 | self.ctimes[at] if self.ctimes[at] else UNSETTLED

    def __iter__(self) -> Iterator[Stamp]:
        for inode, ctime in zip(self.inodes, self.ctimes, strict=True):
            yield inode << 64 | ctime if ctime else UNSETTLED
