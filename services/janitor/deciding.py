"""What the janitor does about a session or a workspace: pure functions of rows, of what the Hub says, and of now.

In doubt they answer ``KEEP``: a session that might still be alive is left alone, and its files are on its volume.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from jupyterhub_notebooks.enforcement.rows import Run

#: What is done about an open session.
KEEP, CLOSE, STOP_AGAIN, END_SAVED, FINISH = "keep", "close", "stop_again", "end_saved", "finish"

#: A stop that was asked for and that the Hub does not carry out is asked for again after so long.
STOP_AGAIN_SECONDS = 20.0
#: So long a session that the Hub does not know may report before it is told to save and end: its start or its
#: last save may be under way.
UNKNOWN_SECONDS = 60.0
MOST_SECONDS = 3600.0
#: A moment further ahead than this was written before the clock was set back.
BACK_SECONDS = 5.0


class HubServer(Protocol):
    """A server as the Hub sees it."""

    @property
    def ready(self) -> bool: ...
    @property
    def pending(self) -> str | None: ...


class SessionRow(Run, Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def ready_at(self) -> datetime | None: ...


@dataclass(frozen=True)
class Action:
    """do: one of the words above. cause: what a session that is closed says where it has none of its own."""

    do: str
    cause: str = ""


@dataclass(frozen=True)
class Evidence:
    """What else is known of an open session. lease_left: seconds of its lease, None where it holds none.

    stop_asked_at: the newest stop that is asked of it and not done. told: it has an order to end already.
    silent_seconds: after so long without a word an agent counts as gone. unheard_seconds: how long no word has come by
    the janitor's own clock that nobody sets.
    """

    lease_left: float | None
    silent_seconds: float
    stop_asked_at: datetime | None = None
    told: bool = False
    unheard_seconds: float = 0.0


def is_active(server: HubServer | None) -> bool:
    """Whether the Hub runs it or is busy with it."""
    return server is not None and (server.ready or server.pending is not None)


def decide(session: SessionRow, server: HubServer | None, known: Evidence, now: datetime) -> Action:
    """What to do about an open session. server: None where the Hub has no such server."""
    if server is not None and is_active(server):
        return _at_hub(session, server, known, now)
    heard = max(at for at in (session.asked_at, session.heard_at, session.ended_at) if at is not None)
    silent = max((now - heard).total_seconds(), known.unheard_seconds)
    left = known.lease_left
    # no lease is longer than the time of silence: one that seems so is from before the clock was set back
    over = left is None or left <= 0 or left > known.silent_seconds + BACK_SECONDS
    if silent > known.silent_seconds and over:
        return Action(CLOSE, _cause(session))
    begun = (now - (session.ready_at or session.asked_at)).total_seconds()
    stopping = session.stop_asked_at is not None or session.ended_at is not None or known.told
    if silent <= known.silent_seconds and begun > UNKNOWN_SECONDS and not stopping:
        return Action(FINISH, "lost")
    return Action(KEEP)


def _at_hub(session: SessionRow, server: HubServer, known: Evidence, now: datetime) -> Action:
    if server.pending is not None:
        return Action(KEEP)
    asked = known.stop_asked_at
    if asked is not None and (_ahead(asked, now) or (now - asked).total_seconds() > STOP_AGAIN_SECONDS):
        return Action(STOP_AGAIN)
    if session.kind == "save" and asked is None and session.ready_at is not None:
        return Action(END_SAVED, "saved")
    return Action(KEEP)


def _ahead(at: datetime, now: datetime) -> bool:
    """Whether at lies ahead: the clock was set back since, and nobody knows for how long to wait."""
    return (at - now).total_seconds() > BACK_SECONDS


def _cause(session: SessionRow) -> str:
    if session.phase in ("", "hello", "restoring"):
        return "did_not_start"
    return "agent_died"


def over_at_hub(last: SessionRow | None, server: HubServer | None) -> bool:
    """Whether the Hub still shows a run that only saved and is over: it is told so, a start would meet it."""
    if last is None or server is None or not server.ready or server.pending is not None:
        return False
    return last.kind == "save" and last.closed_at is not None


@dataclass(frozen=True)
class Tries:
    """What was tried for a workspace that is not saved. number: runs asked for since its files were last in use.

    last_at: when the newest was asked for, began, or ended. ordered_at: when a person asked for one that has not begun.
    """

    number: int = 0
    last_at: datetime | None = None
    ordered_at: datetime | None = None


def tries_of(
    past: Sequence[SessionRow],
    asked: int = 0,
    asked_at: datetime | None = None,
    ordered_at: datetime | None = None,
) -> Tries:
    """From a notebook's sessions, newest first, and what the Hub was asked for (how often, when last)."""
    number = 0
    for one in past:
        if one.kind != "save":
            break
        number += 1
    moments = [asked_at, past[0].closed_at or past[0].asked_at if past else None]
    return Tries(max(number, asked), max((at for at in moments if at is not None), default=None), ordered_at)


def wait_seconds(number: int, again_seconds: float) -> float:
    """How long after a try the next one comes: none before the first, then twice as long each time, up to an hour."""
    if number == 0:
        return 0.0
    return min(again_seconds * 2.0 ** min(number - 1, 20), max(MOST_SECONDS, again_seconds))


def save_due(tries: Tries, again_seconds: float, now: datetime) -> bool:
    """Whether a run that only saves is asked for now."""
    if tries.last_at is None or (tries.ordered_at is not None and tries.ordered_at > tries.last_at):
        return True
    if _ahead(tries.last_at, now):
        return True
    return (now - tries.last_at).total_seconds() >= wait_seconds(tries.number, again_seconds)
