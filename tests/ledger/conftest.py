"""A real ledger, migrated as `up` does it: each test runs on SQLite and on a PostgreSQL server."""

import itertools
import os
from datetime import UTC, datetime, timedelta

import pytest

from jupyterhub_notebooks import ledger as rooms
from jupyterhub_notebooks.ledger import Ledger, notebooks, sessions, upgrade, users
from jupyterhub_notebooks.names import new_id
from tests import postgres

NOW = datetime(2026, 10, 14, 14, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgresql():
    """One server for all tests; each gets a database of its own."""
    with postgres.running() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.sqlite"
    return request.getfixturevalue("postgresql").new_database()


@pytest.fixture
def ledger(url):
    base = Ledger(url)
    upgrade(base)
    yield base
    base.close()


class Made:
    """Rows to begin a test with."""

    def __init__(self, base: Ledger) -> None:
        self.base = base
        self._numbers = itertools.count()
        self._ids = itertools.count()

    def user(self, name: str = "mara", created: str = "2026-01-01T00:00:00Z") -> rooms.User:
        return users.seen(self.base, name, created, NOW)

    def notebook(self, user: rooms.User, name: str = "churn") -> rooms.Notebook:
        return notebooks.create(self.base, user.id, name, name.title(), NOW)

    def session(self, notebook: rooms.Notebook, volume: str = "here") -> rooms.Session:
        return sessions.begin(
            self.base,
            new_id(NOW + timedelta(seconds=next(self._ids)), os.urandom),
            notebook.id,
            {"profile": "notebook-cpu-small", "version": "v1"},
            f"{next(self._numbers):064d}",
            NOW,
            volume=volume,
        )


@pytest.fixture
def made(ledger):
    return Made(ledger)
