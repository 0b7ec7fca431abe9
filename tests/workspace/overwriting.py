"""A server in front of an S3 that makes it lie: an object that must be new replaces the one that is there.

It removes what is there before it passes a conditional PUT on, so that the S3 behind it finds nothing to refuse.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from .. import s3


@contextlib.contextmanager
def overwriting(server: s3.S3) -> Iterator[str]:
    """The lying server's address."""
    behind = urlsplit(server.endpoint).netloc
    client, alone = server.client(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            with alone if self.command == "PUT" else contextlib.nullcontext():
                if self.command == "PUT" and self.headers.get("if-none-match"):
                    bucket, _, key = urlsplit(self.path).path.lstrip("/").partition("/")
                    client.delete_object(Bucket=bucket, Key=unquote(key))
                connection = http.client.HTTPConnection(behind, timeout=30)
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    connection.putheader(name, value)
                connection.endheaders(body or None)
                answer = connection.getresponse()
                said = answer.read()
                connection.close()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                    self.send_header(name, value)
            length = answer.headers.get("content-length") if self.command == "HEAD" else str(len(said))
            self.send_header("Content-Length", length or "0")
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = pass_on

        def log_message(self, *_: object) -> None:
            """Nothing: tests read no log of it."""

    front = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    # The S3 checks the address that was signed: both are asked for under the one of the front.
    thread = threading.Thread(target=front.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{front.server_address[1]}"
    finally:
        front.shutdown()
        front.server_close()
        thread.join()
