"""A real PostgreSQL server for tests, of the system's own binaries.

Promises: each server runs over a temporary folder as an unprivileged account, is reached by a socket in
that folder only, and is ended by its process id; each database is made empty. The binaries are found or
installed by tests/tools/prepare.py.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from .tools import prepare

START_SECONDS = 60.0
USER = "notebooks"
#: Which accounts run the server where the tests run as root, which PostgreSQL refuses.
ACCOUNTS = ("postgres", "nobody")


@dataclass
class Postgres:
    """A running server. folder: its data and its socket. log: what it says."""

    folder: Path
    log: Path
    _command: list[str]
    _as: dict[str, Any]
    _process: subprocess.Popen[bytes] | None = None
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def connect(self, name: str = "postgres") -> psycopg.Connection[Any]:
        """A connection of the test's own, which commits each statement."""
        return psycopg.connect(host=str(self.folder), user=USER, dbname=name, autocommit=True)

    def new_database(self) -> str:
        """The address of an empty database, as our ledger takes it."""
        name = f"ledger{next(self._numbers)}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://{USER}@/{name}?host={self.folder}"

    def start(self) -> None:
        """Returns once it takes connections."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, **self._as
            )
        end = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                self.connect().close()
                return
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL did not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Ends it and its connections; what was committed stays. SIGQUIT: without tidying up its files first."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def running(*, durable: bool = False) -> Iterator[Postgres]:
    """A server until the block ends. durable: each commit waits for the disk, as in earnest."""
    binaries = prepare.postgresql()
    account = _account()
    owner: dict[str, Any] = {}
    if account is not None:
        owner = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path must be short
    try:
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
        data = folder / "data"
        init = [f"{binaries}/initdb", "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8"]
        made = subprocess.run(
            [*init, "--locale=C.UTF-8", "--no-sync"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=folder,
            **owner,
        )
        if made.returncode:
            raise RuntimeError(f"initdb ended with status {made.returncode}: {made.stderr}")
        command = [f"{binaries}/postgres", "-D", str(data), "-k", str(folder), "-h", ""]
        # a zone of its own: nothing may depend on the server's being UTC
        command += ["-c", "timezone=Asia/Kathmandu", "-c", f"fsync={'on' if durable else 'off'}"]
        server = Postgres(folder, folder / "log", command, owner)
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _account() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("No unprivileged account runs PostgreSQL here")
