"""Our REST API as commands ask it: one request, one answer, every trouble one of our errors with the words of the service.

Synchronous and of the standard library, because a command does one thing at a time and has to start quickly.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from ..errors import BadInput, Denied, HubAway, NotebooksError, NotFound, Refusal, StorageAway

SECONDS = 90.0
PAGE = 200
PIECE = 2**18


class Rest:
    """url: where people go, such as ``https://hub.example.org``; or the pages' own address. token: a user's, of the Hub."""

    def __init__(self, url: str, token: str, *, seconds: float = SECONDS) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadInput(f"{url!r} is not an address", next=["Write https://HOST"], field="url")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        path = parts.path.rstrip("/")
        self._base = (
            path if path.endswith("/services/notebooks") else path + "/services/notebooks"
        ) + "/api/v1/"
        self._token, self._seconds = token, seconds

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of an answer. Raises as ``ask`` does."""
        given = {name: value for name, value in query.items() if value not in (None, "")}
        return self.ask("GET", f"{path}?{urlencode(given, errors='surrogateescape')}" if given else path)

    def every(self, path: str, what: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All items of a paged list; what: the name of the list in the answer."""
        cursor: str | None = None
        while True:
            page = self.get(path, limit=PAGE, cursor=cursor, **query)
            yield from page[what]
            cursor = page["next"]
            if cursor is None:
                return

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One request. Raises HubAway, Denied, NotFound, BadInput, Refusal, StorageAway: what the service said."""
        with_body = json.dumps(dict(body)).encode() if body is not None else None
        connection, answer = self._send(method, path, with_body)
        try:
            return _json(answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise _away(self._host, error) from None
        finally:
            connection.close()

    def stream(self, path: str) -> Iterator[bytes]:
        """The bytes of an answer, as they come. Raises as ``ask`` does, and HubAway where they do not come to an end."""
        connection, answer = self._send("GET", path, None)
        try:
            while piece := answer.read(PIECE):
                yield piece
            if answer.length:
                raise HubAway("The answer was cut off", f"{answer.length} bytes are missing", ["Try again"])
        except (OSError, http.client.HTTPException) as error:
            raise _away(self._host, error) from None
        finally:
            connection.close()

    def _send(
        self, method: str, path: str, body: bytes | None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection: http.client.HTTPConnection
        if self._secure:
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._seconds, context=context
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._seconds)
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, self._base + path, body, headers)
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise _away(self._host, error) from None
        if answer.status >= 300:
            said = answer.read(2**20)
            connection.close()
            raise error_of(answer.status, said, self._host)
        return connection, answer


def path_of(quoted: str) -> str:
    """A path of a workspace for an address."""
    return quote(quoted.encode("utf-8", "surrogateescape"))


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise HubAway(
            "This address is answered by something else", "It is not the REST API of notebooks"
        ) from None


def _away(host: str, error: Exception) -> HubAway:
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return HubAway(f"{host} does not answer", str(why), ["Try again in a moment; running notebooks go on"])


def error_of(status: int, body: bytes, host: str) -> NotebooksError:
    """The error that an answer means, in the service's own words."""
    try:
        told = json.loads(body)["error"]
        title, why, field = str(told["title"]), str(told.get("why") or ""), told.get("field")
        steps = [str(one) for one in told.get("next") or ()]
        reason = str(told.get("reason") or "")
    except (ValueError, KeyError, TypeError):
        title, why, steps, field, reason = f"{host} answered {status}", "", [], None, ""
    if reason == "log_in_again":
        return Denied(
            "The token is not known", "It may have ended", ["Make one on the page Token of the Hub"]
        )
    if status == 403:
        return Denied(title, why, steps, field=field)
    if status == 404:
        return NotFound(title, why, steps, field=field)
    if status == 409:
        return Refusal(title, why, steps, field=field, label=reason or "refused")
    if reason == StorageAway.reason:
        return StorageAway(title, why, steps)
    if status >= 500:
        return HubAway(title, why, steps)
    return BadInput(title, why, steps, field=field)
