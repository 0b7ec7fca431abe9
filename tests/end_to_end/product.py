"""The product as a person has it: `jupyterhub-notebooks up` in a fresh state directory, people who log in.

``Product`` starts and ends the real supervisor; ``Person`` talks to the Hub and to a server the way a
browser or a script does. Nothing here waits for a fixed time.
"""

from __future__ import annotations

import http.cookiejar
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import psutil
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from tests.processes import ended, variables, words

START_SECONDS = 240  # a first start on an S3 writes 400 MB to look at it


def until(check, seconds: float = 60, every: float = 0.1, what: str = "it"):
    """The first true answer of check; AssertionError after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < end, f"{what} did not come about within {seconds} s"
        time.sleep(every)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Product:
    """One `up`, its output and its state directory."""

    def __init__(self, state: Path, port: int | None = None, **environment: str) -> None:
        self.state = state
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {**os.environ, "NOTEBOOKS_TEST": "1", **environment}
        self.process: subprocess.Popen[str] | None = None
        self.lines: list[str] = []

    def start(self, *more: str) -> Product:
        self.lines = []
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "jupyterhub_notebooks.cli",
                "up",
                "--state",
                self.state,
                "--port",
                str(self.port),
                *more,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            env=self.environment,
            start_new_session=True,
        )
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        until(self._ready, START_SECONDS, what="the ready line of `up`")
        return self

    def _read(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout:
            self.lines.append(line.rstrip("\n"))

    def _ready(self) -> bool:
        assert self.process.poll() is None, "\n".join(self.lines)
        return any(self.url in line and "log in" in line for line in self.lines)

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def interrupt(self, seconds: float = 90) -> float:
        """Ctrl-C, as a terminal sends it; answers the seconds until it ended."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(seconds)
        return time.monotonic() - begun

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.kill_all()

    def processes(self) -> list[psutil.Process]:
        """Everything that belongs to this state directory and still runs."""
        return [
            one
            for one in psutil.process_iter()
            if one.pid != os.getpid()
            and any(str(self.state) in word for word in words(one))
            and not ended(one)
        ]

    def environments(self) -> list[tuple[psutil.Process, dict[str, str]]]:
        """Those processes with their variables, without the ones that ended meanwhile."""
        return [(one, found) for one in self.processes() if (found := variables(one))]

    def kill_all(self) -> None:
        for one in self.processes():
            try:
                one.kill()
            except psutil.NoSuchProcess:
                continue

    def command(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """One of our commands on this state directory."""
        done = subprocess.run(
            [sys.executable, "-m", "jupyterhub_notebooks.cli", *arguments],
            capture_output=True,
            text=True,
            env={**self.environment, "JUPYTERHUB_NOTEBOOKS_STATE": str(self.state)},
            timeout=120,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def admin(self) -> Person:
        return Person(self, "admin", (self.state / "admin-password").read_text().strip())

    def add_user(self, name: str) -> Person:
        printed = self.command("user", "add", name).stdout
        password = re.search(r"password\D*?(?:is|:)?\s*([A-Za-z0-9_\-]{10,})", printed)
        assert password, printed
        return Person(self, name, password[1])

    def sessions(self) -> list[dict[str, Any]]:
        """All sessions as `session list --json` prints them, newest first."""
        return [json.loads(line) for line in self.command("session", "list", "--json").stdout.splitlines()]


class Answer:
    def __init__(self, status: int, body: bytes, url: str, headers: Any) -> None:
        self.status, self.body, self.url, self.headers = status, body, url, headers

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    def json(self) -> Any:
        return json.loads(self.body)


class Person:
    """Somebody with a browser's cookies and a token of the Hub."""

    def __init__(self, product: Product, name: str, password: str) -> None:
        self.product, self.name, self.password = product, name, password
        self._jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self._jar), urllib.request.ProxyHandler({})
        )
        self._token = ""

    def ask(self, path: str, method: str = "GET", data: Any = None, **headers: str) -> Answer:
        """A request with this person's cookies; a redirect is followed, an error status is an answer."""
        body = None
        if isinstance(data, dict):
            body = urllib.parse.urlencode(data).encode()
        elif data is not None:
            body = data
        url = path if path.startswith("http") else self.product.url + path
        request = urllib.request.Request(url, body, headers, method=method)
        try:
            with self._opener.open(request, timeout=60) as answer:
                return Answer(answer.status, answer.read(), answer.url, answer.headers)
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read(), error.url, error.headers)

    def log_in(self) -> Person:
        self.ask("/hub/login")
        form = {"username": self.name, "password": self.password, "_xsrf": self._xsrf()}
        answer = self.ask("/hub/login?next=%2Fhub%2Fhome&_xsrf=" + form["_xsrf"], "POST", form)
        assert answer.status == 200 and "/hub/login" not in answer.url, answer.text[:2000]
        return self

    def _xsrf(self) -> str:
        return next(one.value for one in self._jar if one.name == "_xsrf" and one.path == "/hub/")

    @property
    def token(self) -> str:
        """A token of the Hub with everything this person may do."""
        if not self._token:
            if not any(one.name.startswith("jupyterhub-session") for one in self._jar):
                self.log_in()
            answer = self.ask(
                f"/hub/api/users/{urllib.parse.quote(self.name)}/tokens",
                "POST",
                b'{"note": "test"}',
                **{"Content-Type": "application/json", "X-XSRFToken": self._xsrf()},
            )
            assert answer.status == 201, answer.text
            self._token = answer.json()["token"]
        return self._token

    def api(self, path: str, method: str = "GET", body: Any = None, base: str = "/hub/api") -> Answer:
        """A request to the Hub's REST API (or another base) with the token alone, no cookies."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(
            self.product.url + base + path,
            json.dumps(body).encode() if body is not None else None,
            headers,
            method=method,
        )
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                request, timeout=90
            ) as answer:
                return Answer(answer.status, answer.read(), answer.url, answer.headers)
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read(), error.url, error.headers)

    def _server(self, name: str) -> str:
        quoted = urllib.parse.quote(self.name)
        return f"/users/{quoted}/servers/{name}" if name else f"/users/{quoted}/server"

    def server(self, name: str = "") -> dict[str, Any] | None:
        """The Hub's model of a server of this person; None while it has none."""
        model = self.api(f"/users/{urllib.parse.quote(self.name)}").json()
        return model["servers"].get(name)

    def start(self, name: str = "", profile: str = "notebook-cpu-small", wait: bool = True) -> None:
        answer = self.api(self._server(name), "POST", {"user_options": {"profile": profile}})
        assert answer.status in (201, 202), answer.text
        if wait:
            until(lambda: (self.server(name) or {}).get("ready"), 90, what=f"server {name!r} of {self.name}")

    def stop(self, name: str = "") -> None:
        answer = self.api(self._server(name), "DELETE")
        assert answer.status in (202, 204), answer.text
        until(lambda: not self._running(name), 90, what="the stop")

    def _running(self, name: str) -> bool:
        model = self.server(name)
        return bool(model and (model.get("ready") or model.get("pending")))

    def base(self, name: str = "") -> str:
        return f"/user/{urllib.parse.quote(self.name, safe='@')}/" + (f"{name}/" if name else "")

    async def run(self, code: str, name: str = "", kernel: str | None = None) -> str:
        """Runs code in a fresh kernel of a running server; what it printed, errors included."""
        body = {"name": kernel} if kernel else {}
        started = self.api("api/kernels", "POST", body, base=self.base(name))
        assert started.status == 201, (started.status, started.url, started.text[-600:])
        id = started.json()["id"]
        url = f"ws://127.0.0.1:{self.product.port}{self.base(name)}api/kernels/{id}/channels"
        socket = await websocket_connect(HTTPRequest(url, headers={"Authorization": f"Bearer {self.token}"}))
        message_id, printed = uuid.uuid4().hex, []
        header = {
            "msg_id": message_id,
            "msg_type": "execute_request",
            "session": "s",
            "username": "u",
            "version": "5.3",
        }
        content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
        await socket.write_message(
            json.dumps(
                {
                    "header": header,
                    "parent_header": {},
                    "metadata": {},
                    "content": content,
                    "channel": "shell",
                }
            )
        )
        over: set[str] = set()
        while len(over) < 2:
            raw = await socket.read_message()
            assert raw is not None, "the kernel's channel was closed"
            message = json.loads(raw)
            if message["parent_header"].get("msg_id") != message_id:
                continue
            kind, said = message["msg_type"], message["content"]
            if kind == "stream":
                printed.append(said["text"])
            elif kind == "error":
                printed.append(f"{said['ename']}: {said['evalue']}")
            elif kind == "execute_reply" or (kind == "status" and said["execution_state"] == "idle"):
                over.add(kind)  # the two come on different channels, in any order
        socket.close()
        self.api(f"api/kernels/{id}", "DELETE", base=self.base(name))
        return "".join(printed)


def a_wheel(folder: Path, name: str, version: str = "1.0") -> Path:
    """A wheel of one module that says its version, with nothing to download."""
    import zipfile

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    files[f"{info}/RECORD"] = "".join(f"{one},,\n" for one in files)
    with zipfile.ZipFile(path, "w") as wheel:
        for one, text in files.items():
            wheel.writestr(one, text)
    return path
