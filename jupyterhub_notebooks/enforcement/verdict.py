"""What a notebook is doing: signals in; working, present, quiet or unknown out, with the sentence that explains it.

Promises: work counts whatever is open or closed; an open connection counts for nothing. A signal that counts and
is not known makes the verdict unknown, never quiet. The idle clock begins anew whenever something went on, also
between two readings, and is kept by our own clock: the notebook's times are compared with each other alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from ..clock import from_text
from ..contract import Signal
from ..units import show_duration

WORKING, PRESENT, QUIET, UNKNOWN = "working", "present", "quiet", "unknown"

#: Signals of work, in the order in which they are named, and what they mean without a detail of their own.
WORK = {
    "kernel": "A cell runs",
    "terminal": "A program runs in a terminal",
    "gpu": "The GPU is in use",
    "download": "A download runs",
    "cpu": "A program computes",
}
#: Signals of a person.
PRESENCE = {
    "browser": "Somebody works in the browser",
    "editor": "Somebody edits a file",
    "cell": "A cell was run just now",
}
SIGNALS = (*WORK, *PRESENCE)
#: Without these nothing can be said of a notebook, unless its profile does not count them.
NEEDED = frozenset({"kernel", "gpu"})
_NAMES = {"kernel": "kernels", "terminal": "terminals", "gpu": "the GPU", "cpu": "the processor"}

#: A time of a signal that moved by less is the same time, read again.
SAME_SECONDS = 2.0


@dataclass(frozen=True)
class Before:
    """What the last reading left. at: when it was, by our clock."""

    value: str | None = None
    since: datetime | None = None
    at: datetime | None = None
    quiet_since: datetime | None = None
    signals: Sequence[Signal] = ()


@dataclass(frozen=True)
class Reading:
    """The verdict. quiet_since: the idle clock's start, None unless quiet."""

    value: str
    since: datetime
    sentence: str
    quiet_since: datetime | None = None


def counted_of(chosen: Collection[str], has_gpu: bool) -> tuple[str, ...]:
    """The signals that count: those that the profile names, else all; the GPU only where there is one."""
    return tuple(name for name in SIGNALS if name in chosen or (not chosen and (name != "gpu" or has_gpu)))


def judge(signals: Sequence[Signal], counted: Collection[str], before: Before, now: datetime) -> Reading:
    """The verdict on a reading of signals that has just come."""
    known = {one.name: one for one in signals if one.name in counted}
    for names, value in ((WORK, WORKING), (PRESENCE, PRESENT)):
        for name, words in names.items():
            one = known.get(name)
            if one is not None and one.state == "busy":
                since = before.since if before.value == value and before.since else now
                return Reading(value, since, _going_on(one, words, since, now))
    missing = [
        name
        for name in SIGNALS
        if name in counted and (known[name].state != "idle" if name in known else name in NEEDED)
    ]
    if missing:
        since = before.since if before.value == UNKNOWN and before.since else now
        return Reading(UNKNOWN, since, _not_known(missing, signals))
    start = _quiet_since(known, before, now)
    return Reading(QUIET, start, quiet_sentence(start, now), start)


def quiet_sentence(since: datetime, now: datetime) -> str:
    """For how long nothing went on."""
    return f"Nothing has run or been typed for {show_duration((now - since).total_seconds())}."


def _quiet_since(known: dict[str, Signal], before: Before, now: datetime) -> datetime:
    if before.value != QUIET or before.quiet_since is None or before.at is None:
        return now
    start = min(before.quiet_since, now)
    old = {one.name: one.since for one in before.signals}
    for name, one in known.items():
        if name in old and _moved(old[name], one.since):
            start = max(start, _between(before.at, one.since, now))
    return start


def _moved(old: str | None, new: str | None) -> bool:
    """Whether something went on between two readings that both say idle."""
    if old is None or new is None:
        return old != new
    first, second = _time(old), _time(new)
    if first is None or second is None:
        return old != new
    return abs((second - first).total_seconds()) > SAME_SECONDS


def _between(earliest: datetime, since: str | None, now: datetime) -> datetime:
    """The time of a signal as far as it can be believed; the latest possible one where it cannot."""
    at = _time(since) if since else None
    if at is None or at < earliest or at > now:
        return now
    return at


def _time(text: str) -> datetime | None:
    try:
        return from_text(text)
    except ValueError:
        return None


def _going_on(one: Signal, words: str, since: datetime, now: datetime) -> str:
    text = (one.detail or words).strip().rstrip(".")
    lasted = (now - since).total_seconds()
    return f"{text}, {show_duration(lasted)} so far." if one.name in WORK and lasted >= 60 else f"{text}."


def _not_known(missing: Sequence[str], signals: Sequence[Signal]) -> str:
    if not signals:
        return "The notebook does not say what goes on in it."
    return f"Nothing is known about {_NAMES.get(missing[0], 'the ' + missing[0])}."
