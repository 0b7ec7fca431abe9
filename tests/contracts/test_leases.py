"""Both leases keep the one contract."""

import os
from datetime import UTC, datetime

import pytest

from jupyterhub_notebooks.errors import Conflict, Refusal
from jupyterhub_notebooks.ledger import Ledger, leases, notebooks, sessions, upgrade, users
from jupyterhub_notebooks.names import new_id
from jupyterhub_notebooks.workspace import CommitFacts, WorkspaceStore, open_store

from .leases import LeaseContract

NOW = datetime(2026, 10, 14, 14, 30, tzinfo=UTC)


class Objects:
    """Two processes that share a store."""

    def __init__(self, folder):
        self._space = {who: WorkspaceStore(open_store(folder.as_uri())) for who in ("one", "two")}
        self._space["one"].create(new_id(NOW, os.urandom), lease="objects", now=NOW)
        self._number = 0

    def take(self, who):
        try:
            return self._space[who].take_lease(who, NOW).number
        except Refusal:
            return None

    def end(self, who):
        self._space[who].release_lease(NOW)

    def push_out(self, who):
        other = "two" if who == "one" else "one"
        assert self._space[other].break_lease(other, NOW).holder == who

    def may_commit(self, who):
        self._number += 1
        try:
            self._space[who].commit(self._number, os.urandom(16), CommitFacts("save", 0, 0, 0))
        except Conflict:
            return False
        return True


class Rows:
    """Two sessions of one notebook."""

    def __init__(self, ledger):
        self._ledger = ledger
        user = users.seen(ledger, "mara", "2026-01-01T00:00:00Z", NOW)
        notebook = notebooks.create(ledger, user.id, "churn", "Churn", NOW)
        launch = {"profile": "p", "version": "v1"}
        one = sessions.begin(
            ledger, new_id(NOW, os.urandom), notebook.id, launch, "0" * 64, NOW, volume="here"
        )
        self._workspace = one.workspace
        self._session = {"one": one.id, "two": new_id(NOW, os.urandom)}

    def take(self, who, seconds=60.0):
        taken = leases.take(self._ledger, self._workspace, self._session[who], seconds, volume="here")
        return taken.number if isinstance(taken, leases.Lease) else None

    def end(self, who):
        leases.end(self._ledger, self._workspace, self._session[who])

    def push_out(self, who):
        """Its time runs out."""
        assert leases.renew(self._ledger, self._workspace, self._session[who], -1.0) is not None

    def may_commit(self, who):
        return leases.renew(self._ledger, self._workspace, self._session[who], 60.0) is not None


class TestLeaseAsObjects(LeaseContract):
    @pytest.fixture
    def lease(self, tmp_path):
        return Objects(tmp_path)


class TestLeaseAsRow(LeaseContract):
    @pytest.fixture
    def lease(self, tmp_path):
        ledger = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
        upgrade(ledger)
        yield Rows(ledger)
        ledger.close()
