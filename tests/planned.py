"""In front of an S3: single requests meet a planned fault, everything else goes through.

``with planned(endpoint, plan) as proxy``: ``proxy.url`` stands for the endpoint; ``plan(method, path, number)`` names the
fault of that request (``number`` counts from 1) or answers ``""``. ``proxy.fired`` counts what happened: a test shows by
it that its fault did.

| fault | what the client meets | what the server did |
|---|---|---|
| error | 500 InternalError | nothing |
| slow_down | 503 SlowDown | nothing |
| full | 507 InsufficientStorage | nothing |
| silent | no answer, ever | nothing |
| cut | the connection ends before an answer | nothing |
| lost | the connection ends before an answer | all of it |
| half | headers, then half of the body, then the end | all of it |
| short | a body of some bytes less, with its length | all of it |
| flipped | a body of the right length with one other bit | all of it |
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

ANSWERED = {
    "error": (500, "InternalError"),
    "slow_down": (503, "SlowDown"),
    "full": (507, "InsufficientStorage"),
}
FAULTS = (*ANSWERED, "silent", "cut", "lost", "half", "short", "flipped")
_NOT_PASSED = ("content-length", "connection", "transfer-encoding")
Plan = Callable[[str, str, int], str]


class Planned:
    """url: stands for the endpoint. plan may be changed at any moment. fired: by fault."""

    def __init__(self, url: str, plan: Plan, ended: threading.Event) -> None:
        self.url, self.plan, self.ended = url, plan, ended
        self.fired: Counter[str] = Counter()
        self.requests = 0
        self._lock = threading.Lock()

    def fault_of(self, method: str, path: str) -> str:
        with self._lock:
            self.requests += 1
            fault = self.plan(method, path, self.requests)
            if fault:
                assert fault in FAULTS, fault
                self.fired[fault] += 1
            return fault


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    one: Planned
    behind: str

    def answer(self) -> None:
        fault = self.one.fault_of(self.command, urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if fault in ("cut", "silent"):
            if fault == "silent":
                self._until_it_leaves()
            self.close_connection = True
            return
        if fault in ANSWERED:
            status, code = ANSWERED[fault]
            self._send(
                status,
                [],
                b"" if self.command == "HEAD" else b"<Error><Code>%s</Code></Error>" % code.encode(),
            )
            return
        status, headers, said = self._pass_on(body)
        if fault == "lost":
            self.close_connection = True
            return
        if fault == "half":
            self._send(status, headers, said[: len(said) // 2], len(said) or 100)
            self.close_connection = True
            return
        if fault == "short":
            said = said[: max(0, len(said) - 7)]
        elif fault == "flipped" and said:
            said = said[:-1] + bytes([said[-1] ^ 1])
        length = None
        if self.command == "HEAD":
            length = int(next((value for name, value in headers if name.lower() == "content-length"), "0"))
        self._send(status, headers, said, length)

    def _until_it_leaves(self) -> None:
        self.connection.settimeout(0.2)
        while not self.one.ended.is_set():
            try:
                if not self.connection.recv(1):
                    return
            except TimeoutError:
                continue
            except OSError:
                return

    def _pass_on(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.behind, timeout=30)
        # The S3 checks the address that was signed: it is asked under the one of the front.
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        answer = connection.getresponse()
        said, headers = answer.read(), answer.getheaders()
        connection.close()
        return answer.status, headers, said

    def _send(
        self, status: int, headers: list[tuple[str, str]], said: bytes, length: int | None = None
    ) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _NOT_PASSED:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(said) if length is None else length))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(said)

    do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = answer

    def log_message(self, *_: object) -> None:
        """Nothing: tests read no log of it."""


class _Front(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that left is what is planned here."""


@contextlib.contextmanager
def planned(endpoint: str, plan: Plan = lambda method, path, number: "") -> Iterator[Planned]:
    """The proxy, until the block ends."""
    ended = threading.Event()
    handler = type("Handler", (_Handler,), {"behind": urlsplit(endpoint).netloc})
    front = _Front(("127.0.0.1", 0), handler)
    front.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    handler.one = one = Planned(f"http://127.0.0.1:{front.server_address[1]}", plan, ended)  # type: ignore[attr-defined]
    thread = threading.Thread(target=front.serve_forever, daemon=True)
    thread.start()
    try:
        yield one
    finally:
        ended.set()
        front.shutdown()
        front.server_close()
        thread.join()
