"""Writing below one directory and nowhere else.

Promises: every path is opened component by component from the directory's own descriptor, and never through a
symbolic link; a name that leads elsewhere raises before anything is written. Methods may run in several threads.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import stat
import threading
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from ..errors import Damaged
from .attributes import xattrs_of
from .entries import Entry, why_not_a_path
from .stamps import Stamp, stamp_of
from .writing import AT_ONCE, write_all

#: Directories that are kept open, of one thread and of all; these are no more than a share of what the process may open.
_OPEN_FOLDERS = 64
_ALL_OPEN_FOLDERS = 512
_SHARE = 3
_ZEROS = bytes(65536)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Touched(NamedTuple):
    """A file that was right but for its mode, time or attributes. changed_ns: its time of change before. stamp: its own now."""

    changed_ns: int
    stamp: Stamp


class Places:
    """Use as a context; the directory must exist. users: so many threads may use it."""

    def __init__(self, root: bytes, users: int = 1) -> None:
        self.root = root
        self._most = max(1, min(_OPEN_FOLDERS, _may_be_open() // users))
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._all: list[OrderedDict[bytes, int]] = []
        self.without_attributes: list[bytes] = []

    def __enter__(self) -> Places:
        return self

    def __exit__(self, *_: object) -> None:
        for cache in self._all:
            for handle in cache.values():
                os.close(handle)
        self._all = []
        os.close(self._root)

    def at(self, path: bytes) -> tuple[int, bytes]:
        """(descriptor of the directory that path lies in, its last component); good until the next call here."""
        if wrong := why_not_a_path(path):
            raise Damaged("A path of the listing is refused", wrong)
        parent, _, name = path.rpartition(b"/")
        return self.folder(parent), name

    def folder(self, path: bytes) -> int:
        """A descriptor of the directory at path (b"": the root). Stays open until a few dozen others were asked for."""
        if not path:
            return self._root
        cache = self._cache()
        if path in cache:
            cache.move_to_end(path)
            return cache[path]
        parts = path.split(b"/")
        handle, depth = self._root, 0
        for known in range(len(parts) - 1, 0, -1):
            ancestor = b"/".join(parts[:known])
            if ancestor in cache:
                cache.move_to_end(ancestor)
                handle, depth = cache[ancestor], known
                break
        for end in range(depth + 1, len(parts) + 1):
            handle = os.open(parts[end - 1], _FOLDER, dir_fd=handle)
            cache[b"/".join(parts[:end])] = handle
            if len(cache) > self._most:
                os.close(cache.popitem(last=False)[1])
        return handle

    def _cache(self) -> OrderedDict[bytes, int]:
        if not hasattr(self._mine, "cache"):
            self._mine.cache = OrderedDict()
            with self._lock:
                self._all.append(self._mine.cache)
        cache: OrderedDict[bytes, int] = self._mine.cache
        return cache

    def forget(self) -> None:
        """Closes this thread's directories; after directories were removed or renamed."""
        cache = self._cache()
        for handle in cache.values():
            os.close(handle)
        cache.clear()

    def look(self, path: bytes) -> os.stat_result | None:
        """What is at path, None where nothing is."""
        try:
            handle, name = self.at(path)
            return os.stat(name, dir_fd=handle, follow_symlinks=False)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return None
            raise

    def make_folder(self, path: bytes) -> None:
        """A directory at path, whatever mode it gets later. What is no directory there is removed first."""
        handle, name = self.at(path)
        try:
            os.mkdir(name, 0o700, dir_fd=handle)
        except FileExistsError:
            about = os.stat(name, dir_fd=handle, follow_symlinks=False)
            if not stat.S_ISDIR(about.st_mode):
                os.unlink(name, dir_fd=handle)
                os.mkdir(name, 0o700, dir_fd=handle)
            elif about.st_mode & 0o700 != 0o700:
                os.chmod(name, 0o700, dir_fd=handle)

    def write(self, path: bytes, offset: int, data: bytes | memoryview, sparse: bool) -> None:
        """Part of a file, which is created where it is not there."""
        handle, name = self.at(path)
        file = os.open(name, _FILE, 0o600, dir_fd=handle)
        try:
            _write(file, offset, data, sparse)
        finally:
            os.close(file)

    def whole(self, path: bytes, entry: Entry, data: bytes | memoryview) -> Stamp:
        """A whole file with its mode, time and attributes; path is where, entry says what. Its stamp."""
        handle, name = self.at(path)
        file = os.open(name, _FILE | os.O_TRUNC, 0o600, dir_fd=handle)
        try:
            _write(file, 0, data, entry.sparse)
            if entry.sparse or not data:
                os.ftruncate(file, entry.size)
            self._dress(file, entry)
            return _stamp(file)
        finally:
            os.close(file)

    def plain(self, files: Iterable[tuple[bytes, int, int, bytes | memoryview]]) -> list[tuple[bytes, Stamp]]:
        """Many files without holes or attributes that are not there yet, with as few calls to the kernel as may be:
        (path, mode, time in ns, bytes). Answers path and stamp of each. What an earlier try left of them is made anew."""
        stamps: list[tuple[bytes, Stamp]] = []
        folder, handle = None, self._root
        for path, mode, mtime_ns, data in files:
            parent, _, name = path.rpartition(b"/")
            if parent != folder:
                handle, name = self.at(path)
                folder = parent
            elif wrong := why_not_a_path(name):
                raise Damaged("A path of the listing is refused", wrong)
            try:
                file = os.open(name, _FILE | os.O_TRUNC, mode & 0o777, dir_fd=handle)
            except PermissionError:  # made already, and nobody may write it
                os.unlink(name, dir_fd=handle)
                file = os.open(name, _FILE | os.O_TRUNC, mode & 0o777, dir_fd=handle)
            try:
                if len(data) > AT_ONCE or os.pwrite(file, data, 0) != len(data):
                    write_all(file, 0, data)
                os.utime(file, ns=(mtime_ns, mtime_ns))
                about = os.fstat(file)
                if about.st_mode & 0o7777 != mode:  # what the umask left out, or a mode beyond 0o777
                    os.fchmod(file, mode)
                    about = os.fstat(file)
                stamps.append((path, stamp_of(about.st_ino, about.st_ctime_ns)))
            finally:
                os.close(file)
        return stamps

    def dress(self, path: bytes, entry: Entry) -> Stamp:
        """Length, mode, time and attributes of a file that is written. Its stamp."""
        handle, name = self.at(path)
        file = os.open(name, _FILE, 0o600, dir_fd=handle)
        try:
            os.ftruncate(file, entry.size)
            self._dress(file, entry)
            return _stamp(file)
        finally:
            os.close(file)

    def undo_differences(self, path: bytes, entry: Entry) -> Touched | None:
        """Mode, time and attributes of a file whose content is right already. None where nothing had to be touched."""
        handle, name = self.at(path)
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=handle)
        try:
            before, attributes = os.fstat(file), xattrs_of(file)
            same = (stat.S_IMODE(before.st_mode), before.st_mtime_ns) == (entry.mode, entry.mtime_ns)
            if same and attributes == entry.xattrs:
                return None
            wanted = dict(entry.xattrs)
            with suppress(OSError):  # one that stays is seen by the next save
                for attribute, _ in attributes:
                    if attribute not in wanted:
                        os.removexattr(file, attribute)
            self._dress(file, entry)
            return Touched(before.st_ctime_ns, _stamp(file))
        finally:
            os.close(file)

    def dress_folder(self, entry: Entry) -> None:
        """Mode, time and attributes of a directory that is filled."""
        self._dress(self.folder(entry.path), entry)

    def _dress(self, handle: int, entry: Entry) -> None:
        try:
            for name, value in entry.xattrs:
                os.setxattr(handle, name, value)
        except (OSError, AttributeError) as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            self.without_attributes.append(entry.path)
        os.chmod(handle, entry.mode)
        os.utime(handle, ns=(entry.mtime_ns, entry.mtime_ns))

    def symlink(self, path: bytes, entry: Entry) -> None:
        """A symbolic link at path."""
        handle, name = self.at(path)
        os.symlink(entry.target, name, dir_fd=handle)
        with suppress(NotImplementedError):
            os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=handle, follow_symlinks=False)

    def link(self, first: bytes, path: bytes) -> None:
        """path as another name of the file at first."""
        source, source_name = self.at(first)
        source = os.dup(source)
        try:
            handle, name = self.at(path)
            os.link(source_name, name, src_dir_fd=source, dst_dir_fd=handle, follow_symlinks=False)
        finally:
            os.close(source)

    def move(self, path: bytes, to: bytes) -> None:
        """Renames over what is there, where that is no directory."""
        source, source_name = self.at(path)
        source = os.dup(source)
        try:
            handle, name = self.at(to)
            os.rename(source_name, name, src_dir_fd=source, dst_dir_fd=handle)
        finally:
            os.close(source)

    def remove(self, path: bytes, is_folder: bool) -> bool:
        """Removes a file, or a directory where it is empty. Whether it is gone."""
        try:
            handle, name = self.at(path)
            if is_folder:
                os.rmdir(name, dir_fd=handle)
            else:
                os.unlink(name, dir_fd=handle)
        except FileNotFoundError:
            return True
        except OSError as error:
            if is_folder and error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY):
                return False
            raise
        return True

    def remove_all(self, folder: bytes) -> None:
        """Removes a directory of ours with all it holds; following no link."""
        if self.look(folder) is not None:
            self.forget()
            handle, name = self.at(folder)
            shutil.rmtree(name, dir_fd=handle)


def _may_be_open() -> int:
    """How many directories may be kept open by all threads together."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _ALL_OPEN_FOLDERS if soft < 0 else min(_ALL_OPEN_FOLDERS, soft // _SHARE)


def _stamp(file: int) -> Stamp:
    about = os.fstat(file)
    return stamp_of(about.st_ino, about.st_ctime_ns)


def _write(file: int, offset: int, data: bytes | memoryview, sparse: bool) -> None:
    if not sparse:
        write_all(file, offset, data)
        return
    view = memoryview(data)
    for at in range(0, len(view), len(_ZEROS)):
        part = view[at : at + len(_ZEROS)]
        if part != _ZEROS[: len(part)]:
            write_all(file, offset + at, part)
