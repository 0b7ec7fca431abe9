"""Threads that hash, compress, read and write, with a bound on what they hold in memory.

Promises: at most ``most_bytes`` of what was submitted is in flight; the first error ends everything and is
raised in the caller's thread; nothing runs any more when the pool is left; ``done`` is called in the caller's
thread only; ``cancelled`` is asked at least five times a second.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

from .ports import Cancelled

MOST_BYTES = 64 * 2**20
_ASK_SECONDS = 0.2
_ASK_EACH = 64
T = TypeVar("T")


def threads() -> int:
    """How many: enough to keep a distant store busy, whatever the number of cores."""
    return min(32, max(16, 4 * (os.cpu_count() or 1)))


def ask_now_and_then(items: Iterable[T], cancelled: Callable[[], bool]) -> Iterator[T]:
    """The items, with cancelled asked now and then. Raises Cancelled."""
    for number, item in enumerate(items):
        if not number % _ASK_EACH and cancelled():
            raise Cancelled("It was stopped before it was done")
        yield item


class Pool:
    """Use as a context; ``submit`` work, then ``finish``."""

    def __init__(
        self,
        cancelled: Callable[[], bool] = lambda: False,
        *,
        name: str = "workspace",
        most_bytes: int = MOST_BYTES,
        workers: int | None = None,
    ) -> None:
        self._executor = ThreadPoolExecutor(workers or threads(), thread_name_prefix=name)
        self._cancelled = cancelled
        self._most_bytes = most_bytes
        self._in_flight = 0
        self._bytes = 0
        self._finished: queue.SimpleQueue[tuple[int, Callable[[Any], object], Any, BaseException | None]] = (
            queue.SimpleQueue()
        )
        self._over = threading.Event()

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._executor.shutdown(wait=True, cancel_futures=True)

    @property
    def over(self) -> bool:
        """Whether nothing that was submitted is wanted any more."""
        return self._over.is_set()

    def submit(
        self, cost_bytes: int, act: Callable[..., Any], *arguments: Any, done: Callable[[Any], object]
    ) -> None:
        """Has a thread call act; done gets its result. Waits while too much is in flight."""
        self._ask()
        while self._in_flight and (
            self._bytes + cost_bytes > self._most_bytes or self._in_flight >= 8 * threads()
        ):
            self._take()
        self._in_flight += 1
        self._bytes += cost_bytes
        self._executor.submit(self._run, cost_bytes, act, arguments, done)
        while self._in_flight and not self._finished.empty():
            self._take()

    def _run(
        self,
        cost_bytes: int,
        act: Callable[..., Any],
        arguments: tuple[Any, ...],
        done: Callable[[Any], object],
    ) -> None:
        result, failed = None, None
        try:
            if not self._over.is_set():
                result = act(*arguments)
        except BaseException as error:
            failed = error
        self._finished.put((cost_bytes, done, result, failed))

    def _take(self) -> None:
        while True:
            try:
                cost_bytes, done, result, failed = self._finished.get(timeout=_ASK_SECONDS)
                break
            except queue.Empty:
                self._ask()
        self._in_flight -= 1
        self._bytes -= cost_bytes
        if failed is not None:
            raise failed
        done(result)
        self._ask()

    def _ask(self) -> None:
        if self._cancelled():
            raise Cancelled("It was stopped before it was done")

    def finish(self) -> None:
        """Returns when everything submitted (also by ``done``) is done."""
        while self._in_flight:
            self._take()
