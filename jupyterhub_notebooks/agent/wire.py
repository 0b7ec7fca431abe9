"""HTTP for threads: one keep-alive connection a thread and host, nothing repeated behind one's back.

Promises: a request is sent again only when a connection that was kept open turns out to be closed, and
then once; every request of the agent may arrive twice. http and https; a server's certificate is always checked, with
the authorities of SSL_CERT_FILE or of the system and those that ``trust`` was given.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..workspace.receiving import received

if TYPE_CHECKING:
    import ssl

#: Whole answers of the service; a store's are bounded by who asks.
MOST_BYTES = 64 * 2**20
#: What a connection that does not work raises: no answer came, or half of one.
BROKEN: tuple[type[Exception], ...] = (OSError, http.client.HTTPException)


class TooLong(http.client.HTTPException):
    """An answer has more bytes than it may; no more of them were read."""


@dataclass(frozen=True)
class Answer:
    """status and whole body of an answer. placed: the body, where it is the beginning of the room that was given for it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    placed: memoryview | None = None


class Wire:
    """Sends requests; safe to use from any thread."""

    def __init__(self, timeout_seconds: float = 60.0) -> None:
        self.timeout_seconds = timeout_seconds
        self._local = threading.local()
        self._authority = ""
        self._checks: ssl.SSLContext | None = None

    def trust(self, authority: str) -> None:
        """Also servers whose certificate one of these (PEM) signed; for connections made from now on."""
        self._authority, self._checks = authority, None

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_seconds: float | None = None,
        most_bytes: int = MOST_BYTES,
        room: memoryview | None = None,
    ) -> Answer:
        """The answer, whatever its status. Raises one of BROKEN where none came, TooLong where it has more than most_bytes.

        room: the body of a good answer that says its length is put there, if it fits.
        """
        parts = urlsplit(url)
        key = (parts.scheme, parts.hostname or "", parts.port or 0)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        kept: dict[tuple[str, str, int], http.client.HTTPConnection] = self._local.__dict__.setdefault(
            "kept", {}
        )
        timeout = timeout_seconds or self.timeout_seconds
        old = kept.pop(key, None)
        if old is not None:
            try:
                answer = self._exchange(old, method, target, headers, body, timeout, most_bytes, room)
                kept[key] = old
                return answer
            except (TimeoutError, TooLong):
                old.close()
                raise
            except BROKEN:
                old.close()
        fresh = self._connection(key)
        try:
            answer = self._exchange(fresh, method, target, headers, body, timeout, most_bytes, room)
        except BaseException:
            fresh.close()
            raise
        kept[key] = fresh
        return answer

    @staticmethod
    def _exchange(
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        headers: Mapping[str, str] | None,
        body: bytes | None,
        timeout: float,
        most_bytes: int,
        room: memoryview | None,
    ) -> Answer:
        connection.timeout = timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        try:
            connection.request(method, target, body=body, headers=dict(headers or {}))
        except (BrokenPipeError, ConnectionResetError):
            if not body:
                raise  # else: refused before all of it was sent, the answer may be there
        response = connection.getresponse()
        length, good = response.length, response.status < 300
        if room is not None and good and length is not None and length <= min(len(room), most_bytes):
            placed = received(response, length, room)
            return Answer(response.status, dict(response.getheaders()), b"", placed)
        most = most_bytes if good else MOST_BYTES
        return Answer(response.status, dict(response.getheaders()), _bounded(response, most))

    def _connection(self, key: tuple[str, str, int]) -> http.client.HTTPConnection:
        scheme, host, port = key
        if scheme == "https":
            return http.client.HTTPSConnection(host, port or 443, context=self._context())
        return http.client.HTTPConnection(host, port or 80)

    def _context(self) -> ssl.SSLContext:
        """Made once: reading the system's authorities takes longer than a request."""
        if self._checks is None:
            import ssl

            made = ssl.create_default_context()
            if self._authority:
                made.load_verify_locations(cadata=self._authority)
            self._checks = made
        return self._checks


def _bounded(response: http.client.HTTPResponse, most_bytes: int) -> bytes:
    """The body. Raises TooLong, HTTPException where it is cut off."""
    known = response.length
    body = (
        b"" if known is not None and known > most_bytes else response.read(None if known else most_bytes + 1)
    )
    if (known or len(body)) > most_bytes:
        raise TooLong(f"an answer of more than {most_bytes} bytes")
    return body
