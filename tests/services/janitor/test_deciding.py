"""What the janitor decides, from values alone."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from jupyterhub_notebooks.services.janitor.deciding import (
    CLOSE,
    END_SAVED,
    FINISH,
    KEEP,
    STOP_AGAIN,
    STOP_SILENT,
    Evidence,
    decide,
    over_at_hub,
    routes_are_missing,
    save_due,
    tries_of,
    wait_seconds,
)
from jupyterhub_notebooks.services.janitor.watching import Watch

NOW = datetime(2026, 10, 14, 14, 30, tzinfo=UTC)


def ago(seconds):
    return NOW - timedelta(seconds=seconds)


ASKED_AT, READY_AT, HEARD_AT = ago(1000), ago(990), ago(5)


@dataclass(frozen=True)
class Session:
    kind: str = "work"
    phase: str = "running"
    asked_at: datetime = ASKED_AT
    ready_at: datetime | None = READY_AT
    stop_asked_at: datetime | None = None
    ended_at: datetime | None = None
    closed_at: datetime | None = None
    heard_at: datetime | None = HEARD_AT


@dataclass(frozen=True)
class Server:
    ready: bool = True
    pending: str | None = None


RUNS, SPAWNING, STOPPING, STOPPED = Server(), Server(False, "spawn"), Server(False, "stop"), Server(False)
SILENT = replace(Session(), heard_at=ago(500))
LEASED, FREE = Evidence(60.0, 120.0), Evidence(-300.0, 120.0)
STOP = Evidence(60.0, 120.0, stop_asked_at=ago(30), told=True)


@pytest.mark.parametrize(
    ("session", "server", "known", "do"),
    [
        (Session(), RUNS, LEASED, KEEP),
        (SILENT, RUNS, FREE, KEEP),  # the Hub looks after what it runs
        (Session(ready_at=None, phase=""), SPAWNING, LEASED, KEEP),
        (SILENT, None, FREE, CLOSE),
        (SILENT, STOPPED, FREE, CLOSE),
        (SILENT, STOPPED, Evidence(None, 120.0), CLOSE),
        (SILENT, STOPPED, Evidence(10.0, 120.0), KEEP),  # its lease holds: it may write
        (replace(Session(), stop_asked_at=ago(10), phase="saving"), STOPPED, LEASED, KEEP),  # its last save
        (replace(Session(), ended_at=ago(10)), STOPPED, LEASED, KEEP),
        (Session(), None, LEASED, FINISH),
        (Session(), None, Evidence(60.0, 120.0, told=True), KEEP),
        (Session(asked_at=ago(20), ready_at=None, heard_at=ago(1)), None, LEASED, KEEP),
        (Session(), RUNS, STOP, STOP_AGAIN),
        (Session(), STOPPING, STOP, KEEP),
        (Session(), RUNS, replace(STOP, stop_asked_at=ago(2)), KEEP),
        (Session(kind="save"), RUNS, LEASED, END_SAVED),
        (Session(kind="save", ready_at=None), SPAWNING, LEASED, KEEP),
        (Session(kind="save"), RUNS, replace(STOP, stop_asked_at=ago(2)), KEEP),
    ],
)
def test_what_is_done_about_an_open_session(session, server, known, do):
    assert decide(session, server, known, NOW).do == do


ASKED = replace(Evidence(60.0, 120.0), stop_asked_at=ago(70), stop_cause="idle")


@pytest.mark.parametrize(
    ("session", "known", "do"),
    [
        (Session(), ASKED, FINISH),
        (Session(), replace(ASKED, stop_asked_at=ago(30)), KEEP),  # the Hub may be about to end it
        (Session(), replace(ASKED, told=True), KEEP),
        (Session(phase="saving"), ASKED, KEEP),
        (replace(Session(), ended_at=ago(100), phase="saving"), LEASED, KEEP),
    ],
)
def test_a_stop_that_the_hub_forgot_with_the_server_is_ordered_of_the_agent(session, known, do):
    action = decide(session, None, known, NOW)
    assert action.do == do
    assert do == KEEP or action.cause == "idle"


@pytest.mark.parametrize(
    ("silent_seconds", "known", "do"),
    [
        (400, replace(FREE, watched_seconds=400.0), STOP_SILENT),
        (400, replace(FREE, watched_seconds=200.0), KEEP),  # what it said might not have been heard
        (400, FREE, KEEP),
        (200, replace(FREE, watched_seconds=400.0), KEEP),
        (400, replace(LEASED, watched_seconds=400.0), KEEP),  # it may still write
        (400, replace(FREE, watched_seconds=400.0, stop_asked_at=ago(30)), STOP_AGAIN),
    ],
)
def test_a_notebook_of_a_lost_machine_that_the_hub_calls_ready_is_stopped_after_a_while(
    silent_seconds, known, do
):
    assert decide(replace(Session(), heard_at=ago(silent_seconds)), RUNS, known, NOW).do == do
    assert decide(replace(Session(), heard_at=ago(silent_seconds)), STOPPING, known, NOW).do == KEEP


def test_what_was_watched_counts_from_the_last_break_on():
    watch = Watch(gap_seconds=20)
    assert [watch.seen(NOW + timedelta(seconds=at), True) for at in (0, 15, 30)] == [0, 15, 30]
    assert watch.seen(NOW + timedelta(seconds=45), False) == 0
    assert [watch.seen(NOW + timedelta(seconds=at), True) for at in (60, 75)] == [0, 15]
    assert watch.seen(NOW + timedelta(seconds=3600), True) == 0  # the machine slept
    assert watch.seen(NOW + timedelta(seconds=3500), True) == 0  # its clock was set back
    assert watch.seen(NOW + timedelta(seconds=3510), True) == 10
    watch.broken()
    assert watch.seen(NOW + timedelta(seconds=3511), True) == 0


def test_a_proxy_that_was_started_again_lacks_routes_until_the_hub_gives_them():
    assert routes_are_missing(1, 0) and routes_are_missing(1, 5)
    assert routes_are_missing(2, 1)  # one became ready since
    assert not routes_are_missing(2, 0) and not routes_are_missing(8, 5)


@pytest.mark.parametrize(
    ("phase", "cause"),
    [
        ("", "did_not_start"),
        ("restoring", "did_not_start"),
        ("running", "agent_died"),
        ("saving", "agent_died"),
    ],
)
def test_a_session_that_is_closed_has_a_cause(phase, cause):
    assert decide(replace(SILENT, phase=phase), None, FREE, NOW).cause == cause


def test_only_a_run_that_saved_and_is_over_is_forgotten_at_the_hub():
    over = Session(kind="save", closed_at=ago(1))
    assert over_at_hub(over, RUNS)
    assert not over_at_hub(over, STOPPING) and not over_at_hub(over, None)
    assert not over_at_hub(replace(over, kind="work"), RUNS)
    assert not over_at_hub(replace(over, closed_at=None), RUNS) and not over_at_hub(None, RUNS)


def test_each_try_to_save_waits_twice_as_long_up_to_an_hour():
    assert [wait_seconds(n, 60.0) for n in (0, 1, 2, 3, 9, 500)] == [0, 60, 120, 240, 3600, 3600]


def test_the_first_save_comes_at_once_and_the_next_after_a_wait():
    work = Session(closed_at=ago(1))
    assert save_due(tries_of([work]), 60, NOW)
    tried = Session(kind="save", closed_at=ago(50))
    assert not save_due(tries_of([tried, work]), 60, NOW)
    assert save_due(tries_of([replace(tried, closed_at=ago(61)), work]), 60, NOW)
    assert not save_due(tries_of([replace(tried, closed_at=ago(61)), tried, work]), 60, NOW)


def test_a_start_that_the_hub_refused_counts_as_a_try():
    work = Session(closed_at=ago(1000))
    assert not save_due(tries_of([work], 1, ago(30)), 60, NOW)
    assert not save_due(tries_of([work], 3, ago(200)), 60, NOW)
    assert save_due(tries_of([work], 3, ago(300)), 60, NOW)


def test_whoever_asks_for_a_save_does_not_wait_for_the_next_try():
    tried = Session(kind="save", closed_at=ago(50))
    assert save_due(tries_of([tried], ordered_at=ago(1)), 60, NOW)
    assert not save_due(tries_of([tried], ordered_at=ago(51)), 60, NOW)


def test_after_the_clock_was_set_back_the_dead_are_told_by_a_clock_that_nobody_sets():
    ahead = NOW + timedelta(hours=1)
    dead = Session(asked_at=ahead, ready_at=ahead, heard_at=ahead)
    leased = Evidence(3700.0, 120.0)
    assert decide(dead, STOPPED, leased, NOW).do == KEEP
    assert decide(dead, STOPPED, replace(leased, unheard_seconds=119.0), NOW).do == KEEP
    assert decide(dead, STOPPED, replace(leased, unheard_seconds=121.0), NOW).do == CLOSE
    assert decide(Session(), RUNS, replace(STOP, stop_asked_at=ahead), NOW).do == STOP_AGAIN
    assert save_due(tries_of([replace(dead, closed_at=ahead)], 3, ahead), 60.0, NOW)
