"""Between a client and a TCP server such as an S3: lets bytes through, or plans one of the ways to be out of order.

``with faulty(endpoint) as proxy``: ``proxy.url`` stands for the endpoint. ``proxy.mode`` may be changed at any moment and
holds for connections that are open too:

| mode | what a client meets |
|---|---|
| through | the server |
| away | its connections are reset |
| silent | they are taken, and nothing ever comes back |
| slow | ``bytes_a_second`` in each direction |
| busy | every request is answered with 503 |
| full | every PUT is answered with 507, everything else goes through |

``met`` counts the connections or requests that met each mode: a test shows by it that its fault happened.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

MODES = ("through", "away", "silent", "slow", "busy", "full")
ANSWERS = {
    "busy": b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
    "full": b"HTTP/1.1 507 Insufficient Storage\r\nContent-Type: application/xml\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
}
BODIES = {
    "busy": b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>",
    "full": b"<?xml version='1.0'?><Error><Code>InsufficientStorage</Code><Message>No space</Message></Error>",
}


class Faulty:
    """The proxy. bytes_a_second: of each connection while the mode is slow."""

    def __init__(self, endpoint: str, host: str = "127.0.0.1") -> None:
        parts = urlsplit(endpoint)
        self._behind = (parts.hostname or "", parts.port or 80)
        self._mode = "through"
        self.bytes_a_second = 20_000
        self.met: Counter[str] = Counter()
        self._ended = threading.Event()
        self._listener = socket.create_server((host, 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self.url = f"{parts.scheme}://{host}:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def mode(self) -> str:
        return self._mode

    @mode.setter
    def mode(self, value: str) -> None:
        assert value in MODES, value
        self._mode = value

    def close(self) -> None:
        self._ended.set()
        self._listener.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            if self.mode == "away":
                self._reset(client)
                return
            try:
                server = socket.create_connection(self._behind, 10)
            except OSError:
                return
            with server, contextlib.suppress(OSError):
                self._pump(client, server)

    def _reset(self, client: socket.socket) -> None:
        self.met["away"] += 1
        with contextlib.suppress(OSError):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        said = ""
        while not self._ended.is_set():
            mode = self.mode
            if mode == "away":
                self._reset(client)
                return
            ready, _, _ = select.select([client, server], [], [], 0.1)
            if mode == "silent":
                if said != mode:
                    self.met[mode] += 1
                    said = mode
                time.sleep(0.05)
                continue
            said = mode
            for one in ready:
                most = max(1, self.bytes_a_second // 10) if mode == "slow" else 65536
                data = one.recv(most)
                if not data:
                    return
                if one is client and self._answers(mode, data):
                    self._answer(client, mode, data)
                    return
                if mode == "slow":
                    self.met[mode] += 1
                    time.sleep(len(data) / self.bytes_a_second)
                (server if one is client else client).sendall(data)

    @staticmethod
    def _answers(mode: str, data: bytes) -> bool:
        """Whether a request begins here that this mode answers by itself."""
        method = data.split(b" ", 1)[0]
        if mode == "busy":
            return method in (b"GET", b"PUT", b"HEAD", b"POST", b"DELETE")
        return mode == "full" and method == b"PUT"

    def _answer(self, client: socket.socket, mode: str, data: bytes) -> None:
        self.met[mode] += 1
        head, _, body = data.partition(b"\r\n\r\n")
        left = _length(head) - len(body)
        if b"100-continue" in head.lower():
            left = 0
        client.settimeout(2.0)
        with contextlib.suppress(OSError):
            while left > 0 and (more := client.recv(65536)):
                left -= len(more)
        client.sendall(ANSWERS[mode] % len(BODIES[mode]) + BODIES[mode])
        client.shutdown(socket.SHUT_WR)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


@contextlib.contextmanager
def faulty(endpoint: str, host: str = "127.0.0.1") -> Iterator[Faulty]:
    """The proxy, until the block ends. host: this machine's address that it listens on."""
    proxy = Faulty(endpoint, host)
    try:
        yield proxy
    finally:
        proxy.close()
