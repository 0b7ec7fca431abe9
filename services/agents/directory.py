"""The directory store's bytes: read whole or in part, written once and for good.

An object appears complete and synced, or not at all: bytes go to a file below ``.incoming``, are compared
with the length and sha256 that were signed, synced, then linked to their name, which fails where one is
there already. Nothing follows a symbolic link. Every function here blocks: call it in a thread.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from jupyterhub_notebooks.errors import NoSpace, NotFound, StorageAway, Unchecked
from jupyterhub_notebooks.workspace.blocks import MOST_STORED

from .refusals import IsThere

INCOMING = ".incoming"
_MOST_READ = MOST_STORED + 1


class Incoming:
    """One PUT: ``add`` what comes, then ``keep`` it or ``drop`` it; each may meet the other in another thread."""

    def __init__(self, root: Path, key: str, length: int, sha256: str) -> None:
        self._target = root / key
        self._aside = root / INCOMING / secrets.token_hex(16)
        self._length, self._sha256 = length, sha256
        self._seen = 0
        self._hash = hashlib.sha256()
        self._file: BinaryIO | None = None
        self._alone = threading.RLock()

    def open(self) -> None:
        """Raises IsThere before anything is sent."""
        if os.path.lexists(self._target):
            raise is_there()
        with told():
            self._aside.parent.mkdir(mode=0o700, exist_ok=True)
            self._file = open(self._aside, "xb")  # noqa: SIM115  closed by drop

    def add(self, chunk: bytes) -> None:
        with self._alone:
            if self._file is None:
                return
            self._seen += len(chunk)
            if self._seen <= self._length:
                self._hash.update(chunk)
                with told():
                    self._file.write(chunk)

    def keep(self) -> None:
        """Makes it visible. Raises Unchecked for other bytes than signed, IsThere where somebody was first."""
        with self._alone:
            try:
                self._keep()
            finally:
                self.drop()

    def _keep(self) -> None:
        if self._file is None:
            raise Unchecked("There is no body")
        if self._seen != self._length or self._hash.hexdigest() != self._sha256:
            raise Unchecked("The body is not what was signed", "Its length or its sha256 differs.")
        with told():
            self._file.flush()
            os.fsync(self._file.fileno())
            make_folders(self._target.parent)
            try:
                os.link(self._aside, self._target, follow_symlinks=False)
            except FileExistsError:
                raise is_there() from None
            sync_folder(self._target.parent)

    def drop(self) -> None:
        """Removes what came; after ``keep`` only its second name. May be called twice."""
        with self._alone:
            if self._file is not None:
                self._file.close()
                self._file = None
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._aside)


def read(root: Path, key: str, span: tuple[int, int | None] | None = None) -> tuple[bytes, int]:
    """The bytes of an object, or those of span (first, last or None), and its whole length. Of one that is larger than
    any object only so many that its reader sees that."""
    try:
        with told():
            handle = os.open(root / key, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with open(handle, "rb") as file:
                total = os.fstat(handle).st_size
                if span is None:
                    return file.read(_MOST_READ), total
                first, last = span
                file.seek(first)
                return file.read(min(_MOST_READ, total if last is None else max(0, last - first + 1))), total
    except FileNotFoundError:
        raise NotFound("This object is not in the store") from None


def sweep(root: Path) -> None:
    """Removes what unfinished PUTs of an earlier process left; nothing of it was ever visible."""
    with contextlib.suppress(FileNotFoundError):
        for left in (root / INCOMING).iterdir():
            left.unlink(missing_ok=True)


def make_folders(folder: Path) -> None:
    """The folder and those above it, each synced into the one that holds it."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_there() -> IsThere:
    return IsThere("This object is in the store already", "Its bytes stay as they are.")


@contextlib.contextmanager
def told() -> Iterator[None]:
    """A disk's errors, as ours; a file that is not there passes through."""
    try:
        yield
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace(
                "The store's disk is full", "Nothing more can be saved.", ["Make room on it"], field="store"
            ) from error
        raise StorageAway(
            "The store's disk does not answer", error.strerror or str(error), field="store"
        ) from error
