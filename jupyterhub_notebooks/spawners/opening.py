"""What a start reads and writes in the ledger: synchronous, few transactions, run on the ledger's thread.

Promises: nothing is written about a notebook before its start is accepted; the row of a session is there
before anything of it runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ..errors import Conflict
from ..ledger import (
    Intent,
    Ledger,
    Notebook,
    Session,
    User,
    audit,
    intents,
    notebooks,
    profile_versions,
    sessions,
    users,
)
from ..ledger.aside import volume_key
from ..ledger.burying import pending
from ..names import id_after
from ..profiles.catalog import Catalog
from ..profiles.choosing import Launch, replaced
from .progress import saving

#: What of a choice the notebook remembers beside its profile.
REMEMBERED = ("flavor", "editor")


@dataclass(frozen=True)
class Place:
    """Which server of which Hub user. created: RFC 3339, as the ledger keeps it."""

    hub_name: str
    hub_created: str
    server: str


@dataclass(frozen=True)
class Found:
    """What the ledger has about a server. notebook None: it is new. before: its session that is not closed."""

    user: User
    notebook: Notebook | None = None
    before: Session | None = None


def find(ledger: Ledger, place: Place, now: datetime) -> Found:
    """Writes nothing but that the user was seen."""
    user = users.seen(ledger, place.hub_name, place.hub_created, now)
    notebook = notebooks.find(ledger, user.id, place.server)
    before = sessions.open_of_notebook(ledger, notebook.id) if notebook else None
    return Found(user, notebook, before)


def save_orders(ledger: Ledger, notebook: Notebook | None) -> list[Intent]:
    """The open orders of our services to save what the last session of a notebook could not."""
    last = sessions.of_notebook(ledger, notebook.id, 1) if notebook is not None else []
    return intents.open_of(ledger, last[0].id, "save_only") if last else []


def left_volume(orders: Sequence[Intent]) -> str:
    """The volume that was left behind and whose files an order wants to be kept; '' for the notebook's own."""
    return next((str(one.evidence["volume"]) for one in orders if one.evidence.get("volume")), "")


def start_wishes(ledger: Ledger, notebook: Notebook) -> list[Intent]:
    """Open wishes to start a notebook once it is saved: any start meets them."""
    past = sessions.of_notebook(ledger, notebook.id, 20)
    return [one for session in past for one in intents.open_of(ledger, session.id, "start")]


def options_of(
    catalog: Catalog, notebook: Notebook | None, asked: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """What to choose from: what was asked, or, where nothing was, what the notebook remembers.

    A remembered flavor or editor that its profile no longer has is left out.
    """
    if asked or notebook is None or not notebook.profile:
        return dict(asked)
    options: dict[str, Any] = {"profile": notebook.profile}
    known = catalog.profiles.get(notebook.profile)
    if known is None:
        return options
    profile = replaced(catalog, known, now)
    offered = {"flavor": profile.flavors, "editor": profile.editors}
    for name in REMEMBERED:
        if notebook.options.get(name) in offered[name]:
            options[name] = notebook.options[name]
    return options


def remembered(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a notebook keeps of an accepted choice beside its profile."""
    return {name: asked[name] for name in REMEMBERED if asked.get(name)}


def in_trash(notebook: Notebook, trash_days: int) -> Conflict | None:
    """Why a notebook in the trash does not start."""
    if notebook.trashed_at is None:
        return None
    until = notebook.trashed_at + timedelta(days=trash_days)
    return Conflict(
        f"{notebook.title} is in the trash",
        f"It can be put back until {until.day}\u00a0{until:%b}",
        ["Put it back", "Choose another name"],
        field="name",
    )


def still_saved(notebook: Notebook, before: Session) -> Conflict:
    """Why a notebook whose last session has not ended does not start."""
    why = saving(before) or "Only one session may write a workspace"
    return Conflict(
        f"{notebook.title} is still being saved", why, ["Wait until it is saved, then start it again"]
    )


@dataclass(frozen=True)
class Opening:
    """An accepted start. remember: the options that the notebook keeps, None where it keeps what it has."""

    place: Place
    launch: Launch
    content: Mapping[str, Any] | None
    remember: Mapping[str, Any] | None
    session: str
    token_hash: str
    actor: str | None


def begin(
    ledger: Ledger, opening: Opening, volume_of: Callable[[str], str], now: datetime
) -> tuple[Notebook, Session]:
    """Notebook and session of an accepted start. Raises Conflict where another session is open."""
    launch, place = opening.launch, opening.place
    found = find(ledger, place, now)
    notebook = found.notebook or notebooks.ensure(ledger, found.user.id, place.server, now)
    actor = users.by_name(ledger, opening.actor) if opening.actor else None
    orders = save_orders(ledger, notebook) if launch.run == "save" else start_wishes(ledger, notebook)
    last = sessions.of_notebook(ledger, notebook.id, 1)  # sessions are told apart by their ids' order
    session = sessions.begin(
        ledger,
        id_after(last[0].id, now, os.urandom) if last and last[0].id >= opening.session else opening.session,
        notebook.id,
        launch.to_json(),
        opening.token_hash,
        now,
        kind="save" if launch.run == "save" else "work",
        volume=left_volume(orders) or volume_of(volume_key(notebook.id, notebook.volume_number)),
        actor=actor.id if actor else None,
    )
    for order in orders:
        intents.done(ledger, order.id, now)
    if opening.content is not None:
        profile_versions.keep(ledger, launch.profile, launch.version, opening.content, now)
    if launch.run == "save":
        return notebook, session
    keeps = (launch.profile, dict(opening.remember or {}))
    if (opening.remember is not None or not notebook.profile) and keeps != (
        notebook.profile,
        dict(notebook.options),
    ):
        notebooks.choose(ledger, notebook.id, *keeps)
    return notebook, session


def rename(ledger: Ledger, place: Place, new: str, now: datetime) -> None:
    """The server of a place is called ``new`` from now on. Raises Conflict where a notebook has that name."""
    user = users.seen(ledger, place.hub_name, place.hub_created, now)
    there = notebooks.find(ledger, user.id, new)
    if there is not None:
        raise Conflict(
            f"You already have a notebook {there.title}",
            "It is in the trash" if there.trashed_at else "",
            ["Choose another name"],
            field="name",
        )
    notebooks.rename_server(ledger, user.id, place.server, new)


def trash(ledger: Ledger, place: Place, now: datetime) -> None:
    """The Hub removes a server: its notebook goes to the trash."""
    user = users.seen(ledger, place.hub_name, place.hub_created, now)
    notebook = notebooks.find(ledger, user.id, place.server)
    if notebook is not None:
        notebooks.trash(ledger, notebook.id, None, now, "removed_at_hub")


def fail(
    ledger: Ledger,
    session: Session,
    cause: str,
    detail: str,
    now: datetime,
    evidence: Mapping[str, Any] | None = None,
) -> None:
    """A start came to nothing: said first, before its processes are ended. evidence: what it rests on, for the audit."""
    sessions.ended(ledger, session.id, now, cause, detail)
    if evidence:
        audit.record(ledger, now, None, [session.id, session.notebook], audit.FAILED, cause, evidence)


def ask_stop(ledger: Ledger, session: Session, now: datetime) -> None:
    """A stop begins: somebody's intent gives the cause; where nobody wrote one, the Hub was asked directly."""
    stop = intents.last_stop(ledger, session.id)
    if stop is None or stop.done_at is not None:  # none, or one that was withdrawn
        stop = intents.ask(ledger, session.id, "stop", "stopped", None, now, {"through": "hub"})
    sessions.stop_asked(ledger, session.id, now)
    if sessions.get(ledger, session.id).cause is None:
        sessions.report(ledger, [sessions.Report(session.id, {"cause": stop.cause})])


def settle(
    ledger: Ledger, session: Session, now: datetime, why_killed: str = "", death: tuple[str, str] = ("", "")
) -> None:
    """All processes of a session are gone: its row is closed, unless its agent did so itself.

    why_killed: why we ended it by force. death: cause and sentence of an end that nobody asked for, as far as they are known.
    """
    row = sessions.get(ledger, session.id)
    if row.closed_at is None:
        if why_killed:
            audit.record(
                ledger,
                now,
                None,
                [row.id, row.notebook],
                "session.killed",
                "no_progress",
                {"why": why_killed},
            )
        files, size_bytes = pending(row)
        kept = "It ended without a last save; the files are kept on its volume." if files else ""
        detail = why_killed or " ".join(part for part in (death[1], kept) if part)
        cause = row.cause or death[0] or "agent_died"
        sessions.close(ledger, row.id, now, cause, detail, pending_files=files, pending_bytes=size_bytes)
    intents.done_all(ledger, session.id, now)
