"""A real Jupyter server with the extension in it, and the agent's ears in the test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import websocket

from jupyterhub_notebooks.agent.ears import Ears
from jupyterhub_notebooks.contract import LocalSignal, SessionState, SignalsReport
from tests.agents_service import free_port

BROWSER = {"User-Agent": "Mozilla/5.0 (a test)"}


def until(done: Callable[[], Any], what: Callable[[], str] | str, seconds: float = 240.0) -> Any:
    """Polls done until it is true; what it returned."""
    end = time.monotonic() + seconds
    while not (found := done()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:.0f} s: {what if isinstance(what, str) else what()}")
        time.sleep(0.05)
    return found


class LabServer:
    """``state`` is what it hears from the agent; ``signal(name)`` what it said last."""

    def __init__(self, place: Path, report_seconds: float = 0.3, **settings: float) -> None:
        self.place, self.port = place, free_port()
        self.state = SessionState()
        self.said: list[str] = []
        self.took: Callable[[SignalsReport], None] = lambda report: None
        took = {"took": lambda report: self.took(report)}
        self.ears = Ears(place / "agent.sock", lambda: self.state, self.said.append, **took)
        self.ears.start()
        self.files = place / "files"
        self.files.mkdir()
        enabled = place / "config" / "jupyter_server_config.d"
        enabled.mkdir(parents=True, exist_ok=True)
        (enabled / "n.json").write_text(
            json.dumps({"ServerApp": {"jpserver_extensions": {"jupyterhub_notebooks.lab": True}}})
        )
        set_ = {"report_seconds": report_seconds, **settings}
        self.log = place / "server.log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--debug"),
                    *("--ip=127.0.0.1", f"--port={self.port}", "--ServerApp.port_retries=0"),
                    *(f"--ServerApp.root_dir={self.files}", "--IdentityProvider.token="),
                    "--ServerApp.disable_check_xsrf=True",
                    "--LabApp.expose_app_in_browser=True",
                    *(f"--NotebooksSignals.{name}={value}" for name, value in set_.items()),
                ],
                env={
                    **os.environ,
                    "HOME": str(place),
                    "NOTEBOOK_AGENT_SOCKET": str(place / "agent.sock"),
                    "JUPYTER_CONFIG_PATH": str(place / "config"),
                    "JUPYTER_RUNTIME_DIR": str(place / "runtime"),
                    "JUPYTER_PREFER_ENV_PATH": "1",
                },
                cwd=self.files,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        until(lambda: "lab" in self.ears.heard() and self._listens(), self.log.read_text)

    def _listens(self) -> bool:
        try:
            self.call("GET", "api")
        except urllib.error.URLError:
            return False
        return True

    def signal(self, name: str) -> LocalSignal:
        report = self.ears.heard()["lab"].report
        return next(one for one in report.signals if one.name == name)

    def says(self, name: str, state: str, detail: str = "") -> LocalSignal:
        """Waits until the signal is so."""

        def there() -> LocalSignal | None:
            one = self.signal(name)
            return one if one.state == state and detail in one.detail else None

        return until(there, lambda: f"{name} {state} {detail!r}, it is {self.signal(name)}")

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{path}", method=method)
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(request, data, 120) as answer:
            raw = answer.read()
        return json.loads(raw) if raw[:1] in (b"{", b"[") else raw

    def kernel(self, name: str = "churn.ipynb", spec: str = "python3", browser: bool = True) -> Page:
        """A notebook's session with a kernel, and a page (or a program without a browser) that is connected to it."""
        body = {"path": name, "type": "notebook", "name": name, "kernel": {"name": spec}}
        made = self.call("POST", "api/sessions", body)
        return Page(self, made["kernel"]["id"], browser)

    def kill(self, kernel: str) -> None:
        """As the system does where memory runs out."""
        for one in psutil.Process(self.process.pid).children(recursive=True):
            if kernel in " ".join(one.cmdline()):
                one.kill()

    def restart(self, kernel: str) -> None:
        """As a person does."""
        self.call("POST", f"api/kernels/{kernel}/restart")

    def close(self) -> None:
        self.ears.stop()
        self.process.send_signal(signal.SIGINT)
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Page:
    """A connection to a kernel, as a tab has it."""

    def __init__(self, server: LabServer, kernel: str, browser: bool = True) -> None:
        self.server, self.kernel, self.id = server, kernel, uuid.uuid4().hex
        self.socket = websocket.create_connection(
            f"ws://127.0.0.1:{server.port}/api/kernels/{kernel}/channels?session_id={self.id}",
            timeout=120,
            header=BROWSER if browser else {},
        )

    def send(self, channel: str, kind: str, content: dict[str, Any]) -> str:
        """Answers the message's id."""
        id = uuid.uuid4().hex
        header = {
            "msg_id": id,
            "msg_type": kind,
            "session": self.id,
            "username": "mara",
            "version": "5.3",
            "date": "2026-01-01T00:00:00Z",
        }
        message = {
            "header": header,
            "parent_header": {},
            "metadata": {},
            "content": content,
            "channel": channel,
        }
        self.socket.send(json.dumps(message))
        return id

    def run(self, code: str) -> None:
        content = {"code": code, "silent": False, "allow_stdin": True, "stop_on_error": True}
        self.send("shell", "execute_request", content)

    def waits_for(self, kind: str) -> dict[str, Any]:
        while True:
            raw = self.socket.recv()
            message: dict[str, Any] = json.loads(raw)
            if message["header"]["msg_type"] == kind:
                return message

    def close(self) -> None:
        self.socket.close()
