"""What of a session's clocks the ledger decides nothing about but keeps whole: deadlines, reports, stops, extensions.

Each change reads the row and writes it in one transaction, so that a click, a heartbeat and the enforcer never
undo one another. What follows from a row is handed in as a function.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from ..names import new_id
from . import audit, stretches
from .database import Ledger
from .rows import Intent, Session, made
from .tables import intents, notebooks, sessions, users

#: Causes of stops that services/idle_culler asks for.
CAUSES = ("idle", "session_limit")


@dataclass(frozen=True)
class Change:
    """values: columns to write. action: of an audit row, none where it is ''. silent_since: nothing was heard from then
    until now, which is a stretch of its own."""

    values: Mapping[str, Any] = field(default_factory=dict)
    action: str = ""
    cause: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    silent_since: datetime | None = None


@dataclass(frozen=True)
class Due:
    """A session whose clock may have run out, and where the Hub has it. stop: the stop that was asked for already."""

    session: Session
    user: str
    server: str
    stop: Intent | None = None


def change(
    ledger: Ledger,
    session: str,
    decide: Callable[[Session], Change],
    now: datetime,
    actor: str | None = None,
) -> Session | None:
    """Writes what decide makes of the open session's row; the row after it, None where it is closed.

    What decide raises leaves everything as it was.
    """
    query = select(sessions).where(sessions.c.id == session, sessions.c.closed_at.is_(None))
    with ledger.write() as connection:
        if not ledger.is_sqlite:
            query = query.with_for_update()
        found = connection.execute(query).first()
        if found is None:
            return None
        row = made(Session, found)
        wanted = decide(row)
        if wanted.values:
            connection.execute(update(sessions).where(sessions.c.id == session).values(**wanted.values))
        _history(connection, row, wanted, now)
        if wanted.action:
            subjects = [session, row.notebook]
            audit.add(connection, now, actor, subjects, wanted.action, wanted.cause, wanted.evidence)
        return made(Session, connection.execute(select(sessions).where(sessions.c.id == session)).one())


def _history(connection: Connection, row: Session, wanted: Change, now: datetime) -> None:
    """A verdict that is another one than before begins a stretch, and so does one after a silence."""
    silent = wanted.silent_since
    if silent is not None:
        stretches.begin(connection, row.id, silent, "unknown", "Nothing was heard of the notebook.")
    verdict = wanted.values.get("verdict")
    if verdict and (verdict != row.verdict or silent is not None):
        sentence = str(wanted.values.get("verdict_sentence") or "")
        if verdict == "quiet":  # for how long says the stretch itself
            sentence = "Nothing ran and nobody was there."
        stretches.begin(connection, row.id, now, verdict, sentence)


def due(ledger: Ledger, now: datetime) -> list[Due]:
    """Running sessions of which a clock may have run out, or whose end was never worked out, or which the enforcer
    asked to stop and nobody has begun to."""
    asked = (
        select(intents)
        .join(sessions, sessions.c.id == intents.c.session)
        .where(
            intents.c.done_at.is_(None),
            intents.c.do == "stop",
            intents.c.cause.in_(CAUSES),
            sessions.c.closed_at.is_(None),
        )
        .order_by(intents.c.id)
    )
    query = (
        select(sessions, users.c.hub_name, notebooks.c.server_name)
        .join(notebooks, notebooks.c.id == sessions.c.notebook)
        .join(users, users.c.id == sessions.c.user)
        .where(
            sessions.c.closed_at.is_(None),
            sessions.c.ended_at.is_(None),
            sessions.c.stop_asked_at.is_(None),
            sessions.c.ready_at.is_not(None),
            sessions.c.kind == "work",
        )
    )
    with ledger.read() as connection:
        stops = {row.session: made(Intent, row) for row in connection.execute(asked)}
        run_out = or_(
            sessions.c.idle_ends_at <= now,
            sessions.c.session_ends_at <= now,
            sessions.c.session_ends_at.is_(None),
            sessions.c.id.in_(list(stops)),
        )
        return [
            Due(made(Session, row), row.hub_name, row.server_name, stops.get(row.id))
            for row in connection.execute(query.where(run_out))
        ]


def running(ledger: Ledger) -> list[Session]:
    """Sessions in which somebody may work now."""
    query = select(sessions).where(
        sessions.c.closed_at.is_(None),
        sessions.c.ended_at.is_(None),
        sessions.c.ready_at.is_not(None),
        sessions.c.kind == "work",
    )
    with ledger.read() as connection:
        return [made(Session, row) for row in connection.execute(query)]


def ask_reports(ledger: Ledger, wanted: Iterable[str], now: datetime) -> dict[str, str]:
    """Orders a heartbeat of each session at once; the order's id by session. One transaction."""
    made_ids = {session: new_id(now, os.urandom) for session in wanted}
    rows = [
        {"id": id, "session": session, "do": "report", "cause": "idle", "evidence": {}, "asked_at": now}
        for session, id in made_ids.items()
    ]
    if rows:
        with ledger.write() as connection:
            connection.execute(insert(intents), rows)
    return made_ids


def answered(ledger: Ledger, orders: Sequence[str]) -> set[str]:
    """Those of the orders that were carried out."""
    query = select(intents.c.id).where(intents.c.id.in_(list(orders)), intents.c.done_at.is_not(None))
    with ledger.read() as connection:
        return set(connection.execute(query).scalars())


def withdraw(ledger: Ledger, orders: Sequence[str], now: datetime) -> None:
    """Nothing is asked any more by these."""
    with ledger.write() as connection:
        connection.execute(
            update(intents)
            .where(intents.c.id.in_(list(orders)), intents.c.done_at.is_(None))
            .values(done_at=now)
        )


def ask_stop(
    ledger: Ledger, seen: Session, cause: str, evidence: Mapping[str, Any], now: datetime
) -> Intent | None:
    """The enforcer's stop of a session as it was seen; the open one where it was asked for already.

    None where the session has changed since: another verdict, another quiet stretch, an extension, a stop.
    """
    with ledger.write() as connection:
        query = select(sessions).where(sessions.c.id == seen.id)
        row = connection.execute(query if ledger.is_sqlite else query.with_for_update()).one()
        same = all(
            getattr(row, name) == getattr(seen, name)
            for name in ("verdict", "quiet_since", "extended_seconds", "delayed_at")
        )
        if not same or row.stop_asked_at is not None or row.closed_at is not None:
            return None
        there = connection.execute(
            select(intents).where(
                intents.c.session == seen.id, intents.c.do == "stop", intents.c.done_at.is_(None)
            )
        ).first()
        if there is not None:
            return made(Intent, there)
        id = new_id(now, os.urandom)
        values = {"id": id, "session": seen.id, "do": "stop", "cause": cause, "actor": None}
        connection.execute(insert(intents).values(**values, evidence=dict(evidence), asked_at=now))
        audit.add(connection, now, None, [seen.id, seen.notebook, id], "session.stop", cause, evidence)
        return made(Intent, connection.execute(select(intents).where(intents.c.id == id)).one())


def reached(ledger: Ledger, shown: Iterable[str], now: datetime) -> None:
    """The warning of these sessions was shown to somebody who may act on it."""
    ids = list(shown)
    if not ids:
        return
    with ledger.write() as connection:
        connection.execute(update(sessions).where(sessions.c.id.in_(ids)).values(reached_at=now))
