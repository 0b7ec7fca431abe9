"""What open pages say and are told: presence, notices that were on a screen, documents that are not saved, what to do.

| address below the server | what |
|---|---|
| ``POST notebooks/presence`` | ``visible``, ``last_input_seconds``, ``page``; ``shown`` and ``unsaved`` (lists); answers the state |
| ``GET notebooks/presence`` | the state alone |
| ``GET notebooks/live`` (a WebSocket) | the state, at once and whenever it changes |
| ``POST notebooks/ask`` | ``do`` and its arguments (agent/asking.py); answers its result, or an error in words |
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado import web, websocket

from ..contract import Answered, LocalKernel, SessionState, SignalsReport
from ..errors import NotebooksError, Unchecked
from .presence import REPORT_SECONDS, Presence

MOST_BODY_BYTES = 64 * 1024
MOST_PAGES = 64
MOST_NAMES = 100
#: How long what is asked may take; a save of a large workspace takes longest.
ASK_SECONDS = {"save": 930.0, "restore": 930.0}
ASK_OTHERS_SECONDS = 60.0


@dataclass(frozen=True)
class Said:
    """What a page posted."""

    visible: bool
    last_input_seconds: float | None
    page: str
    shown: tuple[str, ...] = ()
    unsaved: tuple[str, ...] = ()


class Pages:
    """Everything about open pages but their input. state: the session's, as the agent said it last."""

    def __init__(
        self,
        state: Callable[[], SessionState],
        presence: Presence,
        environment: Mapping[str, str],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state, self._presence, self._monotonic = state, presence, monotonic
        self._address = page_of(environment)
        self._unsaved: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._shown: set[str] = set()
        self._live: set[LiveHandler] = set()
        self._told = ""
        self.changed: Callable[[], None] = lambda: None

    def said(self, said: Said) -> None:
        """A page posted. What others wait for is handed on at once."""
        self._presence.reported(said.visible, said.last_input_seconds, said.page)
        before = (self.unsaved(), set(self._shown))
        if said.page not in self._unsaved and len(self._unsaved) >= MOST_PAGES:
            self._unsaved.pop(min(self._unsaved, key=lambda one: self._unsaved[one][0]))
        self._unsaved[said.page] = (self._monotonic(), said.unsaved)
        self._shown.update(said.shown)
        if before != (self.unsaved(), self._shown):
            self.changed()

    def unsaved(self) -> tuple[str, ...]:
        """Documents with changes in pages that are still there."""
        oldest = self._monotonic() - REPORT_SECONDS
        self._unsaved = {page: one for page, one in self._unsaved.items() if one[0] > oldest}
        return tuple(sorted({name for _, names in self._unsaved.values() for name in names}))[:MOST_NAMES]

    def more(self, report: SignalsReport, kernels: tuple[LocalKernel, ...]) -> SignalsReport:
        """A report with what pages said."""
        shown = tuple(sorted(self._shown))[:MOST_NAMES]
        return replace(report, shown_notices=shown, unsaved=self.unsaved(), kernels=kernels)

    def sent(self, report: SignalsReport) -> None:
        self._shown.difference_update(report.shown_notices)

    def body(self) -> dict[str, Any]:
        """The state as pages get it."""
        return {**self._state().to_json(), "page_url": self._address}

    def news(self, state: SessionState) -> None:
        """The agent said something: pages are told what is new to them."""
        said = replace(state, report=0, heard_seconds_ago=None, server_time="")
        told = json.dumps(said.to_json())
        if told != self._told:
            self._told = told
            for one in list(self._live):
                one.tell()

    def opened(self, live: LiveHandler) -> None:
        self._live.add(live)

    def closed(self, live: LiveHandler) -> None:
        self._live.discard(live)


def page_of(environment: Mapping[str, str]) -> str:
    """The address of this notebook's page; "" without a Hub."""
    user = environment.get("JUPYTERHUB_USER")
    base = environment.get("JUPYTERHUB_BASE_URL")
    if not user or not base:
        return ""
    host = environment.get("JUPYTERHUB_HOST", "")
    name = environment.get("JUPYTERHUB_SERVER_NAME") or "-"
    return f"{host}{base}services/notebooks/n/{quote(user, safe='@')}/{quote(name, safe='')}"


class PresenceHandler(APIHandler):
    """POST and GET notebooks/presence."""

    _track_activity = False
    auth_resource = "contents"

    def initialize(self, pages: Pages) -> None:
        self._pages = pages

    @web.authenticated
    def get(self) -> None:
        self.finish(json.dumps(self._pages.body()))

    @web.authenticated
    def post(self) -> None:
        try:
            self._pages.said(read(self.request.body))
        except NotebooksError as error:
            self.set_status(error.http_status)
            self.finish(json.dumps(error.as_json()))
            return
        self.finish(json.dumps(self._pages.body()))


class LiveHandler(WebSocketMixin, websocket.WebSocketHandler, JupyterHandler):
    """The WebSocket: whatever comes from a page is left unread."""

    _track_activity = False
    auth_resource = "contents"

    def initialize(self, pages: Pages) -> None:
        self._pages = pages

    @ws_authenticated
    async def get(self, *arguments: str, **named: str) -> None:
        await super().get(*arguments, **named)

    def open(self, *arguments: str, **named: str) -> None:
        super().open(*arguments, **named)
        self._pages.opened(self)
        self.tell()

    def on_message(self, message: str | bytes) -> None:
        return None

    def on_close(self) -> None:
        self._pages.closed(self)

    def tell(self) -> None:
        """The state now."""
        try:
            self.write_message(json.dumps(self._pages.body()))
        except websocket.WebSocketClosedError:
            self._pages.closed(self)


class AskHandler(APIHandler):
    """POST notebooks/ask."""

    auth_resource = "contents"

    def initialize(self, ask: Callable[..., Any]) -> None:
        self._ask = ask

    @web.authenticated
    async def post(self) -> None:
        try:
            raw = json_of(self.request.body)
            do = raw.pop("do", None)
            if not isinstance(do, str):
                raise Unchecked("This must be a word", field="do")
            if do == "extend":
                raw = {"who": getattr(self.current_user, "username", "") or ""}
            answered: Answered = await self._ask(do, raw, ASK_SECONDS.get(do, ASK_OTHERS_SECONDS))
        except NotebooksError as error:
            self.set_status(error.http_status)
            self.finish(json.dumps(error.as_json()))
            return
        if answered.error is not None:
            self.set_status(answered.status if 400 <= answered.status < 600 else 500)
            self.finish(json.dumps({"error": answered.error}))
            return
        self.finish(json.dumps(answered.result))


def json_of(body: bytes) -> dict[str, Any]:
    """An object that a page posted. Raises Unchecked."""
    if len(body) > MOST_BODY_BYTES:
        raise Unchecked("This is too long", field="body")
    try:
        raw: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise Unchecked("This must be JSON", field="body") from None
    if not isinstance(raw, dict):
        raise Unchecked("This must be an object", field="body")
    return raw


def read(body: bytes) -> Said:
    """What a page posted to presence. Raises Unchecked naming the field."""
    raw = json_of(body)
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
    names = {field: _names(raw.get(field, []), field) for field in ("shown", "unsaved")}
    return Said(visible, None if seconds is None else float(seconds), page, **names)


def _names(value: Any, field: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and len(one) <= 1000 for one in value):
        raise Unchecked("This must be a list of short texts", field=field)
    return tuple(value[:MOST_NAMES])
