"""The defaults of the two public hooks: what happens between a backend's start and a usable server, and before a stop."""

from __future__ import annotations

import time
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..ledger import Session, intents, sessions
from . import progress, waiting

if TYPE_CHECKING:
    from .base import NotebookSpawner

#: A save that was ordered before a stop and does not move for this long is left to the end itself.
SAVE_QUIET_SECONDS = 3.0


async def workspace_ready(spawner: NotebookSpawner, session: Session) -> None:
    """``post_start_hook``: returns once the agent has restored the workspace and starts the server.

    Raises NotStarted when nothing moves for ``no_progress_seconds`` or the agent ends.
    """
    async with aclosing(spawner.watch(session)) as rows:
        async for row in rows:
            if row.phase in ("starting", "running"):
                return


async def save_first(spawner: NotebookSpawner, session: Session) -> None:
    """``pre_stop_hook``: orders a save and waits for it while it moves, so that little is left for the end."""
    ledger = spawner.ledger
    row = await ledger.run(sessions.get, session.id)
    if row.phase != "running" or row.closed_at is not None:
        return
    order = await ledger.run(intents.ask, session.id, "save", "stopping", None, datetime.now(UTC))
    movement = progress.Movement(time.monotonic())
    async with aclosing(waiting.rows(ledger, session)) as rows:
        async for row in rows:
            still = await ledger.run(intents.open_of, session.id, "save")
            if all(one.id != order.id for one in still) or row.phase == "ended":
                return
            if movement.quiet_seconds(row, time.monotonic()) >= SAVE_QUIET_SECONDS:
                return
            if await spawner.backend_poll() is not None:
                return
