"""The ledger: who owns what, what ran, who may write, and that the audit cannot be changed unseen."""

import asyncio
import multiprocessing
import sqlite3
import time
from datetime import timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from jupyterhub_notebooks.errors import Conflict, DatabaseAway, Denied, NotFound
from jupyterhub_notebooks.ledger import (
    Ledger,
    audit,
    intents,
    leases,
    notebooks,
    passwords,
    sessions,
    snapshots,
    upgrade,
    users,
    wait_for_revision,
)
from jupyterhub_notebooks.ledger.tables import metadata
from jupyterhub_notebooks.ledger.upgrading import VERSION_TABLE

from .conftest import NOW

FACTS = snapshots.Facts("save", "a" * 64, 10, 1, 10)


def test_the_migrations_make_exactly_the_tables_of_the_program(ledger):
    with ledger.read() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []


def test_an_upgrade_may_be_repeated(ledger):
    before, after = upgrade(ledger)
    assert before == after


def test_a_program_that_finds_no_revision_names_the_command(url):
    with pytest.raises(DatabaseAway, match="jupyterhub-notebooks ledger upgrade"):
        wait_for_revision(Ledger(url), wait_seconds=0)


def test_a_file_that_is_no_database_is_told_in_a_sentence(tmp_path):
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(DatabaseAway, match="not a database"):
        upgrade(Ledger(f"sqlite:///{path}"))


def test_a_user_made_anew_under_the_same_name_sees_nothing_of_the_first(ledger, made):
    first = made.user(created="2026-01-01T00:00:00Z")
    notebook = made.notebook(first)
    second = made.user(created="2026-02-02T00:00:00Z")
    assert second.id != first.id
    assert notebooks.views(ledger, user=second.id, trashed=None) == []
    assert notebooks.get(ledger, notebook.id).trashed_at == NOW
    assert users.by_name(ledger, "mara") == second


def test_a_user_renamed_at_the_hub_keeps_everything(ledger, made):
    created = "2026-01-01T00:00:00.123456Z"
    first = made.user(created=created)
    notebook = made.notebook(first)
    again = users.seen(ledger, "mara-lind", created, NOW)
    assert again.id == first.id
    assert notebooks.get(ledger, notebook.id).trashed_at is None
    assert users.by_name(ledger, "mara") is None


def test_a_name_in_use_is_refused_also_while_it_is_in_the_trash(ledger, made):
    user = made.user()
    notebook = made.notebook(user)
    with pytest.raises(Conflict, match="already have a notebook Churn"):
        made.notebook(user)
    notebooks.trash(ledger, notebook.id, user.id, NOW)
    with pytest.raises(Conflict, match="in the trash"):
        made.notebook(user)
    notebooks.put_back(ledger, notebook.id, user.id, NOW)
    assert [view.notebook.id for view in notebooks.views(ledger, user=user.id)] == [notebook.id]


def test_only_one_session_of_a_notebook_is_open(ledger, made):
    notebook = made.notebook(made.user())
    first = made.session(notebook)
    with pytest.raises(Conflict, match="Only one session"):
        made.session(notebook)
    assert sessions.close(ledger, first.id, NOW, "stopped")
    assert not sessions.close(ledger, first.id, NOW, "again")
    second = made.session(notebook)
    assert notebooks.views(ledger)[0].session.id == second.id


def test_a_token_works_until_its_session_is_closed(ledger, made):
    session = made.session(made.notebook(made.user()))
    assert sessions.by_token(ledger, f"{0:064d}").id == session.id
    sessions.close(ledger, session.id, NOW, "stopped")
    assert sessions.by_token(ledger, f"{0:064d}") is None


def test_a_closed_session_takes_no_report_any_more(ledger, made):
    session = made.session(made.notebook(made.user()))
    sessions.report(ledger, [sessions.Report(session.id, {"phase": "running"})])
    sessions.close(ledger, session.id, NOW, "stopped", "By the user.")
    sessions.report(ledger, [sessions.Report(session.id, {"phase": "running"})])
    row = sessions.get(ledger, session.id)
    assert (row.phase, row.cause, row.detail) == ("ended", "stopped", "By the user.")


def test_a_session_is_found_by_its_end_and_by_its_notebook(ledger, made):
    notebook = made.notebook(made.user())
    session = made.session(notebook)
    for text_ in (session.id, session.id[-6:], "churn", "mara/churn"):
        assert sessions.resolve(ledger, text_).id == session.id
    with pytest.raises(NotFound, match="session list"):
        sessions.resolve(ledger, "nothing")


def test_of_two_writers_only_the_first_gets_the_lease(ledger, made):
    notebook = made.notebook(made.user())
    one = leases.take(ledger, notebook.workspace, "a" * 26, 60)
    assert isinstance(one, leases.Lease)
    assert isinstance(leases.take(ledger, notebook.workspace, "b" * 26, 60), leases.Held)
    assert leases.take(ledger, notebook.workspace, "a" * 26, 60).number == one.number


def test_a_lease_that_ran_out_is_taken_with_a_higher_number(ledger, made):
    notebook = made.notebook(made.user())
    one = leases.take(ledger, notebook.workspace, "a" * 26, -1)
    two = leases.take(ledger, notebook.workspace, "b" * 26, 60)
    assert two.number == one.number + 1
    assert leases.renew(ledger, notebook.workspace, "a" * 26, 60) is None


def test_unsaved_files_on_another_volume_hold_the_lease_back(ledger, made):
    notebook = made.notebook(made.user())
    session = made.session(notebook, volume="machine-1")
    leases.take(ledger, notebook.workspace, session.id, 60, volume="machine-1")
    sessions.close(ledger, session.id, NOW, "agent_died", pending_files=3)
    held = leases.take(ledger, notebook.workspace, "b" * 26, 60, volume="machine-2")
    assert held == leases.Held("", volume="machine-1")
    assert isinstance(leases.take(ledger, notebook.workspace, "b" * 26, 60, volume="machine-1"), leases.Lease)


def saved(ledger, session, number, lease, facts=FACTS):
    row = snapshots.reserve(ledger, session.id, session.workspace, number, lease, facts, NOW)
    snapshots.settle(ledger, session.workspace, number, True, NOW)
    return row


def test_a_commit_needs_the_lease_the_next_number_and_an_open_session(ledger, made):
    session = made.session(made.notebook(made.user()))
    lease = leases.take(ledger, session.workspace, session.id, 60, volume="here")
    with pytest.raises(Conflict, match="next snapshot is 1"):
        snapshots.reserve(ledger, session.id, session.workspace, 2, lease.number, FACTS, NOW)
    with pytest.raises(Conflict, match="Another session"):
        snapshots.reserve(ledger, session.id, session.workspace, 1, lease.number + 1, FACTS, NOW)
    saved(ledger, session, 1, lease.number)
    assert saved(ledger, session, 1, lease.number).state == "committed"
    with pytest.raises(Conflict, match="next snapshot is 2"):
        saved(ledger, session, 1, lease.number, snapshots.Facts("save", "b" * 64, 1, 1, 1))
    sessions.close(ledger, session.id, NOW, "stopped")
    with pytest.raises(Denied):
        saved(ledger, session, 2, lease.number)


def test_a_commit_clears_what_was_unsaved(ledger, made):
    notebook = made.notebook(made.user())
    first = made.session(notebook)
    sessions.close(ledger, first.id, NOW, "agent_died", pending_files=2, pending_bytes=5)
    assert notebooks.workspace(ledger, notebook.workspace).unsaved_on == "here"
    second = made.session(notebook)
    lease = leases.take(ledger, notebook.workspace, second.id, 60, volume="here")
    saved(ledger, second, 1, lease.number)
    assert notebooks.workspace(ledger, notebook.workspace).unsaved_on is None
    assert notebooks.views(ledger)[0].head.number == 1


def test_a_reserved_snapshot_that_never_came_about_frees_its_number(ledger, made):
    session = made.session(made.notebook(made.user()))
    lease = leases.take(ledger, session.workspace, session.id, 60, volume="here")
    snapshots.reserve(ledger, session.id, session.workspace, 1, lease.number, FACTS, NOW)
    assert snapshots.head(ledger, session.workspace) is None
    snapshots.settle(ledger, session.workspace, 1, False, NOW)
    assert snapshots.next_number(ledger, session.workspace) == 1


def test_log_lines_sent_twice_are_kept_once(ledger, made):
    session = made.session(made.notebook(made.user()))
    sessions.add_log(ledger, session.id, 1, ["one", "two"], NOW)
    sessions.add_log(ledger, session.id, 2, ["two again", "three"], NOW)
    assert [line for _, line in sessions.log(ledger, session.id)] == ["one", "two", "three"]


def test_an_intent_is_open_until_it_is_done(ledger, made):
    session = made.session(made.notebook(made.user()))
    intent = intents.ask(ledger, session.id, "save", "asked", session.user, NOW)
    assert intents.open_of(ledger, session.id) == [intent]
    intents.done(ledger, intent.id, NOW)
    assert intents.open_everywhere(ledger) == []


def test_a_changed_audit_row_is_found(ledger, made):
    made.session(made.notebook(made.user()))
    assert audit.broken(ledger) is None
    with ledger.write() as connection:
        connection.execute(text("UPDATE audit SET action = 'something.else' WHERE number = 2"))
    assert audit.broken(ledger) == 2


def test_a_password_is_kept_as_the_hash_that_was_given(ledger):
    passwords.set_password(ledger, "mara", "scrypt$…", NOW, admin=True)
    assert passwords.get(ledger, "mara").admin
    assert [one.hub_name for one in passwords.every(ledger)] == ["mara"]
    assert passwords.remove(ledger, "mara")
    assert passwords.get(ledger, "mara") is None


def _write_many(url, name, times):
    base = Ledger(url)
    for number in range(times):
        users.seen(base, f"{name}-{number}", "2026-01-01T00:00:00Z", NOW + timedelta(minutes=number))
    base.close()


def test_four_writing_processes_never_see_a_locked_database(ledger, url):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(url, f"w{n}", 40)) for n in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    assert audit.broken(ledger) is None
    assert len(audit.rows(ledger, limit=1000)) == 160


@pytest.fixture
def blocked(ledger, tmp_path, request):
    """Another connection that holds the writer's lock until it is called."""
    if ledger.is_sqlite:
        blocker = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None, check_same_thread=False)
        blocker.execute("BEGIN IMMEDIATE")
        yield lambda: blocker.execute("ROLLBACK")
    else:
        blocker = request.getfixturevalue("postgresql").connect(ledger.url.database)
        blocker.execute("BEGIN")
        blocker.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        yield lambda: blocker.execute("ROLLBACK")
    blocker.close()


async def test_a_blocked_database_does_not_block_the_event_loop(ledger, blocked):
    waiting = asyncio.ensure_future(ledger.run(users.seen, "mara", "2026-01-01T00:00:00Z", NOW))
    beats, end = 0, time.monotonic() + 3
    while time.monotonic() < end:
        await asyncio.sleep(0.05)
        beats += 1
    assert not waiting.done()
    assert beats > 20
    blocked()
    assert (await waiting).hub_name == "mara"
