"""What answers in place of the server while a run only saves: one page that says so, at every address.

``python -m jupyterhub_notebooks.agent.saving_page``: listens where the Hub expects the server
(JUPYTERHUB_SERVICE_URL). It knows nothing of the notebook's content and takes nothing but GET.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PAGE = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="refresh" content="5">
<title>Saving</title>
<h1>This notebook is being saved</h1>
<p>Files that could not be saved when it last ended are being saved now. Nothing is lost; you can close this page.</p>
<p><a href="/services/notebooks/">My notebooks</a></p>
</html>
"""


class Saving(BaseHTTPRequestHandler):
    """The page; the Hub's own question, ``…/api``, gets an answer too."""

    protocol_version = "HTTP/1.1"
    server_version = "notebook"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(PAGE)))
        self.send_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "same-origin")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: who looks at the page is nobody's business."""


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Serves until a signal ends it."""
    parts = urlsplit(environment.get("JUPYTERHUB_SERVICE_URL", ""))
    if not parts.hostname or not parts.port:
        print("JUPYTERHUB_SERVICE_URL does not say where to listen", file=sys.stderr)
        return 2
    server = ThreadingHTTPServer((parts.hostname, parts.port), Saving)
    server.daemon_threads = True
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
