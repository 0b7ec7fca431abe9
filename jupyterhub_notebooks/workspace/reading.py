"""Reading files that others may be writing.

Promises: what ``whole`` and ``part`` return was read between two looks that saw the same file; else they say so.
Neither follows a symbolic link nor waits on a pipe.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from .attributes import xattrs_of as xattrs_of
from .scanning import Found, found_of

_TRIES = 3
_AGAIN = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)


class Gone(Exception):
    """The file is not there any more, or is something else now."""


class Unreadable(Exception):
    """The file is there and cannot be read; its text says why."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"it cannot be read ({error.strerror})")


class Grown(Exception):
    """The file is larger than what is read at once; found is how it looks now."""

    def __init__(self, found: Found) -> None:
        super().__init__()
        self.found = found


class Whole(NamedTuple):
    """A file's bytes, how it looked then, its attributes, and whether it held still."""

    found: Found
    data: bytes
    xattrs: tuple[tuple[bytes, bytes], ...]
    settled: bool


class Part(NamedTuple):
    """Bytes of a file from an offset on, and how it looked after that."""

    found: Found
    data: bytes


def whole(files: bytes, found: Found, most_bytes: int) -> Whole:
    """All of a small file, read again while it changes. Raises Gone, Grown, OSError."""
    handle = _open(files, found.path)
    try:
        for attempt in range(_TRIES):
            before = os.fstat(handle)
            if before.st_size > most_bytes:
                raise Grown(_regular(found.path, before))
            data = _read(handle, 0, before.st_size + 1)
            after = os.fstat(handle)
            settled = _still(before, after) and len(data) == after.st_size
            if settled or attempt == _TRIES - 1:
                data = data[:most_bytes]
                seen = _regular(found.path, after)._replace(size=len(data))
                return Whole(seen, data, xattrs_of(handle), settled)
        raise AssertionError("the last try returns")
    finally:
        os.close(handle)


def part(files: bytes, path: bytes, offset: int, length: int) -> Part:
    """One slice; shorter where the file ends. Raises Gone, OSError."""
    handle = _open(files, path)
    try:
        data = _read(handle, offset, length)
        return Part(_regular(path, os.fstat(handle)), data)
    finally:
        os.close(handle)


def look(files: bytes, path: bytes) -> Found:
    """How a file looks now. Raises Gone, OSError."""
    try:
        about = os.lstat(os.path.join(files, path))
    except OSError as error:
        if error.errno in _AGAIN:
            raise Gone from None
        raise
    return _regular(path, about)


def data_slices(files: bytes, found: Found, slice_bytes: int) -> Iterator[int]:
    """Numbers of the slices of a large file that are not one hole, ascending. Raises Gone, OSError."""
    count = -(-found.size // slice_bytes)
    if found.stored_bytes >= found.size or not hasattr(os, "SEEK_DATA"):
        yield from range(count)
        return
    handle = _open(files, found.path)
    try:
        at = 0
        while at < count:
            try:
                begins = os.lseek(handle, at * slice_bytes, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # a hole up to the end
                    return
                yield from range(at, count)
                return
            at = begins // slice_bytes
            if at < count:
                yield at
            at += 1
    finally:
        os.close(handle)


def _open(files: bytes, path: bytes) -> int:
    try:
        return os.open(os.path.join(files, path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _AGAIN:
            raise Gone from None
        raise


def _regular(path: bytes, about: os.stat_result) -> Found:
    if not stat.S_ISREG(about.st_mode):
        raise Gone
    return found_of(path, "file", about)


def _read(handle: int, offset: int, length: int) -> bytes:
    data = os.pread(handle, length, offset)
    if len(data) == length or not data:
        return data
    parts = [data]
    got = len(data)
    while got < length and (data := os.pread(handle, length - got, offset + got)):
        parts.append(data)
        got += len(data)
    return b"".join(parts)


def _still(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_mtime_ns, before.st_ctime_ns, before.st_size) == (
        after.st_mtime_ns,
        after.st_ctime_ns,
        after.st_size,
    )
