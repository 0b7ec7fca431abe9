"""Who did what, when, why and on what evidence: a chain in which each row carries the hash of the one before.

People appear by id only, so that an erased person leaves the chain whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from ..clock import to_text
from .database import Ledger
from .rows import made
from .tables import audit

FIRST = "0" * 64
#: The action of a start that came to nothing: its evidence has title, why, next and signals, a list of (what, said).
FAILED = "session.failed"


@dataclass(frozen=True)
class AuditRow:
    number: int
    at: datetime
    actor: str | None
    subjects: list[str]
    action: str
    cause: str
    evidence: Mapping[str, Any]
    previous: str
    hash: str


def add(
    connection: Connection,
    at: datetime,
    actor: str | None,
    subjects: Sequence[str],
    action: str,
    cause: str,
    evidence: Mapping[str, Any],
) -> None:
    """One row, in the transaction of what it tells about. The writer's lock keeps the chain in order."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE audit IN EXCLUSIVE MODE")
    last = connection.execute(
        select(audit.c.number, audit.c.hash).order_by(audit.c.number.desc()).limit(1)
    ).first()
    number, previous = (last.number + 1, last.hash) if last else (1, FIRST)
    values = {
        "number": number,
        "at": at,
        "actor": actor,
        "subjects": list(subjects),
        "action": action,
        "cause": cause,
        "evidence": dict(evidence),
        "previous": previous,
    }
    connection.execute(insert(audit).values(**values, hash=_hash(values)))


def record(
    ledger: Ledger,
    at: datetime,
    actor: str | None,
    subjects: Sequence[str],
    action: str,
    cause: str = "",
    evidence: Mapping[str, Any] | None = None,
) -> None:
    """One row in a transaction of its own."""
    with ledger.write() as connection:
        add(connection, at, actor, subjects, action, cause, evidence or {})


def rows(
    ledger: Ledger,
    *,
    subject: str | None = None,
    action: str | None = None,
    before: int | None = None,
    limit: int = 200,
) -> list[AuditRow]:
    """The newest first, from below number ``before``."""
    query = select(audit).order_by(audit.c.number.desc())
    if action is not None:
        query = query.where(audit.c.action == action)
    if before is not None:
        query = query.where(audit.c.number < before)
    with ledger.read() as connection:
        found = (made(AuditRow, row) for row in connection.execute(query))
        picked = []
        for row in found:
            if subject is None or subject in row.subjects or subject == row.actor:
                picked.append(row)
                if len(picked) == limit:
                    break
    return picked


def of_session(ledger: Ledger, session: str, action: str, since: datetime) -> Mapping[str, Any] | None:
    """The evidence of a session's newest row with that action; since: when the session began. None where there is none."""
    query = select(audit).where(audit.c.action == action, audit.c.at >= since).order_by(audit.c.number.desc())
    with ledger.read() as connection:
        for row in connection.execute(query):
            if session in row.subjects:
                evidence: Mapping[str, Any] = row.evidence
                return evidence
    return None


def broken(ledger: Ledger) -> int | None:
    """The number of the first row whose hash or link does not hold; None where the chain is whole."""
    previous, number = FIRST, 0
    with ledger.read() as connection:
        for row in connection.execute(select(audit).order_by(audit.c.number)):
            values = {name: row._mapping[name] for name in row._mapping if name != "hash"}
            if row.previous != previous or row.number != number + 1 or _hash(values) != row.hash:
                return int(row.number)
            previous, number = row.hash, row.number
    return None


def _hash(values: Mapping[str, Any]) -> str:
    plain = {**values, "at": to_text(values["at"])}
    return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
