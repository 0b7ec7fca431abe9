"""Files that are lost: a session left them unsaved on a volume, and the next one found that volume empty."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update

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
        here = workspaces.c.id == session.workspace
        space = connection.execute(select(workspaces).where(here).with_for_update()).one()
        if space.unsaved_on is None or space.unsaved_on != (session.volume or ""):
            return 0
        left = connection.execute(
            select(sessions)
            .where(sessions.c.workspace == session.workspace, sessions.c.id < session.id)
            .where(sessions.c.pending_files > 0, sessions.c.closed_at.is_not(None))
            .order_by(sessions.c.id.desc())
        ).first()
        head = connection.execute(
            select(snapshots)
            .where(snapshots.c.workspace == session.workspace, snapshots.c.state == "committed")
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
        subjects = [session.workspace, session.notebook, session.id, *([left.id] if left else [])]
        audit.add(connection, now, None, subjects, ACTION, "volume_gone", evidence)
        connection.execute(
            update(workspaces).where(here).values(unsaved_on=None, unsaved_files=0, unsaved_bytes=0)
        )
        if left is not None:
            saved = f"the newest is snapshot {head.number}" if head else "there was none"
            detail = (
                f"{count(files, 'file')} changed after the last save ({saved}) were lost with their volume"
            )
            connection.execute(update(sessions).where(sessions.c.id == left.id).values(detail=detail))
        return files


def of_session(ledger: Ledger, session: str) -> bool:
    """Whether files that this session left unsaved are lost."""
    return any(row.action == ACTION for row in audit.rows(ledger, subject=session, limit=50))
