"""A notebook's state, its words and its badge, from rows and the time alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from jupyterhub_notebooks.contract import Heartbeat, Progress
from jupyterhub_notebooks.enforcement.causes import CAUSES
from jupyterhub_notebooks.enforcement.state import Facts, State, plain, state_of

NOW = datetime(2026, 10, 14, 14, 30, tzinfo=UTC)
NBSP = "\u00a0"


def ago(**parts: float) -> datetime:
    return NOW - timedelta(**parts)


ASKED_AT = ago(seconds=30)


@dataclass(frozen=True)
class Notebook:
    trashed_at: datetime | None = None
    emptied_at: datetime | None = None


@dataclass(frozen=True)
class Workspace:
    unsaved_on: str | None = None
    unsaved_files: int = 0
    unsaved_bytes: int = 0


@dataclass(frozen=True)
class Session:
    asked_at: datetime = ASKED_AT
    allocated_at: datetime | None = None
    ready_at: datetime | None = None
    stop_asked_at: datetime | None = None
    ended_at: datetime | None = None
    closed_at: datetime | None = None
    heard_at: datetime | None = None
    phase: str = ""
    done_bytes: int = 0
    total_bytes: int = 0
    pending_files: int = 0
    pending_bytes: int = 0
    save_error: str | None = None
    made_anew: list[str] | None = None
    warnings: list[str] | None = None
    verdict: str | None = None
    verdict_at: datetime | None = None
    verdict_sentence: str | None = None
    quiet_since: datetime | None = None
    extended_seconds: int = 0
    extensions: int = 0
    reached_at: datetime | None = None
    delayed_at: datetime | None = None
    cause: str | None = None
    detail: str | None = None
    variables: dict | None = None


RUNNING = Session(ago(hours=2), ready_at=ago(hours=2), heard_at=ago(seconds=5), phase="running")


def state(session: Session | None, notebook: Notebook = Notebook(), **more: Any) -> State:
    return state_of(
        notebook, session, more.pop("heartbeat", None), NOW, more.pop("workspace", None), Facts(**more)
    )


def words(session: Session | None, **more: Any) -> tuple[str, str, str, str]:
    """(state, sub-state, badge, sentence)"""
    found = state(session, **more)
    return found.state, found.sub, found.badge.words, plain(found.sentence, NOW, UTC)


def closed(cause: str, **more: Any) -> Session:
    base = replace(RUNNING, closed_at=ago(minutes=10), ended_at=ago(minutes=10), cause=cause, phase="ended")
    return replace(base, **more)


def test_one_that_never_ran_is_stopped() -> None:
    assert words(None) == ("STOPPED", "new", "Stopped", "Not started yet.")


@pytest.mark.parametrize(
    ("session", "sub", "sentence"),
    [
        (Session(), "waiting", "Asked for; making a place to run."),
        (
            Session(allocated_at=NOW),
            "opening volume",
            "The place is there; waiting for the notebook to report.",
        ),
        (Session(phase="hello"), "opening volume", "Opening the volume."),
        (
            Session(phase="hello", warnings=["Storage does not answer. It is tried again by itself."]),
            "opening volume",
            "Opening the volume. Storage does not answer. It is tried again by itself.",
        ),
        (Session(phase="restoring"), "restoring", "Fetching the workspace."),
        (
            Session(phase="restoring", done_bytes=312_000_000, total_bytes=840_000_000),
            "restoring",
            f"Workspace 312 of 840{NBSP}MB.",
        ),
        (Session(phase="initializing"), "restoring", "Preparing the workspace."),
        (Session(phase="starting"), "starting server", "The server is starting."),
        (Session(phase="running"), "starting server", "The server is starting."),
        (
            Session(ago(minutes=3), phase="starting"),
            "starting server",
            f"The server is starting. 3{NBSP}min so far.",
        ),
    ],
)
def test_a_start_says_where_it_is(session: Session, sub: str, sentence: str) -> None:
    assert words(session) == ("STARTING", sub, "Starting", sentence)
    assert state(session).moves


def test_a_heartbeat_is_newer_than_the_row() -> None:
    beat = Heartbeat(1, "restoring", progress=Progress(1_000_000, 2_000_000))
    assert words(Session(phase="hello"), heartbeat=beat)[3] == f"Workspace 1 of 2{NBSP}MB."


def test_one_that_runs_says_since_when_and_is_blue() -> None:
    assert words(RUNNING) == ("RUNNING", "", "Running", "Since 12:30.")
    assert state(RUNNING).badge.colour == "work" and not state(RUNNING).moves


@pytest.mark.parametrize(
    ("verdict", "badge", "colour"),
    [
        ("working", "Running, working", "work"),
        ("present", "Running, in use", "rest"),
        ("quiet", "Running, quiet", "rest"),
        ("unknown", "Running, not known", "rest"),
    ],
)
def test_a_verdict_has_its_badge(verdict: str, badge: str, colour: str) -> None:
    found = state(replace(RUNNING, verdict=verdict))
    assert (found.badge.words, found.badge.colour) == (badge, colour)


def test_one_that_has_just_started_is_not_told_as_not_known() -> None:
    found = state(replace(RUNNING, verdict="unknown", ready_at=ago(minutes=0.5), heard_at=ago(minutes=0.1)))
    assert (found.badge.words, found.sub) == ("Running", "unknown")


def test_one_that_is_not_heard_is_not_known_and_is_not_told_as_stopped() -> None:
    silent = replace(RUNNING, heard_at=ago(minutes=40))
    assert words(silent) == (
        "RUNNING",
        "unknown",
        "Running, not known",
        "No heartbeat since 13:50. Not stopped as idle.",
    )


def test_one_that_cannot_be_saved_says_so_while_it_runs() -> None:
    found = state(
        replace(RUNNING, save_error="Storage does not answer", pending_files=12, pending_bytes=38_000_000)
    )
    assert found.badge.words == "Running, not saved" and found.needs_you
    assert plain(found.sentence, NOW, UTC) == (
        f"Nothing is saved yet. Storage does not answer; 12{NBSP}files (38{NBSP}MB) are kept on the volume,"
        " and it is tried again by itself."
    )
    saved = words(
        replace(RUNNING, save_error="Storage does not answer. It answered 503.", pending_files=1),
        saved_at=ago(minutes=28),
    )
    assert saved[3] == (
        f"Not saved since 14:02. Storage does not answer; 1{NBSP}file is kept on the volume,"
        " and it is tried again by itself."
    )


def test_what_was_made_anew_is_told() -> None:
    assert state(replace(RUNNING, made_anew=["The kernel spec"])).warnings == ("The kernel spec",)


def test_a_stop_shows_what_is_saved_and_who_asked() -> None:
    stopping = replace(
        RUNNING, stop_asked_at=ago(minutes=5), phase="saving", done_bytes=26_000_000, total_bytes=63_000_000
    )
    assert words(stopping, actor="You")[3] == f"Saving 41{NBSP}%, 26 of 63{NBSP}MB. You stopped it at 14:25."
    assert words(stopping, actor="petra")[3].endswith("petra stopped it at 14:25.")
    assert words(replace(stopping, total_bytes=0))[3] == "Saving. Asked for at 14:25."


def test_a_server_that_died_is_still_being_saved() -> None:
    dying = replace(RUNNING, ended_at=ago(seconds=20))
    assert words(dying) == ("STOPPING", "saving", "Stopping", "Saving. The server ended at 14:29.")


def test_one_that_ended_and_is_not_heard_of_is_told_as_not_saved_with_what_is_kept() -> None:
    gone = replace(RUNNING, ended_at=ago(minutes=28), heard_at=ago(minutes=28))
    found = state(gone, saved_at=ago(minutes=32))
    assert (found.state, found.sub) == ("ERROR", "not saved")
    assert plain(found.safe, NOW, UTC) == "Files changed after the last save of 13:58 are kept on the volume."


def test_a_wanted_end_is_stopped_and_says_why_and_when() -> None:
    assert (
        words(closed("stopped"), actor="You", saved_at=ago(minutes=10))[3]
        == "You stopped it at 14:20; everything is saved."
    )
    assert words(closed("idle"), saved_at=ago(minutes=10)) == (
        "STOPPED",
        "",
        "Stopped",
        "Idle, stopped at 14:20 and saved.",
    )
    assert words(closed("stopped"))[3] == "Stopped at 14:20."


def test_an_end_that_nobody_wanted_is_an_error_and_says_whether_the_work_is_safe() -> None:
    found = state(closed("server_died", detail="It ended with status 137"), saved_at=ago(minutes=12))
    assert (found.state, found.sub, found.badge.words) == ("ERROR", "ended", "Error: ended")
    assert plain(found.sentence, NOW, UTC) == "The server ended by itself at 14:20."
    assert plain(found.safe, NOW, UTC) == "Everything of the last save of 14:18 is there."


def test_files_kept_on_the_volume_are_an_error_whatever_ended_it() -> None:
    found = state(closed("stopped"), workspace=Workspace("v", 12, 38_000_000), saved_at=ago(minutes=32))
    assert (found.state, found.sub) == ("ERROR", "not saved")
    assert plain(found.safe, NOW, UTC).startswith(
        f"12{NBSP}files (38{NBSP}MB) changed since are kept on the volume"
    )


def test_a_start_that_came_to_nothing_gives_the_reason_and_the_workspace_is_untouched() -> None:
    failed = closed("not_restored", ready_at=None, detail="Storage stopped answering at 312 of 840 MB")
    found = state(failed, saved_at=ago(days=1))
    assert (found.state, found.sub) == ("ERROR", "did not start")
    assert plain(found.sentence, NOW, UTC) == "Storage stopped answering at 312 of 840 MB."
    assert plain(found.safe, NOW, UTC) == "Your workspace was not touched (saved Tue 14:30)."


def test_a_start_that_was_cancelled_is_no_error() -> None:
    assert words(closed("stopped", ready_at=None), actor="You") == (
        "STOPPED",
        "",
        "Stopped",
        "You cancelled the start at 14:20.",
    )


def test_a_cause_that_is_not_known_is_an_error_in_its_own_words() -> None:
    assert words(closed("meteor_strike"))[3] == "Meteor strike at 14:20."


def test_the_trash_says_until_when() -> None:
    found = state(None, Notebook(trashed_at=ago(days=1)))
    assert (found.state, found.badge.words) == ("TRASHED", "In the trash")
    assert plain(found.sentence, NOW, UTC) == f"Kept until 12{NBSP}Nov."
    assert state(None, Notebook(ago(days=40), ago(hours=1))).state == "DELETING"


def test_times_are_written_in_the_zone_and_with_the_day_where_it_is_another() -> None:
    found = state(replace(RUNNING, ready_at=ago(hours=16), verdict="working"))
    assert plain(found.sentence, NOW, ZoneInfo("Asia/Tokyo")) == "Since 07:30."
    assert plain(found.sentence, NOW, UTC) == f"Since 13{NBSP}Oct 22:30."


def test_no_sentence_uses_a_word_that_pages_do_not_use() -> None:
    for cause in CAUSES.values():
        for text in (cause.title, *cause.next):
            assert not any(
                word in text.lower() for word in ("please", "sorry", "failed to", "invalid", "!", "oops")
            )
