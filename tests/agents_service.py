"""services/agents as a real process over a real ledger and a directory (or given) store, for tests.

service = start_agents_service(tmp_path)
made = service.new_session("mara")          # made.id, made.token, made.workspace
... service.url ("http://127.0.0.1:PORT/services/agents/"), service.ledger, service.settings ...
service.stop()
"""

from __future__ import annotations

import dataclasses
import hashlib
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyterhub_notebooks import ledger as rooms
from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.ledger import Ledger, notebooks, sessions, upgrade, users
from jupyterhub_notebooks.names import new_id
from jupyterhub_notebooks.settings import VARIABLE, Settings

START_SECONDS = 180.0
COMMAND = (sys.executable, "-m", "jupyterhub_notebooks.services.agents", "--ends-with-parent")


@dataclass(frozen=True)
class MadeSession:
    """A session's row, its token, and whose it is."""

    row: rooms.Session
    token: str

    @property
    def id(self) -> str:
        return self.row.id

    @property
    def workspace(self) -> str:
        return self.row.workspace

    @property
    def notebook(self) -> str:
        return self.row.notebook


@dataclass
class RunningAgents:
    """The running service. ``stop`` ends it with SIGTERM; ``start`` starts it again on the same port."""

    url: str
    ledger: Ledger
    settings: Settings
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    command: tuple[str, ...] = COMMAND

    def start(self) -> None:
        environment = {**os.environ, VARIABLE: self.settings.to_json()}
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        end = time.monotonic() + START_SECONDS
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise AssertionError(f"services/agents does not answer:\n{self.log.read_text()}")
            time.sleep(0.02)

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + "health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def stop(self) -> None:
        """SIGTERM, and SIGKILL where that does not help. The ledger stays open; see ``close``."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def close(self) -> None:
        self.stop()
        self.ledger.close()

    def new_session(
        self,
        user: str = "mara",
        notebook: str = "churn",
        *,
        launch: Mapping[str, Any] | None = None,
        volume: str | None = None,
        kind: str = "work",
    ) -> MadeSession:
        """A session of a notebook (made where it is not there), with its token, as a spawner begins one."""
        now = SYSTEM_CLOCK.now()
        owner = users.seen(self.ledger, user, "2026-01-01T00:00:00Z", now)
        its = notebooks.ensure(self.ledger, owner.id, notebook, now)
        token = secrets.token_hex(32)
        row = sessions.begin(
            self.ledger,
            new_id(now, os.urandom),
            its.id,
            {"profile": "notebook-cpu-small", "version": "v1", **(launch or {})},
            hashlib.sha256(token.encode()).hexdigest(),
            now,
            volume=volume,
            kind=kind,
        )
        return MadeSession(row, token)

    def call(
        self,
        session: MadeSession | str | None,
        method: str,
        path: str,
        body: Any = None,
        *,
        timeout: float = 40.0,
    ) -> tuple[int, Any]:
        """(status, parsed JSON) of one request below ``v1/``; session None sends no token."""
        request = urllib.request.Request(self.url + "v1/" + path, method=method)
        token = session.token if isinstance(session, MadeSession) else session
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        data = None
        if body is not None:
            raw = body.to_json() if hasattr(body, "to_json") else body
            data = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
        try:
            with urllib.request.urlopen(request, data, timeout) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")


def open_url(method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Any:
    """One request to a signed URL, exactly these headers: (status, body bytes, headers)."""
    host, _, rest = url.partition("//")[2].partition("/")
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.putrequest(method, "/" + rest, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.headers)
    finally:
        connection.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_agents_service(
    tmp_path: Path,
    *,
    port: int | None = None,
    started: bool = True,
    command: tuple[str, ...] = COMMAND,
    **settings: Any,
) -> RunningAgents:
    """Starts services/agents with a ledger and a directory store below tmp_path.

    settings: fields of ``Settings`` that shall be others, such as ``ledger``, ``store`` or ``lease_seconds``.
    command: runs the service.
    """
    url = f"http://127.0.0.1:{port or free_port()}/services/agents/"
    database = settings.get("ledger") or f"sqlite:///{tmp_path}/ledger.sqlite"
    usual = Settings(
        ledger=database,
        store=f"file://{tmp_path}/store",
        profiles=str(tmp_path / "profiles.yaml"),
        agents_url=url,
        agents_api_token="none",
        signing_key=secrets.token_hex(16),
    )
    ledger = Ledger(database)
    upgrade(ledger)
    differing = dataclasses.replace(usual, **settings)
    made = RunningAgents(url, ledger, differing, tmp_path / "agents.log", command=command)
    if started:
        made.start()
    return made
