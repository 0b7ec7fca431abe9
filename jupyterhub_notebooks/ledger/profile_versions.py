"""Which versions of each profile ever started something, and which start nothing at the moment."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select

from .database import Ledger, alone_in
from .tables import profile_versions, sessions


def keep(ledger: Ledger, name: str, version: str, content: Mapping[str, Any], now: datetime) -> None:
    """Keeps the content of a version; the same one twice is kept once."""
    here = (profile_versions.c.name == name) & (profile_versions.c.version == version)
    with ledger.read() as connection:
        if connection.execute(select(profile_versions.c.name).where(here)).first():
            return
    with ledger.write() as connection:
        alone_in(connection, profile_versions)
        if not connection.execute(select(profile_versions.c.name).where(here)).first():
            connection.execute(
                insert(profile_versions).values(
                    name=name, version=version, content=dict(content), seen_at=now
                )
            )


def failing(
    ledger: Ledger, causes: Collection[str], versions: Mapping[str, str], since: datetime
) -> dict[str, str]:
    """By profile, the cause of its last failed start, where none of that version came up after it.

    causes: ends of a start that are the profile's own fault. versions: of each profile, the one in force.
    """
    query = (
        select(
            sessions.c.profile, sessions.c.profile_version, sessions.c.cause, func.max(sessions.c.asked_at)
        )
        .where(sessions.c.asked_at >= since, sessions.c.kind == "work")
        .where(sessions.c.ready_at.is_not(None) | sessions.c.cause.in_(list(causes)))
        .group_by(
            sessions.c.profile, sessions.c.profile_version, sessions.c.cause, sessions.c.ready_at.is_(None)
        )
        .order_by(func.max(sessions.c.asked_at), sessions.c.ready_at.is_(None))
        .add_columns(sessions.c.ready_at.is_(None))
    )
    last: dict[str, str | None] = {}
    with ledger.read() as connection:
        for profile, version, cause, _, failed in connection.execute(query):
            if versions.get(profile) == version:
                last[profile] = cause if failed else None
    return {profile: cause for profile, cause in last.items() if cause}
