"""Between notebooks and services/agents: everything passes, but blocks of a workspace can be held back half way.

A held PUT is there by half: half of its bytes are with the service, the rest waits. Nothing else is changed.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

#: Below the agents' own patience with one request.
MOST_SECONDS = 55.0
PIECE = 256 * 1024


class SlowStore:
    """``url`` stands for ``behind``, which is set once it is known. One hold at a time for each workspace."""

    def __init__(self) -> None:
        self.behind = ""
        self._holds: dict[str, Hold] = {}
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65536
            timeout = 120

            def do_GET(self) -> None:
                store._pass(self)

            do_POST = do_PUT = do_GET

            def log_message(self, *_: object) -> None:
                return

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request: object, client_address: object) -> None:
                """Either side may be killed at any moment: that is what it is for."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/services/agents"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def hold(self, method: str, workspace: str, after_bytes: int, after_blocks: int = 0) -> Hold:
        """Blocks of that workspace wait from now on, once so much of them has passed."""
        made = self._holds[workspace] = Hold(method, after_bytes, after_blocks)
        return made

    def close(self) -> None:
        for one in self._holds.values():
            one.open()
        self._server.shutdown()
        self._server.server_close()

    def _hold_of(self, method: str, path: str) -> Hold | None:
        parts = urlsplit(path).path.split("/")
        if "store" not in parts:
            return None
        hold = self._holds.get(parts[parts.index("store") + 1])
        return hold if hold is not None and "blocks" in parts and hold.method == method else None

    def _pass(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("content-length") or 0)
        hold = self._hold_of(handler.command, handler.path)
        if self._on_commit and handler.command == "POST" and handler.path.endswith("/v1/commit"):
            self._on_commit(handler.headers.get("authorization") or "")
        connection = http.client.HTTPConnection("127.0.0.1", urlsplit(self.behind).port, timeout=120)
        try:
            self._send(handler, connection, length, hold.admits(length) if hold is not None else None)
            answer = connection.getresponse()
            body = answer.read()
            handler.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() in ("content-type", "content-range", "etag", "retry-after"):
                    handler.send_header(name, value)
            handler.send_header("content-length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
            handler.wfile.flush()
        except (OSError, http.client.HTTPException, EOFError):
            handler.close_connection = True
        finally:
            connection.close()

    @staticmethod
    def _send(
        handler: BaseHTTPRequestHandler,
        connection: http.client.HTTPConnection,
        length: int,
        held: Hold | None,
    ) -> None:
        connection.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
        for name, value in handler.headers.items():
            if name.lower() != "connection":
                connection.putheader(name, value)
        if held is not None and not length:  # a GET: not even asked
            held.wait()
        connection.endheaders()
        sent, pause_at = 0, length // 2
        while sent < length:
            piece = handler.rfile.read1(min(PIECE, length - sent))  # type: ignore[attr-defined]
            if not piece:
                raise EOFError
            connection.send(piece)
            sent += len(piece)
            if held is not None and sent >= pause_at:
                held.wait()
                held = None

    _on_commit: Callable[[str], None] | None = None

    def at_commit(self, act: Callable[[str], None] | None) -> None:
        """act is called with the sender's credentials before a commit is passed on."""
        self._on_commit = act


class Hold:
    """Blocks of one workspace that wait. ``held``: how many do. ``passed_bytes``: what was let through before."""

    def __init__(self, method: str, after_bytes: int, after_blocks: int) -> None:
        self.method = method
        self.passed_bytes = self.passed_blocks = self.held = 0
        self._after_bytes, self._after_blocks = after_bytes, after_blocks
        self._opened = threading.Event()
        self._lock = threading.Lock()

    def admits(self, length: int) -> Hold | None:
        """This hold where a block of that length is to wait; None where it may pass."""
        with self._lock:
            if self._opened.is_set():
                return None
            if self.passed_bytes < self._after_bytes or self.passed_blocks < self._after_blocks:
                self.passed_bytes += length
                self.passed_blocks += 1
                return None
            return self

    def wait(self) -> None:
        with self._lock:
            self.held += 1
        self._opened.wait(MOST_SECONDS)

    @property
    def holds(self) -> bool:
        """Whether a block waits now."""
        return self.held > 0 and not self._opened.is_set()

    def open(self) -> None:
        self._opened.set()
