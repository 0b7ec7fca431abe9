"""The agent's request to keep variables, carried out once, and its answer put into the next report."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from ...contract import CheckpointDone, SessionState, SignalsReport
from .keeping import Keeping


class Requests:
    """``heard`` with each state, ``more`` for each report, ``sent`` when one has gone. soon: a report at once."""

    def __init__(self, keeping: Keeping, soon: Callable[[], None]) -> None:
        self._keeping, self._soon = keeping, soon
        self._last = 0
        self._done: CheckpointDone | None = None
        self._task: asyncio.Task[None] | None = None

    def heard(self, state: SessionState) -> None:
        wanted = state.checkpoint
        if wanted is None or wanted.number == self._last:
            return
        self._last = wanted.number

        async def keep() -> None:
            self._done = CheckpointDone(wanted.number, await self._keeping.keep(wanted))
            self._soon()

        self._task = asyncio.create_task(keep(), name="notebooks-variables")

    def more(self, report: SignalsReport) -> SignalsReport:
        return report if self._done is None else replace(report, checkpoint=self._done)

    def sent(self, report: SignalsReport) -> None:
        if report.checkpoint is not None and report.checkpoint is self._done:
            self._done = None
