"""The way to the agent: reports up, the session's state down, over the agent's socket; connected again for ever."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from ..contract import MOST_LINE_BYTES, LocalSignal, SessionState, SignalsReport, socket_address
from ..errors import NotebooksError
from ..retrying import delays

Gather = Callable[[], Awaitable[tuple[LocalSignal, ...]]]
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.2, 5.0


class Link:
    """``run`` until cancelled; ``state`` is what was heard last. gather makes the signals of a report."""

    def __init__(
        self,
        path: Path,
        gather: Gather,
        report_seconds: float,
        log: logging.Logger | logging.LoggerAdapter[logging.Logger],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path, self._gather, self._every, self._log = path, gather, report_seconds, log
        self._monotonic = monotonic
        self._state: tuple[float, SessionState] | None = None

    def state(self) -> SessionState:
        """The last state, its age brought up to now; an empty one before the first."""
        if self._state is None:
            return SessionState()
        at, state = self._state
        if state.heard_seconds_ago is None:
            return state
        return replace(state, heard_seconds_ago=state.heard_seconds_ago + self._monotonic() - at)

    async def run(self) -> None:
        """Connects, reports and listens; again when that ends."""
        waits = delays(FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS)
        said = False
        while True:
            try:
                with socket_address(self._path) as address:
                    reader, writer = await asyncio.open_unix_connection(address, limit=MOST_LINE_BYTES)
                try:
                    waits = delays(FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS)
                    said = False
                    await self._talk(reader, writer)
                finally:
                    writer.close()
            except (OSError, ValueError, NotebooksError) as error:
                if not said:
                    said = True
                    self._log.warning("The notebook's agent does not answer, which is tried again: %s", error)
            await asyncio.sleep(next(waits))

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listening = asyncio.create_task(self._listen(reader, writer), name="notebooks-agent")
        try:
            while not listening.done():
                await self._report(writer, 0)
                await asyncio.wait({listening}, timeout=self._every)
            await listening  # raises what ended it
        finally:
            listening.cancel()

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the agent closes. Raises ValueError or NotebooksError for what cannot be read."""
        while line := await reader.readline():
            state = SessionState.from_json(json.loads(line))
            self._state = (self._monotonic(), replace(state, report=0))
            if state.report:
                await self._report(writer, state.report)

    async def _report(self, writer: asyncio.StreamWriter, answers: int) -> None:
        report = SignalsReport("lab", await self._gather(), answers)
        writer.write(json.dumps(report.to_json(), separators=(",", ":")).encode() + b"\n")
        await writer.drain()
