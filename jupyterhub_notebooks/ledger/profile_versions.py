"""Which versions of each profile ever started something."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from .database import Ledger, alone_in
from .tables import profile_versions


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
