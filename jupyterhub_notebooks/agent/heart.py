"""Heartbeats and orders: what goes up and comes down while a session lives.

Promises: a change of phase is said at once, else when services/agents asked for it; a service that is away is tried
again for ever and stops nothing; an order is handed on once however often it arrives.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ..contract import HeartbeatAnswer, Order, Orders
from ..errors import NotebooksError
from ..retrying import delays
from .errors import SessionClosed, TooOld
from .lease import HeldLease
from .log import SessionLog
from .service import Service
from .standing import Standing

#: Between tries where trying soon cannot help: a closed session, a version that is not served.
SLOW_SECONDS = 60.0
ORDERS_TIMEOUT_SECONDS = 40.0


class Heart:
    """Two threads, ``start`` to ``stop``. on_order is called from either, once an order; on_answer with each
    answer and the monotonic time at which it was asked for."""

    def __init__(
        self,
        service: Service,
        standing: Standing,
        lease: HeldLease,
        log: SessionLog,
        on_order: Callable[[Order], None],
        on_answer: Callable[[HeartbeatAnswer, float], None] = lambda answer, asked_at: None,
    ) -> None:
        self._service, self._standing, self._lease, self._log = service, standing, lease, log
        self._on_order, self._on_answer = on_order, on_answer
        self._beating = threading.Lock()
        self._seen: set[str] = set()
        self._last_order = ""
        self._seen_lock = threading.Lock()
        self._stopping = threading.Event()
        self._trouble = ""
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        for name, run in (("heartbeat", self._beat_on), ("orders", self._listen)):
            thread = threading.Thread(target=run, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """No more heartbeats from the threads; one that is under way may still arrive."""
        self._stopping.set()
        self._standing.wake.set()

    def beat(self, timeout_seconds: float = 30.0) -> HeartbeatAnswer:
        """One heartbeat now. Raises as Service.post does."""
        with self._beating:
            beat = self._standing.heartbeat()
            asked_at = time.monotonic()
            answer = self._service.post("v1/heartbeat", beat, HeartbeatAnswer, timeout_seconds)
        self._standing.answered(beat)
        self._on_answer(answer, asked_at)
        if answer.lease is not None:
            self._lease.renewed(answer.lease, asked_at)
        elif beat.phase != "hello":
            self._lease.lose()
        if self._lease.lost:
            self._standing.lease_lost()
        for order in answer.orders:
            self._take(order)
        return answer

    def _beat_on(self) -> None:
        waits = delays(0.5, 10.0)
        wait = 0.0
        while not self._stopping.is_set():
            if self._standing.wake.wait(wait) and self._trouble:
                self._stopping.wait(min(wait, 1.0))
            self._standing.wake.clear()
            if self._stopping.is_set():
                return
            try:
                wait = max(0.2, self.beat().next_in_seconds)
                waits = delays(0.5, 10.0)
                self._well()
            except (TooOld, SessionClosed) as error:
                wait = SLOW_SECONDS
                self._unwell(error)
            except NotebooksError as error:
                wait = next(waits)
                self._unwell(error)

    def _unwell(self, error: NotebooksError) -> None:
        if self._trouble != error.title:
            self._trouble = error.title
            self._log.say(f"{error.sentence()} The notebook runs on and its files are kept")

    def _well(self) -> None:
        if self._trouble:
            self._trouble = ""
            self._log.say("The service that saves notebooks answers again")

    def _listen(self) -> None:
        waits = delays(0.5, 10.0)
        away = False
        while not self._stopping.is_set():
            try:
                path = f"v1/orders?after={self._last_order}"
                orders = self._service.get(path, Orders, ORDERS_TIMEOUT_SECONDS).orders
                waits = delays(0.5, 10.0)
            except (TooOld, SessionClosed):
                self._stopping.wait(SLOW_SECONDS)
                continue
            except NotebooksError:
                if not away:
                    away = True
                    self._standing.wake.set()  # a heartbeat finds out too, and soon that it is over
                self._stopping.wait(next(waits))
                continue
            away = False
            for order in orders:
                self._last_order = max(self._last_order, order.id)
                self._take(order)

    def _take(self, order: Order) -> None:
        with self._seen_lock:
            if order.id in self._seen:
                return
            self._seen.add(order.id)
        self._on_order(order)
