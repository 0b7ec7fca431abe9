"""Memory for blocks that come and go, used again: new memory for each costs the kernel as much as receiving a block does,
and so does memory that could be shared with other processes.

Promises: what is lent belongs to one alone until it is given back; what lies free is bounded.
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .blocks import MOST_STORED

#: Bytes that lie free at most; more go back to the system.
_MOST_FREE = 32 * 2**20


class Rooms:
    """Thread-safe."""

    def __init__(self, most_free: int = _MOST_FREE) -> None:
        self._most_free = most_free
        self._lock = threading.Lock()
        self._free: list[tuple[int, mmap.mmap]] = []  # bytes that were used of it, and take memory

    @contextmanager
    def lend(self, size: int) -> Iterator[memoryview]:
        """size bytes, of any content, at most those of a stored block, for as long as the context lasts."""
        if not 0 <= size <= MOST_STORED:
            raise ValueError(f"no block has {size} bytes")
        used, room = self._take(size)
        try:
            yield memoryview(room)[:size]
        finally:
            self._give(max(used, size), room)

    def _take(self, size: int) -> tuple[int, mmap.mmap]:
        """The smallest that was used so far already, else the one that was used farthest."""
        with self._lock:
            if self._free:
                fitting = [one for one in self._free if one[0] >= size]
                best = min(fitting, key=_used) if fitting else max(self._free, key=_used)
                self._free.remove(best)
                return best
        return 0, mmap.mmap(-1, MOST_STORED, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    def _give(self, used: int, room: mmap.mmap) -> None:
        with self._lock:
            if used + sum(map(_used, self._free)) <= self._most_free:
                self._free.append((used, room))


def _used(one: tuple[int, mmap.mmap]) -> int:
    return one[0]
