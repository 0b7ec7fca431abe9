"""How long a login waits after wrong passwords: per name, growing, never for ever.

Promises: the first five wrong passwords cost nothing; each further try of that name, right or wrong,
waits twice as long as the one before, up to 30 s, one after the other. A right password or 15 quiet
minutes forget it. Memory is bounded however many names are tried.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

FREE_TRIES = 5
LONGEST_SECONDS = 30.0
FORGET_SECONDS = 900.0
MOST_NAMES = 10_000
MOST_WAITING = 4


class TooMany(Exception):
    """Several tries of this name wait already."""


@dataclass
class _Name:
    wrong: int = 0
    at: float = 0.0
    waiting: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Slowing:
    """``async with slowing.turn(name) as told: told(right)``."""

    def __init__(
        self, monotonic: Callable[[], float], sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._names: OrderedDict[str, _Name] = OrderedDict()

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[Callable[[bool], None]]:
        """Waits as long as this name has to. Raises TooMany where others wait already."""
        entry = self._entry(name)
        if entry.waiting >= MOST_WAITING:
            raise TooMany(name)
        entry.waiting += 1
        try:
            async with entry.turn:
                wait = delay(entry.wrong)
                if wait:
                    await self._sleep(wait)

                def told(right: bool) -> None:
                    entry.wrong = 0 if right else entry.wrong + 1
                    entry.at = self._monotonic()

                yield told
        finally:
            entry.waiting -= 1

    def _entry(self, name: str) -> _Name:
        now = self._monotonic()
        entry = self._names.pop(name, None)
        if entry is None or (not entry.waiting and now - entry.at > FORGET_SECONDS):
            entry = _Name(at=now)
        self._names[name] = entry
        for old in list(self._names)[: max(0, len(self._names) - MOST_NAMES)]:
            if not self._names[old].waiting:
                del self._names[old]
        return entry


def delay(wrong: int) -> float:
    """Seconds that the next try waits after so many wrong ones."""
    if wrong < FREE_TRIES:
        return 0.0
    return min(2.0 ** min(wrong - FREE_TRIES, 10), LONGEST_SECONDS)
