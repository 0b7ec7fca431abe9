"""What the checks of a store work with: a place of their own in it, and requests as anybody on the network sends them.

Promises: everything lies below ``validate/TIME-RANDOM/`` and is removed afterwards; what an earlier check that was cut
off left there is removed a day later. Nothing here repeats a request.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import shutil
import socket
import ssl
import struct
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from ...contract import SignedUrl
from ...errors import StorageAway
from .base import Store
from .directory import DirectoryStore
from .opening import S3Place, open_store, s3_place
from .signing import S3Signer, put_headers

BELOW = "validate/"
KEPT = timedelta(days=1)
TIMEOUT_SECONDS = 30.0
WRITERS = 20
_STAMP = "%Y%m%dT%H%M%SZ"


class Failed(Exception):
    """A check saw something else than it must. harmless: nothing follows where only a service commits."""

    def __init__(self, said: str, *, harmless: bool = True) -> None:
        super().__init__(said)
        self.said, self.harmless = said, harmless


@dataclass(frozen=True)
class Said:
    """An answer; status 0 where none came."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def refused(self) -> bool:
        return 400 <= self.status < 500


class Raw:
    """One request a connection, exactly as told. authority: certificates of an own authority, as text."""

    def __init__(self, authority: str | None) -> None:
        self._checks = ssl.create_default_context(cadata=authority)

    def __call__(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Said:
        parts = urlsplit(url)
        connection = self._connection(parts.scheme, parts.netloc)
        try:
            connection.putrequest(method, url.partition(parts.netloc)[2] or "/", skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.send(body)  # it may be refused before all of it was sent
            answer = connection.getresponse()
            return Said(answer.status, dict(answer.headers), answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise StorageAway(
                f"The store at {parts.scheme}://{parts.netloc} does not answer",
                f"{type(error).__name__}: {error}"[:300],
                ["Check its address, its certificate and ca_file, then try again"],
            ) from None
        finally:
            connection.close()

    def cut(self, signed: SignedUrl, body: bytes, *, reset: bool) -> None:
        """Sends half of a PUT, then ends the connection (FIN), or breaks it (RST); returns once it is over."""
        parts = urlsplit(signed.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        lines = [f"PUT {signed.url.partition(parts.netloc)[2]} HTTP/1.1", f"host: {parts.netloc}"]
        lines += [f"{name}: {value}" for name, value in signed.headers.items()]
        plain = socket.create_connection((parts.hostname or "", port), TIMEOUT_SECONDS)
        secure = parts.scheme == "https"
        wire = self._checks.wrap_socket(plain, server_hostname=parts.hostname) if secure else plain
        with wire, contextlib.suppress(OSError):
            wire.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + body[: len(body) // 2])
            if reset:
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            wire.shutdown(socket.SHUT_WR)
            wire.settimeout(5.0)
            while wire.recv(65536):
                pass

    def _connection(self, scheme: str, netloc: str) -> http.client.HTTPConnection:
        if scheme == "https":
            return http.client.HTTPSConnection(netloc, timeout=TIMEOUT_SECONDS, context=self._checks)
        return http.client.HTTPConnection(netloc, timeout=TIMEOUT_SECONDS)


class Probe:
    """One run of checks on one store.

    store: as the service uses it. strict: the same with conditional writes, whatever the options say. place, signer and
    raw: None for a directory, whose bytes the service serves by itself.
    """

    def __init__(self, url: str, options: Mapping[str, str], now: Callable[[], datetime]) -> None:
        self.now = now
        self.url = url
        self.base = f"{BELOW}{now().astimezone(UTC).strftime(_STAMP)}-{os.urandom(4).hex()}/"
        self.store: Store = open_store(url, options, serialized=True)
        self.strict: Store = self.store
        self.place: S3Place | None = None
        self.server = ""
        if url.startswith("s3:"):
            self.place = s3_place(url, options)
            self.strict = open_store(url, {**options, "conditional": "if-none-match"})
            self.signer: S3Signer = self.place.signer(now)
            self.raw = Raw(self.place.authority())

    @property
    def conditional(self) -> bool:
        return self.place is None or self.place.conditional

    def key(self, name: str) -> str:
        return self.base + name

    def signed_put(self, name: str, body: bytes, *, replacing: bool = False) -> SignedUrl:
        """As a session gets it; replacing: without the condition that nothing is there."""
        digest = hashlib.sha256(body).hexdigest()
        if replacing:
            return self.signer.sign("PUT", self.key(name), put_headers(len(body), digest, conditional=False))
        return self.signer.put(self.key(name), len(body), digest)

    def send(self, signed: SignedUrl, body: bytes) -> Said:
        return self.raw("PUT", signed.url, signed.headers, body)

    def together(self, act: Callable[[int], object], count: int, at_once: int = WRITERS) -> list[object]:
        """act(0) … act(count - 1), up to so many at once."""
        with ThreadPoolExecutor(at_once, "check") as pool:
            return list(pool.map(act, range(count)))

    def sweep(self) -> None:
        """Removes what these checks wrote, and what others left a day ago."""
        before = (self.now().astimezone(UTC) - KEPT).strftime(_STAMP)
        keys = [key for key, _ in self.store.list(BELOW)]
        old = [key for key in keys if key.startswith(self.base) or key[len(BELOW) :] < before]
        self.together(lambda place: self.store.delete(old[place]), len(old))
        if isinstance(self.store, DirectoryStore):
            shutil.rmtree(self.store.root / self.base, ignore_errors=True)
            with contextlib.suppress(OSError):
                (self.store.root / BELOW).rmdir()
