"""Bytes into files, in pieces that are fast wherever the memory for them comes from.

A file system with large folios takes one run of memory as long as the write (up to 2 MiB). Where free memory is given
back to the host of a virtual machine (virtio_balloon's free page reporting), that is done for long runs, and whoever
takes one waits for the host: 2.2 GB took 4-7 s in writes of 8 MiB and 0.7-1.4 s in writes of 64 KiB
(``python -m tests.benchmarks.workspace_writes``).
"""

from __future__ import annotations

import os

#: Bytes of one write.
AT_ONCE = 64 * 2**10


def write_all(file: int, offset: int, data: bytes | memoryview) -> None:
    """Writes data at offset. Raises OSError."""
    view = memoryview(data)
    while len(view):
        written = os.pwrite(file, view[:AT_ONCE], offset)
        offset += written
        view = view[written:]
