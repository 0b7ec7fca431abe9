"""What keeps the memory of a save or restore small, apart from what is in flight at once (pool.py).

Promises: results do not depend on it; where a system knows none of it, nothing happens.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_ARENAS = 2
#: What is at least so large (blocks, stored and plain) goes back to the system when it is freed; the library would by itself
#: raise this bound to the largest that was ever freed, and keep the holes that they leave.
_LARGE = 2**20


@contextmanager
def careful() -> Iterator[None]:
    """For as long as very many objects are made: the interpreter does not look through all of them again and again,
    and threads share their memory instead of each keeping what it once had. What is free goes back afterwards."""
    library = _library()
    was = gc.isenabled()
    gc.disable()
    try:
        if library is not None:
            library.mallopt(_M_ARENA_MAX, _ARENAS)
            library.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        yield
    finally:
        if was:
            gc.enable()
        if library is not None:
            library.malloc_trim(0)


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL | None:
    """The GNU C library; None where there is another."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    known = hasattr(library, "gnu_get_libc_version") and hasattr(library, "malloc_trim")
    return library if known else None
