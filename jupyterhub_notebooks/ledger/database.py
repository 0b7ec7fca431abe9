"""One ledger: connections that keep SQLite's and PostgreSQL's rules, and one thread for async callers.

SQLite runs in WAL with a busy time-out of 30 s; every writing transaction begins with BEGIN IMMEDIATE,
so that two writers wait for each other instead of failing; reads have connections of their own. On
PostgreSQL rows are locked, always in this order: users, notebooks, workspaces, leases, sessions, snapshots,
intents, audit; where a row is made that must be the only one, its owner's row is locked first (``alone_in``
where it has none). A database that does not answer raises ``DatabaseAway``.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Table, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, InterfaceError, OperationalError

from ..errors import ConfigError, DatabaseAway, ToolMissing
from ..settings import secret

P = ParamSpec("P")
T = TypeVar("T")

BUSY_SECONDS = 30.0
DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql+psycopg")


class Ledger:
    """Our own database. ``read`` and ``write`` give a connection inside one transaction."""

    def __init__(self, url: str) -> None:
        """url: SQLAlchemy URL or a secret reference to one. Opens nothing yet. Raises ConfigError, ToolMissing."""
        url = secret(url)
        try:
            self.url = make_url(url)
            if self.url.drivername == "postgresql":
                self.url = self.url.set(drivername="postgresql+psycopg")
            if self.url.drivername not in DRIVERS:
                raise ArgumentError(f"A ledger lies in SQLite or PostgreSQL, not {self.url.drivername!r}")
            self._engine = create_engine(self.url, **_options(self.url.get_backend_name()))
        except ArgumentError as error:
            raise ConfigError(
                "This is not the address of a database",
                str(error).splitlines()[0],
                ["Write sqlite:////absolute/path or postgresql+psycopg://user@host/name"],
                field="ledger",
            ) from None
        except ImportError as error:
            raise ToolMissing(
                "A ledger in PostgreSQL needs the package psycopg",
                str(error).splitlines()[0],
                ["Run: pip install 'jupyterhub-notebooks[postgresql]'"],
                field="ledger",
            ) from None
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._joined = threading.local()

    @contextmanager
    def joined(self) -> Iterator[None]:
        """All that this thread reads and writes until the end is one writing transaction: together, or not at all."""
        with self.write() as connection:
            self._joined.connection = connection
            try:
                yield
            finally:
                self._joined.connection = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that only reads."""
        joined = getattr(self._joined, "connection", None)
        if joined is not None:
            yield joined
            return
        with _told(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in one writing transaction: committed at the end, rolled back on an error."""
        joined = getattr(self._joined, "connection", None)
        if joined is not None:
            yield joined
            return
        with _told(), self._engine.connect() as plain:
            connection = plain.execution_options(ledger_writes=True)
            with connection.begin():
                yield connection

    def connection(self) -> Connection:
        """A connection of the caller's own, outside any transaction; the caller closes it."""
        return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    async def run(self, act: Callable[Concatenate[Ledger, P], T], *args: P.args, **more: P.kwargs) -> T:
        """``act(ledger, …)`` on the ledger's own thread, so that no event loop ever waits for a database."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: act(self, *args, **more))

    def close(self) -> None:
        """Ends the thread and every connection."""
        self._thread.shutdown(wait=True)
        self._engine.dispose()


def now_of(connection: Connection) -> datetime:
    """The database's own clock, the only one that judges a lease."""
    if connection.dialect.name == "sqlite":
        value = connection.execute(text("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')")).scalar_one()
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment.astimezone(UTC)


def alone_in(connection: Connection, table: Table) -> None:
    """No other transaction writes that table until this one ends; reads go on. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE")


def _options(backend: str) -> dict[str, Any]:
    if backend == "sqlite":
        return {"connect_args": {"timeout": BUSY_SECONDS, "check_same_thread": False}}
    waits = {"connect_timeout": 10, "options": f"-c lock_timeout={BUSY_SECONDS:.0f}s"}
    return {"pool_pre_ping": True, "pool_recycle": 300, "connect_args": waits}


def _prepare_sqlite(raw: Any, _record: Any) -> None:
    raw.isolation_level = None  # transactions begin where we say so
    cursor = raw.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("ledger_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _told() -> Iterator[None]:
    """A database's own errors, as one sentence."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise DatabaseAway(
            "The ledger's database does not answer", _short(error), ["It is tried again by itself"]
        ) from error
    except DatabaseError as error:
        if "not a database" in str(error.orig) or "malformed" in str(error.orig):
            raise DatabaseAway(
                "The ledger's file is not a database or is damaged",
                _short(error),
                ["Put back a copy of it, or move it away and start anew"],
            ) from error
        raise


def _short(error: DatabaseError | InterfaceError) -> str:
    return (str(error.orig).splitlines() or [""])[0]
