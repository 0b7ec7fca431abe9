"""Heartbeats become a verdict with deadlines: what the answer says, what the ledger keeps, what a click moves."""

from datetime import timedelta

import pytest

from jupyterhub_notebooks.clock import SYSTEM_CLOCK, from_text, to_text
from jupyterhub_notebooks.ledger import audit, clocks, intents, sessions
from tests.agents_service import start_agents_service

from .conftest import beat, fresh, hello

LAUNCH = {"idle_stop_seconds": 1800, "max_session_seconds": 8 * 3600}
NAMES = ("kernel", "terminal", "cpu", "browser", "editor", "download")


def said(**states):
    since = to_text(SYSTEM_CLOCK.now() - timedelta(hours=1))
    return [{"name": name, "state": states.get(name, "idle"), "since": since} for name in NAMES]


@pytest.fixture
def started(service):
    """A session that runs, with limits."""
    made = fresh(service, launch=LAUNCH)
    hello(service, made)
    sessions.ready(service.ledger, made.id, SYSTEM_CLOCK.now())
    return made


def row(service, session):
    return sessions.get(service.ledger, session.id)


def test_a_verdict_is_answered_and_kept_with_its_evidence_and_deadlines(service, started):
    answer = beat(service, started, 1, signals=said(kernel="busy"))
    assert answer["verdict"]["value"] == "working" and "idle_ends_at" not in answer
    assert from_text(answer["session_ends_at"]) == row(service, started).ready_at + timedelta(hours=8)
    assert row(service, started).verdict == "working"

    answer = beat(service, started, 2, signals=said())
    now = row(service, started)
    assert answer["verdict"]["value"] == now.verdict == "quiet"
    assert from_text(answer["idle_ends_at"]) == now.idle_ends_at == now.quiet_since + timedelta(minutes=30)
    assert {one["name"] for one in now.signals} == set(NAMES)
    assert answer["notices"] == [] and answer["next_in_seconds"] == 30.0


def test_no_signals_are_not_known_and_have_no_idle_end(service, started):
    answer = beat(service, started, 1)
    assert answer["verdict"]["value"] == "unknown" and "idle_ends_at" not in answer
    assert row(service, started).idle_ends_at is None


def quiet_since(service, session, minutes):
    """As if it had been quiet for so long."""
    since = SYSTEM_CLOCK.now() - timedelta(minutes=minutes)
    values = {"quiet_since": since, "idle_ends_at": since + timedelta(minutes=30)}
    clocks.change(service.ledger, session.id, lambda _: clocks.Change(values), SYSTEM_CLOCK.now())


def test_a_warning_comes_with_the_answer_and_heartbeats_come_sooner(service, started):
    signals = said()
    beat(service, started, 1, signals=signals)
    quiet_since(service, started, 21)
    answer = beat(service, started, 2, signals=signals)
    [notice] = answer["notices"]
    assert notice["reason"] == "idle_soon" and notice["next"] == ["Keep working"]
    assert notice["title"].startswith("Idle stop in ")
    assert row(service, started).warned_at is not None and row(service, started).reached_at is None
    beat(service, started, 3, signals=signals, shown_notices=[notice["id"]])
    assert row(service, started).reached_at is not None

    quiet_since(service, started, 29)
    answer = beat(service, started, 4, signals=signals)
    assert answer["next_in_seconds"] == 3.0
    assert answer["notices"][0]["id"] != notice["id"]  # the second warning is another one


def test_a_click_in_the_notebook_moves_the_idle_end_and_later_heartbeats_keep_it(service, started):
    signals = said()
    beat(service, started, 1, signals=signals)
    quiet_since(service, started, 25)
    status, moved = service.call(started, "POST", "extend", {"who": "mara"})
    assert status == 200 and moved["moved"] == "idle"
    answer = beat(service, started, 2, signals=signals)
    assert answer["idle_ends_at"] == moved["idle_ends_at"] and answer["notices"] == []
    found = audit.rows(service.ledger, subject=started.id)[0]
    assert found.action == "session.extended" and found.evidence["who"] == "mara"


def test_a_session_is_extended_from_inside_only_as_often_as_its_profile_allows(service, started):
    beat(service, started, 1, signals=said(kernel="busy"))
    for left in (1, 0):
        status, moved = service.call(started, "POST", "extend", {"seconds": 7200.0})
        assert (status, moved["moved"], moved["extensions_left"]) == (200, "session_limit", left)
    status, refused = service.call(started, "POST", "extend", {"seconds": 7200.0})
    assert (status, refused["error"]["reason"]) == (409, "no_extension")
    status, refused = service.call(started, "POST", "extend", {"seconds": -1.0})
    assert status == 400 and refused["error"]["field"] == "seconds"
    answer = beat(service, started, 2, signals=said(kernel="busy"))
    assert answer["session_ends_at"] == moved["session_ends_at"]


def test_a_report_that_was_asked_for_is_judged_and_in_the_ledger_with_its_answer(service, started):
    signals = said()
    beat(service, started, 1, signals=signals)
    first = row(service, started).verdict_at
    [order] = clocks.ask_reports(service.ledger, [started.id], SYSTEM_CLOCK.now()).values()
    answer = beat(service, started, 2, signals=signals)
    assert [one["do"] for one in answer["orders"]] == ["report"]
    assert clocks.answered(service.ledger, [order]) == set()
    beat(service, started, 3, signals=signals, done_orders=[order])
    assert clocks.answered(service.ledger, [order]) == {order}
    assert row(service, started).verdict_at > first
    assert intents.open_of(service.ledger, started.id) == []


def test_clocks_survive_a_restart_of_the_service(own_service):
    made = fresh(own_service, launch=LAUNCH)
    hello(own_service, made)
    signals = said()
    beat(own_service, made, 1, signals=signals)
    quiet_since(own_service, made, 10)
    own_service.kill()
    own_service.start()
    beat(own_service, made, 2, signals=signals)
    quiet = SYSTEM_CLOCK.now() - row(own_service, made).quiet_since
    assert timedelta(minutes=10) <= quiet < timedelta(minutes=11)


def test_where_nothing_is_stopped_nobody_is_told_of_an_end(tmp_path):
    service = start_agents_service(tmp_path, enforcement="observe")
    try:
        made = fresh(service, launch=LAUNCH)
        hello(service, made)
        sessions.ready(service.ledger, made.id, SYSTEM_CLOCK.now())
        signals = said()
        beat(service, made, 1, signals=signals)
        quiet_since(service, made, 29)
        answer = beat(service, made, 2, signals=signals)
        assert "idle_ends_at" not in answer and "session_ends_at" not in answer and answer["notices"] == []
        assert row(service, made).idle_ends_at is not None  # so that the stop that would be is seen
        status, refused = service.call(made, "POST", "extend", {})
        assert (status, refused["error"]["reason"]) == (409, "no_limit")
    finally:
        service.close()
