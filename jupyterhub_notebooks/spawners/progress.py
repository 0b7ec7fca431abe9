"""What a start or a stop is doing, in words, and when it counts as stuck: pure functions of the session's row."""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from typing import Any

from .. import messages
from ..enforcement.causes import cause_of
from ..enforcement.state import plain, state_of
from ..ledger import Notebook, Session
from ..units import NBSP, show_duration, show_progress
from .refusing import NotStarted


class Movement:
    """How long nothing has moved. Times are seconds of a clock that never goes back."""

    def __init__(self, now: float) -> None:
        self._what: Any = None
        self._since = now

    def quiet_seconds(self, row: Session, now: float) -> float:
        """Seconds since phase, bytes or files last changed. A heartbeat alone is no progress."""
        what = (row.phase, row.done_bytes, row.total_bytes, row.done_files, row.total_files)
        if what != self._what:
            self._what, self._since = what, now
        return now - self._since


_PERCENT = {
    "": 5,
    "waiting": 3,
    "attaching": 4,
    "pulling": 5,
    "hello": 8,
    "restoring": 10,
    "initializing": 75,
    "starting": 85,
    "running": 95,
}


def event(notebook: Notebook | None, row: Session | None, now: datetime) -> dict[str, Any]:
    """One line of the Hub's progress page. row: the session as last read, None before it has one."""
    if notebook is None or row is None:
        return {"progress": 2, "message": "Checking the profile."}
    percent = _PERCENT.get(row.phase, 95)
    if row.phase == "restoring" and row.total_bytes:
        percent += int(60 * min(1.0, row.done_bytes / row.total_bytes))
    return {"progress": percent, "message": plain(state_of(notebook, row, None, now).sentence, now, UTC)}


def _bytes(row: Session) -> str:
    return show_progress(row.done_bytes, row.total_bytes)


def saving(row: Session) -> str:
    """``26 of 63 MB are saved.``, '' where it is not known."""
    return f"{_bytes(row)} are saved." if row.phase == "saving" and row.total_bytes else ""


def stuck(row: Session, quiet_seconds: float, contact: str) -> NotStarted:
    """The error of a start in which nothing moved for so long."""
    for_so_long = show_duration(quiet_seconds)
    title, why = {
        "pulling": (
            messages.title("registry silent"),
            messages.why("registry silent", time=for_so_long)
            + (f", at {_bytes(row)}" if row.total_bytes else ""),
        ),
        "hello": ("The workspace could not be opened", f"Nothing has happened for {for_so_long}"),
        "restoring": (
            "Your workspace could not be fetched",
            f"Storage has sent nothing for {for_so_long}"
            + (f", at {_bytes(row)}" if row.total_bytes else "")
            + "; nothing was overwritten",
        ),
        "initializing": ("The workspace could not be set up", f"Nothing has happened for {for_so_long}"),
        "starting": (
            messages.title("server slow", time=for_so_long),
            messages.why("server slow"),
        ),
    }.get(row.phase, ("The notebook did not come up", f"It has said nothing for {for_so_long}"))
    return NotStarted(title, why, ("Start it again", f"Ask {contact}"), cause="no_progress")


def ended(
    row: Session, code: int | None, log: list[str], contact: str, death: tuple[str, str] = ("", "")
) -> NotStarted:
    """The error of a start whose process ended. code: its exit status. log: its last lines. death: cause and sentence, as far
    as the backend knows them."""
    killed = code is not None and code < 0 and not row.cause
    known = death[1] if death[0] else ""
    why = row.detail or known or (_killed(-code) if killed and code else _last_words(log)) or death[1]
    if not why:
        why = f"It ended with status{NBSP}{code}" if code else "It gave no reason"
    label = row.cause or death[0] or ("agent_died" if killed else "did_not_start")
    cause = cause_of(label)
    evidence = (("how it ended", death[1]),) if death[1] else ()
    return NotStarted(cause.title, why, (*cause.next, f"Ask {contact}"), cause=label, evidence=evidence)


def _killed(number: int) -> str:
    """What is known of a process that a signal ended: it could say nothing itself."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal{NBSP}{number}"
    often = ": most often the machine ran out of memory" if number == signal.SIGKILL else ""
    return f"It was ended by {name} before the server answered{often}"


def _last_words(log: list[str]) -> str:
    said = [line.strip() for line in log if line.strip()]
    return said[-1][:300] if said else ""
