"""What goes of a workspace's snapshots, what stays, and what a user's notebooks take."""

from datetime import timedelta

import pytest

from jupyterhub_notebooks.errors import Conflict
from jupyterhub_notebooks.ledger import audit, notebooks, reverting, sessions, snapshots, storage

from .conftest import NOW
from .test_moving import saved


@pytest.fixture
def book(ledger, made):
    """A notebook with four snapshots, closed."""
    book = made.notebook(made.user())
    session = made.session(book)
    for number in range(1, 5):
        saved(ledger, session, number)
    sessions.close(ledger, session.id, NOW, "stopped", "", all_saved=True)
    return book


def numbers(ledger, book):
    return [row.number for row in snapshots.of_workspace(ledger, book.workspace)]


def test_rows_of_snapshots_that_go_are_dropped_with_a_row_in_the_audit(ledger, book):
    assert storage.going(ledger, book.workspace, [1, 3, 9], NOW) == (1, 3)
    assert numbers(ledger, book) == [4, 2]
    row = audit.rows(ledger)[0]
    assert (row.action, row.evidence) == ("snapshot.removed", {"numbers": [1, 3]})
    assert snapshots.next_number(ledger, book.workspace) == 5
    assert audit.broken(ledger) is None


def test_a_snapshot_that_was_named_meanwhile_and_the_newest_stop_the_removal(ledger, book):
    reverting.name(ledger, book.id, book.workspace, 2, "before the talk", book.user, NOW)
    for going in ([1, 2], [1, 4]):
        with pytest.raises(Conflict):
            storage.going(ledger, book.workspace, going, NOW)
    assert numbers(ledger, book) == [4, 3, 2, 1]
    reverting.name(ledger, book.id, book.workspace, 2, "", book.user, NOW)
    assert storage.going(ledger, book.workspace, [1, 2], NOW) == (1, 2)


def test_workspaces_come_up_for_pruning_in_turn(ledger, made, book):
    empty = made.notebook(made.user(), "empty")
    before = NOW - timedelta(hours=6)
    assert storage.to_prune(ledger, before, 10) == []  # nothing is so old
    assert [one.id for one in storage.to_prune(ledger, NOW + timedelta(seconds=1), 10)] == [book.workspace]
    storage.pruned(ledger, book.workspace, NOW, 1234, {2: (90, 40), 4: (70, 10)})
    assert storage.to_prune(ledger, before, 10) == []
    assert [one.id for one in storage.to_prune(ledger, NOW + timedelta(seconds=1), 10)] == [book.workspace]
    rows = {row.number: row.shared_bytes for row in snapshots.of_workspace(ledger, book.workspace)}
    assert rows == {1: None, 2: 40, 3: None, 4: 10}
    rows = {row.number: row.measured_bytes for row in snapshots.of_workspace(ledger, book.workspace)}
    assert rows == {1: None, 2: 90, 3: None, 4: 70}
    assert notebooks.workspace(ledger, book.workspace).stored_bytes == 1234
    assert notebooks.workspace(ledger, empty.workspace).stored_bytes is None


def test_what_a_user_takes_is_the_newest_save_of_each_notebook(ledger, made, book):
    other = made.notebook(made.user(), "second")
    session = made.session(other)
    saved(ledger, session, 1)
    made.notebook(made.user(), "empty")
    storage.pruned(ledger, book.workspace, NOW, 1234)
    assert storage.of_user(ledger, book.user) == storage.UserSpace(500, 0, 1244, 3, unmeasured=1)
    notebooks.trash(ledger, book.id, book.user, NOW)
    assert storage.of_user(ledger, book.user) == storage.UserSpace(100, 400, 1244, 2, unmeasured=1)
    storage.pruned(ledger, other.workspace, NOW, 77)
    assert storage.of_user(ledger, book.user) == storage.UserSpace(100, 400, 1311, 2)
    assert storage.of_user(ledger, "0" * 26) == storage.UserSpace()
