"""Waiting for an agent: its row in the ledger and its process are watched, and one rule says when it is stuck.

The row is read every 0.1 s for 10 s, then every second; the process is asked every second. A database that
does not answer is no news: nothing is given up because of it before the same time without progress.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ..errors import DatabaseAway
from ..ledger import Ledger, Session, sessions
from ..units import show_duration
from . import progress

OFTEN_SECONDS, OFTEN_FOR_SECONDS, SELDOM_SECONDS = 0.1, 10.0, 1.0
ASK_SECONDS = 2.0
T = TypeVar("T")


async def rows(ledger: Ledger, session: Session) -> AsyncGenerator[Session, None]:
    """The session's row, over and over, at the pace of this module, until the caller has seen enough."""
    begun = time.monotonic()
    row = session
    while True:
        try:
            row = await ledger.run(sessions.get, session.id)
        except DatabaseAway:
            await asyncio.sleep(SELDOM_SECONDS)
        yield row
        often = time.monotonic() - begun < OFTEN_FOR_SECONDS
        await asyncio.sleep(OFTEN_SECONDS if often else SELDOM_SECONDS)


class Patience:
    """How long an end may take: as long as something moves, and never longer than the most."""

    def __init__(self, ledger: Ledger, session: Session, quiet_seconds: float, most_seconds: float) -> None:
        self._ledger = ledger
        self._session = session
        self._quiet_seconds = quiet_seconds
        self._most_seconds = most_seconds

    async def over(self) -> str:
        """Returns when patience is over, with the reason as a sentence."""
        begun = time.monotonic()
        movement = progress.Movement(begun)
        async with aclosing(rows(self._ledger, self._session)) as seen:
            async for row in seen:
                now = time.monotonic()
                if movement.quiet_seconds(row, now) >= self._quiet_seconds:
                    return (
                        f"Saving made no progress for {show_duration(self._quiet_seconds)} and was ended; "
                        "the files are kept on its volume."
                    )
                if now - begun >= self._most_seconds:
                    return (
                        f"Saving took longer than {show_duration(self._most_seconds)} and was ended; "
                        "the files are kept on its volume."
                    )
        raise AssertionError("rows never ends")

    async def wait(self, gone: Awaitable[object]) -> str:
        """Waits for ``gone``; '' when it came about, else why it is not waited for any longer. Raises what ``gone`` raises:
        whether it came about is not known then."""
        waited, over = asyncio.ensure_future(gone), asyncio.ensure_future(self.over())
        try:
            await asyncio.wait({waited, over}, return_when=asyncio.FIRST_COMPLETED)
            if not waited.done():
                return over.result()
            waited.result()
            return ""
        finally:
            for task in (waited, over):
                task.cancel()


async def unless_fails(wanted: Awaitable[T], other: asyncio.Future[Any]) -> T:
    """What is wanted, once it is there; raises what the other ends with, where it ends with an error before."""
    waiting = asyncio.ensure_future(wanted)
    try:
        await asyncio.wait({waiting, other}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            other.result()
        return await waiting
    finally:
        waiting.cancel()


async def until(check: Callable[[], bool], every_seconds: float = 0.05) -> None:
    """Returns once check says so."""
    while not check():  # noqa: ASYNC110  (what is asked is the system, which tells nobody)
        await asyncio.sleep(every_seconds)


async def answers(url: str) -> bool:
    """Whether an HTTP server answers there with anything but an error of its own."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(ASK_SECONDS):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                writer.write(
                    f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode()
                )
                said = (await reader.readline()).split()
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):
        return False
    return len(said) > 1 and said[1].isdigit() and int(said[1]) < 500
