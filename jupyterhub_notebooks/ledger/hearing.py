"""What services/agents asks the ledger for many sessions at once: one transaction, however many ask at a moment.

Promises: an answer was read after its question was put; a lease is judged by the database's clock alone, as in ``leases``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ARRAY, ColumnElement, Connection, Text, any_, literal, select, update

from .database import Ledger, now_of
from .leases import Lease
from .rows import Intent, Session, made_all
from .tables import intents, leases, sessions


@dataclass(frozen=True)
class Known:
    """A session, closed or not; the lease that it holds, None where it is lost; what is asked of it, oldest first."""

    session: Session
    lease: Lease | None
    asked: tuple[Intent, ...]


@dataclass(frozen=True, order=True)
class Holder:
    """Who renews the lease of what, and for how long from now."""

    workspace: str
    session: str
    seconds: float


def by_tokens(ledger: Ledger, token_hashes: Iterable[str]) -> dict[str, Known]:
    """The sessions of these tokens, by token hash; unknown ones are left out."""
    with ledger.read() as connection:
        hashes = _among(connection, sessions.c.token_hash, token_hashes)
        found = connection.execute(select(sessions).where(hashes)).all()
        if not found:
            return {}
        ids = [row.id for row in found]
        asked = select(intents).where(_among(connection, intents.c.session, ids), intents.c.done_at.is_(None))
        orders: dict[str, list[Intent]] = {}
        for intent in made_all(Intent, connection.execute(asked.order_by(intents.c.id)).all()):
            orders.setdefault(intent.session, []).append(intent)
        held = select(leases).where(_among(connection, leases.c.session, ids))
        rows = {(row.session, row.workspace): row for row in connection.execute(held)}
        now = now_of(connection)
    known = {}
    for one, row in zip(made_all(Session, found), found, strict=True):
        its = rows.get((one.id, one.workspace))
        lease = None
        if its is not None:
            lease = Lease(its.number, one.id, its.ends_at, (its.ends_at - now).total_seconds())
        known[row.token_hash] = Known(one, lease, tuple(orders.get(one.id, ())))
    return known


def renew(ledger: Ledger, holders: Iterable[Holder]) -> Mapping[Holder, Lease]:
    """Moves the ends, also of leases that ran out while nobody else took them; who is not in the answer lost it."""
    wanted = sorted(holders)  # one order for all who lock rows
    with ledger.write() as connection:
        spaces = _among(connection, leases.c.workspace, [one.workspace for one in wanted])
        query = select(leases).where(spaces).order_by(leases.c.workspace).with_for_update()
        rows = {row.workspace: row for row in connection.execute(query)}
        now = now_of(connection)
        kept = {
            one: Lease(
                rows[one.workspace].number, one.session, now + timedelta(seconds=one.seconds), one.seconds
            )
            for one in wanted
            if one.workspace in rows and rows[one.workspace].session == one.session
        }
        for end in {its.ends_at for its in kept.values()}:  # one, where all are renewed for as long
            those = [one.workspace for one, its in kept.items() if its.ends_at == end]
            move = update(leases).where(_among(connection, leases.c.workspace, those))
            connection.execute(move.values(ends_at=end))
    return kept


def _among(connection: Connection, column: ColumnElement[str], values: Iterable[str]) -> ColumnElement[bool]:
    """Whether a column has one of these values. PostgreSQL takes them as one array: a statement of as many places as
    there are values is read anew by it each time."""
    if connection.dialect.name == "postgresql":
        return column == any_(literal(list(values), ARRAY(Text)))
    return column.in_(list(values))
