"""Asks notebooks for a heartbeat at once, and waits for it. One query every quarter of a second serves all."""

from __future__ import annotations

import asyncio
import contextlib

from jupyterhub_notebooks.clock import Clock
from jupyterhub_notebooks.errors import DatabaseAway
from jupyterhub_notebooks.ledger import Ledger, clocks

LOOK_SECONDS = 0.25
#: Orders that are asked for within this time go into one transaction.
GATHER_SECONDS = 0.02


class Reports:
    """``ask`` any number at a time; ``close`` ends it."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger, self._clock = ledger, clock
        self._wanted: dict[str, asyncio.Future[str]] = {}
        self._open: dict[str, asyncio.Future[None]] = {}
        self._asking: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None

    async def ask(self, session: str, seconds: float) -> bool:
        """Whether the session's agent answered in time. Raises DatabaseAway where it could not be asked."""
        if session not in self._wanted:
            self._wanted[session] = asyncio.get_running_loop().create_future()
        ordered = self._wanted[session]
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        order = await asyncio.shield(ordered)
        answer = self._open.setdefault(order, asyncio.get_running_loop().create_future())
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            await asyncio.wait_for(asyncio.shield(answer), seconds)
            return True
        except TimeoutError:
            await self._ledger.run(clocks.withdraw, [order], self._clock.now())
            return False
        finally:
            self._open.pop(order, None)

    async def _ask(self) -> None:
        while self._wanted:
            await asyncio.sleep(GATHER_SECONDS)
            wanted, self._wanted = self._wanted, {}
            try:
                orders = await self._ledger.run(clocks.ask_reports, list(wanted), self._clock.now())
            except DatabaseAway as error:
                for future in wanted.values():
                    future.set_exception(error)
                continue
            for session, future in wanted.items():
                future.set_result(orders[session])

    async def _look(self) -> None:
        while self._open:
            await asyncio.sleep(LOOK_SECONDS)
            with contextlib.suppress(DatabaseAway):  # whoever waits gives up by its own time
                for order in await self._ledger.run(clocks.answered, list(self._open)):
                    future = self._open.get(order)
                    if future is not None and not future.done():
                        future.set_result(None)

    async def close(self) -> None:
        """Waits for nothing any more."""
        for task in (self._asking, self._looking):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
