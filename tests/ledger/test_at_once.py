"""Several processes on one ledger at the same moment: each rule holds, nobody sees a database's own error."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from jupyterhub_notebooks.errors import Conflict, DatabaseAway
from jupyterhub_notebooks.ledger import (
    Ledger,
    audit,
    hub,
    intents,
    leases,
    notebooks,
    passwords,
    profile_versions,
    sessions,
    snapshots,
    upgrade,
    users,
)
from jupyterhub_notebooks.ledger.upgrading import revision
from jupyterhub_notebooks.names import new_id
from tests import postgres

from .conftest import NOW

WRITERS = 4
FACTS = snapshots.Facts("save", "a" * 64, 10, 1, 10)
LAUNCH = {"profile": "p", "version": "v1"}


@pytest.fixture
def at_once(url):
    """Calls ``act(ledger, number)`` on four ledgers at one moment; what each returned or raised."""

    def call(act):
        barrier = threading.Barrier(WRITERS)

        def one(number):
            base = Ledger(url)
            try:
                with base.read() as connection:
                    connection.exec_driver_sql("SELECT 1")  # connected before the race
                barrier.wait()
                return act(base, number)
            except Exception as error:
                return error
            finally:
                base.close()

        with ThreadPoolExecutor(WRITERS) as pool:
            return list(pool.map(one, range(WRITERS)))

    return call


def test_two_upgrades_of_an_empty_database_make_it_once(url, at_once):
    done = at_once(lambda base, number: upgrade(base))
    base = Ledger(url)
    now_at = revision(base)
    base.close()
    assert sorted(done, key=str) == sorted([(None, now_at)] + [(now_at, now_at)] * 3, key=str)


def test_a_person_who_comes_by_two_ways_is_one_person(ledger, at_once):
    for round_ in range(5):
        name = f"mara{round_}"
        found = at_once(lambda base, number, name=name: users.seen(base, name, "2026-01-01T00:00:00Z", NOW))
        assert len({one.id for one in found}) == 1


def test_the_hubs_id_a_version_and_a_password_are_made_once(ledger, at_once):
    assert len(set(at_once(lambda base, number: hub.hub_id(base, NOW)))) == 1
    for act in (
        lambda base, number: profile_versions.keep(base, "p", "v1", {"a": 1}, NOW),
        lambda base, number: passwords.set_password(base, "mara", f"hash{number}", NOW),
    ):
        assert at_once(act) == [None] * WRITERS


def test_of_several_notebooks_of_one_name_one_is_made(ledger, made, at_once):
    user = made.user()
    done = at_once(lambda base, number: notebooks.create(base, user.id, "churn", "Churn", NOW))
    assert sum(isinstance(one, Conflict) for one in done) == WRITERS - 1
    done = at_once(lambda base, number: notebooks.ensure(base, user.id, "", NOW))
    assert len({one.id for one in done}) == 1


def test_of_several_starts_of_one_notebook_one_begins(ledger, made, at_once):
    for round_ in range(5):
        notebook = made.notebook(made.user(), f"n{round_}")
        done = at_once(
            lambda base, number, notebook=notebook: sessions.begin(
                base, new_id(datetime.now(UTC), os.urandom), notebook.id, LAUNCH, os.urandom(32).hex(), NOW
            )
        )
        assert sum(isinstance(one, Conflict) for one in done) == WRITERS - 1, done


def test_of_several_who_want_the_lease_one_gets_it(ledger, made, at_once):
    notebook = made.notebook(made.user())
    done = at_once(lambda base, number: leases.take(base, notebook.workspace, f"{number:026d}", 60))
    assert sum(isinstance(one, leases.Lease) for one in done) == 1


def test_an_object_found_by_several_has_one_row(ledger, made, at_once):
    session = made.session(made.notebook(made.user()))
    done = at_once(lambda base, number: snapshots.found(base, session.id, session.workspace, 1, FACTS, NOW))
    assert done == [None] * WRITERS
    assert [one.state for one in snapshots.of_workspace(ledger, session.workspace)] == ["committed"]


def test_lines_of_a_log_that_arrive_twice_at_once_are_kept_once(ledger, made, at_once):
    session = made.session(made.notebook(made.user()))
    done = at_once(lambda base, number: sessions.add_log(base, session.id, 1, ["one", "tw\0o"], NOW))
    assert done == [None] * WRITERS
    assert [line for _, line in sessions.log(ledger, session.id)] == ["one", "two"]


def test_starts_saves_and_ends_of_one_workspace_never_lock_each_other_out(ledger, made, at_once):
    notebook = made.notebook(made.user())

    def life(base, number):
        for round_ in range(12):
            now = NOW + timedelta(seconds=round_)
            id = new_id(now, os.urandom)
            try:
                session = sessions.begin(
                    base, id, notebook.id, LAUNCH, os.urandom(32).hex(), now, volume="here"
                )
            except Conflict:
                leases.take(base, notebook.workspace, id, 1, volume="here")
                leases.end(base, notebook.workspace, id)
                continue
            lease = leases.take(base, notebook.workspace, id, 60, volume="here")
            if isinstance(lease, leases.Lease):
                next_one = snapshots.next_number(base, notebook.workspace)
                snapshots.reserve(base, id, notebook.workspace, next_one, lease.number, FACTS, now)
                leases.renew(base, notebook.workspace, id, 60)
                snapshots.settle(base, notebook.workspace, next_one, True, now)
            intents.ask(base, id, "stop", "stopped", None, now)
            sessions.close(base, session.id, now, "stopped", pending_files=number)
            intents.done_all(base, id, now)

    assert at_once(life) == [None] * WRITERS
    assert audit.broken(ledger) is None


@pytest.mark.slow
def test_four_writers_for_a_minute_see_no_error_and_none_waits_long(ledger, at_once):
    def write(base, number):
        longest, count, end = 0.0, 0, time.monotonic() + 60
        while time.monotonic() < end:
            began = time.monotonic()
            users.seen(base, f"w{number}-{count}", "2026-01-01T00:00:00Z", NOW)
            longest, count = max(longest, time.monotonic() - began), count + 1
        return longest, count

    done = at_once(write)
    assert not [one for one in done if isinstance(one, Exception)], done
    print(
        f"longest wait {max(one[0] for one in done):.2f} s, {sum(one[1] for one in done) / 60:.0f} a second"
    )
    assert max(one[0] for one in done) < 30
    assert audit.broken(ledger) is None


def test_a_restarted_database_is_away_and_then_there_again():
    with postgres.running() as server:
        base = Ledger(server.new_database())
        upgrade(base)
        first = users.seen(base, "mara", "2026-01-01T00:00:00Z", NOW)
        server.stop()
        with pytest.raises(DatabaseAway, match="does not answer"):
            users.by_name(base, "mara")
        with pytest.raises(DatabaseAway, match="does not answer"):
            users.seen(base, "mara", "2026-01-01T00:00:00Z", NOW + timedelta(hours=1))
        server.start()
        assert users.by_name(base, "mara") == first
        with pytest.raises(DatabaseAway, match="does not answer"), base.write() as connection:
            connection.exec_driver_sql("SELECT 1")
            server.stop()
            connection.exec_driver_sql("SELECT 1")
        server.start()
        assert users.by_name(base, "mara") == first
        base.close()


def test_times_come_back_in_utc_whatever_the_servers_zone(ledger, made):
    at = NOW.astimezone(tz=None) + timedelta(microseconds=123456)
    session = made.session(made.notebook(made.user()))
    sessions.ready(ledger, session.id, at)
    found = sessions.get(ledger, session.id).ready_at
    assert found == at and found.tzinfo == UTC
