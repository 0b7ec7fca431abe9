"""How long to wait before trying again: decorrelated by jitter, bounded, the same everywhere."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")


def delays(
    first_seconds: float = 0.1,
    most_seconds: float = 10.0,
    factor: float = 2.0,
    jitter: Callable[[], float] = random.random,
) -> Iterator[float]:
    """Endless waits in seconds, growing from first to most, each between half and the whole of its step."""
    step = first_seconds
    while True:
        yield step * (0.5 + 0.5 * jitter())
        step = min(step * factor, most_seconds)


def retry(
    act: Callable[[], T],
    *,
    on: tuple[type[BaseException], ...],
    for_seconds: float,
    first_seconds: float = 0.1,
    most_seconds: float = 10.0,
    sleep: Callable[[float], object] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> T:
    """Call act until it returns, raising its last error once another wait would end after for_seconds."""
    end = monotonic() + for_seconds
    for wait in delays(first_seconds, most_seconds):
        try:
            return act()
        except on:
            if monotonic() + wait >= end:
                raise
        sleep(wait)
    raise AssertionError("delays never ends")
