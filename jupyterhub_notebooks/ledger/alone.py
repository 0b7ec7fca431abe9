"""Of a kind of process that must be there once: who it is, told by a lock that its end frees, however it ends."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import text

from .database import Ledger


@contextlib.contextmanager
def only_one(ledger: Ledger, name: str) -> Iterator[bool]:
    """Whether this process is the one, until the block ends. Waits for nobody."""
    if not ledger.is_sqlite:
        key = {"key": zlib.crc32(name.encode())}
        with ledger.read() as connection:
            held = bool(connection.execute(text("SELECT pg_try_advisory_lock(:key)"), key).scalar_one())
            try:
                yield held
            finally:
                if held:
                    connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)
        return
    path = Path(ledger.url.database or "")
    if str(path) in ("", ":memory:"):
        yield True
        return
    import fcntl

    with open(path.with_name(f"{path.name}.{name}-lock"), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
