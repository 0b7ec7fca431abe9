"""Questions that come while others are being answered are asked together.

So a thousand heartbeats a second are some dozens of transactions, and one alone waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MOST = 250


class Together(Generic[K, V]):
    """ask: answers several questions at once; a question that is not in its answer is answered with None."""

    def __init__(self, ask: Callable[[Iterable[K]], Awaitable[Mapping[K, V]]], most: int = MOST) -> None:
        self._ask, self._most = ask, most
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def of(self, question: K) -> V | None:
        """The answer, worked out after this call began. Raises what asking raised."""
        found = self._waiting.get(question)
        if found is None:
            found = self._waiting[question] = asyncio.get_running_loop().create_future()
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._work())
        return await asyncio.shield(found)  # others may wait for the same

    async def _work(self) -> None:
        while self._waiting:
            questions = list(self._waiting)[: self._most]
            waiting = {one: self._waiting.pop(one) for one in questions}
            try:
                answers = await self._ask(questions)
            except Exception as error:
                for one in waiting.values():
                    one.set_exception(error)
                    one.exception()  # nobody may wait any more
                continue
            for question, one in waiting.items():
                one.set_result(answers.get(question))
