"""Migrations: only ``upgrade`` runs them, one process at a time; everybody else waits for the revision."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from ..errors import DatabaseAway
from .database import Ledger

VERSION_TABLE = "notebooks_revision"
LOCK = 0x6E6F7465626F6F6B  # PostgreSQL advisory lock: "notebook" in ASCII
WAIT_SECONDS = 20.0


def newest_revision() -> str:
    """The revision that this program needs."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def revision(ledger: Ledger) -> str | None:
    """The revision that the database has; None before the first migration."""
    with ledger.read() as connection:
        return _revision(connection)


def upgrade(ledger: Ledger) -> tuple[str | None, str]:
    """Brings the database to the newest revision, under a lock. Answers (before, after)."""
    with _alone(ledger), ledger.write() as connection:
        before = _revision(connection)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return before, newest_revision()


def wait_for_revision(ledger: Ledger, wait_seconds: float = WAIT_SECONDS) -> None:
    """Returns once the database has the revision needed, or raises DatabaseAway with the command to run."""
    end = time.monotonic() + wait_seconds
    needed = newest_revision()
    while True:
        has = revision(ledger)
        if has == needed:
            return
        if time.monotonic() >= end:
            raise DatabaseAway(
                f"The ledger has revision {has or 'none'} and this program needs {needed}",
                next=["Run: jupyterhub-notebooks ledger upgrade"],
                field="ledger",
            )
        time.sleep(0.2)


def _revision(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


@contextlib.contextmanager
def _alone(ledger: Ledger) -> Iterator[None]:
    if not ledger.is_sqlite:
        with ledger.read() as connection:
            connection.execute(text("SET LOCAL lock_timeout = 0"))  # a long migration is waited for
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK})
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK})
        return
    import fcntl

    path = Path(ledger.url.database or "")
    if str(path) in ("", ":memory:"):
        yield
        return
    with open(path.with_name(path.name + ".upgrade-lock"), "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
