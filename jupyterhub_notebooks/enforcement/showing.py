"""What editors show of a session's clocks, in the words of the pages: pure, times as ``Part``s that a screen counts itself."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ..clock import to_text
from ..contract import Clock, Notice, Part
from ..units import show_duration
from . import rules
from .rules import Ends, Limits
from .sentences import Moment, Sentence
from .telling import Told, clock_of, ends_of
from .verdict import PRESENT, QUIET, UNKNOWN, WORKING
from .words import BADGES

#: The verdict: as a panel's heading has it, and as a status bar begins.
WORDS = {
    WORKING: ("working", "Working"),
    PRESENT: ("in use", "In use"),
    QUIET: ("quiet", "Quiet"),
    UNKNOWN: ("not known", "Not known"),
}


def parts(sentence: Iterable[str | Moment]) -> tuple[Part, ...]:
    """A sentence as it travels."""
    return tuple(
        Part(at=to_text(one.at), form=one.form) if isinstance(one, Moment) else Part(one)
        for one in sentence
        if one
    )


def left(at: datetime) -> Moment:
    """How long until then, counted by the screen."""
    return Moment(at, "left")


def shown_clock(row: Told, limits: Limits | None, now: datetime) -> Clock:
    """The clocks of a running session that is heard."""
    told, end = clock_of(row, limits, now), ends_of(row, limits)
    value = row.verdict if row.verdict in WORDS else UNKNOWN
    badge, word = WORDS[value]
    look = BADGES[told.badge or value]
    near = told.badge in ("quiet soon", "ends soon")
    title, bar = _lines(end, value, word, near=near)
    return Clock(
        badge=badge,
        icon=look.icon,
        colour=look.colour,
        bar=parts(bar),
        title=parts(title),
        sentence=parts(_sentence(row)),
        detail=parts(_detail(end, value)),
        keep=told.keep or _extension(row, limits, end),
        moves=told.moves or end.kind,
        near=near,
    )


def _lines(end: Ends, value: str, word: str, *, near: bool) -> tuple[Sentence, Sentence]:
    """A panel's title, and the line of a status bar."""
    if end.first is None:
        return ("No time limit runs",), (word,)
    if end.kind == rules.IDLE:
        title: Sentence = ("Idle stop in ", left(end.first))
        return title, title if near else (f"{word}, idle stop in ", left(end.first))
    if near:
        title = ("Session ends in ", left(end.first))
        return title, title
    return (left(end.first), " left"), (f"{word}, ", left(end.first), " left")


def _sentence(row: Told) -> Sentence:
    if row.verdict == QUIET and row.quiet_since is not None:
        return ("Nothing has run or been typed since ", Moment(row.quiet_since), ".")
    return (row.verdict_sentence,) if row.verdict_sentence else ("It is not known yet what goes on.",)


def _detail(end: Ends, value: str) -> Sentence:
    if end.kind == rules.IDLE:
        own: Sentence = ("Running something or typing begins the idle clock anew.",)
        return (*own, " The session itself ends at ", Moment(end.session_at), ".") if end.session_at else own
    if end.session_at is None:
        return ("Nothing stops it but you.",) if value != UNKNOWN else ("It is not stopped as idle.",)
    ends: Sentence = ("Ends at ", Moment(end.session_at), ".")
    if value == WORKING:
        return (*ends, " No idle clock while it works.")
    return (*ends, " Not stopped as idle.") if value == UNKNOWN else ends


def _extension(row: Told, limits: Limits | None, end: Ends) -> str:
    """The button of a session's end that is not near."""
    if limits is None or end.kind != rules.SESSION_LIMIT or not limits.extend_seconds:
        return ""
    if row.extensions >= limits.extensions:
        return ""
    return f"Extend by {show_duration(limits.extend_seconds)} ({row.extensions + 1} of {limits.extensions})"


def idle_notice(id: str, row: Told, at: datetime, title: str, why: str) -> Notice:
    """The idle warning; title and why: for who counts no times."""
    body: Sentence = (*_sentence(row), " Files and variables are saved first.")
    return Notice(
        id,
        "idle_soon",
        title,
        why,
        ("Keep working",),
        parts(("Idle stop in ", left(at))),
        parts(body),
        "Keep working",
    )


def limit_notice(id: str, row: Told, limits: Limits, at: datetime, profile: str, title: str) -> Notice:
    """The warning before a session's end."""
    keep = _extension(row, limits, Ends(None, at))
    said = f"The {show_duration(limits.max_seconds)} of {profile} are over "
    saved = "files and variables are saved first."
    return Notice(
        id,
        "limit_soon",
        title,
        f"{said}then; {saved}",
        (keep,) if keep else (),
        parts(("Session ends in ", left(at))),
        parts((f"{said}at ", Moment(at), f"; {saved}")),
        keep,
    )


def last_stop(id: str, sentence: Sentence, safe: Sentence, detail: str, plain: tuple[str, str]) -> Notice:
    """How the session before ended. plain: title and why for who writes no times."""
    body: Sentence = (*safe, f" {detail}") if detail else safe
    return Notice(id, "was_stopped", *plain, head=parts(sentence), body=parts(body), colour="work")
