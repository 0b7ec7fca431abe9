"""What the agent would say of itself now: the one place that other threads write and the heartbeat reads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from .. import __version__
from ..contract import Ended, Heartbeat, Progress, Saved, Signal


class Standing:
    """Phase, progress, last save and messages of a session. ``wake`` is set when a heartbeat is due at once."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.wake = threading.Event()
        #: What goes on in the notebook, asked at each heartbeat.
        self.signals: Callable[[], tuple[Signal, ...]] = lambda: ()
        self._lock = threading.Lock()
        self._monotonic = monotonic
        # A container that is restarted in place goes on with a higher number than it had.
        self._sequence = int(time.time())
        self._phase = "hello"
        self._progress = Progress()
        self._saved = Saved()
        self._ended: Ended | None = None
        self._made_anew: tuple[str, ...] = ()
        self._warnings: tuple[str, ...] = ()
        self._done: tuple[str, ...] = ()
        self._size_bytes: int | None = None

    @property
    def phase(self) -> str:
        return self._phase

    @property
    def saved(self) -> Saved:
        return self._saved

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._warnings

    def enter(self, phase: str) -> None:
        """The next phase begins, with its progress at nothing; said at once."""
        with self._lock:
            self._phase, self._progress = phase, Progress()
        self.wake.set()

    def progress(self, progress: Progress) -> None:
        """How far the phase is; said with the next heartbeat, which is soon while there is progress."""
        self._progress = progress

    def end(self, cause: str, detail: str = "") -> None:
        """Why the session ends; the first cause stays."""
        with self._lock:
            self._ended = self._ended or Ended(cause, detail)
        self.wake.set()

    @property
    def ended(self) -> Ended | None:
        return self._ended

    def was_saved(self, number: int, at: str | None, size_bytes: int | None = None) -> None:
        """Snapshot number holds everything; nothing is pending and nothing is wrong."""
        with self._lock:
            self._saved = Saved(number, at)
            self._size_bytes = size_bytes if size_bytes is not None else self._size_bytes
        self.wake.set()

    def known(self, number: int) -> None:
        """The snapshot that the volume came from, before a first save of this session."""
        with self._lock:
            self._saved = replace(self._saved, number=number)

    def pending(self, files: int, size_bytes: int, error: str | None = None) -> None:
        """What changed since the last save, as far as known, and why it is not saved."""
        with self._lock:
            changed = error != self._saved.error
            self._saved = replace(self._saved, pending_files=files, pending_bytes=size_bytes, error=error)
        if changed:
            self.wake.set()

    def tell(self, *, made_anew: tuple[str, ...] = (), warnings: tuple[str, ...] = ()) -> None:
        """Sentences for the user; each is kept until the session ends."""
        with self._lock:
            before = (self._made_anew, self._warnings)
            self._made_anew += tuple(one for one in made_anew if one not in self._made_anew)
            self._warnings += tuple(one for one in warnings if one not in self._warnings)
            news = before != (self._made_anew, self._warnings)
        if news:
            self.wake.set()

    def take_back(self, warning: str) -> None:
        """It is over."""
        with self._lock:
            self._warnings = tuple(one for one in self._warnings if one != warning)
        self.wake.set()

    def lease_lost(self) -> None:
        """Said once however often it is found out."""
        self.tell(
            warnings=(
                "Another session of this notebook took over. What changes here is kept on this machine only",
            )
        )

    def done(self, order: str) -> None:
        """An order was carried out; said until a heartbeat with it was answered."""
        with self._lock:
            self._done += (order,)
        self.wake.set()

    def answered(self, beat: Heartbeat) -> None:
        """services/agents has read beat."""
        with self._lock:
            self._done = tuple(order for order in self._done if order not in beat.done_orders)

    def heartbeat(self) -> Heartbeat:
        """All of it, under the next number."""
        signals = self.signals()
        with self._lock:
            self._sequence += 1
            return Heartbeat(
                sequence=self._sequence,
                phase=self._phase,
                agent_version=__version__,
                progress=self._progress,
                signals=signals,
                saved=self._saved,
                ended=self._ended,
                made_anew=self._made_anew,
                warnings=self._warnings,
                done_orders=self._done,
                size_bytes=self._size_bytes,
            )
