"""The way to the agent: reports up, the session's state down, over the agent's socket; connected again for ever."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..contract import (
    MOST_LINE_BYTES,
    Answered,
    Ask,
    LocalSignal,
    SessionState,
    SignalsReport,
    socket_address,
)
from ..errors import NotebooksError, StorageAway
from ..retrying import delays

Gather = Callable[[], Awaitable[tuple[LocalSignal, ...]]]
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.2, 5.0


def _same(report: SignalsReport) -> SignalsReport:
    return report


def _nothing(said: object) -> None:
    return None


class Link:
    """``run`` until cancelled; ``state`` is what was heard last. gather makes the signals of a report.

    more: adds to a report what else is known; sent: a report has gone; news: a state has come.
    """

    def __init__(
        self,
        path: Path,
        gather: Gather,
        report_seconds: float,
        log: logging.Logger | logging.LoggerAdapter[logging.Logger],
        monotonic: Callable[[], float] = time.monotonic,
        more: Callable[[SignalsReport], SignalsReport] = _same,
        sent: Callable[[SignalsReport], None] = _nothing,
        news: Callable[[SessionState], None] = _nothing,
    ) -> None:
        self._path, self._gather, self._every, self._log = path, gather, report_seconds, log
        self._monotonic, self._more, self._sent, self._news = monotonic, more, sent, news
        self._state: tuple[float, SessionState] | None = None
        self._soon = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._asked = 0
        self._waiting: dict[int, asyncio.Future[Answered]] = {}

    def state(self) -> SessionState:
        """The last state, its age brought up to now; an empty one before the first."""
        if self._state is None:
            return SessionState()
        at, state = self._state
        if state.heard_seconds_ago is None:
            return state
        return replace(state, heard_seconds_ago=state.heard_seconds_ago + self._monotonic() - at)

    def report_soon(self) -> None:
        """The next report at once: something came that others wait for."""
        self._soon.set()

    async def ask(self, do: str, arguments: dict[str, Any], timeout_seconds: float) -> Answered:
        """What the agent answers; agent/asking.py has what can be asked. Raises StorageAway where it does not."""
        if self._writer is None:
            raise _silent()
        self._asked += 1
        number = self._asked
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            _write(self._writer, Ask(number, do, arguments).to_json())
            return await asyncio.wait_for(answer, timeout_seconds)
        except TimeoutError:
            raise _silent() from None
        finally:
            self._waiting.pop(number, None)

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
        self._writer = writer
        try:
            while not listening.done():
                self._soon.clear()
                await self._report(writer, 0)
                soon = asyncio.create_task(self._soon.wait(), name="notebooks-soon")
                await asyncio.wait(
                    {listening, soon}, timeout=self._every, return_when=asyncio.FIRST_COMPLETED
                )
                soon.cancel()
            await listening  # raises what ended it
        finally:
            listening.cancel()
            self._writer = None
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(_silent())

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the agent closes. Raises ValueError or NotebooksError for what cannot be read."""
        while line := await reader.readline():
            said = json.loads(line)
            if isinstance(said, dict) and "answered" in said:
                answered = Answered.from_json(said)
                waiting = self._waiting.get(answered.answered)
                if waiting is not None and not waiting.done():
                    waiting.set_result(answered)
                continue
            state = SessionState.from_json(said)
            self._state = (self._monotonic(), replace(state, report=0))
            self._news(state)
            if state.report:
                await self._report(writer, state.report)

    async def _report(self, writer: asyncio.StreamWriter, answers: int) -> None:
        report = self._more(SignalsReport("lab", await self._gather(), answers))
        _write(writer, report.to_json())
        await writer.drain()
        self._sent(report)


def _write(writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
    writer.write(json.dumps(body, separators=(",", ":")).encode() + b"\n")


def _silent() -> StorageAway:
    return StorageAway(
        "The notebook's agent does not answer", "Your files are as they were.", ["Try again in a moment"]
    )
