"""Whether a person is there: the signal ``browser``, from what pages tell of input, never from their connections.

A page posts every 30 s, and at once when it becomes visible or hidden, to ``…/notebooks/presence``:
``{"visible": true, "last_input_seconds": 4.2, "page": "any text that tells pages apart"}``. The answer is the
session's state, so that one request serves both (pages.py has the addresses and what else a page may say).

| what is known | signal |
|---|---|
| a visible page had input within 60 s | busy since its first input without such a pause |
| pages report, without input | idle since the last input |
| pages are open that do not report | unknown |
| no page is open, or none was opened yet | idle since the last input or request |
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ..contract import LocalSignal

#: Somebody who typed, clicked or scrolled is there for so long.
INPUT_SECONDS = 60.0
#: A page reports every 30 s; one that was not heard for so long is closed, or asleep.
REPORT_SECONDS = 90.0
#: JupyterLab asks its server something every few seconds while it is visible.
REQUEST_SECONDS = 120.0
MOST_PAGES = 64


class Presence:
    """``reported`` and ``requested`` as they come; ``signal`` now."""

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, present_seconds: float = INPUT_SECONDS
    ) -> None:
        self._monotonic, self._present = monotonic, present_seconds
        self._began = monotonic()
        self._pages: dict[str, float] = {}
        self._first_input: float | None = None
        self._last_input: float | None = None
        self._request: float | None = None

    def reported(self, visible: bool, last_input_seconds: float | None, page: str = "") -> None:
        """A page said so. last_input_seconds None: it had no input yet."""
        now = self._monotonic()
        if page not in self._pages and len(self._pages) >= MOST_PAGES:
            self._pages.pop(min(self._pages, key=lambda one: self._pages[one]))
        self._pages[page] = now
        if not visible or last_input_seconds is None:
            return
        at = max(self._began, now - last_input_seconds)
        if self._last_input is None or at - self._last_input > self._present or self._first_input is None:
            self._first_input = at
        self._last_input = max(at, self._last_input or at)

    def requested(self) -> None:
        """A browser asked this server something."""
        self._request = self._monotonic()

    def signal(self) -> LocalSignal:
        """``browser`` now."""
        now = self._monotonic()
        if self._last_input is not None and now - self._last_input < self._present:
            first = self._first_input if self._first_input is not None else self._last_input
            return LocalSignal("browser", "busy", now - first, "Somebody types or clicks in JupyterLab")
        reported = max(self._pages.values(), default=None)
        if reported is not None and now - reported < REPORT_SECONDS:
            since = self._last_input if self._last_input is not None else self._began
            return LocalSignal("browser", "idle", now - since, "A page is open, without input")
        # Where the last reports are old and requests go on, a page sleeps or was closed just now.
        if reported is None and self._request is not None and now - self._request < REQUEST_SECONDS:
            return LocalSignal("browser", "unknown", None, "A page is open that says nothing of its input")
        known = [at for at in (self._last_input, self._unreported()) if at is not None]
        if not known:
            return LocalSignal("browser", "idle", now - self._began, "No page was opened yet")
        return LocalSignal("browser", "idle", now - max(known), "No page is open")

    def _unreported(self) -> float | None:
        """The last request where no page ever reported: then it is all that is known of a person."""
        return None if self._pages else self._request
