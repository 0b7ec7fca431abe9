"""While the ledger's database is blocked the Hub answers as ever; what needs the ledger goes on once it is free."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from jupyterhub_notebooks.ledger.tables import metadata
from tests import postgres

from . import configs
from .product import Person, Product, until

BLOCKED_SECONDS = 3.0
HOLDS = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
held.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""
#: What is asked meanwhile: the Hub's root, its health, a page of its own, and a user's model from its database.
ASKED = ("/hub/api/", "/hub/health", "/hub/login", "/hub/api/users/asker")


@contextlib.contextmanager
def sqlite_locked(product: Product, server: postgres.Postgres | None) -> Iterator[None]:
    """Another process holds the only lock that writers have."""
    command = [sys.executable, "-c", HOLDS, str(product.state / "ledger.sqlite")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield
        finally:
            holder.stdin.close()


@contextlib.contextmanager
def postgresql_locked(product: Product, server: postgres.Postgres | None) -> Iterator[None]:
    """Another session holds every table: neither reads nor writes get on."""
    assert server is not None
    with server.connect("ledger1") as held:
        held.execute("BEGIN")
        held.execute(f"LOCK TABLE {', '.join(metadata.tables)} IN ACCESS EXCLUSIVE MODE".encode())
        yield
        held.execute("ROLLBACK")


@contextlib.contextmanager
def postgresql_paused(product: Product, server: postgres.Postgres | None) -> Iterator[None]:
    """The processes behind every connection to the ledger do nothing any more."""
    assert server is not None
    with server.connect() as connection:
        found = connection.execute("SELECT pid FROM pg_stat_activity WHERE datname = 'ledger1'").fetchall()
    paused = [psutil.Process(pid) for (pid,) in found]
    assert paused
    for one in paused:
        one.suspend()
    try:
        yield
    finally:
        for one in paused:
            one.resume()


Block = Callable[[Product, postgres.Postgres | None], contextlib.AbstractContextManager[None]]
KINDS: dict[str, Block] = {
    "SQLite, locked by another process": sqlite_locked,
    "PostgreSQL, all tables locked": postgresql_locked,
    "PostgreSQL, its processes paused": postgresql_paused,
}


@pytest.fixture(params=KINDS)
def place(
    request, own_product: Product, tmp_path: Path
) -> Iterator[tuple[str, Product, postgres.Postgres | None]]:
    kind = request.param
    if kind.startswith("SQLite"):
        yield kind, own_product.start(), None
        return
    with postgres.running() as server:
        own_product.environment["NOTEBOOKS_LEDGER"] = server.new_database()
        config = configs.changed(tmp_path, {configs.LEDGER: 'ledger="env:NOTEBOOKS_LEDGER",'})
        try:
            yield kind, own_product.start("--config", config), server
        finally:
            own_product.stop()


def asked_again_and_again(person: Person, seconds: float) -> list[tuple[float, str]]:
    """(seconds, address) of each answer, until so much time is over and each address was answered ten times."""
    took: list[tuple[float, str]] = []
    stranger = Person(person.product, "", "")  # has not logged in: the page to log in is for them
    began = time.monotonic()
    while time.monotonic() - began < seconds or len(took) < 10 * len(ASKED):
        for path in ASKED:
            asked = time.monotonic()
            answer = person.api("", base=path) if "api" in path else stranger.ask(path)
            assert answer.status == 200, (path, answer.status, answer.text)
            took.append((time.monotonic() - asked, path))
    return took


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_hub_answers_while_the_database_is_blocked_and_what_waited_is_done_afterwards(place):
    kind, product, server = place
    asker, starter, comer = (product.add_user(name) for name in ("asker", "starter", "comer"))
    assert asker.token and starter.token
    running = product.add_user("running")
    running.start()
    with ThreadPoolExecutor(4) as pool:
        with KINDS[kind](product, server):
            waiting = [pool.submit(starter.start), pool.submit(running.stop)]
            if server:  # on SQLite what only reads is not held up
                waiting.append(pool.submit(comer.log_in))
            took = asked_again_and_again(asker, BLOCKED_SECONDS)
            assert not [one for one in waiting if one.done()], "the database was not blocked"
        for one in waiting:
            one.result(120)
    longest, path = max(took)
    print(f"{kind}: {len(took)} answers, the longest after {1000 * longest:.0f} ms ({path})")
    assert longest < BLOCKED_SECONDS  # none waited for the database
    assert comer.log_in().ask("/services/notebooks/").status == 200
    rows = product.sessions()
    assert {row["cause"] for row in rows if row["closed_at"]} == {"stopped"}
    until(lambda: (starter.server() or {}).get("ready"), what="the start that waited")
