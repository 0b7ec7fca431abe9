"""What can be seen from a notebook, and what a session can do with what it is given: the storage's keys are nowhere.

``Seen`` looks at processes, their environments and command lines, files, logs, and what travels over the network.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import socketserver
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from jupyterhub_notebooks.workspace.store.probe import Raw
from tests import s3

from .product import Product


class Recorder:
    """Stands before a server on this machine and keeps what it answers. port: where; answers: all bytes so far."""

    def __init__(self, behind: Callable[[], int]) -> None:
        """behind: the server's port, asked for at each connection."""
        self._kept = bytearray()
        recorder = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.create_connection(("127.0.0.1", behind())) as server:
                    back = threading.Thread(
                        target=recorder._pump, args=(server, self.request, True), daemon=True
                    )
                    back.start()
                    recorder._pump(self.request, server, False)
                    back.join()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def answers(self) -> bytes:
        return bytes(self._kept)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _pump(self, source: socket.socket, target: socket.socket, kept: bool) -> None:
        try:
            while data := source.recv(65536):
                if kept:
                    self._kept += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            for one in (source, target):
                one.close()


def nowhere(secrets: Iterable[str], texts: Mapping[str, bytes]) -> None:
    """AssertionError that names where one of the secrets stands."""
    for where, text in texts.items():
        for secret in secrets:
            assert secret.encode() not in text, f"a key of the storage stands in {where}"


def contents(path: Path) -> bytes:
    try:
        return path.read_bytes() if path.is_file() else b""
    except (FileNotFoundError, ProcessLookupError):
        return b""


def notebook_processes(product: Product) -> list[psutil.Process]:
    """Agent, server and kernels: what runs for a session."""
    return [one for one, words in product.environments() if "NOTEBOOK_SESSION_ID" in words]


def tokens(product: Product) -> dict[str, str]:
    """The token of each session that runs here, as its agent holds it."""
    return {
        words["NOTEBOOK_SESSION_ID"]: words["NOTEBOOK_SESSION_TOKEN"]
        for _, words in product.environments()
        if "NOTEBOOK_SESSION_TOKEN" in words
    }


def around(product: Product) -> dict[str, bytes]:
    """All that a notebook can see of us, and what is written about it: processes, `ps`, files, logs, output."""
    found = {"the output of `up`": product.output.encode()}
    for one, words in product.environments():
        if "NOTEBOOK_SESSION_ID" not in words:
            continue
        proc = Path(f"/proc/{one.pid}")
        for name in ("environ", "cmdline"):
            found[f"{proc / name} ({one.pid})"] = contents(proc / name) if proc.exists() else b""
        run_dir = words.get("NOTEBOOK_AGENT_SOCKET")
        if run_dir:
            found |= {str(path): contents(path) for path in Path(run_dir).parent.rglob("*")}
    for one in psutil.process_iter():
        try:
            found[f"the command line of {one.pid}"] = "\0".join(one.cmdline()).encode()
        except psutil.Error:
            continue
    found |= {str(path): contents(path) for path in product.state.rglob("*")}
    return found


def call(product: Product, token: str, path: str, body: object = None) -> tuple[int, str]:
    """A request to services/agents as a notebook sends it."""
    port = json.loads((product.state / "ports.json").read_text())["agents"]
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/services/agents/v1/{path}",
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def put_of(body: bytes) -> dict[str, object]:
    """What is asked to write a block with these bytes."""
    name, digest = hashlib.sha256(b"name" + body).hexdigest(), hashlib.sha256(body).hexdigest()
    return {"kind": "block", "method": "PUT", "hash": name, "length": len(body), "sha256": digest}


def assert_closed(product: Product, server: s3.S3, token: str, mine: str, others: Mapping[str, str]) -> bytes:
    """What a session can do with its URLs at the S3 server itself; all that was answered to it.

    mine: its workspace. others: workspace -> token of sessions of other people.
    """
    ask = Raw(Path(server.ca_file).read_text() if server.ca_file else None)
    body, said = os.urandom(5000), []
    status, text = call(product, token, "urls", {"urls": [put_of(body), {**put_of(body), "method": "GET"}]})
    assert status == 200, text
    put, get = json.loads(text)["urls"]
    assert mine in urlsplit(get["url"]).path
    assert ask("PUT", put["url"], put["headers"], body).status in (200, 201)
    assert ask("PUT", put["url"], put["headers"], body).status == 412, "a written block was written again"
    without = {name: value for name, value in put["headers"].items() if name.lower() != "if-none-match"}
    assert ask("PUT", put["url"], without, body).status in (400, 403), "the condition could be left out"
    read = ask("GET", get["url"])
    assert (read.status, read.body) == (200, body)
    for workspace, other in others.items():
        for changed in (get["url"].replace(mine, workspace), get["url"].replace("/blocks/", "/snapshots/")):
            refused = ask("GET", changed)
            assert refused.status == 403, "a URL with another key was answered"
            said.append(refused.body)
        assert ask("PUT", put["url"].replace(mine, workspace), put["headers"], body).status == 403
        theirs = call(product, other, "urls", {"urls": [{**put_of(body), "method": "GET"}]})
        assert theirs[0] == 200 and mine not in theirs[1], "another session was given this one's address"
        assert ask("GET", json.loads(theirs[1])["urls"][0]["url"]).status == 404
        status, listed = call(product, other, "snapshots")
        assert status == 200 and mine not in listed
    assert ask("DELETE", get["url"]).status == 403
    for wrong in ("0" * 64, token[:-1] + ("0" if token[-1] != "0" else "1")):
        assert call(product, wrong, "urls", {"urls": [put_of(body)]})[0] == 401
    return b"".join([text.encode(), *said])


def assert_dead(product: Product, token: str) -> None:
    """A closed session's token opens nothing."""
    for path, body in (
        ("urls", {"urls": [put_of(b"late")]}),
        ("snapshots", None),
        ("orders?after=", None),
        ("heartbeat", {"sequence": 10**6, "phase": "running"}),
        ("hello", {"agent_version": "0.1"}),
        ("commit", {"number": 99, "lease": 1, "body": ""}),
    ):
        assert call(product, token, path, body)[0] == 401, path
