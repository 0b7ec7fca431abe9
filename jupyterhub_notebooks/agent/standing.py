"""What the agent would say of itself now: the one place that other threads write and the heartbeat reads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from .. import __version__
from ..contract import Ended, Heartbeat, KeptVariables, Progress, Saved, Signal

_MOST_SHOWN = 32


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
        self._outcomes: dict[str, dict[str, Any]] = {}
        self._shown: tuple[str, ...] = ()
        self._saving_since: float | None = None
        self._size_bytes: int | None = None
        self._variables: KeptVariables | None = None
        self._blocked: dict[str, int] = {}

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

    @property
    def size_bytes(self) -> int | None:
        """Of the workspace at its newest save."""
        return self._size_bytes

    @property
    def progress_now(self) -> Progress:
        return self._progress

    @contextmanager
    def saving(self) -> Iterator[None]:
        """A save is under way within the block; its progress is what ``progress`` says meanwhile."""
        with self._lock:
            self._progress, self._saving_since = Progress(), self._monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._progress, self._saving_since = Progress(), None

    @property
    def saving_seconds(self) -> float | None:
        """For how long a save has been under way; None: none is."""
        since = self._saving_since
        return None if since is None else self._monotonic() - since

    def known(self, number: int, at: str | None = None, size_bytes: int | None = None) -> None:
        """The snapshot that the volume came from, before a first save of this session."""
        with self._lock:
            self._saved = replace(self._saved, number=number, at=at)
            self._size_bytes = size_bytes if size_bytes is not None else self._size_bytes

    def was_shown(self, notices: tuple[str, ...]) -> None:
        """Notices were on a screen; said until a heartbeat with them was answered."""
        with self._lock:
            new = tuple(one for one in notices if one not in self._shown)[:_MOST_SHOWN]
            self._shown += new
        if new:
            self.wake.set()

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

    def done(self, order: str, outcome: dict[str, Any] | None = None) -> None:
        """An order was carried out, or could not be (outcome); said until a heartbeat with it was answered."""
        with self._lock:
            self._done += (order,)
            if outcome is not None:
                self._outcomes[order] = outcome
        self.wake.set()

    def kept_variables(self, kept: KeptVariables) -> None:
        """What became of the kernels' variables; said until the session ends."""
        with self._lock:
            self._variables = kept

    def blocked(self, counts: dict[str, int]) -> None:
        """Hosts that were refused so far, and how often; a new one is said at once."""
        with self._lock:
            news = not counts.keys() <= self._blocked.keys()
            self._blocked = dict(counts)
        if news:
            self.wake.set()

    def answered(self, beat: Heartbeat) -> None:
        """services/agents has read beat."""
        with self._lock:
            self._done = tuple(order for order in self._done if order not in beat.done_orders)
            self._outcomes = {order: said for order, said in self._outcomes.items() if order in self._done}
            self._shown = tuple(one for one in self._shown if one not in beat.shown_notices)

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
                outcomes=dict(self._outcomes),
                shown_notices=self._shown,
                size_bytes=self._size_bytes,
                variables=self._variables,
                blocked=dict(self._blocked),
            )
