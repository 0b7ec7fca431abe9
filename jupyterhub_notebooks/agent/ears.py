"""The agent's socket: what runs in the notebook hands its signals in here and hears the state of the session.

Promises: mode 0600; a caller that sends what it should not is cut off and harms nobody else; a report that is
asked for is waited for within a bound. Anybody with the notebook's account can speak here, as they could compute:
what is said says how long the notebook lives, and opens nothing.
"""

from __future__ import annotations

import json
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..contract import MOST_LINE_BYTES, Answered, Ask, Body, SessionState, SignalsReport, socket_address
from ..errors import NotebooksError, Refusal

MOST_CALLERS = 16
MOST_SOURCES = 8
SEND_SECONDS = 2.0
#: Asks that are answered at the same time.
MOST_ASKS = 8


@dataclass(frozen=True)
class Heard:
    """The last report of a source and when it came, by the monotonic clock."""

    report: SignalsReport
    at: float


class Ears:
    """``start`` listens, ``stop`` ends it. state: what callers are told; took: each report; answer: what an ask brings."""

    def __init__(
        self,
        path: Path,
        state: Callable[[], SessionState],
        say: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
        took: Callable[[SignalsReport], None] = lambda report: None,
        answer: Callable[[Ask], Answered] = lambda ask: Answered(ask.ask),
    ) -> None:
        self._path, self._state, self._say, self._monotonic = path, state, say, monotonic
        self._took, self._answer = took, answer
        self._asks = threading.Semaphore(MOST_ASKS)
        self._news = threading.Condition()
        self._heard: dict[str, Heard] = {}
        self._callers: dict[socket.socket, threading.Lock] = {}
        self._reported: dict[socket.socket, int] = {}
        self._asked = 0
        self._server: socket.socket | None = None

    def start(self) -> None:
        """Raises OSError where no socket can be made there."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            self._path.unlink()
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            os.fchmod(server.fileno(), 0o600)  # before it has a name: nobody is in between
            with socket_address(self._path) as address:
                server.bind(address)
                os.chmod(address, 0o600)
        except OSError:
            server.close()
            raise
        server.listen(MOST_CALLERS)
        self._server = server
        threading.Thread(target=self._accept, args=(server,), name="ears", daemon=True).start()

    def stop(self) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        with self._news:
            callers = list(self._callers)
        for caller in callers:
            with suppress(OSError):
                caller.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            self._path.unlink()

    def heard(self) -> dict[str, Heard]:
        """The last report of each source."""
        with self._news:
            return dict(self._heard)

    def ask(self, timeout_seconds: float) -> bool:
        """Asks every caller for a report now; whether all that there are have answered within the time."""
        with self._news:
            self._asked += 1
            number = self._asked
            callers = list(self._callers)
        for caller in callers:
            self._send(caller, number)
        with self._news:
            return bool(callers) and self._news.wait_for(
                lambda: all(self._reported.get(one, number) >= number for one in callers), timeout_seconds
            )

    def tell(self) -> None:
        """The state, to every caller."""
        with self._news:
            callers = list(self._callers)
        for caller in callers:
            self._send(caller, 0)

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                caller, _ = server.accept()
            except OSError:
                return  # stopped
            with self._news:
                full = len(self._callers) >= MOST_CALLERS
                if not full:
                    self._callers[caller] = threading.Lock()
                    self._reported[caller] = 0
            if full:
                caller.close()
                continue
            caller.settimeout(None)
            threading.Thread(target=self._listen, args=(caller,), name="caller", daemon=True).start()

    def _listen(self, caller: socket.socket) -> None:
        try:
            with caller.makefile("rb") as lines:
                while line := lines.readline(MOST_LINE_BYTES + 1):
                    if len(line) > MOST_LINE_BYTES:
                        raise ValueError("a line was too long")
                    said = json.loads(line)
                    if isinstance(said, dict) and "ask" in said:
                        self._asked_by(caller, Ask.from_json(said))
                        continue
                    self._take(caller, SignalsReport.from_json(said))
                    self._send(caller, 0)
        except (ValueError, RecursionError, NotebooksError) as error:
            self._say(f"A report of signals could not be read and its sender was cut off: {error}")
        except OSError:
            pass  # it went away, which the lines below see to
        finally:
            with self._news:
                self._callers.pop(caller, None)
                self._reported.pop(caller, None)
                self._news.notify_all()
            caller.close()

    def _take(self, caller: socket.socket, report: SignalsReport) -> None:
        with self._news:
            if report.source in self._heard or len(self._heard) < MOST_SOURCES:
                self._heard[report.source] = Heard(report, self._monotonic())
            self._reported[caller] = max(self._reported.get(caller, 0), report.answers)
            self._news.notify_all()
        self._took(report)

    def _asked_by(self, caller: socket.socket, ask: Ask) -> None:
        """Answers from a thread of its own: a save takes minutes, and reports must go on meanwhile."""
        if not self._asks.acquire(blocking=False):
            busy = Refusal("Too much is asked at once", "", ["Try again in a moment"], label="busy")
            self._reply(caller, Answered(ask.ask, {}, busy.as_json()["error"], busy.http_status))
            return

        def run() -> None:
            try:
                self._reply(caller, self._answer(ask))
            finally:
                self._asks.release()

        threading.Thread(target=run, name="ask", daemon=True).start()

    def _reply(self, caller: socket.socket, body: Body) -> None:
        """All of it within SEND_SECONDS; a caller that does not read is cut off."""
        lock = self._callers.get(caller)
        if lock is None:
            return
        raw, end = memoryview(line_of(body)), self._monotonic() + SEND_SECONDS
        with lock, suppress(OSError, ValueError):
            while raw:
                left = end - self._monotonic()
                if left <= 0 or not select.select([], [caller], [], left)[1]:
                    caller.shutdown(socket.SHUT_RDWR)
                    return
                sent = caller.send(raw, socket.MSG_DONTWAIT | getattr(socket, "MSG_NOSIGNAL", 0))
                raw = raw[sent:]

    def _send(self, caller: socket.socket, report: int) -> None:
        lock = self._callers.get(caller)
        if lock is None:
            return
        raw = line_of(SessionState(**{**vars(self._state()), "report": report}))
        with lock:
            try:
                # MSG_DONTWAIT: a caller that reads nothing holds nobody up; what it misses comes again.
                sent = caller.send(raw, socket.MSG_DONTWAIT | getattr(socket, "MSG_NOSIGNAL", 0))
            except BlockingIOError:
                return
            except OSError:
                return
            if sent < len(raw):
                with suppress(OSError):
                    caller.shutdown(socket.SHUT_RDWR)


def line_of(body: Body) -> bytes:
    """A body as it goes over the socket."""
    return json.dumps(body.to_json(), separators=(",", ":")).encode() + b"\n"
