"""One at a time works on a workspace's objects, whichever process it is in: a commit, or a removal.

Promises: a lock is held by a process and ends with it, however that ends; one that is frozen keeps it. Each process takes
a workspace once at a time (it keeps its own threads apart itself). ``still`` says whether a lock is held yet: where the
database's connection broke, it is not, and its holder must stop.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import struct
import sys
import threading
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError

from ..errors import Conflict, DatabaseAway
from .database import Ledger

_BROKEN = (OperationalError, InterfaceError, DatabaseError)


class Locks:
    """The workspaces that this process holds. Methods may be called from several threads, and may wait for the database.

    Beside SQLite a lock is a byte of one file, on PostgreSQL an advisory lock of one connection.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._alone = threading.Lock()
        self._held: dict[str, object] = {}
        self._file: int | None = None
        self._connection: Connection | None = None

    def take(self, workspace: str) -> bool:
        """Whether it is held now; False: another process has it. Raises DatabaseAway."""
        with self._alone:
            if workspace in self._held:
                return False
            if self._ledger.is_sqlite:
                taken = self._take_byte(workspace)
                way: object = self
            else:
                taken = bool(self._ask("SELECT pg_try_advisory_lock(:key)", workspace))
                way = self._connection
            if taken:
                self._held[workspace] = way
            return taken

    def still(self, workspace: str) -> None:
        """Raises Conflict where the lock is not held any more."""
        with self._alone:
            way = self._held.get(workspace)
            if way is not None and not self._ledger.is_sqlite:
                try:
                    self._ask("SELECT 1", workspace)
                except DatabaseAway:
                    way = None
                else:
                    way = way if way is self._connection else None
            if way is None:
                raise Conflict("The workspace's lock was lost", "Nothing more is done to it.", ["Try again"])

    def give(self, workspace: str) -> None:
        """Nobody holds it any more; nothing where this process does not."""
        with self._alone:
            way = self._held.pop(workspace, None)
            if way is None:
                return
            if self._ledger.is_sqlite:
                self._set_byte(workspace, fcntl.F_UNLCK)
            elif way is self._connection:
                with contextlib.suppress(DatabaseAway):  # a lock ends with its connection
                    self._ask("SELECT pg_advisory_unlock(:key)", workspace)

    def close(self) -> None:
        """Ends all of them."""
        with self._alone:
            self._held.clear()
            if self._file is not None:
                os.close(self._file)
                self._file = None
            self._drop()

    def _ask(self, query: str, workspace: str) -> object:
        try:
            if self._connection is None:
                self._connection = self._ledger.connection()
            values = {"key": _key(workspace)} if ":key" in query else {}
            return self._connection.execute(text(query), values).scalar_one()
        except _BROKEN as error:
            self._drop()
            raise DatabaseAway(
                "The ledger's database does not answer", type(error).__name__, ["It is tried again by itself"]
            ) from error

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def _take_byte(self, workspace: str) -> bool:
        path = self._ledger.url.database or ""
        if path in ("", ":memory:"):
            return True
        if self._file is None:
            beside = Path(path).with_name(f"{Path(path).name}.workspace-locks")
            self._file = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._set_byte(workspace, fcntl.F_WRLCK)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _set_byte(self, workspace: str, kind: int) -> None:
        if self._file is None:
            return
        at = _key(workspace) & (2**62 - 1)
        if sys.platform == "linux":  # a lock of this open file, not of the whole process
            wanted = struct.pack("hhqqi4x", kind, os.SEEK_SET, at, 1, 0)
            fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, wanted)
        else:
            how = fcntl.LOCK_UN if kind == fcntl.F_UNLCK else fcntl.LOCK_EX | fcntl.LOCK_NB
            fcntl.lockf(self._file, how, 1, at)


def _key(workspace: str) -> int:
    """A number of 64 bits, signed."""
    return int.from_bytes(hashlib.sha256(f"workspace {workspace}".encode()).digest()[:8], "big", signed=True)
