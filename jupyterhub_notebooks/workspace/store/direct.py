"""GET and PUT of single objects over kept connections, signed by us: a third of the processor time of a whole S3 client.

Promises: every PUT carries its SHA-256, signed, and creates or is refused; an answer that is cut off is an error; a
connection that was kept and turns out to be closed is replaced once, with the same bytes. Thread-safe.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import ssl
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from ..receiving import received
from .signing import S3Signer

_CONNECT_SECONDS = 5.0
#: A server that says nothing for so long is asked again: well below the time for which a store is tried.
ANSWER_SECONDS = 20.0
_MOST_KEPT = 32
_MOST_ERROR = 65536
_CODE = re.compile(rb"<Code>\s*([A-Za-z0-9]{1,60})\s*</Code>")


class Answered(Exception):
    """An answer that is no success, in the shape that s3_errors reads."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status}, "Error": {"Code": code}}


class TooMany(Exception):
    """An answer has more bytes than it may."""


def bounded(
    answer: http.client.HTTPResponse, most_bytes: int, room: memoryview | None = None
) -> bytes | memoryview:
    """The body, as the beginning of room where it fits. Raises TooMany, with at most one byte more read, HTTPException
    where it is cut off."""
    if answer.length is not None:
        if answer.length > most_bytes:
            raise TooMany
        if room is not None and answer.length <= len(room):
            return received(answer, answer.length, room)
        return answer.read()
    data = answer.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise TooMany
    return data


class Direct:
    """One server. authority: a file with certificates of an own authority, "" for the system's."""

    def __init__(self, endpoint: str, signer: S3Signer, authority: str = "") -> None:
        parts = urlsplit(endpoint)
        self._signer = signer
        self._context = (
            ssl.create_default_context(cafile=authority or None) if parts.scheme == "https" else None
        )
        self._lock = threading.Lock()
        self._kept: deque[http.client.HTTPConnection] = deque()

    def get(self, key: str, most_bytes: int, room: memoryview | None = None) -> bytes | memoryview:
        """The object's bytes, as the beginning of room where they fit. Raises Answered, OSError, HTTPException; TooMany where
        there are more than most_bytes."""
        return self._request("GET", self._signer.get(key).url, {}, None, most_bytes, room)

    def put(self, key: str, body: bytes) -> None:
        """Creates it. Raises Answered, with 412 where it is there, OSError, HTTPException."""
        signed = self._signer.put(key, len(body), hashlib.sha256(body).hexdigest())
        self._request("PUT", signed.url, signed.headers, body)

    def _request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        most_bytes: int = _MOST_ERROR,
        room: memoryview | None = None,
    ) -> bytes | memoryview:
        parts = urlsplit(url)
        target = f"{parts.path}?{parts.query}"
        headers = {**headers, "Host": parts.netloc}  # as it was signed
        kept = self._take()
        if kept is not None:
            try:
                return self._exchange(kept, method, target, headers, body, most_bytes, room)
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                kept.close()
        fresh = self._connection(parts.hostname or "", parts.port)
        return self._exchange(fresh, method, target, headers, body, most_bytes, room)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None,
        most_bytes: int,
        room: memoryview | None,
    ) -> bytes | memoryview:
        try:
            try:
                connection.request(method, target, body=body, headers=dict(headers))
            except (BrokenPipeError, ConnectionResetError):
                if body is None:
                    raise  # else: refused before all of it was sent, the answer may be there
            answer = connection.getresponse()
            good = answer.status < 300
            data = bounded(answer, most_bytes, room) if good else answer.read(_MOST_ERROR)
        except BaseException:
            connection.close()
            raise
        if answer.status >= 300:
            found = _CODE.search(data)
            self._give(connection, answer)
            raise Answered(answer.status, found[1].decode() if found else "")
        self._give(connection, answer)
        return data

    def _connection(self, host: str, port: int | None) -> http.client.HTTPConnection:
        made: Any
        if self._context is not None:
            made = http.client.HTTPSConnection(host, port, timeout=_CONNECT_SECONDS, context=self._context)
        else:
            made = http.client.HTTPConnection(host, port, timeout=_CONNECT_SECONDS)
        made.connect()
        made.sock.settimeout(ANSWER_SECONDS)
        connection: http.client.HTTPConnection = made
        return connection

    def _take(self) -> http.client.HTTPConnection | None:
        with self._lock:
            return self._kept.pop() if self._kept else None

    def _give(self, connection: http.client.HTTPConnection, answer: http.client.HTTPResponse) -> None:
        with self._lock:
            if answer.isclosed() and not answer.will_close and len(self._kept) < _MOST_KEPT:
                self._kept.append(connection)
                return
        connection.close()


def usable(options: Mapping[str, str]) -> bool:
    """Whether our own signature reaches the store: address and keys are given, no proxy of the machine lies between."""
    given = all(options.get(name) for name in ("endpoint_url", "key", "secret"))
    return given and not {"http", "https", "all"}.intersection(getproxies())
