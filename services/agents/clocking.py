"""From a heartbeat and the session's row to the clocks: verdict and deadlines. Pure.

What it returns are columns of the row; whoever writes them does so in one transaction with reading it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from jupyterhub_notebooks.clock import to_text
from jupyterhub_notebooks.contract import Heartbeat, Signal, Verdict
from jupyterhub_notebooks.enforcement import rules, verdict
from jupyterhub_notebooks.enforcement.rules import Ends, Limits
from jupyterhub_notebooks.ledger import Session

from . import reading

MOST_SIGNALS = 32
#: A notebook that was not heard for so long, and for two heartbeats, was not known meanwhile.
SILENT_SECONDS = 60.0
#: What somebody waits for: a change of one of these is written before the answer goes out.
AT_ONCE = ("verdict", "quiet_since", "idle_ends_at", "session_ends_at", "warned_at", "reached_at")
#: The rest of what a reading leaves; needs no transaction of its own.
LATER = ("verdict_at", "verdict_since", "verdict_sentence", "signals")


def limits_of(row: Session, mode: str, unsaved_seconds: float) -> Limits:
    """The limits of a session; what it started with, where it says nothing the Hub's mode."""
    return Limits.of(row.launch, mode, unsaved_seconds)


def values_of(row: Session, beat: Heartbeat, limits: Limits, now: datetime) -> dict[str, Any]:
    """Columns of a running session after a heartbeat; empty where no clock runs for it."""
    if beat.phase != "running" or row.kind != "work":
        return {}
    signals = read_signals(beat.signals)
    resources = row.launch.get("resources")
    has_gpu = bool(isinstance(resources, Mapping) and resources.get("gpu"))
    counted = verdict.counted_of(tuple(row.launch.get("signals") or ()), has_gpu)
    judged = verdict.judge(signals, counted, before(row), now)
    values: dict[str, Any] = {
        "verdict": judged.value,
        "verdict_since": judged.since,
        "verdict_at": now,
        "verdict_sentence": judged.sentence,
        "signals": [one.to_json() for one in signals],
        "quiet_since": judged.quiet_since,
    }
    end = ends_of(row, values, limits)
    values |= {"idle_ends_at": end.idle_at, "session_ends_at": end.session_at}
    if rules.warning_due(end.idle_at, limits.idle_seconds, limits, now) and limits.mode == "stop":
        quiet_since = judged.quiet_since
        assert quiet_since is not None
        if row.warned_at is None or row.warned_at < quiet_since:
            values["warned_at"] = now
        if any(name.startswith("idle-") for name in beat.shown_notices):
            values["reached_at"] = now
    return values


def silent_since(row: Session, heartbeat_seconds: float, now: datetime) -> datetime | None:
    """Since when nothing was heard before this heartbeat; None where it was heard all the time."""
    if row.verdict_at is None:
        return None
    silent = (now - row.verdict_at).total_seconds() > max(SILENT_SECONDS, 2 * heartbeat_seconds)
    return row.verdict_at if silent else None


def is_urgent(values: Mapping[str, Any], row: Session) -> bool:
    """Whether something changed that others decide on."""
    return any(name in values and values[name] != getattr(row, name) for name in AT_ONCE)


def before(row: Session) -> verdict.Before:
    """What the last reading left in the row."""
    signals = tuple(Signal.from_json(one) for one in row.signals or ())
    return verdict.Before(row.verdict, row.verdict_since, row.verdict_at, row.quiet_since, signals)


def read_signals(signals: Sequence[Signal]) -> tuple[Signal, ...]:
    """As a database and a page take them."""
    return tuple(
        Signal(
            reading.text(one.name, 40),
            one.state if one.state in ("busy", "idle") else "unknown",
            reading.text(one.since, 40) if one.since else None,
            reading.text(one.detail, 300),
        )
        for one in signals[:MOST_SIGNALS]
    )


class _Row:
    """A row with some of its columns changed."""

    def __init__(self, row: Session, values: Mapping[str, Any]) -> None:
        self._row, self._values = row, values

    def __getattr__(self, name: str) -> Any:
        return self._values[name] if name in self._values else getattr(self._row, name)


def ends_of(row: Session, values: Mapping[str, Any], limits: Limits) -> Ends:
    return rules.ends(_Row(row, values), limits)


def verdict_of(row: Session) -> Verdict:
    """As the agent hears it."""
    if row.verdict is None:
        return Verdict()
    since = to_text(row.verdict_since) if row.verdict_since else None
    return Verdict(row.verdict, since, row.verdict_sentence or "")


def next_in_seconds(usual: float, soon: float, row: Session, limits: Limits, now: datetime) -> float:
    """The usual time; sooner where a warning begins before, and soon in the last two minutes."""
    end = rules.ends(row, limits)
    wait = usual
    for at, limit in ((end.idle_at, limits.idle_seconds), (end.session_at, limits.max_seconds)):
        if at is None:
            continue
        left = (at - now).total_seconds()
        if left <= 120:
            return min(usual, soon)
        to_warning = left - limits.lead(limit)
        wait = min(wait, max(soon, to_warning if to_warning > 0 else usual), max(soon, left - 120))
    return wait
