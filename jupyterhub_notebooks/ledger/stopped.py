"""What may be done to a stopped notebook alone begins here: its rows locked, in the one order, and whether it is stopped."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from .tables import notebooks, sessions, workspaces


def locked(connection: Connection, notebook: str) -> tuple[Any, Any, bool]:
    """Rows of the notebook and of its workspace, locked, and whether a session of it is open."""
    row = connection.execute(select(notebooks).where(notebooks.c.id == notebook).with_for_update()).one()
    space = connection.execute(
        select(workspaces).where(workspaces.c.id == row.workspace).with_for_update()
    ).one()
    running = select(sessions.c.id).where(sessions.c.notebook == notebook, sessions.c.closed_at.is_(None))
    return row, space, connection.execute(running).first() is not None
