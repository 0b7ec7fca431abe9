"""A server from an image that knows nothing of us, in a container of its own beside this agent.

Both containers share one network and one table of processes: the server listens on 127.0.0.1 alone, and whatever it starts
is found and ended as if the agent had started it. In front of it, on the port that the Hub reaches, a server of the agent's
own image checks who asks and passes everything on (jupyter-server-proxy).

Promises: what the server's own REST API and the processes do not show is ``unknown``, never quiet; a server that is gone
ends the session, saved.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..clock import from_text
from ..contract import LocalSignal
from .computing import Key, Usage, Usages, read_tree
from .environment import TOKEN

HOST = "127.0.0.1"
LOOK_SECONDS = 3.0
ANSWER_SECONDS = 2.0
#: So many looks without an answer, and no process of it left: it is gone.
GONE_LOOKS = 2
GONE = "The server of the notebook's image ended"
#: Where the front passes requests on with their whole path.
PASSED_ON = "proxy/absolute"
#: What the agent's image turns on for its own notebooks.
NOT_IN_FRONT = (
    "jupyterlab",
    "notebook_shim",
    "jupyter_lsp",
    "jupyter_server_terminals",
    "jupyter_server_ydoc",
    "jupyter_server_fileid",
    "jupyter_server_nbmodel",
    "jupyterhub_notebooks.lab",
)


@dataclass(frozen=True)
class Place:
    """Where the server answers. path: of its address, as its own base URL, with a slash at both ends."""

    port: int
    path: str

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}{self.path}"


def place_of(port: int, environment: Mapping[str, str]) -> Place:
    """environment: the agent's, with the path that the Hub gives the notebook."""
    prefix = (
        environment.get("JUPYTERHUB_SERVICE_PREFIX")
        or urlsplit(environment.get("JUPYTERHUB_SERVICE_URL", "")).path
    )
    return Place(port, f"/{prefix.strip('/')}/{PASSED_ON}/{port}/".replace("//", "/"))


def prepare_front(run_dir: Path, own: Mapping[str, str], place: Place) -> dict[str, str]:
    """The environment of the front: nothing of the workspace is read by it, and it does nothing but pass on."""
    home = run_dir / "front"
    config = home / "config"
    for folder in (home, config, home / "tmp", home / "runtime"):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    wanted = {
        "ServerApp": {
            "jpserver_extensions": {"jupyter_server_proxy": True, **dict.fromkeys(NOT_IN_FRONT, False)},
            "default_url": f"/{PASSED_ON}/{place.port}/lab",
            "root_dir": str(home),
            "terminals_enabled": False,
        }
    }
    (config / "jupyter_server_config.json").write_text(json.dumps(wanted), encoding="utf-8")
    kept = {name: value for name, value in own.items() if name not in (TOKEN, "NOTEBOOK_AGENT_SOCKET")}
    return kept | {
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_CONFIG_PATH": str(config),
        "JUPYTER_NO_CONFIG": "",
        "JUPYTERHUB_SINGLEUSER_APP": "jupyter_server.serverapp.ServerApp",
        "JUPYTERHUB_DEFAULT_URL": f"/{PASSED_ON}/{place.port}/lab",
    }


class Beside:
    """``watch`` once the server answers; ``signals`` at any time."""

    def __init__(self, place: Place, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.place, self._now = place, now
        self._stopping = threading.Event()

    def listens(self) -> bool:
        """Whether its port takes connections."""
        try:
            socket.create_connection((HOST, self.place.port), ANSWER_SECONDS).close()
            return True
        except OSError:
            return False

    def watch(self, gone: Callable[[], None]) -> None:
        """Calls gone, from a thread, when the server has ended."""

        def run() -> None:
            missed = 0
            while missed < GONE_LOOKS:
                if self._stopping.wait(LOOK_SECONDS):
                    return
                missed = 0 if self.listens() or servers() else missed + 1
            gone()

        threading.Thread(target=run, name="beside", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()

    def signals(self) -> list[LocalSignal]:
        """Kernels, as the server's REST API says, and terminals, as the processes show."""
        return [self._kernels(), _terminals(servers())]

    def _kernels(self) -> LocalSignal:
        try:
            with urllib.request.urlopen(f"{self.place.url}api/kernels", timeout=ANSWER_SECONDS) as answer:
                kernels = json.load(answer)
        except (OSError, ValueError):
            return LocalSignal("kernel", "unknown", None, "The server does not answer")
        return of_kernels(kernels, self._now())


def of_kernels(kernels: Any, now: datetime) -> LocalSignal:
    """The signal of a server's list of kernels, as its REST API gives it. now: of the machine on which it runs."""
    try:
        states = [str(one["execution_state"]) for one in kernels]
        times = [from_text(str(one["last_activity"])) for one in kernels]
    except (KeyError, TypeError, ValueError):
        return LocalSignal("kernel", "unknown", None, "The server does not say what its kernels do")
    since = max(0.0, (now - max(times)).total_seconds()) if times else None
    if "busy" in states:
        return LocalSignal("kernel", "busy", since, "A cell runs")
    if set(states) - {"idle", "starting", "restarting", "dead"}:
        return LocalSignal("kernel", "unknown", None, "A kernel does not say what it does")
    return LocalSignal("kernel", "idle", since, "No cell runs" if states else "No kernel runs")


def _terminals(there: Sequence[int]) -> LocalSignal:
    """A terminal of the server in which a program runs: a child with a terminal of its own that has children."""
    import psutil

    try:
        for server in there:
            for shell in psutil.Process(server).children():
                if shell.terminal() is None:
                    continue
                for program in shell.children():
                    return LocalSignal("terminal", "busy", None, f"{program.name()} runs in a terminal")
    except psutil.Error:
        return LocalSignal("terminal", "unknown", None, "The processes changed while they were looked at")
    return LocalSignal("terminal", "idle", None, "No program runs in a terminal")


def servers() -> list[int]:
    """The first processes of the other container: no parent, and neither the agent nor what holds a pod open."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if process.ppid() == 0 and process.pid not in (1, os.getpid()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def read_beside() -> Usages:
    """What ``computing`` measures here: every process of the other container."""
    found: dict[Key, Usage] = {}
    for server in servers():
        found |= read_tree(server)
    return found
