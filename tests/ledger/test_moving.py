"""A notebook's move to another workspace: begun, gone on with, finished whole or not at all."""

import os

import pytest
from sqlalchemy import update

from jupyterhub_notebooks.errors import Conflict, Refusal
from jupyterhub_notebooks.ledger import audit, leases, moving, notebooks, sessions, snapshots, workspace_keys
from jupyterhub_notebooks.ledger.snapshots import Facts
from jupyterhub_notebooks.ledger.tables import workspaces
from jupyterhub_notebooks.names import new_id

from .conftest import NOW


def fresh() -> str:
    return new_id(NOW, os.urandom)


def saved(ledger, session, number: int) -> None:
    held = leases.take(ledger, session.workspace, session.id, 120, volume="here")
    facts = Facts("save", f"{number:064x}", 100 * number, number, 10)
    snapshots.reserve(ledger, session.id, session.workspace, number, held.number, facts, NOW)
    snapshots.settle(ledger, session.workspace, number, True, NOW)


@pytest.fixture
def book(ledger, made):
    """A notebook with two snapshots, closed."""
    book = made.notebook(made.user())
    session = made.session(book)
    saved(ledger, session, 1)
    saved(ledger, session, 2)
    sessions.close(ledger, session.id, NOW, "stopped", "", all_saved=True)
    return book


def begun(ledger, book):
    move = moving.begin(ledger, book.id, fresh())
    workspace_keys.ensure(ledger, move.new, "a" * 32, b"wrapped", NOW)
    return move


COPIED = {1: ("b" * 64, 11), 2: ("c" * 64, 12)}


def test_a_notebook_gets_the_new_workspace_with_its_snapshots(ledger, book):
    move = begun(ledger, book)
    assert notebooks.get(ledger, book.id).workspace == move.old == book.workspace
    assert moving.left(ledger, book.id) == []
    moving.finish(ledger, move, COPIED, "encrypted", NOW)
    assert notebooks.get(ledger, book.id).workspace == move.new
    rows = {row.number: row for row in snapshots.of_workspace(ledger, move.new)}
    assert (rows[2].sha256, rows[2].size_bytes, rows[2].files, rows[2].stored_bytes) == ("c" * 64, 200, 2, 12)
    assert snapshots.next_number(ledger, move.new) == 3
    assert moving.left(ledger, book.id) == [move.old]
    moving.forget(ledger, move.old)
    assert moving.left(ledger, book.id) == []
    assert snapshots.of_workspace(ledger, move.old) == []
    assert audit.broken(ledger) is None


def test_a_move_that_was_cut_off_goes_on_with_the_same_workspace(ledger, book):
    first = begun(ledger, book)
    assert begun(ledger, book) == first
    moving.finish(ledger, first, COPIED, "encrypted", NOW)
    with pytest.raises(Conflict):
        moving.finish(ledger, first, COPIED, "encrypted", NOW)


def test_a_notebook_that_runs_or_has_unsaved_files_is_refused(ledger, made, book):
    move = begun(ledger, book)
    session = made.session(book)
    for act in (
        lambda: moving.begin(ledger, book.id, fresh()),
        lambda: moving.finish(ledger, move, COPIED, "encrypted", NOW),
    ):
        with pytest.raises(Refusal, match="runs or is being saved"):
            act()
    sessions.close(ledger, session.id, NOW, "stopped", "", all_saved=True)
    with ledger.write() as connection:
        connection.execute(
            update(workspaces).where(workspaces.c.id == book.workspace).values(unsaved_on="here")
        )
    with pytest.raises(Refusal, match="not saved"):
        moving.begin(ledger, book.id, fresh())
    assert notebooks.get(ledger, book.id).workspace == book.workspace


@pytest.mark.parametrize("copied", [{1: ("b" * 64, 1)}, {**COPIED, 3: ("d" * 64, 1)}], ids=["fewer", "more"])
def test_what_was_saved_or_removed_meanwhile_stops_the_move(ledger, book, copied):
    move = begun(ledger, book)
    with pytest.raises(Conflict, match="saved or removed"):
        moving.finish(ledger, move, copied, "encrypted", NOW)
    assert notebooks.get(ledger, book.id).workspace == move.old
    assert snapshots.of_workspace(ledger, move.new) == []
