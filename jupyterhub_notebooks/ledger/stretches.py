"""What a session did when: each stretch of one verdict, as its agent's heartbeats told it.

A stretch lasts until the next one begins; the last one until the session's stop was asked for, or until now.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from .database import Ledger
from .rows import Session, made
from .tables import stretches


@dataclass(frozen=True)
class Stretch:
    """since: when the verdict was reached; sentence: on what evidence."""

    session: str
    since: datetime
    verdict: str
    sentence: str


def begin(connection: Connection, session: str, since: datetime, verdict: str, sentence: str) -> None:
    """Within a transaction that has the session's row; of two at the same moment the first stays."""
    there = select(stretches.c.since).where(stretches.c.session == session, stretches.c.since == since)
    if connection.execute(there).first() is None:
        values = {"session": session, "since": since, "verdict": verdict, "sentence": sentence}
        connection.execute(insert(stretches).values(**values))


def of_sessions(ledger: Ledger, sessions: Collection[str]) -> list[Stretch]:
    """All of them, in their order, session by session."""
    query = select(stretches).where(stretches.c.session.in_(list(sessions)))
    with ledger.read() as connection:
        rows = connection.execute(query.order_by(stretches.c.session, stretches.c.since))
        return [made(Stretch, row) for row in rows]


def until(row: Session, now: datetime) -> datetime:
    """When the last stretch of a session ends."""
    return row.stop_asked_at or row.ended_at or row.closed_at or now
