"""A registry of images that has none, and answers as registries do when they will not give one: by the first part of the name."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_ANSWERS = {
    "missing": (404, "MANIFEST_UNKNOWN", "manifest unknown"),
    "unknown": (404, "NAME_UNKNOWN", "repository name not known to registry"),
    "login": (401, "UNAUTHORIZED", "authentication required"),
    "denied": (403, "DENIED", "requested access to the resource is denied"),
    "limited": (429, "TOOMANYREQUESTS", "You have reached your pull rate limit."),
    "broken": (503, "UNAVAILABLE", "service unavailable"),
}


class _Registry(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        parts = self.path.split("/")
        name = parts[2] if len(parts) > 2 else ""
        if name == "hangs":
            time.sleep(600)
        status, code, said = _ANSWERS.get(name, (200, "", ""))
        body = json.dumps({"errors": [{"code": code, "message": said}]} if code else {}).encode()
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="tests"')
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextlib.contextmanager
def registry() -> Iterator[str]:
    """The address of one on this machine, ``127.0.0.1:PORT``: containerd asks such without TLS."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Registry)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
