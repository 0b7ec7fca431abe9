"""What services/agents asks the ledger for many sessions at once: one transaction, however many ask at a moment.

Promises: an answer was read after its question was put; a lease is judged by the database's clock alone, as in ``leases``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import bindparam, select, update

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
    query = select(sessions).where(sessions.c.token_hash.in_(bindparam("hashes", expanding=True)))
    asked = (
        select(intents)
        .where(intents.c.session.in_(bindparam("ids", expanding=True)), intents.c.done_at.is_(None))
        .order_by(intents.c.id)
    )
    held = select(leases).where(leases.c.session.in_(bindparam("ids", expanding=True)))
    with ledger.read() as connection:
        found = connection.execute(query, {"hashes": list(token_hashes)}).all()
        if not found:
            return {}
        ids = {"ids": [row.id for row in found]}
        orders: dict[str, list[Intent]] = {}
        for intent in made_all(Intent, connection.execute(asked, ids).all()):
            orders.setdefault(intent.session, []).append(intent)
        rows = {(row.session, row.workspace): row for row in connection.execute(held, ids)}
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
    query = (
        select(leases)
        .where(leases.c.workspace.in_(bindparam("spaces", expanding=True)))
        .order_by(leases.c.workspace)
        .with_for_update()
    )
    move = update(leases).where(leases.c.workspace == bindparam("space")).values(ends_at=bindparam("end"))
    with ledger.write() as connection:
        spaces = {"spaces": [one.workspace for one in wanted]}
        rows = {row.workspace: row for row in connection.execute(query, spaces)}
        now = now_of(connection)
        kept = {
            one: Lease(
                rows[one.workspace].number, one.session, now + timedelta(seconds=one.seconds), one.seconds
            )
            for one in wanted
            if one.workspace in rows and rows[one.workspace].session == one.session
        }
        if kept:
            connection.execute(
                move, [{"space": one.workspace, "end": its.ends_at} for one, its in kept.items()]
            )
    return kept
