"""How a file lay on this machine when it was last seen: its inode and the time of its last change, in one number.

Very many of them are kept at once, and one number takes a third of the room of a pair.
"""

from __future__ import annotations

#: Of one file, as ``stamp_of`` makes it.
Stamp = int
#: The file has to be read again.
UNSETTLED: Stamp = 0
_CTIME = 2**64 - 1


def stamp_of(inode: int, ctime_ns: int) -> Stamp:
    """Both numbers, each below 2^64."""
    return inode << 64 | ctime_ns & _CTIME


def parts(stamp: Stamp) -> tuple[int, int]:
    """(inode, ctime in ns); (0, 0) of what is not settled."""
    return stamp >> 64, stamp & _CTIME
