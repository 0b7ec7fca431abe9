"""Notebooks as processes of this machine and this account: no image, no limits, nothing to install.

Promises: a notebook's files lie at the same path at every start, named by its id and readable by this
account alone; the agent outlives the Hub; what a session leaves behind is found by its id and ended, and
nothing of another session is touched. All notebooks share one account: this is for people who trust each other.
"""

from __future__ import annotations

import asyncio
import errno
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyterhub.traitlets import Command
from traitlets import Unicode, default

from .. import messages
from ..errors import NoSpace, NotebooksError
from ..ledger import Session
from ..profiles.choosing import Abilities, Launch
from . import processes
from .backend import agent_flags, volume_key_of
from .base import NotebookSpawner
from .refusing import NotStarted
from .waiting import Patience, until

#: Under this name the process is kept in the Hub's database.
STATE = "local_process"
VOLUME = "local:"
#: Below the range from which outgoing connections take their ports: a restore may take long before it is used.
PORTS = range(20000, 32000)
#: The longest path of a socket is 104 bytes on macOS, 108 on Linux.
LONGEST_RUN_DIR = 60
LEFT_OVER_SECONDS = 3.0
KILLED_SECONDS = 5.0
ROUNDS = 3
#: What a login gives; `up` itself keeps its files from everybody, and the volume's folder is 0700.
NOTEBOOK_UMASK = 0o022
LOG_LINES, LOG_BYTES = 30, 16_000
#: What answers in place of the server while a run only saves.
SAVING_PAGE = [sys.executable, "-P", "-s", "-m", "jupyterhub_notebooks.agent.saving_page"]
EDITOR_URLS = {"jupyterlab": "/lab"}

KEPT = (
    "PATH",
    "LANG",
    "LANGUAGE",
    *(f"LC_{name}" for name in ("ALL", "COLLATE", "CTYPE", "MESSAGES", "MONETARY", "NUMERIC", "TIME")),
    "TZ",
    "SHELL",
    "USER",
    "LOGNAME",
    "LD_LIBRARY_PATH",
    "JUPYTERHUB_SINGLEUSER_APP",
    *(
        name
        for each in ("http", "https", "ftp", "all", "no")
        for name in (f"{each}_proxy", f"{each.upper()}_PROXY")
    ),
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_NO_INDEX",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_DISABLE_PIP_VERSION_CHECK",
)


class LocalNotebookSpawner(NotebookSpawner):
    """See the module. Entry point ``notebooks-local``."""

    abilities = Abilities(name="local")

    state_dir = Unicode(help="Folder below which volumes and logs lie, unless they are set.").tag(config=True)
    volumes_dir = Unicode(
        help="Folder of the notebooks' files: NOTEBOOK-ID/files and NOTEBOOK-ID/state."
    ).tag(config=True)
    logs_dir = Unicode(help="Folder of the sessions' logs: SESSION-ID.log.").tag(config=True)
    agent_cmd = Command(
        # -P -s: nothing that a user puts into the workspace is imported by what must save it
        [sys.executable, "-P", "-s", "-m", "jupyterhub_notebooks.agent"],
        help="The agent, the first process of every notebook.",
    ).tag(config=True)

    _process: subprocess.Popen[bytes] | None = None
    _agent: processes.Known | None = None
    _family: tuple[processes.Known, ...] = ()
    _port_is_ours = False

    @default("state_dir")
    def _default_state_dir(self) -> str:
        named = os.environ.get("NOTEBOOKS_STATE")
        base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
        return named or str(Path(base) / "jupyterhub-notebooks")

    @default("volumes_dir")
    def _default_volumes_dir(self) -> str:
        return str(Path(self.state_dir) / "volumes")

    @default("logs_dir")
    def _default_logs_dir(self) -> str:
        return str(Path(self.state_dir) / "logs" / "sessions")

    @default("env_keep")
    def _default_env_keep(self) -> list[str]:
        return list(KEPT)

    @default("ip")
    def _default_ip(self) -> str:
        return "127.0.0.1"

    @default("cmd")
    def _default_cmd(self) -> list[str]:
        beside = Path(sys.executable).with_name("jupyterhub-singleuser")
        return [str(beside)] if beside.exists() else [sys.executable, "-m", "jupyterhub.singleuser"]

    def get_args(self) -> list[str]:
        args = list(super().get_args())
        return args if os.geteuid() or "--allow-root" in args else [*args, "--allow-root"]

    # -- the steps of base

    def volume_of(self, notebook: str) -> str:
        return f"{VOLUME}{notebook}"

    def translate(self, launch: Launch) -> dict[str, Any]:
        traits: dict[str, Any] = {"environment": dict(launch.environment)}
        if not self.default_url:
            traits["default_url"] = EDITOR_URLS.get(launch.editor, "/lab")
        if not self.port:
            traits["port"], self._port_is_ours = free_port(), True
        return traits

    async def backend_start(self, session: Session) -> tuple[str, int]:
        environment = self._environment(session)
        self._process = await asyncio.to_thread(self._launch_agent, session, environment)
        self._agent = processes.known(self._process.pid)
        return self.ip, self.port

    async def backend_poll(self) -> int | None:
        if self._process is not None:
            return self._process.poll()
        if (
            self._agent is None and self._session_id
        ):  # the Hub died between the start and its being written down
            self._agent = await asyncio.to_thread(processes.agent_of, self._session_id)
        return None if self._agent is not None and self._agent.runs else 0

    async def backend_running(self, session: Session) -> bool:
        return await asyncio.to_thread(processes.agent_of, session.id) is not None

    async def backend_stop(self, session: Session, patience: Patience) -> str:
        agent = self._agent if session.id == self._session_id else None
        agent = agent or await asyncio.to_thread(processes.agent_of, session.id)
        if agent is None or not self._alive(agent):
            return ""
        self._family = tuple(await asyncio.to_thread(processes.family, agent))
        process = agent.find()
        if process is not None:
            process.terminate()
        why = await patience.wait(until(lambda: not self._alive(agent)))
        process = agent.find()
        if why and process is not None:
            process.kill()
            async with asyncio.timeout(KILLED_SECONDS):
                await until(lambda: not self._alive(agent))
            return why
        return ""

    async def backend_left_over(self, session: Session) -> list[str]:
        family, self._family = self._family, ()
        left = await asyncio.to_thread(_end_all, session.id, family)
        await asyncio.to_thread(shutil.rmtree, run_dir(session.id), ignore_errors=True)
        return left

    async def backend_log(self) -> list[str]:
        return await asyncio.to_thread(_tail, self._log_file(self._session_id))

    # -- the process

    def _alive(self, agent: processes.Known) -> bool:
        if self._process is not None and self._process.pid == agent.pid:
            return self._process.poll() is None
        return agent.runs

    def _volume(self, session: Session) -> Path:
        """A volume that was left behind has a folder of its own, and so has the one that came in its place."""
        return Path(self.volumes_dir).absolute() / volume_key_of(session, VOLUME)

    def _log_file(self, session: str) -> Path:
        return Path(self.logs_dir).absolute() / f"{session}.log"

    def _environment(self, session: Session) -> dict[str, str]:
        """What the agent gets; it makes of it what the server gets."""
        files, run = self._volume(session) / "files", run_dir(session.id)
        return {
            **self.get_env(),
            "HOME": str(files),
            "NOTEBOOK_SESSION_ID": session.id,
            "NOTEBOOK_SESSION_TOKEN": self._token,
            "NOTEBOOK_SERVICE_URL": self.settings.reachable_url,
            "NOTEBOOK_WORKSPACE": str(files),
            "NOTEBOOK_AGENT_SOCKET": str(run / "agent.sock"),
        }

    def _launch_agent(self, session: Session, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        volume, run, log = self._volume(session), run_dir(session.id), self._log_file(session.id)
        try:
            if session.kind == "save" and not volume.is_dir():
                raise NotStarted(
                    messages.title("volume offline"), f"There is no {volume}.", cause="volume_away"
                )
            for folder in (volume, volume / "files", volume / "state", run, log.parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                if folder.stat().st_uid != os.geteuid():
                    raise NotStarted("A folder of this notebook belongs to somebody else", str(folder))
            only_save = session.kind == "save"
            command = [*self.agent_cmd, "run", *agent_flags(session)]
            command += ["--state", str(volume / "state"), "--run-dir", str(run), "--log", str(log), "--"]
            command += SAVING_PAGE if only_save else [*self.cmd, *self.get_args()]
            with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
                return subprocess.Popen(
                    command,
                    env=dict(environment),
                    cwd=volume / "files",
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    umask=NOTEBOOK_UMASK,
                )
        except OSError as error:
            raise told(error, volume) from error

    # -- what a Hub restart must find again

    async def get_url(self) -> str:
        if self.port and self.server is not None and self.server.port != self.port:
            self.server.ip, self.server.port = self.ip, self.port
        return await super().get_url()

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        if self._session_id:
            agent = self._agent
            known = {"pid": agent.pid, "created": agent.created} if agent is not None else {}
            state[STATE] = {"port": self.port, **known}
        return state

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        kept = state.get(STATE) or {}
        if kept.get("pid"):
            self._agent = processes.Known(int(kept["pid"]), float(kept["created"]))
        if kept.get("port"):
            self.port, self._port_is_ours = int(kept["port"]), True

    def _forget(self) -> None:
        super()._forget()
        self._process, self._agent = None, None
        if self._port_is_ours:
            self.port, self._port_is_ours = 0, False


def run_dir(session: str) -> Path:
    """Sockets, runtime files and temporary files of a session; outside its workspace, gone after it.

    Not below XDG_RUNTIME_DIR: that is small, in memory, and removed when its person logs out.
    """
    base = tempfile.gettempdir()
    if len(base) > LONGEST_RUN_DIR - 30:
        base = "/tmp"
    return Path(base) / f"nb-{os.getuid()}-{session[-12:]}"


def free_port() -> int:
    """A port of this machine on which nobody listens."""
    draw = random.SystemRandom()
    for _ in range(500):
        port = draw.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise NotStarted("No free port was found", f"500 ports between {PORTS[0]} and {PORTS[-1]} are in use")


def told(error: OSError, volume: Path) -> NotebooksError:
    """What kept the agent from being started."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace(
            "The disk is full", f"{error.filename or volume} could not be written", ["Free some space"]
        )
    where = f"{error.filename}: " if error.filename else ""
    return NotStarted("The notebook's process could not be started", f"{where}{error.strerror or error}")


def _end_all(session: str, family: tuple[processes.Known, ...]) -> list[str]:
    ended: list[str] = []
    for _ in range(ROUNDS):  # what is ended may start something on its way out
        found = [process for one in family if (process := one.find()) is not None]
        found += processes.of_session(session)
        if not found:
            break
        ended += processes.end(found, LEFT_OVER_SECONDS)
    return ended


def _tail(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - LOG_BYTES))
            return file.read().decode("utf-8", "replace").splitlines()[-LOG_LINES:]
    except OSError:
        return []
