"""services/agents as the agent calls it: bodies in, bodies out, every trouble as one of four errors."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from ..contract import Body
from ..errors import BadInput, NoSpace, NotFound, StorageAway
from .errors import Contested, Oversized, ServiceAway, SessionClosed, TooOld
from .wire import BROKEN, Answer, Wire

B = TypeVar("B", bound=Body)
_LATER = (408, 425, 429)
_STORAGE = {StorageAway.reason: "Storage does not answer", NoSpace.reason: "Storage is full"}


class Service:
    """One session's calls. base_url as in NOTEBOOK_SERVICE_URL; safe to use from any thread."""

    def __init__(self, base_url: str, token: str, wire: Wire | None = None) -> None:
        self.base_url = base_url.rstrip("/") + "/"
        self.wire = wire or Wire()
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def post(self, path: str, body: Body, answer: type[B], timeout_seconds: float = 30.0) -> B:
        """POST body to path. Raises ServiceAway, TooOld, SessionClosed, Conflict, NotFound or BadInput."""
        raw = json.dumps(body.to_json(), separators=(",", ":")).encode()
        return self._read(path, "POST", raw, answer, timeout_seconds)

    def tell(self, path: str, body: Body, timeout_seconds: float = 30.0) -> None:
        """POST body to path where the answer says nothing. Raises as post does."""
        raw = json.dumps(body.to_json(), separators=(",", ":")).encode()
        self._call(path, "POST", raw, timeout_seconds)

    def get(self, path: str, answer: type[B], timeout_seconds: float = 30.0) -> B:
        """GET path. Raises as post does."""
        return self._read(path, "GET", None, answer, timeout_seconds)

    def _read(self, path: str, method: str, raw: bytes | None, answer: type[B], timeout: float) -> B:
        got = self._call(path, method, raw, timeout)
        try:
            return answer.from_json(json.loads(got.body))
        except ValueError as error:
            raise ServiceAway("services/agents answered something else", str(error)) from None

    def _call(self, path: str, method: str, raw: bytes | None, timeout: float) -> Answer:
        url = self.base_url + path
        try:
            got = self.wire.request(method, url, self._headers, raw, timeout)
        except BROKEN as error:
            raise ServiceAway(
                "The service that saves notebooks does not answer", f"{url}: {in_words(error)}"
            ) from None
        if got.status < 300:
            return got
        raise _error(got, url)


def in_words(error: Exception) -> str:
    """What a broken connection said, never empty."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _error(got: Answer, url: str) -> Exception:
    reason, title, why, steps, field = _told(got)
    why = why or ("" if title else url)  # an address says something only where nothing else does
    title = title or f"The service that saves notebooks answered {got.status}"
    if got.status == 426:
        return TooOld(title, why, steps)
    if got.status in (401, 403):
        return SessionClosed(title, why, steps)
    if got.status == 404:
        return NotFound(title, why, steps)
    if got.status == 409:
        return Contested(title, why, steps, field=field)
    if reason == Oversized.reason:
        return Oversized(title, why, steps)
    if reason in _STORAGE:  # what the service says of its store is a detail for the log
        said = _STORAGE[reason]
        return StorageAway(said, why if title == said else f"{title}. {why}".strip())
    if got.status >= 500 or got.status in _LATER:
        return ServiceAway(title, why, steps)
    return BadInput(title, why, steps)


def _told(got: Answer) -> tuple[str, str, str, list[str], str | None]:
    try:
        raw: Any = json.loads(got.body)
        told = raw["error"]
        return (
            str(told.get("reason", "")),
            str(told.get("title", "")),
            str(told.get("why", "")),
            [str(step) for step in told.get("next") or []],
            str(told["field"]) if told.get("field") else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", "", "", [], None
