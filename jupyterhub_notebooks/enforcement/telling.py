"""What is told of a running session's clocks: verdict, deadlines, and the click that moves the one that comes first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from .. import messages
from ..units import NBSP, show_duration
from . import rules
from .rules import Ends, Limits
from .sentences import Moment, Sentence
from .verdict import QUIET, UNKNOWN


class Told(rules.Clocks, Protocol):
    """What of a session's row is told."""

    @property
    def verdict_sentence(self) -> str | None: ...


@dataclass(frozen=True)
class Clock:
    """badge: its name in words.BADGES, '' for the usual one. keep: the button's words, '' where nothing can be moved.

    moves: which clock that button moves, ``idle`` or ``session_limit``.
    """

    badge: str = ""
    sentence: Sentence = ()
    detail: Sentence = ()
    keep: str = ""
    moves: str = ""


def ends_of(row: Told, limits: Limits | None) -> Ends:
    """The deadlines that people are told of: none where nothing is stopped."""
    if limits is None or limits.mode != "stop":
        return Ends(None, None)
    return rules.ends(row, limits)


def clock_of(row: Told, limits: Limits | None, now: datetime) -> Clock:
    """The clocks of a running session that is heard."""
    end = ends_of(row, limits)
    if row.verdict == QUIET and row.quiet_since is not None:
        quiet = _parts("idle soon", since=Moment(row.quiet_since))
        if end.idle_at is None or limits is None:
            return _session(row, limits, end, now, quiet)
        first = messages.title("idle soon", left=left(end.idle_at, now)) + "."
        if end.kind == rules.IDLE and rules.warning_due(end.idle_at, limits.idle_seconds, limits, now):
            soon: Sentence = (f"{first} ", *quiet)
            return Clock("quiet soon", soon, session_end(end, now), "Keep working", rules.IDLE)
        return _session(row, limits, end, now, (*quiet, f" {first}"))
    said: Sentence = (row.verdict_sentence,) if row.verdict_sentence else ()
    if row.verdict == UNKNOWN and said:
        said = (*said, *not_stopped(end))
        return Clock("", said)
    return _session(row, limits, end, now, said)


def _session(row: Told, limits: Limits | None, end: Ends, now: datetime, said: Sentence) -> Clock:
    """What is said, and the session's end; amber where that is near."""
    detail = session_end(end, now)
    if limits is None or not rules.warning_due(end.session_at, limits.max_seconds, limits, now):
        return Clock("", said, detail)
    may = row.extensions < limits.extensions and limits.extend_seconds
    number = f"{row.extensions + 1} of {limits.extensions}"
    by = show_duration(limits.extend_seconds)
    keep = messages.steps("limit soon", by=by, number=number)[0] if may else ""
    return Clock("ends soon", (*detail, " ", *said) if said else detail, (), keep, rules.SESSION_LIMIT)


def session_end(end: Ends, now: datetime) -> Sentence:
    """``Session ends in 5 h 10 min, at 19:36.``"""
    if end.session_at is None:
        return ()
    first = messages.title("limit soon", left=left(end.session_at, now))
    return (f"{first}, ", *_parts("limit soon", at=Moment(end.session_at)))


def _parts(situation: str, **values: Moment) -> Sentence:
    """Its reason, with times that a page writes in its reader's zone."""
    return tuple(
        part if isinstance(part, Moment) else str(part)
        for part in messages.parts(messages.MESSAGES[situation].why, **values)
    )


def not_stopped(end: Ends) -> Sentence:
    """``Not stopped as idle; session ends at 18:50.``"""
    if end.session_at is None:
        return (" Not stopped as idle.",)
    return (" Not stopped as idle; session ends at ", Moment(end.session_at), ".")


def left(at: datetime, now: datetime) -> str:
    """``5 h 10 min``, ``8 min``, below two minutes ``1:45 min``."""
    seconds = max(0, round((at - now).total_seconds()))
    return f"{seconds // 60}:{seconds % 60:02d}{NBSP}min" if seconds < 120 else show_duration(seconds)
