"""Heartbeats: a phase is in the ledger before its answer, the rest within a second or two, the lease lives on."""

import time

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.ledger import intents, leases, sessions

from .conftest import beat, fresh, hello


def row(service, session):
    return sessions.get(service.ledger, session.id)


def until(service, session, true, seconds=60.0):
    end = time.monotonic() + seconds
    while not true(row(service, session)):
        assert time.monotonic() < end, row(service, session)
        time.sleep(0.02)


def test_a_change_of_phase_is_in_the_ledger_when_the_answer_comes(service, session):
    hello(service, session)
    for sequence, phase in enumerate(
        ("restoring", "initializing", "starting", "running", "saving", "ended"), 1
    ):
        answer = beat(service, session, sequence, phase)
        assert row(service, session).phase == phase
        assert answer["next_in_seconds"] == (30.0 if phase == "running" else 1.0)


def test_warnings_what_was_made_anew_and_save_errors_are_there_at_once_too(service, session):
    hello(service, session)
    beat(service, session, 1)
    beat(service, session, 2, made_anew=["The kernel was made anew"])
    assert row(service, session).made_anew == ["The kernel was made anew"]
    beat(service, session, 3, warnings=["The startup script ended with 1"])
    assert row(service, session).warnings == ["The startup script ended with 1"]
    beat(service, session, 4, saved={"number": 1, "error": "Storage does not answer"})
    assert row(service, session).save_error == "Storage does not answer"
    beat(service, session, 5)
    assert row(service, session).save_error is None


def test_progress_and_what_is_pending_follow_within_seconds(service, session):
    hello(service, session)
    beat(service, session, 1, "restoring")
    progress = {"done_bytes": 312, "total_bytes": 840, "done_files": 3, "total_files": 9}
    beat(service, session, 2, "restoring", progress=progress)
    until(service, session, lambda now: (now.done_bytes, now.total_bytes, now.done_files) == (312, 840, 3))
    beat(service, session, 3, "running", progress=progress)
    beat(service, session, 4, "running", saved={"number": 1, "pending_bytes": 55, "pending_files": 2})
    until(service, session, lambda now: (now.pending_bytes, now.pending_files) == (55, 2))


def test_an_older_heartbeat_that_arrives_late_changes_nothing(service, session):
    hello(service, session)
    beat(service, session, 7, "running")
    beat(service, session, 6, "starting")
    assert row(service, session).phase == "running"
    hello(service, session)
    beat(service, session, 1, "restoring")
    assert row(service, session).phase == "restoring"


def test_why_a_session_ends_is_kept_and_the_first_cause_stays(service, session):
    hello(service, session)
    beat(service, session, 1, "saving", ended={"cause": "server_died", "detail": "Out of memory"})
    beat(service, session, 2, "saving", ended={"cause": "stopped"})
    now = row(service, session)
    assert (now.cause, now.detail) == ("server_died", "Out of memory")
    assert now.ended_at is not None
    assert now.closed_at is None


def test_a_heartbeat_renews_the_lease_and_says_when_it_is_lost(tmp_path):
    from tests.agents_service import start_agents_service

    service = start_agents_service(tmp_path, lease_seconds=4.0, heartbeat_seconds=1.0)
    try:
        session = fresh(service)
        hello(service, session)
        first = leases.of_session(service.ledger, session.workspace, session.id)
        assert first is not None
        end = time.monotonic() + 10
        sequence = 1
        while True:
            assert beat(service, session, sequence)["lease"]["number"] == 1
            held = leases.of_session(service.ledger, session.workspace, session.id)
            assert held is not None
            if held.ends_at > first.ends_at:
                break
            assert time.monotonic() < end
            sequence += 1
            time.sleep(0.05)
        leases.end(service.ledger, session.workspace, session.id)
        leases.take(service.ledger, session.workspace, "0" * 26, 100)
        assert "lease" not in beat(service, session, sequence + 1)
    finally:
        service.close()


def test_orders_come_down_until_they_are_done(service, session):
    hello(service, session)
    now = SYSTEM_CLOCK.now()
    asked = intents.ask(service.ledger, session.id, "save", "asked", session.row.user, now)
    intents.ask(service.ledger, session.id, "stop", "asked", session.row.user, now)
    [order] = beat(service, session, 1)["orders"]
    assert (order["id"], order["do"], order["cause"]) == (asked.id, "save", "asked")
    assert len(beat(service, session, 2)["orders"]) == 1
    assert beat(service, session, 3, done_orders=[asked.id])["orders"] == []
    assert beat(service, session, 4, done_orders=[asked.id])["orders"] == []
    assert [one.do for one in intents.open_of(service.ledger, session.id)] == ["stop"]


def test_wild_values_are_bounded_and_wrong_ones_named(service, session):
    hello(service, session)
    beat(
        service,
        session,
        1,
        "restoring",
        progress={"done_bytes": 10**40, "total_bytes": -5, "done_files": 10**12},
        warnings=["a\u0000b\ud800" + "x" * 5000] + ["y"] * 500,
        made_anew=["<script>alert(1)</script>"],
    )
    now = row(service, session)
    assert (now.done_bytes, now.total_bytes, now.done_files) == (2**62, 0, 2**31 - 1)
    assert now.warnings is not None
    assert len(now.warnings) == 50
    assert len(now.warnings[0]) == 1000
    assert now.warnings[0].startswith("ab?x")
    for body, field in (
        ({"sequence": 2, "phase": "dancing"}, "phase"),
        ({"sequence": "2", "phase": "running"}, "sequence"),
        ({"sequence": 2, "phase": "running", "ended": {"cause": "Robert'); DROP"}}, "ended.cause"),
    ):
        status, answer = service.call(session, "POST", "heartbeat", body)
        assert (status, answer["error"]["field"]) == (400, field)


def test_what_was_heard_last_is_written_before_the_service_ends(own_service):
    session = fresh(own_service)
    hello(own_service, session)
    beat(own_service, session, 1, "restoring")
    beat(own_service, session, 2, "restoring", progress={"done_bytes": 77, "total_bytes": 100})
    own_service.stop()
    assert row(own_service, session).done_bytes == 77


def test_a_service_that_was_killed_goes_on_with_the_next_heartbeat(own_service):
    session = fresh(own_service)
    hello(own_service, session)
    beat(own_service, session, 1, "restoring")
    own_service.kill()
    own_service.start()
    answer = beat(own_service, session, 2, "running")
    assert answer["lease"]["number"] == 1
    assert row(own_service, session).phase == "running"
