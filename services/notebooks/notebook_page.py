"""What stands behind a notebook on its own page: the clock, sessions, snapshots, space and settings, as values for the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jupyterhub_notebooks.client.actions import command_line
from jupyterhub_notebooks.clock import from_text
from jupyterhub_notebooks.enforcement.causes import cause_of
from jupyterhub_notebooks.enforcement.telling import ends_of, left
from jupyterhub_notebooks.errors import NotebooksError
from jupyterhub_notebooks.ledger import (
    Ledger,
    NotebookView,
    Session,
    Snapshot,
    clocks,
    egress,
    evidence,
    intents,
    notebooks,
    sessions,
    snapshots,
    stretches,
)
from jupyterhub_notebooks.names import address_part
from jupyterhub_notebooks.units import count, show_duration, show_size
from jupyterhub_notebooks.workspace import fills
from jupyterhub_notebooks.workspace.retention import show_rule

from .. import retaining
from .cards import cards_for
from .context import Context
from .listing import limits_of
from .people import Person

SESSIONS_SHOWN = 20
SNAPSHOTS_SHOWN = 50
#: The picture of a clock is this wide, in its own units.
WIDE = 1000
#: What a signal is called.
CALLED = {
    "kernel": "Kernel",
    "cell": "Cells",
    "terminal": "Terminals",
    "browser": "You",
    "editor": "Documents",
    "download": "Transfers",
    "cpu": "Processes",
    "gpu": "GPU",
}
#: What a signal's state says of the notebook.
SAYS = {"busy": ("working", "work"), "idle": ("quiet", ""), "unknown": ("not known", "")}


def called(person: Person, view: NotebookView) -> str:
    """The notebook as a command of this person names it."""
    part = address_part(view.notebook.server_name)
    return part if view.owner.id == person.user.id else f"{view.owner.hub_name}/{part}"


@dataclass(frozen=True)
class Piece:
    """A stretch on the clock's picture: from where, how wide, what it was."""

    x: int
    width: int
    words: str


@dataclass(frozen=True)
class Clock:
    """The session's line: heading, start, now, end (None without a limit), and where it was quiet."""

    heading: str
    started: datetime
    ends: datetime | None
    now_x: int
    quiet: tuple[Piece, ...]
    words: str
    verdict: str
    sentence: str
    signals: tuple[Mapping[str, Any], ...]


def clock_of(
    context: Context, session: Session, told: Sequence[stretches.Stretch], now: datetime
) -> Clock | None:
    """The clock of a session that runs; None of any other."""
    if session.ready_at is None or session.closed_at is not None or session.stop_asked_at is not None:
        return None
    end = ends_of(session, limits_of(context, session))
    last = max(now, end.session_at or now)
    whole = max(1.0, (last - session.ready_at).total_seconds())

    def x(at: datetime) -> int:
        return max(0, min(WIDE, round(WIDE * (at - session.ready_at).total_seconds() / whole)))  # type: ignore[operator]

    quiet = []
    for at, one in enumerate(told):
        until = told[at + 1].since if at + 1 < len(told) else now
        if one.verdict == "quiet" and until > session.ready_at:
            seconds = (until - max(one.since, session.ready_at)).total_seconds()
            quiet.append(
                Piece(x(one.since), max(2, x(until) - x(one.since)), f"quiet {show_duration(seconds)}")
            )
    heading = "No end is set"
    if end.first is not None:
        heading = f"{'Idle stop' if end.kind == 'idle' else 'Session ends'} in {left(end.first, now)}"
    pauses = f" Quiet for {count(len(quiet), 'stretch', 'stretches')}." if quiet else ""
    ran = show_duration((now - session.ready_at).total_seconds())
    return Clock(
        heading,
        session.ready_at,
        end.session_at,
        x(now),
        tuple(quiet),
        f"Running for {ran}.{pauses}",
        session.verdict or "",
        session.verdict_sentence or "",
        tuple(_signal(one) for one in session.signals or ()),
    )


def _signal(raw: Mapping[str, Any]) -> dict[str, Any]:
    says, colour = SAYS.get(str(raw.get("state")), SAYS["unknown"])
    return {
        "name": CALLED.get(str(raw.get("name")), str(raw.get("name", "")).capitalize()),
        "detail": str(raw.get("detail") or ""),
        "since": _since(raw.get("since")),
        "says": says,
        "colour": colour,
    }


def _since(raw: object) -> datetime | None:
    try:
        return from_text(str(raw)) if raw else None
    except (ValueError, NotebooksError):
        return None


async def behind(context: Context, person: Person, view: NotebookView, now: datetime) -> dict[str, Any]:
    """All of it."""
    ledger, own = context.ledger, view.owner.id == person.user.id
    past = await ledger.run(sessions.of_notebook, view.notebook.id, SESSIONS_SHOWN)
    workspace = view.notebook.workspace
    saves: list[Snapshot] = await ledger.run(snapshots.newest, workspace, SNAPSHOTS_SHOWN)
    number, stored = await ledger.run(snapshots.totals, workspace)
    made = await ledger.run(snapshots.by_session, [one.id for one in past])
    told = await ledger.run(stretches.of_sessions, [one.id for one in past])
    name = called(person, view)
    return {
        "own": own,
        "called": name,
        "repairs": f"{view.owner.hub_name}/{address_part(view.notebook.server_name)}",
        "clock": clock_of(context, view.session, [one for one in told if one.session == view.session.id], now)
        if view.session
        else None,
        "past": [_ran(one, made.get(one.id)) for one in past],
        "ended": {one.id: cause_of(one.cause or "").title for one in past},
        "evidence": await ledger.run(_evidence, [one for one in past if one.cause in clocks.CAUSES]),
        "saves": saves,
        "sizes": {one.number: show_size(one.size_bytes) for one in saves},
        "added": {one.number: show_size(one.stored_bytes) for one in saves},
        "reasons": _reasons(past, saves),
        "more_saves": max(0, number - len(saves)),
        "space": _space(context, view, stored),
        "stays": await ledger.run(_stays, context, view, now),
        **(await _settings(context, person, view) if own else {"choices": [], "chosen": None, "flavor": ""}),
        "command": command_line("stop" if _runs(view) else "start", name),
        "lines": {verb: command_line(verb, name) for verb in ("stop", "save", "delete", "dismiss")},
    }


def _runs(view: NotebookView) -> bool:
    session = view.session
    return session is not None and session.closed_at is None and session.stop_asked_at is None


def _ran(one: Session, made: tuple[int, int] | None) -> dict[str, Any]:
    """A session's row: how long it ran and what it saved. made: how many snapshots, and what they added."""
    ran = ""
    if one.ready_at is not None and one.ended_at is not None:
        ran = show_duration((one.ended_at - one.ready_at).total_seconds())
    saved = f"{count(made[0], 'time')}, {show_size(made[1])}" if made else ""
    return {"row": one, "ran": ran, "saved": saved}


def _reasons(past: Sequence[Session], saves: Sequence[Snapshot]) -> dict[int, str]:
    """Why a snapshot was made, by its number: while running, or at which end. saves: newest first."""
    made: dict[int, str] = {}
    by_id, last = {one.id: one for one in past}, set()
    for save in saves:
        session = by_id.get(save.session)
        if session is None:
            continue
        asked = session.stop_asked_at
        at_end = session.closed_at and save.session not in last and (asked is None or save.at >= asked)
        made[save.number] = (
            cause_of(session.cause or "").title.split(",")[0].casefold() if at_end else "while running"
        )
        last.add(save.session)
    return made


def _space(context: Context, view: NotebookView, added: int) -> dict[str, Any]:
    """How full it is. The limit is its own, or that of the profile it last ran with, or the Hub's."""
    stored, session = view.workspace.stored_bytes, view.session
    launched = session.launch.get("workspace_bytes") if session is not None else None
    limit = int(view.workspace.limit_bytes or launched or context.settings.workspace_limit_bytes)
    return {
        "warning": fills.words(view.head.size_bytes, limit) if view.head else "",
        "size": show_size(view.head.size_bytes) if view.head else "",
        "files": count(view.head.files, "file") if view.head else "",
        "stored": show_size(stored if stored is not None else added),
        "limit": show_size(limit),
        "damaged": bool(view.workspace.prune_problem),
    }


def _stays(ledger: Ledger, context: Context, view: NotebookView, now: datetime) -> dict[str, Any]:
    """Which of its snapshots stay, in words, and from when on which others."""
    found = retaining.of_notebook(ledger, context.settings, view.notebook.id, now)
    return {"rule": show_rule(found.rule), "later": show_rule(found.later), "at": found.at}


async def _settings(context: Context, person: Person, view: NotebookView) -> dict[str, Any]:
    mine = await context.ledger.run(notebooks.views, user=person.user.id)
    bound = await context.ledger.run(egress.bound, view.notebook.id)
    made = cards_for(context, person, view.notebook.profile or None, bound)
    chosen = next((card for card in made if card.name == view.notebook.profile), None)
    return {
        "choices": made,
        "chosen": chosen,
        "flavor": str(view.notebook.options.get("flavor", "")),
        "projects": sorted({one.notebook.project for one in mine if one.notebook.project}),
    }


def _evidence(ledger: Ledger, ended: list[Session]) -> dict[str, list[tuple[str, str]]]:
    """By session, on what the enforcer stopped it."""
    stops = {one.id: intents.last_stop(ledger, one.id) for one in ended}
    return {id: evidence.lines(stop.evidence) for id, stop in stops.items() if stop is not None}
