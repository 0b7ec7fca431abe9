"""Files that are lost: a session left them unsaved on a volume that is gone, or that the next one found empty."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from ..units import count
from . import audit
from .database import Ledger
from .rows import Session
from .tables import sessions, snapshots, workspaces

ACTION = "workspace.lost"


def volume_was_empty(ledger: Ledger, session: Session, now: datetime) -> int:
    """How many files are lost, 0 where none were unsaved there. The audit, and the session that left them, say so once.

    session: the one that writes now, and found its volume empty.
    """
    with ledger.write() as connection:
        space = _space(connection, session)
        if space.unsaved_on is None or space.unsaved_on != (session.volume or ""):
            return 0
        left = connection.execute(
            select(sessions)
            .where(sessions.c.workspace == session.workspace, sessions.c.id < session.id)
            .where(sessions.c.pending_files > 0, sessions.c.closed_at.is_not(None))
            .order_by(sessions.c.id.desc())
        ).first()
        return _lost(connection, space, [session.id, *([left.id] if left else [])], left, now)


def volume_went_with_it(ledger: Ledger, session: str, now: datetime) -> int:
    """The same of a session that is closed and whose volume ended with it, as the one of a pod alone does."""
    with ledger.write() as connection:
        row = connection.execute(select(sessions).where(sessions.c.id == session)).one()
        space = _space(connection, row)
        if not row.pending_files or row.closed_at is None or space.unsaved_on != (row.volume or ""):
            return 0
        return _lost(connection, space, [row.id], row, now)


def _space(connection: Connection, session: Any) -> Any:
    return connection.execute(
        select(workspaces).where(workspaces.c.id == session.workspace).with_for_update()
    ).one()


def _lost(connection: Connection, space: Any, writers: Sequence[str], left: Any, now: datetime) -> int:
    """What was unsaved on the workspace's volume is gone. left: the session that left it, None where there is none."""
    head = connection.execute(
        select(snapshots)
        .where(snapshots.c.workspace == space.id, snapshots.c.state == "committed")
        .where(snapshots.c.kind == "save")
        .order_by(snapshots.c.number.desc())
    ).first()
    files = max(1, space.unsaved_files)
    evidence = {
        "volume": space.unsaved_on,
        "files": files,
        "bytes": space.unsaved_bytes,
        "snapshot": head.number if head else 0,
    }
    audit.add(connection, now, None, [space.id, space.notebook, *writers], ACTION, "volume_gone", evidence)
    connection.execute(
        update(workspaces)
        .where(workspaces.c.id == space.id)
        .values(unsaved_on=None, unsaved_files=0, unsaved_bytes=0)
    )
    if left is not None:
        saved = f"the newest is snapshot {head.number}" if head else "there was none"
        detail = f"{count(files, 'file')} changed after the last save ({saved}) were lost with their volume"
        connection.execute(update(sessions).where(sessions.c.id == left.id).values(detail=detail))
    return files


def of_session(ledger: Ledger, session: str) -> bool:
    """Whether files that this session left unsaved are lost."""
    return any(row.action == ACTION for row in audit.rows(ledger, subject=session, limit=50))
