"""Looking at a workspace: one walk that says what is there, and the file system's own time.

Promises: a walk follows no symbolic link, leaves out what Ignore says, enters no other file system, and reports
what it could not look at instead of failing.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import stat
import sys
from collections.abc import Callable
from typing import NamedTuple

from .entries import DIRECTORY, FILE, MOST_PATH, SYMLINK
from .ignore import TICK, Ignore
from .ports import Cancelled

#: A file whose ctime is not at least this much older than a save's start is read again next time.
SETTLED_NS = 2_000_000_000
#: A start that no file is older than: all are read again next time.
NO_TIME = 0

_SMALL = 2**20
_numbers: dict[int, int] = {}


class Found(NamedTuple):
    """What lstat said of one path. stored_bytes: what it takes on the disk."""

    path: bytes
    kind: str
    mode: int
    mtime_ns: int
    size: int
    device: int
    inode: int
    ctime_ns: int
    links: int
    stored_bytes: int


class Seen(NamedTuple):
    """A walk's result, each directory's members in one run. skipped: (path, why). blind: directories that could not be
    looked into. left_out: paths that Ignore names, not what lies below them."""

    found: list[Found]
    skipped: list[tuple[bytes, str]]
    blind: list[bytes]
    left_out: list[bytes]


_NO_FILES = {
    stat.S_IFSOCK: "a socket cannot be saved",
    stat.S_IFIFO: "a pipe cannot be saved",
    stat.S_IFCHR: "a device cannot be saved",
    stat.S_IFBLK: "a device cannot be saved",
}


def walk(files: bytes, ignore: Ignore, cancelled: Callable[[], bool] = lambda: False) -> Seen:
    """Everything below files that is not left out, in no particular order. Raises OSError for files itself, Cancelled."""
    seen = Seen([], [], [], [])
    device = os.stat(files).st_dev
    waiting = [b""]
    while waiting:
        folder = waiting.pop()
        if cancelled():
            raise Cancelled("It was stopped before it was done")
        try:
            with os.scandir(os.path.join(files, folder) if folder else files) as inside:
                for item in inside:
                    path = folder + b"/" + item.name if folder else item.name
                    _look(item, path, device, ignore, seen, waiting)
        except FileNotFoundError:
            if not folder:
                raise
        except OSError as error:
            if not folder:
                raise
            seen.skipped.append((folder, f"this directory cannot be read ({error.strerror})"))
            seen.blind.append(folder)
    return seen


def _look(
    item: os.DirEntry[bytes], path: bytes, device: int, ignore: Ignore, seen: Seen, waiting: list[bytes]
) -> None:
    is_directory = item.is_dir(follow_symlinks=False)
    if ignore.leaves_out(path, is_directory):
        seen.left_out.append(path)
        return
    try:
        about = item.stat(follow_symlinks=False)
    except FileNotFoundError:
        return
    except OSError as error:
        seen.skipped.append((path, f"it cannot be looked at ({error.strerror})"))
        seen.blind.append(path)
        return
    kind = kind_of(about)
    if kind is None:
        seen.skipped.append((path, _NO_FILES.get(stat.S_IFMT(about.st_mode), "it is no file")))
    elif len(path) > MOST_PATH:
        seen.skipped.append((path, "its path is too long"))
    elif kind == DIRECTORY and about.st_dev != device:
        seen.skipped.append((path, "another file system is mounted here, which is not part of the workspace"))
    else:
        seen.found.append(found_of(path, kind, about))
        if kind == DIRECTORY:
            waiting.append(path)


def kind_of(about: os.stat_result) -> str | None:
    """The kind of entry that it can be, None for what cannot be saved."""
    if stat.S_ISREG(about.st_mode):
        return FILE
    if stat.S_ISDIR(about.st_mode):
        return DIRECTORY
    return SYMLINK if stat.S_ISLNK(about.st_mode) else None


def found_of(path: bytes, kind: str, about: os.stat_result) -> Found:
    """A stat result as a Found; the numbers that many files share are each once in memory."""
    mode = 0o777 if kind == SYMLINK else stat.S_IMODE(about.st_mode)
    device, stored = about.st_dev, about.st_blocks * 512
    return Found(
        path,
        kind,
        _numbers.setdefault(mode, mode),
        about.st_mtime_ns,
        about.st_size if kind == FILE else 0,
        _numbers.setdefault(device, device),
        about.st_ino,
        about.st_ctime_ns,
        about.st_nlink,
        _numbers.setdefault(stored, stored) if stored <= _SMALL else stored,
    )


def sync(folder: bytes) -> None:
    """Everything written to the file system of folder so far is on its disk."""
    syncfs = _syncfs()
    if syncfs is None:
        os.sync()
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if syncfs(handle) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), os.fsdecode(folder))
    finally:
        os.close(handle)


_found_syncfs: list[object] = []


def _syncfs() -> ctypes._NamedFuncPointer | None:
    if not _found_syncfs:
        library = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
        _found_syncfs.append(getattr(library, "syncfs", None))
    return _found_syncfs[0]  # type: ignore[return-value]


def tick(files: bytes, state: bytes | None = None) -> int:
    """The time of the file system that files lies on, in ns, as a change there gets it now; ``NO_TIME`` where nothing can
    be changed there. state: a file of ours that may lie there as well.

    To be asked before ``sync``: what is written through a memory map while that runs has a later time then.
    """
    for way in (_of_a_new_file, _of_the_directory, lambda _: _of_a_file(files, state)):
        try:
            return way(files)
        except OSError:
            continue  # nothing new fits there, or this account may not write there: the next way needs neither
    return NO_TIME


def _of_a_new_file(files: bytes) -> int:
    unnamed = getattr(os, "O_TMPFILE", None)
    if unnamed is not None:
        try:
            handle = os.open(files, os.O_WRONLY | unnamed | os.O_CLOEXEC, 0o600)
        except OSError:
            pass  # not every file system can; the file with a name below does for those
        else:
            return _touched(handle)
    path = os.path.join(files, TICK)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    try:
        return _touched(handle)
    finally:
        os.unlink(path)


def _of_the_directory(files: bytes) -> int:
    """Its own times are no part of a workspace, and stay as they are but for that of its change."""
    return _touched(os.open(files, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), same=True)


def _of_a_file(files: bytes, state: bytes | None) -> int:
    if state is None or os.stat(state).st_dev != os.stat(files).st_dev:
        return NO_TIME
    return _touched(os.open(state, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC))


def _touched(handle: int, same: bool = False) -> int:
    """The time of the change that it gets. same: its other times stay."""
    try:
        before = os.fstat(handle)
        if same:
            os.utime(handle, ns=(before.st_atime_ns, before.st_mtime_ns))
        else:
            os.utime(handle)
        return os.fstat(handle).st_ctime_ns
    finally:
        os.close(handle)
