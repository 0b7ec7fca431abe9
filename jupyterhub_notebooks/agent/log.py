"""The session's log: each line once to a file, and in numbered batches to services/agents.

Bounded: what services/agents does not take while it is away is kept for the last lines only; the file
has all of it. The numbers go on where an agent before this one, in the same run directory, ended.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from ..contract import Log
from ..errors import NotebooksError
from ..retrying import delays
from .service import Service

KEPT_LINES = 4000
BATCH_LINES = 500
LINE_CHARACTERS = 4000


class SessionLog:
    """Takes lines from any thread. ``start`` begins to send them, ``close`` sends what is left."""

    def __init__(self, file: Path | None, run_dir: Path) -> None:
        self._file: IO[str] = sys.stdout
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._file = file.open("a", encoding="utf-8", errors="replace")
        self._counter = run_dir / "log.number"
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._lines: deque[tuple[int, str]] = deque(maxlen=KEPT_LINES)
        self._next = _read_number(self._counter) + 1
        self._thread: threading.Thread | None = None

    def write(self, line: str) -> None:
        """One line of the server or the startup script, without its end."""
        text = line[:LINE_CHARACTERS]
        with self._lock:
            self._lines.append((self._next, text))
            self._next += 1
            try:
                self._file.write(text + "\n")
                self._file.flush()
            except OSError:
                self._file = sys.stdout  # a full disk takes the file, not the session
        self._wake.set()

    def say(self, sentence: str) -> None:
        """A line of the agent itself, with the time."""
        self.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} notebook: {sentence}")

    def start(self, service: Service) -> None:
        """Sends from now on."""
        self._thread = threading.Thread(target=self._send, args=(service,), name="log", daemon=True)
        self._thread.start()

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Sends the rest, for at most timeout_seconds."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_seconds)

    def _send(self, service: Service) -> None:
        waits = delays(0.5, 15.0)
        while True:
            self._wake.wait()
            if not self._closing.wait(0.5):  # lines come in bursts
                self._wake.clear()
            batch = self._batch()
            if batch is None:
                if self._closing.is_set():
                    return
                continue
            try:
                service.tell("v1/log", batch)
            except NotebooksError:
                if self._closing.is_set():
                    return
                self._wake.set()
                self._closing.wait(next(waits))
                continue
            waits = delays(0.5, 15.0)
            self._sent(batch.first + len(batch.lines) - 1)

    def _batch(self) -> Log | None:
        with self._lock:
            if not self._lines:
                return None
            taken = [self._lines[n] for n in range(min(BATCH_LINES, len(self._lines)))]
        return Log(taken[0][0], tuple(text for _, text in taken))

    def _sent(self, last: int) -> None:
        with self._lock:
            while self._lines and self._lines[0][0] <= last:
                self._lines.popleft()
            left = bool(self._lines)
        if left:
            self._wake.set()
        try:
            self._counter.write_text(str(last))
        except OSError as error:
            self._counter = Path("/dev/null")
            self.say(f"The number of the last line could not be kept: {error.strerror}")


def _read_number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0
