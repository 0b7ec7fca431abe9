"""Whose is it: a Hub user is ours when name and creation time agree."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update

from ..errors import NotFound
from ..names import new_id
from . import audit
from .database import Ledger, alone_in
from .rows import User, made
from .tables import notebooks as notebooks_table
from .tables import users


def seen(ledger: Ledger, hub_name: str, hub_created: str, now: datetime) -> User:
    """The user of this Hub name and creation time, made at the first sight.

    The Hub reuses names and numbers: a name with another creation time is a new person. The old one is
    marked gone and their notebooks go to the trash, for an administrator to hand on. Another name with the
    very same creation time is the same person, renamed at the Hub (which tells nobody): the id stays.
    """
    with ledger.read() as connection:
        row = connection.execute(_same(hub_name, hub_created)).first()
    if row is not None and row.last_seen and (now - row.last_seen).total_seconds() < 60:
        return made(User, row)
    with ledger.write() as connection:
        if row is None:
            alone_in(connection, users)
            row = connection.execute(_same(hub_name, hub_created)).first()
        if row is not None:
            connection.execute(update(users).where(users.c.id == row.id).values(last_seen=now))
            return made(User, row)
        old = connection.execute(
            select(users).where(users.c.hub_name == hub_name, users.c.gone_at.is_(None))
        ).all()
        before = _renamed(connection, hub_name, hub_created)
        id = before or new_id(now, os.urandom)
        values = {"hub_name": hub_name, "hub_created": hub_created, "last_seen": now}
        for gone in old:
            connection.execute(update(users).where(users.c.id == gone.id).values(gone_at=now))
        if before is not None:
            connection.execute(update(users).where(users.c.id == id).values(**values))
        else:
            connection.execute(insert(users).values(id=id, **values))
        for gone in old:
            connection.execute(
                update(notebooks_table)
                .where(notebooks_table.c.user == gone.id, notebooks_table.c.trashed_at.is_(None))
                .values(trashed_at=now)
            )
        for gone in old:
            audit.add(connection, now, None, [gone.id], "user.gone", "created_anew", {"successor": id})
        told = ("user.renamed", "hub") if before is not None else ("user.seen", "first")
        audit.add(connection, now, id, [id], *told, {})
        return made(User, connection.execute(select(users).where(users.c.id == id)).one())


def get(ledger: Ledger, id: str) -> User:
    """Raises NotFound."""
    with ledger.read() as connection:
        row = connection.execute(select(users).where(users.c.id == id)).first()
    if row is None:
        raise NotFound("There is no such user", field="user")
    return made(User, row)


def by_name(ledger: Ledger, hub_name: str) -> User | None:
    """The present user of that Hub name, None where we never saw one."""
    with ledger.read() as connection:
        row = connection.execute(
            select(users).where(users.c.hub_name == hub_name, users.c.gone_at.is_(None))
        ).first()
    return made(User, row) if row is not None else None


def everyone(ledger: Ledger) -> list[User]:
    """All that are there still, by name."""
    query = select(users).where(users.c.gone_at.is_(None)).order_by(users.c.hub_name)
    with ledger.read() as connection:
        return [made(User, row) for row in connection.execute(query)]


def _same(hub_name: str, hub_created: str) -> Select[Any]:
    return select(users).where(users.c.hub_name == hub_name, users.c.hub_created == hub_created)


def _renamed(connection: Connection, hub_name: str, hub_created: str) -> str | None:
    """Who had another name and this creation time; only where the time is given to the microsecond."""
    if "." not in hub_created:
        return None
    rows = connection.execute(
        select(users.c.id).where(
            users.c.hub_created == hub_created, users.c.hub_name != hub_name, users.c.gone_at.is_(None)
        )
    ).all()
    return rows[0].id if len(rows) == 1 else None
