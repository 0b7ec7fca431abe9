"""A directory as a store.

Promises: an object appears whole or not at all, by link(2) from a temporary file, which fails where the key exists;
file and directory are synced before a write returns; a key never leads out of the directory; what writers that were
stopped left beside the objects is removed by a later one.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...errors import Denied, NoSpace, NotebooksError, NotFound, StorageAway
from .. import layout
from ..writing import write_all

_ASIDE = ".aside"
#: A file there that was not written to for so long has no writer any more.
_LEFT_SECONDS = 3600.0
_PARTS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._ABCDEFGHIJKLMNOPQRSTUVWXYZ")


class DirectoryStore:
    """Keys are paths below root; what begins with a dot there is not an object."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = root.as_uri()
        self._tidy = False

    def get(self, key: str, most_bytes: int | None = None) -> bytes:
        most = layout.most_bytes_of(key) if most_bytes is None else most_bytes
        with _said(key), open(self._path(key), "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if size > most:
                raise layout.too_large(key, most)
            return file.read(size + 1)

    def get_into(self, key: str, room: memoryview) -> bytes | memoryview:
        """As ``get``; the bytes are the beginning of room where they fit."""
        with _said(key), open(self._path(key), "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if size <= min(len(room), layout.most_bytes_of(key)):
                return room[: file.readinto(room[:size])]
        return self.get(key)

    def put(self, key: str, body: bytes) -> bool:
        return not self.exists(key) and self._create(key, self._path(key), body)

    def put_new(self, key: str, body: bytes) -> bool:
        return self._create(key, self._path(key), body)

    def replace(self, key: str, body: bytes) -> None:
        path = self._path(key)
        with _said(key):
            aside = self._aside(body)
            try:
                self._folder(path.parent)
                os.replace(aside, path)
            except BaseException:
                aside.unlink(missing_ok=True)
                raise
            _sync(path.parent)

    def exists(self, key: str) -> bool:
        with _said(key):
            return self._path(key).is_file()

    def size(self, key: str) -> int:
        with _said(key):
            return self._path(key).stat().st_size

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        folder = self._path(prefix.rstrip("/")) if prefix else self.root
        with _said(prefix):
            yield from self._below(folder, prefix.rstrip("/"))

    def delete(self, key: str) -> None:
        with _said(key):
            self._path(key).unlink(missing_ok=True)

    def _below(self, folder: Path, key: str) -> Iterator[tuple[str, int]]:
        try:
            items = sorted(os.scandir(folder), key=lambda item: item.name + "/" * item.is_dir())
        except FileNotFoundError:
            return
        for item in items:
            if item.name.startswith("."):
                continue
            inside = f"{key}/{item.name}" if key else item.name
            if item.is_dir(follow_symlinks=False):
                yield from self._below(folder / item.name, inside)
            elif item.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    yield inside, item.stat().st_size

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if any(not part or part[0] == "." or not _PARTS.issuperset(part) for part in parts):
            raise ValueError(f"{key!r} is no key")
        return self.root.joinpath(*parts)

    def _create(self, key: str, path: Path, body: bytes) -> bool:
        with _said(key):
            aside = self._aside(body)
            try:
                self._folder(path.parent)
                os.link(aside, path)
            except FileExistsError:
                # On a network file system the answer of a link that was made may have been lost.
                if os.stat(aside).st_nlink > 1:
                    return True
                return _same(path, body)
            finally:
                aside.unlink(missing_ok=True)
            _sync(path.parent)
            return True

    def _aside(self, body: bytes) -> Path:
        folder = self.root / _ASIDE
        self._folder(folder)
        path = folder / secrets.token_hex(16)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            try:
                if not self._tidy:
                    self._tidy = True
                    _remove_left(folder, os.fstat(handle).st_mtime - _LEFT_SECONDS)
                write_all(handle, 0, body)
                os.fsync(handle)
            finally:
                os.close(handle)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def _folder(self, folder: Path) -> None:
        """Makes the directory and syncs the ones that name it."""
        if folder.is_dir():
            return
        self._folder(folder.parent) if folder != self.root else folder.parent.mkdir(
            parents=True, exist_ok=True
        )
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        _sync(folder.parent)


def _remove_left(folder: Path, before: float) -> None:
    """Removes files last written to before that time, which is the file system's own. What cannot be removed stays: it is in
    nobody's way but for its space."""
    with suppress(OSError), os.scandir(folder) as items:
        for item in items:
            with suppress(OSError):
                if item.is_file(follow_symlinks=False) and item.stat(follow_symlinks=False).st_mtime < before:
                    os.unlink(item.path)


def _same(path: Path, body: bytes) -> bool:
    """Whether the object there is this body: then an earlier call of ours made it."""
    try:
        return path.stat().st_size == len(body) and path.read_bytes() == body
    except FileNotFoundError:
        return False


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _said(key: str) -> Iterator[None]:
    """The one place where a file system's errors become ours."""
    try:
        yield
    except NotebooksError:
        raise
    except OSError as error:
        raise _translated(error, key) from error


def _translated(error: OSError, key: str) -> NotebooksError:
    why = error.strerror or str(error)
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR):
        return NotFound(f"The store has no {key}")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace(
            "The disk of the store is full", f"{key} could not be written", ["Free some space there"]
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Denied(
            "The store may not be used by this account",
            f"{error.filename or key}: {why}",
            ["Check who owns it"],
        )
    return StorageAway("The store does not answer", f"{error.filename or key}: {why}", ["Check its disk"])
