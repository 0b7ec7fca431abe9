"""Guessing is slowed down per name; nobody is locked out; memory is bounded."""

import asyncio

import pytest

from jupyterhub_notebooks.login import slowing
from jupyterhub_notebooks.login.slowing import Slowing, TooMany


class Time:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now, self.slept = 1000.0, []

    def monotonic(self):
        return self.now

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def slow(time):
    return Slowing(time.monotonic, time.sleep)


async def attempt(slow, name, right=False):
    async with slow.turn(name) as told:
        told(right)


async def test_the_first_wrong_passwords_cost_nothing_and_then_it_doubles_to_half_a_minute(slow, time):
    for _ in range(12):
        await attempt(slow, "ann")
    assert time.slept == [1, 2, 4, 8, 16, 30, 30]


async def test_a_right_password_is_slowed_like_a_wrong_one_and_then_forgets_them(slow, time):
    for _ in range(6):
        await attempt(slow, "ann")
    await attempt(slow, "ann", right=True)
    assert time.slept == [1, 2]
    await attempt(slow, "ann")
    assert time.slept == [1, 2]


async def test_other_names_are_not_slowed(slow, time):
    for _ in range(9):
        await attempt(slow, "ann")
    before = list(time.slept)
    await attempt(slow, "bob")
    assert time.slept == before


async def test_a_quiet_quarter_of_an_hour_forgets(slow, time):
    for _ in range(9):
        await attempt(slow, "ann")
    before = list(time.slept)
    time.now += slowing.FORGET_SECONDS + 1
    await attempt(slow, "ann")
    assert time.slept == before


async def test_guesses_side_by_side_wait_for_each_other_and_the_fifth_is_refused(time):
    going = asyncio.Event()

    async def held(seconds):
        await going.wait()
        await time.sleep(seconds)

    slow = Slowing(time.monotonic, held)
    for _ in range(slowing.FREE_TRIES):
        await attempt(slow, "ann")
    waiting = [asyncio.create_task(attempt(slow, "ann")) for _ in range(slowing.MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(TooMany):
        await attempt(slow, "ann")
    going.set()
    await asyncio.gather(*waiting)
    assert time.slept == [1, 2, 4, 8]


async def test_many_names_do_not_fill_the_memory(slow, monkeypatch):
    monkeypatch.setattr(slowing, "MOST_NAMES", 10)
    for number in range(50):
        await attempt(slow, f"name-{number}")
    assert len(slow._names) <= 10
