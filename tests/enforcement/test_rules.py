"""What follows for a session, as tables of its clocks, and time travel through its warnings, delays and extensions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jupyterhub_notebooks.enforcement.rules import (
    Ask,
    Delay,
    Keep,
    Limits,
    Stop,
    decide,
    ends,
    extend,
    warning_due,
)
from jupyterhub_notebooks.errors import Refusal

READY = datetime(2026, 10, 14, 8, 0, tzinfo=UTC)
MIN, HOUR = 60, 3600
LIMITS = Limits(30 * MIN, 8 * HOUR)


def at(hours: float = 0, **more: float) -> datetime:
    return READY + timedelta(hours=hours, **more)


BEGAN, SEEN = at(1), at(1, minutes=25)


@dataclass(frozen=True)
class Row:
    ready_at: datetime | None = READY
    verdict: str | None = "quiet"
    verdict_at: datetime | None = None
    quiet_since: datetime | None = BEGAN
    extended_seconds: int = 0
    extensions: int = 0
    reached_at: datetime | None = SEEN
    delayed_at: datetime | None = None
    save_error: str | None = None


QUIET = Row(verdict_at=at(1, minutes=31))
NOW = at(1, minutes=31)

TABLE: dict[str, tuple[Row, Limits, datetime, str]] = {
    "quiet for long enough and warned": (QUIET, LIMITS, NOW, "idle"),
    "quiet, not for long enough": (QUIET, LIMITS, at(1, minutes=29), "keep"),
    "the minute it is over": (replace(QUIET, verdict_at=at(1.5)), LIMITS, at(1.5), "idle"),
    "working": (replace(QUIET, verdict="working", quiet_since=None), LIMITS, NOW, "keep"),
    "present": (replace(QUIET, verdict="present", quiet_since=None), LIMITS, NOW, "keep"),
    "unknown": (replace(QUIET, verdict="unknown", quiet_since=None), LIMITS, NOW, "keep"),
    "no verdict ever": (replace(QUIET, verdict=None, quiet_since=None), LIMITS, NOW, "keep"),
    "no heartbeat for 6 s": (replace(QUIET, verdict_at=NOW - timedelta(seconds=6)), LIMITS, NOW, "ask"),
    "never a heartbeat, an old row": (replace(QUIET, verdict_at=None), LIMITS, NOW, "ask"),
    "a reading from the future": (replace(QUIET, verdict_at=NOW + timedelta(hours=1)), LIMITS, NOW, "ask"),
    "a warning that nobody saw": (replace(QUIET, reached_at=None), LIMITS, NOW, "delay"),
    "a warning seen in an earlier quiet stretch": (replace(QUIET, reached_at=at(0.5)), LIMITS, NOW, "delay"),
    "put off already, not over": (
        replace(QUIET, reached_at=None, delayed_at=at(1, minutes=30)),
        LIMITS,
        NOW,
        "keep",
    ),
    "put off already, and over": (
        replace(QUIET, reached_at=None, delayed_at=at(1, minutes=30), verdict_at=at(1, minutes=41)),
        LIMITS,
        at(1, minutes=41),
        "idle",
    ),
    "put off in an earlier stretch": (
        replace(QUIET, reached_at=None, delayed_at=at(0.5)),
        LIMITS,
        NOW,
        "delay",
    ),
    "a profile without warnings": (
        replace(QUIET, reached_at=None),
        replace(LIMITS, warn_seconds=()),
        NOW,
        "idle",
    ),
    "no idle limit": (QUIET, replace(LIMITS, idle_seconds=0), NOW, "keep"),
    "it cannot be saved": (replace(QUIET, save_error="away"), LIMITS, NOW, "keep"),
    "it cannot be saved for two hours": (
        replace(QUIET, save_error="away", verdict_at=at(3.6)),
        LIMITS,
        at(3.6),
        "idle",
    ),
    "the session limit while it works": (
        replace(QUIET, verdict="working", quiet_since=None),
        LIMITS,
        at(8),
        "session_limit",
    ),
    "the session limit without any heartbeat": (
        replace(QUIET, verdict=None, verdict_at=None, quiet_since=None),
        LIMITS,
        at(9),
        "session_limit",
    ),
    "the session limit of what cannot be saved": (
        replace(QUIET, verdict="working", quiet_since=None, save_error="away"),
        LIMITS,
        at(8),
        "session_limit",
    ),
    "a second before the session limit": (
        replace(QUIET, verdict="working", quiet_since=None),
        LIMITS,
        at(8, seconds=-1),
        "keep",
    ),
    "an extended session": (
        replace(QUIET, verdict="working", quiet_since=None, extended_seconds=2 * HOUR),
        LIMITS,
        at(9.9),
        "keep",
    ),
    "an extended session that is over": (
        replace(QUIET, verdict="working", quiet_since=None, extended_seconds=2 * HOUR),
        LIMITS,
        at(10),
        "session_limit",
    ),
    "no session limit": (
        replace(QUIET, verdict="working", quiet_since=None),
        replace(LIMITS, max_seconds=0),
        at(900),
        "keep",
    ),
    "a session that is not ready": (
        replace(QUIET, ready_at=None, verdict=None, quiet_since=None),
        LIMITS,
        at(9),
        "keep",
    ),
    "both are over": (QUIET, LIMITS, at(9), "session_limit"),
    "only observed, nobody saw a warning": (
        replace(QUIET, reached_at=None),
        replace(LIMITS, mode="observe"),
        NOW,
        "idle",
    ),
    "nothing is enforced": (QUIET, Limits.of({"idle_stop_seconds": 60}, "off"), NOW, "keep"),
    "a profile that is off": (
        QUIET,
        Limits.of({"idle_stop_seconds": 60, "enforcement": "off"}, "stop"),
        NOW,
        "keep",
    ),
}


def label(row: Row, limits: Limits, now: datetime, **more: Any) -> str:
    found = decide(row, limits, now, **more)
    if isinstance(found, Stop):
        return found.cause
    return {Keep: "keep", Ask: "ask", Delay: "delay"}[type(found)]


@pytest.mark.parametrize("name", TABLE)
def test_a_session_meets_what_its_clocks_say(name: str) -> None:
    row, limits, now, wanted = TABLE[name]
    assert label(row, limits, now) == wanted


def test_one_that_was_asked_and_does_not_answer_is_kept() -> None:
    silent = replace(QUIET, verdict_at=NOW - timedelta(minutes=2))
    assert label(silent, LIMITS, NOW, asked=True) == "keep"
    assert label(silent, LIMITS, at(8), asked=True) == "session_limit"


@pytest.mark.parametrize(("limit", "lead"), [(30 * MIN, 600), (15 * MIN, 600), (6 * MIN, 240), (3, 2)])
def test_a_warning_is_never_earlier_than_a_third_of_its_limit(limit: float, lead: float) -> None:
    assert Limits().lead(limit) == pytest.approx(lead)


def test_a_quiet_notebook_over_time() -> None:
    """Warned at 20 min, seen by nobody, put off once at 30, stopped at 40."""
    row = replace(QUIET, reached_at=None)
    assert row.quiet_since is not None
    seen: list[tuple[int, str]] = []
    for minute in range(60):
        now = row.quiet_since + timedelta(minutes=minute)
        row = replace(row, verdict_at=now)
        end = ends(row, LIMITS).idle_at
        assert end is not None
        warned = warning_due(end, LIMITS.idle_seconds, LIMITS, now)
        found = decide(row, LIMITS, now)
        if isinstance(found, Delay):
            row = replace(row, delayed_at=now)
        word = (
            "delay"
            if isinstance(found, Delay)
            else "stop"
            if isinstance(found, Stop)
            else "warn"
            if warned
            else "keep"
        )
        if not seen or seen[-1][1] != word:
            seen.append((minute, word))
        if word == "stop":
            break
    assert seen == [(0, "keep"), (20, "warn"), (30, "delay"), (31, "warn"), (40, "stop")]


def test_a_click_starts_the_idle_clock_anew() -> None:
    made = extend(QUIET, LIMITS, at(1.4))
    assert made.kind == "idle" and made.values["quiet_since"] == at(1.4)
    after = replace(QUIET, quiet_since=at(1.4))
    assert ends(after, LIMITS).idle_at == at(1.9)
    assert label(after, LIMITS, NOW) == "keep"


WORKING = replace(QUIET, verdict="working", quiet_since=None)


def test_a_session_is_extended_twice_and_no_more() -> None:
    row = WORKING
    for number, hour in ((1, 10), (2, 12)):
        made = extend(row, LIMITS, at(7.9))
        assert made.until == at(hour) and made.values["session_ends_at"] == at(hour)
        row = replace(
            row, extensions=made.values["extensions"], extended_seconds=made.values["extended_seconds"]
        )
        assert row.extensions == number
    with pytest.raises(Refusal, match="All 2 extensions are used"):
        extend(row, LIMITS, at(11.9))
    assert extend(row, LIMITS, at(11.9), by_admin=True, seconds=12 * HOUR).until == at(24)


def test_nobody_extends_by_more_than_the_bound_or_where_there_is_no_end() -> None:
    with pytest.raises(Refusal, match="at most"):
        extend(WORKING, LIMITS, at(7), seconds=3 * HOUR)
    assert extend(WORKING, LIMITS, at(7), seconds=HOUR).until == at(9)
    with pytest.raises(Refusal, match="no end to move"):
        extend(WORKING, replace(LIMITS, max_seconds=0), at(7))
    with pytest.raises(Refusal, match="no end to move"):
        extend(WORKING, replace(LIMITS, mode="observe"), at(7))
    with pytest.raises(Refusal, match="cannot be extended"):
        extend(WORKING, replace(LIMITS, extensions=0), at(7))


def test_limits_of_a_launch_from_before_these_fields_are_the_defaults() -> None:
    found = Limits.of({"idle_stop_seconds": 900, "max_session_seconds": 0}, "stop")
    assert found == Limits(900, 0)
    assert Limits.of({"warn_seconds": [60, 600]}, "stop").warn_seconds == (600, 60)
    assert Limits.of({"enforcement": "observe"}, "stop").mode == "observe"
