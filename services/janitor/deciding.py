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
STOP_SILENT = "stop_silent"

#: A stop that was asked for and that the Hub does not carry out is asked for again after so long.
STOP_AGAIN_SECONDS = 20.0
#: So long a session that the Hub does not know may report before it is told to save and end: its start or its
#: last save may be under way.
UNKNOWN_SECONDS = 60.0
MOST_SECONDS = 3600.0
#: A session that the Hub calls ready is stopped as gone after two leases without a word, and this much more.
SILENT_MORE_SECONDS = 60.0
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
    """do: one of the words above. cause: what a session that is ended says where it has none of its own."""

    do: str
    cause: str = ""


@dataclass(frozen=True)
class Evidence:
    """What else is known of an open session. lease_left: seconds of its lease, None where it holds none.

    stop_asked_at, stop_cause: the newest stop that is asked of it and not done. told: its agent has an order to end.
    silent_seconds: after so long without a word an agent counts as gone. watched_seconds: so long everything that its
    word goes through was seen to answer. unheard_seconds: how long no word has come by the
    janitor's own clock that nobody sets.
    """

    lease_left: float | None
    silent_seconds: float
    stop_asked_at: datetime | None = None
    told: bool = False
    stop_cause: str = "stopped"
    watched_seconds: float = 0.0
    unheard_seconds: float = 0.0

    @property
    def free(self) -> bool:
        """Whether nobody may write under its lease any more."""
        left = self.lease_left
        # no lease is longer than the time of silence: one that seems so is from before the clock was set back
        return left is None or left <= 0 or left > self.silent_seconds + BACK_SECONDS


def is_active(server: HubServer | None) -> bool:
    """Whether the Hub runs it or is busy with it."""
    return server is not None and (server.ready or server.pending is not None)


def decide(session: SessionRow, server: HubServer | None, known: Evidence, now: datetime) -> Action:
    """What to do about an open session. server: None where the Hub has no such server."""
    silent = max((now - _heard(session)).total_seconds(), known.unheard_seconds)
    if server is not None and is_active(server):
        return _at_hub(session, server, known, silent, now)
    if silent > known.silent_seconds:
        return Action(CLOSE, _cause(session)) if known.free else Action(KEEP)
    if known.told:
        return Action(KEEP)
    asked = known.stop_asked_at or session.stop_asked_at or session.ended_at
    if asked is not None:  # its last save may run; else the Hub forgot it with the stop
        forgotten = (now - asked).total_seconds() > UNKNOWN_SECONDS and session.phase in (
            "starting",
            "running",
        )
        return Action(FINISH, known.stop_cause) if forgotten else Action(KEEP)
    begun = (now - (session.ready_at or session.asked_at)).total_seconds()
    return Action(FINISH, "lost") if begun > UNKNOWN_SECONDS else Action(KEEP)


def _heard(session: SessionRow) -> datetime:
    return max(at for at in (session.asked_at, session.heard_at, session.ended_at) if at is not None)


def _at_hub(session: SessionRow, server: HubServer, known: Evidence, silent: float, now: datetime) -> Action:
    if server.pending is not None:
        return Action(KEEP)
    asked = known.stop_asked_at
    if asked is not None:
        return Action(
            STOP_AGAIN if _ahead(asked, now) or (now - asked).total_seconds() > STOP_AGAIN_SECONDS else KEEP
        )
    if session.kind == "save" and session.ready_at is not None:
        return Action(END_SAVED, "saved")
    # The Hub looks after what it runs, but of a machine that is gone, or a process that is stuck, it hears nothing.
    most = 2 * known.silent_seconds + SILENT_MORE_SECONDS
    if silent > most and known.watched_seconds > most and known.free:
        return Action(STOP_SILENT, "silent")
    return Action(KEEP)


def _ahead(at: datetime, now: datetime) -> bool:
    """Whether at lies ahead: the clock was set back since, and nobody knows for how long to wait."""
    return (at - now).total_seconds() > BACK_SECONDS


def _cause(session: SessionRow) -> str:
    if session.phase in ("", "hello", "restoring"):
        return "did_not_start"
    return "agent_died"


def routes_are_missing(routes: int, ready: int) -> bool:
    """Whether a proxy with so many routes cannot have those of so many ready servers.

    It has one to the Hub itself, and at least one to a service, the agents' or the pages'. One that was started again
    begins with the first alone and learns of what became ready since.
    """
    return routes < ready + 2


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
