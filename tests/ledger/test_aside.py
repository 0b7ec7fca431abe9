"""A volume that is left behind: the choice, what may become of its files, and a clock that was set back."""

from datetime import timedelta

import pytest

from jupyterhub_notebooks.errors import NotFound, Refusal
from jupyterhub_notebooks.ledger import aside, audit, intents, leases, notebooks, sessions, snapshots
from jupyterhub_notebooks.names import id_after, new_id

from .conftest import NOW


def facts(number, kind="save"):
    return snapshots.Facts(kind, f"{number:064x}", 100, 2, 10)


def saved(ledger, session, number, kind="save"):
    lease = leases.take(ledger, session.workspace, session.id, 60, volume=session.volume)
    snapshots.reserve(ledger, session.id, session.workspace, number, lease.number, facts(number, kind), NOW)
    snapshots.settle(ledger, session.workspace, number, True, NOW)


@pytest.fixture
def lost(ledger, made):
    """A session that saved once and was given up with three files unsaved."""
    session = made.session(made.notebook(made.user()), volume="local:v")
    sessions.ready(ledger, session.id, NOW)
    saved(ledger, session, 1)
    sessions.close(ledger, session.id, NOW, "agent_died", pending_files=3, pending_bytes=38)
    return session


def test_starting_from_the_last_save_leaves_the_volume_with_its_files_in_one_step(ledger, lost):
    left = aside.leave(ledger, lost.notebook, lost.user, NOW)
    assert (left.volume, left.session, left.head, left.files, left.size_bytes) == (
        "local:v",
        lost.id,
        1,
        3,
        38,
    )
    book, space = notebooks.get(ledger, lost.notebook), notebooks.workspace(ledger, lost.workspace)
    assert book.volume_number == 1 and space.unsaved_on is None
    assert aside.volume_key(book.id, book.volume_number) == f"{book.id}.1"
    assert isinstance(leases.take(ledger, lost.workspace, "b" * 26, 60, volume="local:v.1"), leases.Lease)
    [row] = [one for one in audit.rows(ledger) if one.action == "volume.set_aside"]
    assert row.actor == lost.user and row.evidence["files"] == 3 and row.evidence["head"] == 1
    with pytest.raises(Refusal, match="is saved"):
        aside.leave(ledger, lost.notebook, lost.user, NOW)


def test_nothing_is_left_behind_while_something_runs_or_nothing_was_ever_saved(ledger, made, lost):
    book = notebooks.get(ledger, lost.notebook)
    runs = made.session(book, volume="local:v")
    with pytest.raises(Refusal, match="running or being saved"):
        aside.leave(ledger, lost.notebook, lost.user, NOW)
    sessions.close(ledger, runs.id, NOW, "stopped")
    fresh = made.session(made.notebook(made.user("nora")), volume="local:w")
    sessions.close(ledger, fresh.id, NOW, "agent_died", pending_files=1)
    with pytest.raises(Refusal, match="never saved"):
        aside.leave(ledger, fresh.notebook, fresh.user, NOW)
    assert aside.waiting(ledger) == [] and notebooks.workspace(ledger, fresh.workspace).unsaved_on


def test_what_was_left_behind_becomes_a_recovery_snapshot_and_its_owner_is_done_with_it(ledger, made, lost):
    aside.leave(ledger, lost.notebook, lost.user, NOW)
    book = notebooks.get(ledger, lost.notebook)
    second = made.session(book, volume="local:v.1")
    saved(ledger, second, 2)
    sessions.close(ledger, second.id, NOW, "stopped")
    assert [(left.volume, notebook) for left, notebook in aside.waiting(ledger)] == [("local:v", book.id)]
    assert aside.is_waiting(ledger, book.workspace, "local:v")
    assert not aside.is_waiting(ledger, book.workspace, "local:v.1")
    keeps = made.session(book, volume="local:v")
    saved(ledger, keeps, 3, "recovery")
    assert aside.waiting(ledger) == []
    [found] = aside.recovered(ledger, book.workspace)
    assert (found.snapshot.number, found.found, found.aside.session) == (3, keeps.id, lost.id)
    assert notebooks.views(ledger)[0].head.number == 2
    assert "volume.recovered" in [one.action for one in audit.rows(ledger)]

    assert aside.dismiss(ledger, book.id, book.workspace, 3, lost.user, NOW).dismissed_at == NOW
    assert aside.dismiss(ledger, book.id, book.workspace, 3, lost.user, NOW).dismissed_by == lost.user
    back = aside.dismiss(ledger, book.id, book.workspace, 3, lost.user, NOW, dismissed=False)
    assert back.dismissed_at is None
    assert [one.action for one in audit.rows(ledger)].count("snapshot.dismissed") == 2
    with pytest.raises(Refusal, match="ordinary save"):
        aside.dismiss(ledger, book.id, book.workspace, 2, lost.user, NOW)
    with pytest.raises(NotFound):
        aside.dismiss(ledger, book.id, book.workspace, 9, lost.user, NOW)
    assert audit.broken(ledger) is None


def test_a_volume_on_which_nothing_was_unsaved_is_settled_without_a_snapshot(ledger, made, lost):
    aside.leave(ledger, lost.notebook, lost.user, NOW)
    keeps = made.session(notebooks.get(ledger, lost.notebook), volume="local:v")
    aside.settle(ledger, lost.workspace, keeps.id, NOW)
    assert aside.waiting(ledger) == [] and aside.recovered(ledger, lost.workspace) == []
    assert aside.of_workspace(ledger, lost.workspace)[0].settled_at == NOW


def test_after_the_clock_was_set_back_an_hour_a_lease_lasts_no_longer_than_a_lease(ledger, made):
    book = made.notebook(made.user())
    leases.take(ledger, book.workspace, "a" * 26, 3600 + 60)  # what a lease looks like then
    held = leases.take(ledger, book.workspace, "b" * 26, 60)
    assert isinstance(held, leases.Held) and 50 < held.ends_in_seconds <= 60
    again = leases.take(ledger, book.workspace, "b" * 26, 3600)
    assert again.ends_in_seconds <= 60


def test_after_the_clock_was_set_back_what_comes_later_still_sorts_later(ledger, made):
    session = made.session(made.notebook(made.user()))
    first = intents.ask(ledger, session.id, "save", "asked", None, NOW)
    later = intents.ask(ledger, session.id, "save", "asked", None, NOW - timedelta(hours=1))
    assert later.id > first.id
    made_id = new_id(NOW, lambda n: b"\xff" * n)
    assert id_after(made_id, NOW - timedelta(hours=1), lambda n: b"\0" * n) > made_id
    assert id_after("", NOW, lambda n: b"\0" * n) == new_id(NOW, lambda n: b"\0" * n)
