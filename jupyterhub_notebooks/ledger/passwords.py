"""Password hashes of the embedded default's login: one per user, never the password."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, insert, select

from .database import Ledger, alone_in
from .tables import passwords


class Password(NamedTuple):
    hub_name: str
    hash: str
    admin: bool
    changed_at: datetime


def set_password(ledger: Ledger, hub_name: str, hash: str, now: datetime, *, admin: bool = False) -> None:
    """Replaces what was there."""
    with ledger.write() as connection:
        alone_in(connection, passwords)
        connection.execute(delete(passwords).where(passwords.c.hub_name == hub_name))
        connection.execute(
            insert(passwords).values(hub_name=hub_name, hash=hash, admin=int(admin), changed_at=now)
        )


def get(ledger: Ledger, hub_name: str) -> Password | None:
    with ledger.read() as connection:
        row = connection.execute(select(passwords).where(passwords.c.hub_name == hub_name)).first()
    return Password(row.hub_name, row.hash, bool(row.admin), row.changed_at) if row else None


def remove(ledger: Ledger, hub_name: str) -> bool:
    """Whether there was one."""
    with ledger.write() as connection:
        return connection.execute(delete(passwords).where(passwords.c.hub_name == hub_name)).rowcount > 0


def every(ledger: Ledger) -> list[Password]:
    """All users with a password, by name."""
    with ledger.read() as connection:
        rows = connection.execute(select(passwords).order_by(passwords.c.hub_name)).all()
    return [Password(row.hub_name, row.hash, bool(row.admin), row.changed_at) for row in rows]
