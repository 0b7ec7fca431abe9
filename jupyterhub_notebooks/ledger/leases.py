"""One writer a workspace: a row judged by the database's clock alone; its number only grows.

``take`` gives the lease when it is free, its own, or ran out; not while the workspace has newer files on
another volume. Who holds an older number can never commit again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update

from .database import Ledger, now_of
from .tables import leases, workspaces


@dataclass(frozen=True)
class Lease:
    number: int
    session: str
    ends_at: datetime
    ends_in_seconds: float


@dataclass(frozen=True)
class Held:
    """Not to be had. by: the session that holds it, or "" where newer files lie on ``volume``."""

    by: str
    ends_in_seconds: float = 0.0
    volume: str = ""


def take(
    ledger: Ledger, workspace: str, session: str, seconds: float, *, volume: str | None = None
) -> Lease | Held:
    """The lease for session; the same session gets its own again with the same number."""
    with ledger.write() as connection:
        space = connection.execute(
            select(workspaces).where(workspaces.c.id == workspace).with_for_update()
        ).one()
        now = now_of(connection)
        ends_at = now + timedelta(seconds=seconds)
        row = connection.execute(select(leases).where(leases.c.workspace == workspace)).first()
        if row is not None and row.session not in (None, session) and row.ends_at > now:
            if row.ends_at > ends_at:  # no lease is that long: the clock was set back
                connection.execute(
                    update(leases).where(leases.c.workspace == workspace).values(ends_at=ends_at)
                )
            return Held(row.session, (min(row.ends_at, ends_at) - now).total_seconds())
        if space.unsaved_on is not None and space.unsaved_on != (volume or ""):
            return Held("", volume=space.unsaved_on)
        if row is None:
            number = 1
            connection.execute(
                insert(leases).values(workspace=workspace, session=session, number=1, ends_at=ends_at)
            )
        else:
            number = row.number if row.session == session else row.number + 1
            connection.execute(
                update(leases)
                .where(leases.c.workspace == workspace)
                .values(session=session, number=number, ends_at=ends_at)
            )
        return Lease(number, session, ends_at, seconds)


def renew(ledger: Ledger, workspace: str, session: str, seconds: float) -> Lease | None:
    """Moves the end; also of one that ran out while nobody else took it. None: it is lost."""
    with ledger.write() as connection:
        row = connection.execute(
            select(leases).where(leases.c.workspace == workspace).with_for_update()
        ).first()
        if row is None or row.session != session:
            return None
        ends_at = now_of(connection) + timedelta(seconds=seconds)
        connection.execute(update(leases).where(leases.c.workspace == workspace).values(ends_at=ends_at))
        return Lease(row.number, session, ends_at, seconds)


def of_session(ledger: Ledger, workspace: str, session: str) -> Lease | None:
    """The lease that session holds, with what is left of it (below 0: it ran out); None: it is lost."""
    with ledger.read() as connection:
        row = connection.execute(select(leases).where(leases.c.workspace == workspace)).first()
        if row is None or row.session != session:
            return None
        return Lease(row.number, session, row.ends_at, (row.ends_at - now_of(connection)).total_seconds())


def end(ledger: Ledger, workspace: str, session: str) -> bool:
    """Frees the lease of a session that is known to write no more. Whether it held it."""
    with ledger.write() as connection:
        return (
            connection.execute(
                update(leases)
                .where(leases.c.workspace == workspace, leases.c.session == session)
                .values(session=None, ends_at=now_of(connection))
            ).rowcount
            > 0
        )
