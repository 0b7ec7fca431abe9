"""Before a stop: the server is asked to keep the kernels' variables, and waited for no longer than the bound.

Promises: ``run`` returns within the bound and ``MARGIN_SECONDS``, whatever the server and its kernels do, and says what
was kept and what was not.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ..contract import Checkpoint, KeptVariables, LostVariable, SignalsReport

#: For the server's answer, beside the time that its kernels have.
MARGIN_SECONDS = 1.0


class Checkpointing:
    """``wanted`` goes down to the server with its session's state, its answer comes to ``took``."""

    def __init__(self, tell: Callable[[], None], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._tell, self._monotonic = tell, monotonic
        # A server that outlives its agent carries out the next agent's first one too, however soon it comes.
        self._number = time.time_ns() // 1000
        self._news = threading.Condition()
        self._wanted: Checkpoint | None = None
        self._kept: KeptVariables | None = None

    @property
    def wanted(self) -> Checkpoint | None:
        return self._wanted

    def took(self, report: SignalsReport) -> None:
        """A report has come, perhaps with the answer."""
        done = report.checkpoint
        with self._news:
            if done is not None and self._wanted is not None and done.number == self._wanted.number:
                self._kept = done.kept
                self._news.notify_all()

    def run(self, seconds: float, size_bytes: int, cause: str, *, there: bool) -> KeptVariables:
        """there: whether the server was heard lately; one at a time."""
        if seconds <= 0 or size_bytes <= 0:
            return KeptVariables()
        if not there:
            return KeptVariables(lost=(LostVariable("", "", "JupyterLab's server does not answer"),))
        began = self._monotonic()
        with self._news:
            self._number += 1
            self._kept = None
            self._wanted = Checkpoint(self._number, seconds, size_bytes, cause, cause != "idle")
        self._tell()
        with self._news:
            self._news.wait_for(lambda: self._kept is not None, seconds + MARGIN_SECONDS)
            kept, self._wanted = self._kept, None
        if kept is not None:
            return kept
        took = round(self._monotonic() - began, 3)
        why = "JupyterLab's server did not answer in time"
        return KeptVariables(seconds=took, lost=(LostVariable("", "", why),))
