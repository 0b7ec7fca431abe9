"""The keys of encrypted workspaces, each wrapped by a key that is kept elsewhere; nothing here can open one.

A workspace has one key for good. ``rewrap`` changes what wraps them, all at once or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update

from .database import Ledger, alone_in
from .tables import workspace_keys


@dataclass(frozen=True)
class WorkspaceKey:
    """key_id: what the workspace calls its key. wrapped: the key, sealed."""

    workspace: str
    key_id: str
    wrapped: bytes
    made_at: datetime


def of_workspace(ledger: Ledger, workspace: str) -> WorkspaceKey | None:
    """None: the workspace is not encrypted."""
    with ledger.read() as connection:
        row = connection.execute(
            select(workspace_keys).where(workspace_keys.c.workspace == workspace)
        ).first()
    return WorkspaceKey(**row._mapping) if row is not None else None


def workspaces_with_one(ledger: Ledger) -> set[str]:
    """Ids of all workspaces that are encrypted."""
    with ledger.read() as connection:
        return {str(id) for id in connection.execute(select(workspace_keys.c.workspace)).scalars()}


def ensure(ledger: Ledger, workspace: str, key_id: str, wrapped: bytes, now: datetime) -> WorkspaceKey:
    """Keeps a workspace's key, or answers the one that it has already."""
    found = of_workspace(ledger, workspace)
    if found is not None:
        return found
    with ledger.write() as connection:
        alone_in(connection, workspace_keys)
        row = connection.execute(
            select(workspace_keys).where(workspace_keys.c.workspace == workspace)
        ).first()
        if row is None:
            values = {"workspace": workspace, "key_id": key_id, "wrapped": wrapped, "made_at": now}
            connection.execute(insert(workspace_keys).values(**values))
    made = of_workspace(ledger, workspace)
    assert made is not None
    return made


def rewrap(ledger: Ledger, again: Callable[[WorkspaceKey], bytes]) -> int:
    """Replaces what wraps each key by what again makes of it; where it raises, nothing is changed. How many."""
    with ledger.write() as connection:
        alone_in(connection, workspace_keys)
        rows = [WorkspaceKey(**row._mapping) for row in connection.execute(select(workspace_keys))]
        for row in rows:
            connection.execute(
                update(workspace_keys)
                .where(workspace_keys.c.workspace == row.workspace)
                .values(wrapped=again(row))
            )
    return len(rows)
