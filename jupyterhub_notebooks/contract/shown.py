"""Words for a screen, made where the facts are: every editor shows the same, and writes times in its reader's zone."""

from __future__ import annotations

from dataclasses import dataclass

from .checked import Body


@dataclass(frozen=True)
class Part(Body):
    """A piece of a sentence: text, or where at is set a time. form: ``clock`` (14:25), ``ago`` (4 min ago) or
    ``left`` (8 min; 1:45 min below two minutes), counted by the time of services/agents."""

    text: str = ""
    at: str | None = None
    form: str = "clock"


@dataclass(frozen=True)
class Clock(Body):
    """What is shown of a session's clocks.

    badge: the verdict in a word or two. icon and colour: as enforcement/words.py has them. bar: for one line of a
    status bar; title, sentence and detail: for a panel. keep: words of the button that moves a deadline, '' where
    none can be moved; moves: which one (``idle``, ``session_limit``). near: that deadline's warning is due.
    """

    badge: str = ""
    icon: str = "circle-question"
    colour: str = "rest"
    bar: tuple[Part, ...] = ()
    title: tuple[Part, ...] = ()
    sentence: tuple[Part, ...] = ()
    detail: tuple[Part, ...] = ()
    keep: str = ""
    moves: str = ""
    near: bool = False


@dataclass(frozen=True)
class SavedShown(Body):
    """What is shown of saves. bar: one line; heading, end and lines: a panel's. percent: of a save that runs."""

    icon: str = "check"
    colour: str = "rest"
    bar: tuple[Part, ...] = ()
    heading: str = "Saved"
    end: tuple[Part, ...] = ()
    lines: tuple[str, ...] = ()
    percent: int | None = None


@dataclass(frozen=True)
class Meter(Body):
    """Used of allowed: name (``memory``, ``cpu``, ``disk``, ``gpu0``), label and text as shown. percent None where
    there is no limit to compare with. colour: ``rest``, ``wait`` from 80 %, ``err`` from 90 %."""

    name: str
    label: str
    text: str = ""
    percent: int | None = None
    colour: str = "rest"
