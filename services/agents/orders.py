"""Orders to agents, from the open intents. One query every quarter of a second serves all who wait."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from jupyterhub_notebooks.contract import Order
from jupyterhub_notebooks.errors import DatabaseAway
from jupyterhub_notebooks.ledger import Intent, Ledger, intents

log = logging.getLogger("agents.orders")

LOOK_SECONDS = 0.25
HOLD_SECONDS = 25.0
FOR_AGENTS = ("save", "checkpoint", "finish", "report", "restore")


def orders_of(asked: Iterable[Intent], session: str, after: str = "") -> tuple[Order, ...]:
    """What of the open intents is for the agent of session, and newer than the order ``after``."""
    return tuple(
        Order(one.id, one.do, one.cause, one.actor or "", dict(one.evidence) if one.do == "restore" else {})
        for one in asked
        if one.session == session and one.do in FOR_AGENTS and one.id > after
    )


@dataclass(eq=False)
class Waiter:
    session: str
    after: str
    answer: asyncio.Future[tuple[Order, ...]]


class Waiting:
    """Everybody who waits for an order. ``close`` sends all of them home with none."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiters: set[Waiter] = set()
        self._looking: asyncio.Task[None] | None = None

    async def wait(self, session: str, after: str, seconds: float = HOLD_SECONDS) -> tuple[Order, ...]:
        """The orders newer than ``after``, as soon as there is one; none after seconds. May be cancelled."""
        waiter = Waiter(session, after, asyncio.get_running_loop().create_future())
        self._waiters.add(waiter)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            return await asyncio.wait_for(waiter.answer, seconds)
        except TimeoutError:
            return ()
        finally:
            self._waiters.discard(waiter)

    async def _look(self) -> None:
        while self._waiters:
            try:
                asked = await self._ledger.run(intents.open_everywhere)
            except DatabaseAway as error:
                log.warning("orders wait: %s", error.sentence())
                asked = []
            of: dict[str, list[Intent]] = {}
            for one in asked:
                of.setdefault(one.session, []).append(one)
            for waiter in [one for one in self._waiters if one.session in of]:
                orders = orders_of(of[waiter.session], waiter.session, waiter.after)
                if orders and not waiter.answer.done():
                    waiter.answer.set_result(orders)
            await asyncio.sleep(LOOK_SECONDS)

    async def close(self) -> None:
        for waiter in list(self._waiters):
            if not waiter.answer.done():
                waiter.answer.set_result(())
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
