"""The rows of a stopped notebook whose snapshots are repaired or removed because they are damaged."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from jupyterhub_notebooks.errors import Conflict, Refusal
from jupyterhub_notebooks.ledger import (
    audit,
    notebooks,
    repairing,
    reverting,
    sessions,
    snapshots,
    storage,
    tables,
)
from jupyterhub_notebooks.ledger.snapshots import Facts

from .conftest import NOW
from .test_storage import book  # noqa: F401  (a fixture)

FACTS = Facts("save", "1" * 64, 10, 1, 5)


def rows(ledger, workspace):
    found = snapshots.of_workspace(ledger, workspace, committed=False)
    return {row.number: (row.state, row.name) for row in found}


def test_a_repaired_snapshot_is_the_newest_and_keeps_the_name_and_damaged_ones_go(ledger, book):  # noqa: F811
    space = repairing.stopped(ledger, book.id)
    reverting.name(ledger, book.id, space, 4, "talk", book.user, NOW)
    with pytest.raises(Conflict):
        repairing.reserve(ledger, book.id, space, 4, FACTS, NOW)
    repairing.reserve(ledger, book.id, space, 7, FACTS, NOW)
    assert rows(ledger, space)[7] == ("reserved", None)
    repairing.settle(ledger, book.id, space, 7, 4, NOW, written=True)
    assert rows(ledger, space)[7] == ("committed", "talk")
    repairing.going(ledger, book.id, space, [1, 4], NOW)
    assert rows(ledger, space).keys() == {2, 3, 7}
    told = [(row.action, row.cause, row.evidence) for row in audit.rows(ledger)][:2]
    assert told == [
        ("snapshot.removed", "damaged", {"numbers": [1, 4], "names": ["talk"]}),
        ("snapshot.repaired", "damaged", {"from": 4, "number": 7}),
    ]
    assert audit.broken(ledger) is None


def test_what_was_damaged_is_told_no_more_and_the_next_look_comes_soon_once_all_is_whole(ledger, book):  # noqa: F811
    space = repairing.stopped(ledger, book.id)
    storage.pruned(ledger, space, NOW, problem="Snapshot 1 is damaged")
    repairing.whole(ledger, space)
    told = notebooks.workspace(ledger, space)
    assert (told.prune_problem, told.pruned_at) == (None, None)


def test_a_row_whose_object_was_not_written_goes_again(ledger, book):  # noqa: F811
    space = repairing.stopped(ledger, book.id)
    repairing.reserve(ledger, book.id, space, 5, FACTS, NOW)
    repairing.settle(ledger, book.id, space, 5, 4, NOW, written=False)
    assert rows(ledger, space).keys() == {1, 2, 3, 4}


def test_a_row_of_a_notebook_that_never_ran_is_settled_too_where_it_was_cut_off(ledger, made, book):  # noqa: F811
    never = made.notebook(made.user("petra"))
    repairing.reserve(ledger, never.id, never.workspace, 1, FACTS, NOW)
    assert [row.workspace for row in snapshots.reserved(ledger, NOW + timedelta(minutes=1))] == [
        never.workspace
    ]
    assert not snapshots.reserved(ledger, NOW)
    made.session(book)
    with ledger.write() as connection:
        connection.execute(
            update(tables.snapshots).values(session=sessions.of_notebook(ledger, book.id, 1)[0].id)
        )
    assert not snapshots.reserved(ledger, NOW + timedelta(minutes=1))  # its session runs


def test_nothing_is_written_once_the_notebook_was_started(ledger, made, book):  # noqa: F811
    space = repairing.stopped(ledger, book.id)
    made.session(book)
    for act in (
        lambda: repairing.stopped(ledger, book.id),
        lambda: repairing.reserve(ledger, book.id, space, 5, FACTS, NOW),
        lambda: repairing.going(ledger, book.id, space, [1], NOW),
    ):
        with pytest.raises(Refusal):
            act()
    assert rows(ledger, space).keys() == {1, 2, 3, 4}
