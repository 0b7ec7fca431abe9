"""Stands in for the agent where a test needs one that misbehaves: the user's name says how.

    python stand_in.py LEDGER run --state DIR --run-dir DIR --log FILE -- COMMAND…

COMMAND is never run: a server that only answers takes its place.

``dies`` says a line and ends. ``silent`` never says a word. ``half`` fetches a part and stops there. ``slow``
fetches until a file ``go`` is in its volume, then serves. ``deaf`` serves and does not hear SIGTERM.
``noisy`` is an answer with markup in it. Everybody else serves and ends at SIGTERM without a release.
"""

import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from jupyterhub_notebooks.ledger import Ledger, sessions


def main(arguments: list[str]) -> int:
    ledger, session = Ledger(arguments[0]), os.environ["NOTEBOOK_SESSION_ID"]
    how = os.environ["JUPYTERHUB_USER"]
    volume = Path(arguments[arguments.index("--state") + 1]).parent

    def say(**values: object) -> None:
        sessions.report(ledger, [sessions.Report(session, values)])

    if how == "dies":
        print("ImportError: no module named torch", flush=True)
        return 3
    if how == "noisy":
        print("<script>alert(1)</script>", flush=True)
        return 3
    if how == "silent":
        time.sleep(600)
    say(phase="restoring", done_bytes=0, total_bytes=840_000_000)
    if how == "half":
        say(done_bytes=312_000_000)
        time.sleep(600)
    done = 0
    while how == "slow" and not (volume / "go").exists():
        done += 1000
        say(done_bytes=done)
        time.sleep(0.1)
    address = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    server = ThreadingHTTPServer((address.hostname, address.port), Answer)
    say(phase="running")

    def end(*_: object) -> None:
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, signal.SIG_IGN if how == "deaf" else end)
    server.serve_forever(0.05)
    return 0


class Answer(BaseHTTPRequestHandler):
    """A server of which only the Hub's question is answered."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
