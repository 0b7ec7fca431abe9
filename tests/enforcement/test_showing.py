"""What editors show of a session's clocks: the words of the mockups, times for the screen to count."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from jupyterhub_notebooks.contract import Part
from jupyterhub_notebooks.enforcement import showing
from jupyterhub_notebooks.enforcement.rules import Limits

START = datetime(2026, 10, 1, 11, 36, tzinfo=UTC)
LIMITS = Limits(idle_seconds=1800, max_seconds=8 * 3600)


@dataclass(frozen=True)
class Row:
    verdict: str | None = "working"
    verdict_sentence: str | None = "A cell runs in churn.ipynb, 1 h 12 min so far."
    ready_at: datetime | None = START
    verdict_at: datetime | None = START
    quiet_since: datetime | None = None
    extended_seconds: int = 0
    extensions: int = 0
    reached_at: datetime | None = None
    delayed_at: datetime | None = None
    save_error: str | None = None


def text(parts: tuple[Part, ...]) -> str:
    return "".join(one.text or f"<{one.form} {one.at[11:16]}>" for one in parts)


QUIET = Row("quiet", "…", quiet_since=START + timedelta(hours=2))


@pytest.mark.parametrize(
    ("row", "limits", "minutes", "bar", "keep", "colour"),
    [
        (Row(), LIMITS, 170, "Working, <left 19:36> left", "Extend by 2\u00a0h (1 of 2)", "work"),
        (Row("present"), LIMITS, 170, "In use, <left 19:36> left", "Extend by 2\u00a0h (1 of 2)", "rest"),
        (QUIET, LIMITS, 128, "Quiet, idle stop in <left 14:06>", "", "rest"),
        (QUIET, LIMITS, 142, "Idle stop in <left 14:06>", "Keep working", "wait"),
        (Row(), LIMITS, 471, "Session ends in <left 19:36>", "Extend by 2\u00a0h (1 of 2)", "wait"),
        (Row(extensions=2), LIMITS, 471, "Session ends in <left 19:36>", "", "wait"),
        (
            Row("unknown", None),
            LIMITS,
            170,
            "Not known, <left 19:36> left",
            "Extend by 2\u00a0h (1 of 2)",
            "rest",
        ),
        (Row(), Limits(), 170, "Working", "", "work"),
        (QUIET, Limits(idle_seconds=1800, mode="observe"), 142, "Quiet", "", "rest"),
    ],
    ids=[
        "works",
        "in use",
        "quiet",
        "quiet and soon",
        "ends soon",
        "ends, no extension left",
        "not known",
        "no limit",
        "observed",
    ],
)
def test_the_line_of_the_status_bar(
    row: Row, limits: Limits, minutes: int, bar: str, keep: str, colour: str
) -> None:
    shown = showing.shown_clock(row, limits, START + timedelta(minutes=minutes))
    assert (text(shown.bar), shown.keep, shown.colour) == (bar, keep, colour)
    assert shown.near == (colour == "wait")


def test_the_panel_says_why_and_what_else_ends() -> None:
    shown = showing.shown_clock(QUIET, LIMITS, START + timedelta(minutes=142))
    assert text(shown.title) == "Idle stop in <left 14:06>"
    assert text(shown.sentence) == "Nothing has run or been typed since <clock 13:36>."
    assert text(shown.detail).endswith("The session itself ends at <clock 19:36>.")
    assert (shown.badge, shown.moves) == ("quiet", "idle")
    works = showing.shown_clock(Row(), LIMITS, START + timedelta(minutes=170))
    assert text(works.detail) == "Ends at <clock 19:36>. No idle clock while it works."


def test_a_warning_has_words_for_a_screen_that_counts_and_for_one_that_does_not() -> None:
    at = START + timedelta(minutes=150)
    notice = showing.idle_notice("idle-1-600", QUIET, at, "Idle stop in 8 min", "…")
    assert text(notice.head) == "Idle stop in <left 14:06>"
    assert text(notice.body) == (
        "Nothing has run or been typed since <clock 13:36>. Files and variables are saved first."
    )
    assert notice.keep == "Keep working"
    ends = showing.limit_notice("limit-1", Row(extensions=2), LIMITS, at, "notebook-gpu-t4", "…")
    assert text(ends.body).startswith("The 8\u00a0h of notebook-gpu-t4 are over at <clock 14:06>;")
    assert ends.keep == "" and ends.next == ()
