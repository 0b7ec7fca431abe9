"""Two Hubs side by side for tests/benchmarks/activity.py: this product with its enforcer, a bare one with jupyterhub-idle-culler.

All clocks are short by the same factor, ``FACTOR``: one idle limit of 60 s stands for half an hour.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from jupyterhub_notebooks.cli import tools
from jupyterhub_notebooks.ledger import intents, notebooks, sessions, users
from tests.end_to_end.product import free_port, until
from tests.hub import RunningHub, start_hub

IDLE_SECONDS = 60
FACTOR = 1800 / IDLE_SECONDS
LIMIT_SECONDS = 85
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"

PROFILES = f"""
flavors:
  std: {{use: Scenarios, cpu: 1, memory: 1 GB}}
profiles:
  plain: &plain {{title: Plain, use: Scenarios, flavor: std, idle_stop: {IDLE_SECONDS}s, max_session: 0, warn_before: 8s}}
  limited: {{title: L, use: Scenarios, flavor: std, idle_stop: {IDLE_SECONDS}s, max_session: {LIMIT_SECONDS}s, warn_before: 8s}}
  bare: {{title: B, use: Scenarios, flavor: std, idle_stop: {IDLE_SECONDS}s, max_session: 0, warn_before: 8s, environment: {{PYTHONPATH: FOLDER}}}}
  bare-limited: {{title: BL, use: Scenarios, flavor: std, idle_stop: {IDLE_SECONDS}s, max_session: {LIMIT_SECONDS}s, warn_before: 8s, environment: {{PYTHONPATH: FOLDER}}}}
"""
#: An image without our part: JupyterLab's server cannot import it.
WITHOUT = """import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("jupyterhub_notebooks.lab"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Without())
"""
#: The agent of a person whose clock will jump runs, with all it starts, on a clock of its own.
AGENT = f"""import os, sys
if os.environ.get("JUPYTERHUB_USER", "").startswith("clock-"):
    os.environ.update(LD_PRELOAD={FAKETIME!r}, FAKETIME_NO_CACHE="1", DONT_FAKE_MONOTONIC="1",
                      FAKETIME_TIMESTAMP_FILE=os.path.join(FOLDER, os.environ["JUPYTERHUB_USER"]))
os.execv(sys.executable, [sys.executable, "-P", "-s", "-m", "jupyterhub_notebooks.agent", *sys.argv[1:]])
"""
#: Jupyter's own clocks, by the same factor: pings of 30 s, what counts as somebody being there of 60 s and less.
SERVER = [
    "--ServerApp.websocket_ping_interval=2000",
    "--NotebooksSignals.report_seconds=1",
    *(f"--NotebooksSignals.{name}_seconds=12" for name in ("cell", "input", "saved", "still")),
]

BARE = """
import os
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.JupyterHub.db_url = "sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/cookie-secret"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/home/{{username}}"
c.Spawner.ip = "127.0.0.1"
c.Spawner.args = {args}
c.Spawner.environment = {{"JUPYTERHUB_ACTIVITY_INTERVAL": "{interval}"}}
c.Spawner.http_timeout = 120
c.JupyterHub.last_activity_interval = {interval}
c.JupyterHub.activity_resolution = 1
c.ConfigurableHTTPProxy.command = ["{node}", "{proxy}"]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_api}"
c.JupyterHub.services = [
    {{"name": "idle-culler", "command": ["{python}", "-m", "jupyterhub_idle_culler", "--timeout={idle}", "--cull-every=5"]}},
    {{"name": "bench", "api_token": "{token}"}},
]
c.JupyterHub.load_roles = [
    {{"name": "idle-culler", "services": ["idle-culler"],
      "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"]}},
    {{"name": "bench", "services": ["bench"], "scopes": ["admin:users", "admin:servers", "tokens", "servers", "access:servers"]}},
]
"""


class Ours:
    """The product's Hub with its enforcer and pages. The way of notebooks to services/agents can be cut one by one."""

    name = "ours"

    def __init__(self, folder: Path) -> None:
        without, clocks = folder / "without", folder / "clocks"
        for one in (without, clocks):
            one.mkdir(parents=True)
        (without / "sitecustomize.py").write_text(WITHOUT)
        (folder / "agent.py").write_text(AGENT.replace("FOLDER", repr(str(clocks))))
        (folder / "profiles.yaml").write_text(PROFILES.replace("FOLDER", str(without)))
        self.clocks, self.cut = clocks, set[str]()
        self.relay_port = free_port()
        root = ["--allow-root"] if os.geteuid() == 0 else []
        self.hub: RunningHub = start_hub(
            folder,
            culler=True,
            pages=True,
            settings={
                "profiles": str(folder / "profiles.yaml"),
                "culler_interval_seconds": 0.5,
                "heartbeat_seconds": 2.0,
                "heartbeat_soon_seconds": 1.0,
                "notebook_service_url": f"http://127.0.0.1:{self.relay_port}",
            },
            LocalNotebookSpawner__agent_cmd=[sys.executable, str(folder / "agent.py")],
            LocalNotebookSpawner__args=[*root, *SERVER],
        )
        self.url, self.token = self.hub.url, self.hub.given["token"]
        self.folder = folder

    def session(self, user: str) -> Any:
        owner = users.by_name(self.hub.ledger, user)
        if owner is None:
            return None
        found = notebooks.find(self.hub.ledger, owner.id, "")
        rows = sessions.of_notebook(self.hub.ledger, found.id) if found is not None else []
        return rows[0] if rows else None

    def outcome(self, user: str) -> tuple[str, str]:
        """(verdict, what became of it) now; of a stop, what it was decided on: keeping variables is work again."""
        row = self.session(user)
        late = row.verdict_at is None or (datetime.now(UTC) - row.verdict_at).total_seconds() > 20
        if row.stop_asked_at is None and row.closed_at is None:
            return ("unknown" if late else row.verdict), "runs"
        stop = intents.last_stop(self.hub.ledger, row.id)
        verdict = str((stop.evidence if stop is not None else {}).get("verdict") or row.verdict or "unknown")
        cause = row.cause or (stop.cause if stop is not None else "ended")
        return verdict, {"idle": "stopped", "session_limit": "limit"}.get(cause, cause)

    async def relay(self) -> asyncio.AbstractServer:
        """From notebooks to services/agents; a connection of a session that is cut is closed at once."""
        agents = self.hub.ports["agents"]

        async def passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = [line for line in head.splitlines() if line[:14].lower() == b"authorization:"]
                token = lines[0].split()[-1].decode() if lines else ""
                if token in self.cut:
                    return
                there, onwards = await asyncio.open_connection("127.0.0.1", agents)
                onwards.write(head)
                both = [
                    asyncio.create_task(_pipe(reader, onwards)),
                    asyncio.create_task(_pipe(there, writer)),
                ]
                while not all(one.done() for one in both):
                    await asyncio.wait(both, timeout=0.2)
                    if token in self.cut:
                        break
                for one in both:
                    one.cancel()
                onwards.close()
            except (OSError, asyncio.IncompleteReadError):
                return
            finally:
                writer.close()

        return await asyncio.start_server(passed, "127.0.0.1", self.relay_port)

    def stop(self) -> None:
        self.hub.stop()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        return


class Peer:
    """JupyterHub as its documentation starts it, with jupyterhub-idle-culler as a managed service."""

    name = "peer"

    def __init__(self, folder: Path) -> None:
        programs = tools.ensure(print)
        (folder / "home").mkdir(parents=True)
        port, self.token, self.folder = free_port(), secrets.token_hex(16), folder
        root = ["--allow-root"] if os.geteuid() == 0 else []
        config = folder / "jupyterhub_config.py"
        config.write_text(
            BARE.format(
                port=port,
                hub=free_port(),
                proxy_api=free_port(),
                folder=folder,
                args=[*root, SERVER[0]],
                node=programs.node,
                proxy=programs.proxy,
                python=sys.executable,
                idle=IDLE_SECONDS,
                interval=int(300 / FACTOR),
                token=self.token,
            )
        )
        self.url = f"http://127.0.0.1:{port}"
        log = open(folder / "hub.log", "w")  # noqa: SIM115 - lives as long as the process
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        command = [sys.executable, "-m", "jupyterhub", "-f", str(config)]
        self.process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, "PATH": path},
            start_new_session=True,
        )
        until(self._answers, 180, what="the bare Hub")

    def _answers(self) -> bool:
        import urllib.error
        import urllib.request

        try:
            with urllib.request.urlopen(self.url + "/hub/health", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)
        for one in belonging(str(self.folder)):
            one.kill()


def belonging(words: str) -> list[psutil.Process]:
    """Processes that have these words in their environment or command, but for this one."""
    found = []
    for one in psutil.process_iter():
        try:
            if one.pid != os.getpid() and any(
                words in part for part in (*one.cmdline(), *one.environ().values())
            ):
                found.append(one)
        except (psutil.Error, OSError):
            continue
    return found
