"""Before a stop that nobody waits for at the keyboard: the kernels' variables are kept, for a bounded time.

Promises: never keeps a stop from going on for longer than the launch's bound and ``MARGIN_SECONDS``.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..ledger import Session, intents, sessions

if TYPE_CHECKING:
    from .base import NotebookSpawner

#: For the order's way to the agent and its answer's way back.
MARGIN_SECONDS = 4.0
LOOK_SECONDS = 0.2
#: Whose stops keep the variables; another does where its evidence says ``variables``.
CAUSES = ("idle", "session_limit", "quota")


async def keep_variables(spawner: NotebookSpawner, session: Session) -> None:
    """Orders it and waits for the answer."""
    ledger = spawner.ledger
    stop = await ledger.run(intents.last_stop, session.id)
    if stop is None or not (stop.cause in CAUSES or stop.evidence.get("variables")):
        return
    row = await ledger.run(sessions.get, session.id)
    seconds = float(row.launch.get("variables_seconds") or 0)
    if row.phase != "running" or row.closed_at is not None or not seconds:
        return
    if not row.launch.get("variables_bytes"):
        return
    order = await ledger.run(intents.ask, session.id, "checkpoint", stop.cause, None, datetime.now(UTC))
    end = time.monotonic() + seconds + MARGIN_SECONDS
    while time.monotonic() < end and await spawner.backend_poll() is None:
        still = await ledger.run(intents.open_of, session.id, "checkpoint")
        if all(one.id != order.id for one in still):
            return
        await asyncio.sleep(LOOK_SECONDS)
    await ledger.run(intents.done, order.id, datetime.now(UTC))
