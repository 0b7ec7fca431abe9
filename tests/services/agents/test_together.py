"""Questions that come while others are answered are asked together, each answered by a reading that began after it."""

import asyncio

import pytest

from jupyterhub_notebooks.services.agents.together import Together


class Slow:
    """Answers a question with its square, all of a call at once, when it is let."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.open = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, questions):
        self.calls.append(list(questions))
        await self.open.wait()
        if self.error:
            raise self.error
        return {one: one * one for one in questions if one != 13}


async def settled():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_those_that_come_meanwhile_are_asked_in_one_call():
    slow = Slow()
    together = Together(slow, most=3)
    first = asyncio.create_task(together.of(1))
    await settled()
    others = [asyncio.create_task(together.of(number)) for number in (2, 3, 4, 5, 1)]
    await settled()
    slow.open.set()
    assert await asyncio.gather(first, *others) == [1, 4, 9, 16, 25, 1]
    assert slow.calls == [[1], [2, 3, 4], [5, 1]]  # the second 1 was not answered by the call before it


async def test_what_has_no_answer_is_none_and_an_error_is_for_those_who_asked_then():
    slow = Slow()
    slow.open.set()
    together = Together(slow)
    assert await together.of(13) is None
    slow.error = OSError("away")
    with pytest.raises(OSError, match="away"):
        await together.of(2)
    slow.error = None
    assert await together.of(2) == 4


async def test_one_who_leaves_takes_nothing_from_another():
    slow = Slow()
    together = Together(slow)
    leaves, stays = asyncio.create_task(together.of(3)), asyncio.create_task(together.of(3))
    await settled()
    leaves.cancel()
    slow.open.set()
    assert await stays == 9
    assert leaves.cancelled()
