"""Threads that hash, compress, read and write, with a bound on what they hold in memory.

Promises: at most ``most_bytes`` of what was submitted is in flight; the first error ends everything and is
raised in the caller's thread; nothing of what was submitted runs any more when the pool is left, but for a store's answers
that are waited for (``away``), which nobody waits for then and after which nothing is done; ``done`` is called in the caller's
thread only; ``cancelled`` is asked at least five times a second.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Any, TypeVar

from .ports import Cancelled

MOST_BYTES = 64 * 2**20
_ASK_SECONDS = 0.2
_ASK_EACH = 64
T = TypeVar("T")
S = TypeVar("S")
_Task = tuple[int, Callable[..., Any], tuple[Any, ...], Callable[[Any], object]]


class _Left(BaseException):
    """The pool ended while this thread waited for a store: nothing that it was to do is wanted any more."""


_mine = threading.local()


def threads() -> int:
    """How many: enough to keep a distant store busy, whatever the number of cores."""
    return min(32, max(16, 4 * (os.cpu_count() or 1)))


def away(act: Callable[[], T]) -> T:
    """act's result. act waits for a store, and changes nothing else: a pool that ends does not wait for it, and the thread
    of the pool that called this ends with it then. In any other thread just act."""
    pool: Pool | None = getattr(_mine, "pool", None)
    if pool is None:
        return act()
    pool._leave()
    try:
        return act()
    finally:
        pool._come_back()


def ask_aside(act: Callable[[], T], cancelled: Callable[[], bool]) -> T:
    """act's result. act runs in a thread of its own, that nobody waits for once cancelled says so: it may only wait and look.

    Raises Cancelled, and what act raises.
    """
    return result_of(aside(act), cancelled)


def aside(act: Callable[[], T]) -> Future[T]:
    """Has act done in a thread of its own; ``result_of`` waits for it."""
    future: Future[T] = Future()
    threading.Thread(target=_settle, args=(future, act), name="workspace-asks", daemon=True).start()
    return future


def in_order(
    act: Callable[[S], T], items: Iterable[S], cancelled: Callable[[], bool], name: str = "workspace-pages"
) -> Iterator[T]:
    """act's result for each item, in order, a few dozen ahead of the reader. act may only wait and look: nobody waits for what
    is not wanted any more. Raises Cancelled, and what act raises."""
    waiting: queue.SimpleQueue[tuple[Future[T], S] | None] = queue.SimpleQueue()
    ahead: deque[Future[T]] = deque()
    over = threading.Event()
    started = 0

    def work() -> None:
        while (task := waiting.get()) is not None and not over.is_set():
            future, item = task
            _settle(future, lambda: act(item))  # noqa: B023 - it is done with before the next

    try:
        for item in items:
            if cancelled():
                raise _stopped()
            ahead.append(Future())
            waiting.put((ahead[-1], item))
            if started < threads():
                started += 1
                threading.Thread(target=work, name=f"{name}_{started}", daemon=True).start()
            if len(ahead) >= 2 * threads():
                yield result_of(ahead.popleft(), cancelled)
        while ahead:
            yield result_of(ahead.popleft(), cancelled)
    finally:
        over.set()
        for _ in range(started):
            waiting.put(None)


def _settle(future: Future[T], act: Callable[[], T]) -> None:
    try:
        future.set_result(act())
    except BaseException as error:  # raised to whoever waits
        future.set_exception(error)


def result_of(future: Future[T], cancelled: Callable[[], bool]) -> T:
    """What was done aside. Raises Cancelled, and what it raised."""
    while True:
        try:
            return future.result(_ASK_SECONDS)
        except TimeoutError:
            if future.done():  # in this moment, or the error is its own
                return future.result()
        if cancelled():
            raise _stopped()


def ask_now_and_then(items: Iterable[T], cancelled: Callable[[], bool]) -> Iterator[T]:
    """The items, with cancelled asked now and then. Raises Cancelled."""
    for number, item in enumerate(items):
        if not number % _ASK_EACH and cancelled():
            raise _stopped()
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
        self._name, self._workers = name, workers or threads()
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._started = 0
        self._idle = threading.Semaphore(0)
        self._quiet = threading.Condition()
        self._busy = 0
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
        with self._quiet:
            self._over.set()
        with suppress(queue.Empty):
            while True:
                self._tasks.get_nowait()
        for _ in range(self._started):
            self._tasks.put(None)
        with self._quiet:
            while self._busy:
                self._quiet.wait()

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
        self._tasks.put((cost_bytes, act, arguments, done))
        if not self._idle.acquire(blocking=False) and self._started < self._workers:
            self._started += 1
            name = f"{self._name}_{self._started}"
            threading.Thread(target=self._work, name=name, daemon=True).start()
        while self._in_flight and not self._finished.empty():
            self._take()

    def _work(self) -> None:
        """One thread, until there is no more to do."""
        _mine.pool = self
        while True:
            try:
                task = self._tasks.get_nowait()
            except queue.Empty:
                self._idle.release()
                task = self._tasks.get()
            if task is None or not self._run(*task):
                return
            del task

    def _run(
        self,
        cost_bytes: int,
        act: Callable[..., Any],
        arguments: tuple[Any, ...],
        done: Callable[[Any], object],
    ) -> bool:
        """Whether the thread goes on."""
        result, failed = None, None
        with self._quiet:
            if self._over.is_set():
                return False
            self._busy += 1
        try:
            result = act(*arguments)
        except _Left:
            return False
        except BaseException as error:
            failed = error
        self._finished.put((cost_bytes, done, result, failed))
        self._leave()
        return True

    def _leave(self) -> None:
        with self._quiet:
            self._busy -= 1
            if not self._busy and self._over.is_set():
                self._quiet.notify_all()

    def _come_back(self) -> None:
        with self._quiet:
            if self._over.is_set():
                raise _Left
            self._busy += 1

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
            raise _stopped()

    def finish(self) -> None:
        """Returns when everything submitted (also by ``done``) is done."""
        while self._in_flight:
            self._take()


def _stopped() -> Cancelled:
    return Cancelled("It was stopped before it was done")
