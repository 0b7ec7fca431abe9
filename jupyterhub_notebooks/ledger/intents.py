"""Who asked for a stop or a save, why, and on what evidence. Orders to agents are the open ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update

from ..names import id_after
from . import audit
from .database import Ledger
from .rows import Intent, made
from .tables import intents

#: What an agent may be ordered to do; ``stop`` is for the Hub's side alone, and so is ``save_only``: the order to
#: start a run that saves what a session, which is over, could not save. ``start``: it starts once such a run is over. ``restore`` has its details in the evidence.
DO = ("stop", "save", "checkpoint", "finish", "report", "save_only", "restore", "start")


def ask(
    ledger: Ledger,
    session: str,
    do: str,
    cause: str,
    actor: str | None,
    now: datetime,
    evidence: Mapping[str, Any] | None = None,
) -> Intent:
    """Writes an intent before anything is done about it."""
    with ledger.write() as connection:
        before = connection.execute(
            select(func.max(intents.c.id)).where(intents.c.session == session)
        ).scalar()
        id = id_after(before or "", now, os.urandom)  # agents ask for what is newer than the last they know
        connection.execute(
            insert(intents).values(
                id=id,
                session=session,
                do=do,
                cause=cause,
                actor=actor,
                evidence=dict(evidence or {}),
                asked_at=now,
            )
        )
        audit.add(connection, now, actor, [session, id], f"session.{do}", cause, evidence or {})
        return made(Intent, connection.execute(select(intents).where(intents.c.id == id)).one())


def open_of(ledger: Ledger, session: str, do: str | None = None) -> list[Intent]:
    """What is asked of a session and not done, oldest first."""
    query = select(intents).where(intents.c.session == session, intents.c.done_at.is_(None))
    if do is not None:
        query = query.where(intents.c.do == do)
    with ledger.read() as connection:
        return [made(Intent, row) for row in connection.execute(query.order_by(intents.c.id))]


def open_everywhere(ledger: Ledger) -> list[Intent]:
    """All open intents, oldest first."""
    query = select(intents).where(intents.c.done_at.is_(None)).order_by(intents.c.id)
    with ledger.read() as connection:
        return [made(Intent, row) for row in connection.execute(query)]


def cause_of_end(ledger: Ledger, session: str, said: str) -> str:
    """What an agent says of its end. A plain ``stopped`` is the stop that was asked for: its cause counts, which the
    Hub could not pass on where the ledger was away in that moment."""
    if said != "stopped":
        return said
    stop = last_stop(ledger, session)
    return stop.cause if stop is not None and stop.do == "stop" and stop.done_at is None else said


def last_stop(ledger: Ledger, session: str) -> Intent | None:
    """The newest stop or finish asked of a session, done or not."""
    query = (
        select(intents)
        .where(intents.c.session == session, intents.c.do.in_(("stop", "finish")))
        .order_by(intents.c.id.desc())
    )
    with ledger.read() as connection:
        row = connection.execute(query.limit(1)).first()
    return made(Intent, row) if row is not None else None


def done(ledger: Ledger, id: str, now: datetime) -> None:
    """It was carried out; the first time stays."""
    with ledger.write() as connection:
        connection.execute(
            update(intents).where(intents.c.id == id, intents.c.done_at.is_(None)).values(done_at=now)
        )


def get(ledger: Ledger, id: str) -> Intent | None:
    """The intent of an id; None where there is none."""
    with ledger.read() as connection:
        row = connection.execute(select(intents).where(intents.c.id == id)).first()
    return made(Intent, row) if row is not None else None


def outcome(ledger: Ledger, id: str, said: Mapping[str, Any], now: datetime) -> None:
    """It was carried out or could not be, and what its agent says of it; the first outcome stays."""
    with ledger.write() as connection:
        row = connection.execute(select(intents).where(intents.c.id == id).with_for_update()).first()
        if row is None or "outcome" in row.evidence:
            return
        values = {"evidence": {**row.evidence, "outcome": dict(said)}, "done_at": row.done_at or now}
        connection.execute(update(intents).where(intents.c.id == id).values(**values))


def done_all(ledger: Ledger, session: str, now: datetime) -> None:
    """The session is over: nothing is asked of it any more."""
    with ledger.write() as connection:
        connection.execute(
            update(intents)
            .where(intents.c.session == session, intents.c.done_at.is_(None))
            .values(done_at=now)
        )
