"""Questions that come while others are being answered are asked together, and changes are written together.

So a thousand heartbeats a second are some dozens of transactions, and one alone waits for nobody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from jupyterhub_notebooks.errors import DatabaseAway
from jupyterhub_notebooks.ledger import Ledger

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

log = logging.getLogger("agents.together")

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


class Changes(Generic[V]):
    """Changes of the ledger, in one transaction for all that came meanwhile. One that cannot be made, or keeps the others
    from being made, is made by itself, and raises what it raises to whoever asked for it."""

    def __init__(self, ledger: Ledger) -> None:
        self._together = Together[Callable[[Ledger], V], V | Exception](
            lambda changes: ledger.run(_written, list(changes))
        )

    async def of(self, change: Callable[[Ledger], V]) -> V:
        """What the change returns, once it is committed. Raises what it raises."""
        found = await self._together.of(change)
        if isinstance(found, Exception):
            raise found
        return found  # type: ignore[return-value]  # every question is answered by _written


def _written(
    ledger: Ledger, changes: Sequence[Callable[[Ledger], V]]
) -> dict[Callable[[Ledger], V], V | Exception]:
    if len(changes) > 1:
        try:
            with ledger.joined():
                return {change: change(ledger) for change in changes}
        except DatabaseAway as error:  # for all of them: each would wait as long again
            return dict.fromkeys(changes, error)
        except Exception:  # nothing of it was written
            log.info("%d changes are made one by one", len(changes))
    done: dict[Callable[[Ledger], V], V | Exception] = {}
    for change in changes:
        try:
            done[change] = change(ledger)
        except Exception as error:
            done[change] = error
    return done
