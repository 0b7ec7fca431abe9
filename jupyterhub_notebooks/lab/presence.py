"""Whether a person is there: the signal ``browser``, from what pages tell of input, never from their connections.

A page posts every 30 s, and at once when it becomes visible or hidden, to ``…/notebooks/presence``:
``{"visible": true, "last_input_seconds": 4.2, "page": "any text that tells pages apart"}``. The answer is the
session's state, so that one request serves both. GET answers the state alone.

| what is known | signal |
|---|---|
| a visible page had input within 60 s | busy since its first input without such a pause |
| pages report, without input | idle since the last input |
| pages are open that do not report | unknown |
| no page is open, or none was opened yet | idle since the last input or request |
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from typing import Any

from jupyter_server.base.handlers import APIHandler
from tornado import web

from ..contract import LocalSignal, SessionState
from ..errors import NotebooksError, Unchecked

#: Somebody who typed, clicked or scrolled is there for so long.
INPUT_SECONDS = 60.0
#: A page reports every 30 s; one that was not heard for so long is closed, or asleep.
REPORT_SECONDS = 90.0
#: JupyterLab asks its server something every few seconds while it is visible.
REQUEST_SECONDS = 120.0
MOST_PAGES = 64
MOST_BODY_BYTES = 4096


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


class PresenceHandler(APIHandler):
    """POST …/notebooks/presence; see above."""

    _track_activity = False
    auth_resource = "contents"

    def initialize(self, presence: Presence, state: Callable[[], SessionState]) -> None:
        self._presence, self._state = presence, state

    @web.authenticated
    def get(self) -> None:
        self._answer()

    @web.authenticated
    def post(self) -> None:
        try:
            self._presence.reported(*read(self.request.body))
        except NotebooksError as error:
            self.set_status(error.http_status)
            self.finish(json.dumps(error.as_json()))
            return
        self._answer()

    def _answer(self) -> None:
        self.finish(json.dumps(self._state().to_json()))


def read(body: bytes) -> tuple[bool, float | None, str]:
    """What a page posted. Raises Unchecked naming the field."""
    if len(body) > MOST_BODY_BYTES:
        raise Unchecked("This is too long", field="presence")
    try:
        raw: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise Unchecked("This must be JSON", field="presence") from None
    if not isinstance(raw, dict):
        raise Unchecked("This must be an object", field="presence")
    visible, seconds, page = raw.get("visible"), raw.get("last_input_seconds"), raw.get("page", "")
    if not isinstance(visible, bool):
        raise Unchecked("This must be true or false", field="visible")
    if seconds is not None and (
        isinstance(seconds, bool)
        or not isinstance(seconds, int | float)
        or not math.isfinite(seconds)
        or seconds < 0
    ):
        raise Unchecked("This must be a number of seconds, or null", field="last_input_seconds")
    if not isinstance(page, str) or len(page) > 100:
        raise Unchecked("This must be a short text", field="page")
    return visible, None if seconds is None else float(seconds), page
