"""An agent as a real process, with a volume, a run directory and a small server as its command."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import psutil

from tests.agents_service import MadeSession, RunningAgents, free_port
from tests.processes import variables

#: A server that takes connections, prints one line and ends with 0 when asked.
SERVER = """
import http.server, os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_POST(self): os._exit(int(self.path.strip("/")))
print("server in", os.getcwd(), flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Quiet).serve_forever()
"""


def until(done: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Polls done; an AssertionError that says what did not happen after seconds."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.03)


@dataclass
class Notebook:
    """One notebook on this machine: the place of its volume, and its sessions one after the other."""

    service: RunningAgents
    place: Path
    user: str = "mara"
    name: str = "churn"
    launch: Mapping[str, object] = field(default_factory=dict)
    url: str = ""

    @property
    def files(self) -> Path:
        return self.place / "volume" / "files"

    @property
    def state(self) -> Path:
        return self.place / "volume" / "state"

    def lose(self) -> None:
        """The volume is gone, as when the next start comes on another machine."""
        shutil.rmtree(self.place / "volume")

    def start(
        self, command: Sequence[str] | None = None, environment: Mapping[str, str] | None = None
    ) -> RunningAgent:
        """A new session and its agent."""
        session = self.service.new_session(self.user, self.name, launch=self.launch)
        return RunningAgent(self, session, command, environment or {})


class RunningAgent:
    """The agent's process. Ended with the test by ``Notebook``'s fixture, by pid."""

    every: ClassVar[list[RunningAgent]] = []

    def __init__(
        self,
        notebook: Notebook,
        session: MadeSession,
        command: Sequence[str] | None,
        environment: Mapping[str, str],
    ) -> None:
        self.notebook, self.session = notebook, session
        self.port = free_port()
        run_dir = notebook.place / "run" / session.id
        self.run_dir, self.log = run_dir, run_dir / "session.log"
        given = list(command) if command is not None else [sys.executable, "-c", SERVER, str(self.port)]
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterhub_notebooks.agent", "run"),
                *("--state", str(notebook.state), "--run-dir", str(run_dir), "--log", str(self.log), "--"),
                *(part.replace("PORT", str(self.port)) for part in given),
            ],
            env={
                **os.environ,
                "NOTEBOOK_SESSION_ID": session.id,
                "NOTEBOOK_SESSION_TOKEN": session.token,
                "NOTEBOOK_SERVICE_URL": notebook.url or notebook.service.url,
                "NOTEBOOK_WORKSPACE": str(notebook.files),
                "NOTEBOOK_AGENT_SOCKET": str(run_dir / "agent.sock"),
                "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{self.port}/",
                **environment,
            },
            start_new_session=True,
            stdin=subprocess.DEVNULL,
        )
        RunningAgent.every.append(self)

    def row(self):
        from jupyterhub_notebooks.ledger import sessions

        return sessions.get(self.notebook.service.ledger, self.session.id)

    def snapshots(self):
        from jupyterhub_notebooks.ledger import snapshots

        return snapshots.of_workspace(self.notebook.service.ledger, self.session.workspace)

    def phase(self, *phases: str) -> RunningAgent:
        """Waits until the ledger says one of phases."""

        def there() -> bool:
            if self.process.poll() is not None and "ended" not in phases:
                raise AssertionError(f"the agent ended with {self.process.returncode}:\n{self.said()}")
            return self.row().phase in phases

        until(there, f"phase {phases}, it is {self.row().phase}:\n{self.said()}")
        return self

    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def logged(self, text: str) -> None:
        until(lambda: text in self.said(), f"{text!r} in the log:\n{self.said()}")

    def get(self, path: str = "") -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=10) as answer:
            return answer.read()

    def ask_to_end(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = 60.0) -> int:
        return self.process.wait(seconds)

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.ask_to_end()
        return self.wait()

    def die(self) -> None:
        """kill -9 of the agent, then of what it left, as the spawner does; the session's row closes."""
        from jupyterhub_notebooks.clock import SYSTEM_CLOCK
        from jupyterhub_notebooks.ledger import sessions

        self.process.kill()
        self.process.wait()
        self.end_rest()
        sessions.close(
            self.notebook.service.ledger,
            self.session.id,
            SYSTEM_CLOCK.now(),
            "agent_died",
            "killed by a test",
        )

    def left(self) -> list[int]:
        """Pids of this session, without the agent's own."""
        found = [
            process.pid
            for process in psutil.process_iter()
            if variables(process).get("NOTEBOOK_SESSION_ID") == self.session.id
        ]
        return [pid for pid in found if pid != self.process.pid]

    def end_rest(self) -> None:
        for pid in self.left():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        until(lambda: not self.left(), "the session's processes end")


def kernel_of(files: Path) -> dict[str, object]:
    read: dict[str, object] = json.loads(
        (files / ".local/share/jupyter/kernels/python3/kernel.json").read_text()
    )
    return read
