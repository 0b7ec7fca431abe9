"""What follows for a session: (its clocks, its limits, now) -> keep, ask, put off or stop. Pure; the only place that decides it.

Promises: only quiet is stopped as idle, and only on a reading younger than ``FRESH_SECONDS``; a warning that
reached nobody puts an idle stop off once; the session limit is never put off. Limits of 0 mean none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from ..clock import to_text
from ..errors import Refusal
from ..units import show_duration
from .verdict import QUIET

IDLE, SESSION_LIMIT = "idle", "session_limit"
MODES = ("stop", "observe", "off")
FRESH_SECONDS = 5.0
WARN_SECONDS = (600, 120)
EXTEND_SECONDS = 2 * 3600
EXTENSIONS = 2
#: A notebook that cannot be saved is not stopped as idle for this long.
UNSAVED_SECONDS = 2 * 3600
#: A GPU that was not used for so long is told to its user and listed for administrators.
GPU_UNUSED_SECONDS = 3600
#: A warning is given no earlier than when this part of a short limit is over.
EARLIEST = 1 / 3


@dataclass(frozen=True)
class Limits:
    """mode: ``stop``, ``observe`` (record what would be stopped) or ``off``. warn_seconds: the longest first."""

    idle_seconds: float = 0
    max_seconds: float = 0
    warn_seconds: tuple[float, ...] = WARN_SECONDS
    extend_seconds: float = EXTEND_SECONDS
    extensions: int = EXTENSIONS
    mode: str = "stop"
    unsaved_seconds: float = UNSAVED_SECONDS

    @classmethod
    def of(cls, launch: Mapping[str, Any], mode: str, unsaved_seconds: float = UNSAVED_SECONDS) -> Limits:
        """Of what a session started with. mode: the Hub's, where the launch has none of its own."""
        own = "off" if mode == "off" else str(launch.get("enforcement") or mode)
        warns = launch.get("warn_seconds")
        return cls(
            idle_seconds=float(launch.get("idle_stop_seconds") or 0) if own != "off" else 0,
            max_seconds=float(launch.get("max_session_seconds") or 0) if own != "off" else 0,
            warn_seconds=tuple(sorted(WARN_SECONDS if warns is None else warns, reverse=True)),
            extend_seconds=float(launch.get("extend_seconds", EXTEND_SECONDS)),
            extensions=int(launch.get("extensions", EXTENSIONS)),
            mode=own,
            unsaved_seconds=unsaved_seconds,
        )

    def lead(self, limit_seconds: float) -> float:
        """How long before the end of a limit its first warning is given; 0 where none is."""
        return min([*self.warn_seconds[:1], limit_seconds * (1 - EARLIEST)]) if self.warn_seconds else 0


class Clocks(Protocol):
    """What of a session's row decides."""

    @property
    def ready_at(self) -> datetime | None: ...
    @property
    def verdict(self) -> str | None: ...
    @property
    def verdict_at(self) -> datetime | None: ...
    @property
    def quiet_since(self) -> datetime | None: ...
    @property
    def extended_seconds(self) -> int: ...
    @property
    def extensions(self) -> int: ...
    @property
    def reached_at(self) -> datetime | None: ...
    @property
    def delayed_at(self) -> datetime | None: ...
    @property
    def save_error(self) -> str | None: ...


@dataclass(frozen=True)
class Ends:
    """When the two clocks run out, None where that clock does not run."""

    idle_at: datetime | None
    session_at: datetime | None

    @property
    def first(self) -> datetime | None:
        """The deadline that comes first."""
        return min((at for at in (self.idle_at, self.session_at) if at is not None), default=None)

    @property
    def kind(self) -> str:
        """Which of them: ``idle``, ``session_limit`` or ''."""
        if self.first is None:
            return ""
        return IDLE if self.first == self.idle_at else SESSION_LIMIT


@dataclass(frozen=True)
class Keep:
    why: str = ""


@dataclass(frozen=True)
class Ask:
    """A reading as of now is needed before it can be stopped."""


@dataclass(frozen=True)
class Delay:
    """The idle warning reached nobody: the stop is put off, once."""

    until: datetime


@dataclass(frozen=True)
class Stop:
    """cause: ``idle`` or ``session_limit``."""

    cause: str
    due_at: datetime


Decision = Keep | Ask | Delay | Stop


def ends(clocks: Clocks, limits: Limits) -> Ends:
    """When a session's clocks run out."""
    session_at = idle_at = None
    if clocks.ready_at is not None and limits.max_seconds:
        session_at = clocks.ready_at + timedelta(seconds=limits.max_seconds + clocks.extended_seconds)
    if clocks.verdict == QUIET and clocks.quiet_since is not None and limits.idle_seconds:
        idle_at = clocks.quiet_since + timedelta(seconds=limits.idle_seconds)
        if clocks.delayed_at is not None and clocks.delayed_at >= clocks.quiet_since:
            later = clocks.delayed_at + timedelta(seconds=limits.lead(limits.idle_seconds))
            idle_at = max(idle_at, later)
    return Ends(idle_at, session_at)


def warning_due(ends_at: datetime | None, limit_seconds: float, limits: Limits, now: datetime) -> bool:
    """Whether the first warning before an end is due."""
    if ends_at is None:
        return False
    return now >= ends_at - timedelta(seconds=limits.lead(limit_seconds))


def decide(clocks: Clocks, limits: Limits, now: datetime, *, asked: bool = False) -> Decision:
    """What to do with a running session. asked: a new reading was asked for already, so that none is worth waiting for."""
    end = ends(clocks, limits)
    if end.session_at is not None and now >= end.session_at:
        return Stop(SESSION_LIMIT, end.session_at)
    if end.idle_at is None or now < end.idle_at:
        return Keep()
    if clocks.verdict_at is None or not _fresh(clocks.verdict_at, now):
        return Keep("It does not answer, so that nothing is known") if asked else Ask()
    assert clocks.quiet_since is not None
    lead = limits.lead(limits.idle_seconds)
    reached = clocks.reached_at is not None and clocks.reached_at >= clocks.quiet_since
    delayed = clocks.delayed_at is not None and clocks.delayed_at >= clocks.quiet_since
    if lead and limits.mode == "stop" and not reached and not delayed:
        return Delay(now + timedelta(seconds=lead))
    if clocks.save_error and now < end.idle_at + timedelta(seconds=limits.unsaved_seconds):
        return Keep("It cannot be saved now")
    return Stop(IDLE, end.idle_at)


def _fresh(at: datetime, now: datetime) -> bool:
    return abs((now - at).total_seconds()) <= FRESH_SECONDS


@dataclass(frozen=True)
class Extended:
    """What ``Keep working`` changes: columns of the session, and which clock. seconds: by how much a limit moved."""

    kind: str
    values: Mapping[str, Any]
    seconds: float
    until: datetime

    def evidence(self, who: str) -> dict[str, Any]:
        """What is recorded: until when, by how much, and who asked by name where that is not the actor."""
        return {"until": to_text(self.until), "seconds": self.seconds, "who": who}


def extend(
    clocks: Clocks, limits: Limits, now: datetime, *, seconds: float = 0, by_admin: bool = False
) -> Extended:
    """Moves the end that comes first. Raises Refusal beyond the profile's bound, unless an administrator asks.

    For the idle clock the click itself is a sign of somebody: it begins anew. seconds 0: as much as one extension has.
    """
    end = ends(clocks, limits)
    if limits.mode != "stop" or not end.first:
        raise Refusal("There is no end to move", "No time limit runs for this session.", label="no_limit")
    if end.kind == IDLE:
        until = now + timedelta(seconds=limits.idle_seconds)
        values = {"quiet_since": now, "idle_ends_at": until, "warned_at": None}
        return Extended(IDLE, values, 0, until)
    step = seconds or limits.extend_seconds
    if not by_admin and clocks.extensions >= limits.extensions:
        if limits.extensions == 0:
            raise Refusal(
                "This session cannot be extended", "Its profile has a fixed end.", label="no_extension"
            )
        raise Refusal(
            f"All {limits.extensions} extensions are used",
            "The profile allows no more.",
            ["Save and start the notebook again for a new session", "Ask an administrator to extend it"],
            label="no_extension",
        )
    if not by_admin and not 0 < step <= limits.extend_seconds:
        raise Refusal(
            f"One extension is at most {show_duration(limits.extend_seconds)}",
            "The profile sets this bound.",
            field="seconds",
            label="too_long",
        )
    assert end.session_at is not None
    until = max(end.session_at, now) + timedelta(seconds=step)
    moved = round((until - end.session_at).total_seconds())
    more: dict[str, Any] = {
        "extended_seconds": clocks.extended_seconds + moved,
        "extensions": clocks.extensions + (0 if by_admin else 1),
        "session_ends_at": until,
    }
    return Extended(SESSION_LIMIT, more, step, until)
