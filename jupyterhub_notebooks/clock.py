"""Time as an argument: what decides takes ``now``; only what acts holds a ``Clock``.

All wall times are timezone-aware UTC. Text form is RFC 3339 with ``Z``.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where time comes from. ``now`` is aware UTC; ``monotonic`` is seconds that never go back."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...


class SystemClock:
    """This machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


SYSTEM_CLOCK = SystemClock()


def to_text(at: datetime) -> str:
    """RFC 3339 in UTC with microseconds only where there are any, such as ``2026-10-14T12:30:00Z``."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def from_text(text: str) -> datetime:
    """The time that an RFC 3339 text names, as aware UTC. Raises ValueError for anything else."""
    at = datetime.fromisoformat(text.replace("Z", "+00:00") if text.endswith("Z") else text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} lies outside the years 1 to 9999") from None
