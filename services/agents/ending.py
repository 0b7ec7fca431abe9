"""The end of a session as its agent says it: the row closes, the token is dead, the lease is free."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from jupyterhub_notebooks.contract import Release
from jupyterhub_notebooks.ledger import Ledger, Session, aside, intents, sessions

from . import reading

if TYPE_CHECKING:
    from .app import Agents


async def release(agents: Agents, session: Session, body: Release) -> None:
    """Closes the session; one that is closed already stays as it is."""
    cause = reading.label(body.cause, "cause")
    if session.closed_at is not None:
        return
    agents.heartbeats.forget(session.id)
    agents.allowance.committed(session.workspace)
    async with agents.lock(session.workspace):
        await agents.ledger.run(_close, session, cause, body, agents.clock.now())


def _close(ledger: Ledger, session: Session, cause: str, body: Release, now: datetime) -> None:
    stop = intents.last_stop(ledger, session.id)
    sessions.close(
        ledger,
        session.id,
        now,
        intents.cause_of_end(ledger, session.id, cause),
        reading.text(body.detail),
        actor=stop.actor if stop else None,
        pending_files=reading.count(body.pending_files),
        pending_bytes=reading.size(body.pending_bytes),
        all_saved=session.ready_at is not None and cause != "not_restored",
    )
    if session.ready_at is not None and not body.pending_files:
        aside.settle(ledger, session.workspace, session.id, now)  # its volume held nothing that was not saved
    intents.done_all(ledger, session.id, now)
