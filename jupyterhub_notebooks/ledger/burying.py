"""Sessions whose agent is known to be gone without a word: what is told for it."""

from __future__ import annotations

from datetime import datetime

from . import intents, sessions
from .database import Ledger
from .rows import Session

#: From here on files of the workspace may have changed.
IN_USE = ("initializing", "starting", "running", "saving")


def pending(row: Session) -> tuple[int, int]:
    """(files, bytes) that a dead agent left unsaved: as it last said, at least one file once they were in use."""
    if row.phase not in IN_USE:
        return 0, 0
    return max(1, row.pending_files), row.pending_bytes


def bury(ledger: Ledger, before: Session, now: datetime, cause: str = "agent_died") -> bool:
    """Closes such a session, so that the next one may write at once. Whether this call did so.

    cause: where the row has none.
    """
    files, size_bytes = pending(before)
    stop = intents.last_stop(ledger, before.id)
    closed = sessions.close(
        ledger,
        before.id,
        now,
        before.cause or cause,
        "It ended without a word; what it had not saved is kept on its volume." if files else "",
        actor=stop.actor if stop else None,
        pending_files=files,
        pending_bytes=size_bytes,
    )
    intents.done_all(ledger, before.id, now)
    return closed
