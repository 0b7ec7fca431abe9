"""Between agent and services/agents: lets requests through, holds some of them, or answers for the service."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

#: (method, path) -> status to answer with, or None to let it through.
Rule = Callable[[str, str], int | None]


class Gate:
    """``url`` stands for ``behind``. ``hold`` makes requests wait, ``rule`` answers them, ``seen`` lists all,
    ``bodies`` what came with them."""

    def __init__(self, behind: str) -> None:
        self._behind = urlsplit(behind)
        self.seen: list[tuple[str, str]] = []
        self.bodies: list[tuple[str, bytes]] = []
        self.held = threading.Event()
        self.rule: Rule = lambda method, path: None
        self._hold: Rule = lambda method, path: None
        self._open = threading.Event()
        gate = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65536  # head and body in one packet

            def do_GET(self) -> None:
                gate._pass(self)

            do_POST = do_PUT = do_GET

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}{self._behind.path}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def count(self, method: str, part: str) -> int:
        return sum(1 for one, path in list(self.seen) if one == method and part in path)

    @contextmanager
    def holding(self, method: str, part: str, when: Callable[[], bool] = lambda: True) -> Iterator[None]:
        """Requests of that kind, when it is so, wait until the end of the block; ``held`` is set when one does."""
        self.held.clear()
        self._open.clear()
        self._hold = lambda one, path: 1 if one == method and part in path and when() else None
        try:
            yield
        finally:
            self._hold = lambda one, path: None
            self._open.set()

    def close(self) -> None:
        self._open.set()
        self._server.shutdown()
        self._server.server_close()

    def _pass(self, handler: BaseHTTPRequestHandler) -> None:
        method, path = handler.command, handler.path
        self.seen.append((method, path))
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        self.bodies.append((path, body))
        if self._hold(method, path):
            self.held.set()
            self._open.wait(60)
        status = self.rule(method, path)
        try:
            if status is not None:
                self._answer(handler, status, b"{}")
                return
            connection = http.client.HTTPConnection(
                self._behind.hostname or "", self._behind.port, timeout=60
            )
            headers = {
                name: value
                for name, value in handler.headers.items()
                if name.lower() not in ("connection", "host")
            }
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            self._answer(handler, answer.status, answer.read())
            connection.close()
        except OSError:
            handler.close_connection = True

    @staticmethod
    def _answer(handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
        handler.send_response(status)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
