"""One running product whose processes are killed, and the notebooks that this happens to.

``Ground`` is the product as `up` starts it, with a slow store before services/agents; ``Book`` is one notebook of one
user, its files, its processes and its rows. Nothing waits for a fixed time.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import threading
from contextlib import suppress
from pathlib import Path

import psutil
from click.testing import CliRunner

from jupyterhub_notebooks.cli.main import cli
from jupyterhub_notebooks.ledger import Ledger, Session, audit, intents, notebooks, sessions, users
from jupyterhub_notebooks.names import short
from jupyterhub_notebooks.spawners.local import run_dir
from jupyterhub_notebooks.spawners.processes import Known, agent_of, known, of_session
from tests.end_to_end.product import Person, Product, until

from .slow_store import SlowStore
from .table import AGENT, AGENTS, HUB, JANITOR, KERNEL, PROXY, SERVER

CONFIG = Path(__file__).parents[3] / "config" / "local" / "jupyterhub_config.py"
#: What the tests have shorter than a person would, so that what heals does so within seconds.
SHORTER = "janitor_interval_seconds=2, save_again_seconds=5, heartbeat_seconds=2,"
#: The Hub notices within seconds who has died; on a busy machine it waits longer than usual for its own services.
PATIENT = """
c.Spawner.poll_interval = 3
for one in c.JupyterHub.services:
    if one.get("command"):
        one["timeout"] = 600
"""
SERVICES = {
    JANITOR: "jupyterhub_notebooks.services.janitor",
    AGENTS: "jupyterhub_notebooks.services.agents",
    "services/notebooks": "jupyterhub_notebooks.services.notebooks",
    "services/idle_culler": "jupyterhub_notebooks.services.idle_culler",
    PROXY: "configurable-http-proxy",
    HUB: "jupyterhub_config.py",
}
API = "/services/notebooks/api/v1"
READY_SECONDS, HEALED_SECONDS = 300, 300
PIECE_BYTES = 8_000_000


class Ground:
    """One `up` of its own, kept for many kills."""

    def __init__(self, folder: Path) -> None:
        self.store = SlowStore()
        config = folder / "jupyterhub_config.py"
        text = CONFIG.read_text()
        before = "    store=f\"file://{state / 'store'}\",\n"
        assert before in text
        more = f'    notebook_service_url="{self.store.url}", {SHORTER}\n'
        config.write_text(text.replace(before, before + more) + PATIENT)
        self.product = Product(folder / "state")
        self.product.start("--config", str(config))
        ports = json.loads((self.product.state / "ports.json").read_text())
        self.store.behind = f"http://127.0.0.1:{ports['agents']}"
        self.ledger = Ledger(f"sqlite:///{self.product.state / 'ledger.sqlite'}")
        self.person: Person = self.product.add_user("mara")
        assert self.person.token

    def close(self) -> None:
        self.store.close()
        self.ledger.close()
        self.product.stop()

    def pid(self, victim: str) -> int:
        """The process of the Hub's side that is called so."""
        names = {HUB: "hub", AGENTS: "agents", PROXY: "proxy"}
        if victim in names:
            about = json.loads((self.product.state / "run" / f"{names[victim]}.json").read_text())
            return int(about["pid"])
        return until(lambda: self.running(victim), 60, what=victim)[0]

    def running(self, name: str) -> list[int]:
        """The pids of what is called so and belongs to this product."""
        return self.parts()[name]

    def parts(self) -> dict[str, list[int]]:
        """The pids of every part of the product."""
        found: dict[str, list[int]] = {name: [] for name in SERVICES}
        for one in self.product.processes():
            with suppress(psutil.Error):
                words = one.cmdline()[:5]
                for name, word in SERVICES.items():
                    if any(word in each for each in words) and one.pid != self.product.process.pid:
                        found[name].append(one.pid)
        return found

    def one_of_each(self) -> bool:
        """Whether every part of the product runs once."""
        return all(len(pids) == 1 for pids in self.parts().values())

    def heals(self, victim: str, before: int) -> None:
        """Returns once what was killed runs anew, and answers people."""
        until(
            lambda: [one for one in self.running(victim) if one != before],
            HEALED_SECONDS,
            0.4,
            f"another {victim}",
        )
        until(self.answers, HEALED_SECONDS, 0.3, "the product's answer")

    def answers(self) -> bool:
        """Whether a person gets to the Hub and to the pages."""
        with suppress(OSError, ValueError):
            user = self.person.api("/users/mara")
            return user.status == 200 and self.person.ask("/services/notebooks/health").status == 200
        return False

    def asked(self, path: str, method: str = "GET", body: object = None, base: str = API) -> int:
        """The status of a request that may meet a product that is just dying: 0 where nobody answered."""
        with suppress(OSError, ValueError):
            return self.person.api(path, method, body, base=base).status
        return 0

    def command(self, *words: str) -> str:
        """What one of our commands prints about this product."""
        told = {"JUPYTERHUB_NOTEBOOKS_STATE": str(self.product.state), "COLUMNS": "200"}
        done = CliRunner().invoke(cli, list(words), env=told, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output


class Book:
    """One notebook of one user."""

    def __init__(self, ground: Ground, name: str) -> None:
        self.ground, self.name = ground, name
        self.path = f"/notebooks/mara/{name}"
        self.written: dict[str, str] = {}

    # -- what is known of it

    @property
    def row(self):
        user = users.by_name(self.ground.ledger, "mara")
        return notebooks.find(self.ground.ledger, user.id, self.name) if user else None

    @property
    def past(self) -> list[Session]:
        """Its sessions, newest first."""
        row = self.row
        return sessions.of_notebook(self.ground.ledger, row.id) if row else []

    def session(self, id: str) -> Session:
        return sessions.get(self.ground.ledger, id)

    @property
    def unsaved(self) -> bool:
        return notebooks.workspace(self.ground.ledger, self.row.workspace).unsaved_on is not None

    @property
    def files(self) -> Path:
        return self.ground.product.state / "volumes" / self.row.id / "files"

    @property
    def server(self) -> dict | None:
        """What the Hub says of it, empty where it runs nothing; None where the Hub does not answer."""
        with suppress(OSError, ValueError, KeyError):
            return self.ground.person.server(self.name) or {}
        return None

    @property
    def is_ready(self) -> bool:
        return bool((self.server or {}).get("ready"))

    @property
    def is_stopped(self) -> bool:
        """Whether the Hub says that it runs nothing."""
        model = self.server
        return model is not None and not model.get("ready") and not model.get("pending")

    def is_reached(self) -> bool:
        """Whether its server answers its user through the proxy."""
        return self.ground.asked("api/status", base=self.ground.person.base(self.name)) == 200

    # -- what its user does

    def ask_start(self) -> None:
        """As the page does: answered at once, also where the start takes long."""
        asked, profile = self.ground.asked, {"profile": "notebook-cpu-small"}
        if self.row is None:
            made = {"name": self.name, "start": False, **profile}
            until(lambda: asked("/notebooks", "POST", made) == 201, 30, 0.5, "the notebook was made")
        until(lambda: asked(f"{self.path}/start", "POST", profile) == 202, 30, 0.5, "the start was taken")

    def start(self) -> Session:
        self.ask_start()
        until(lambda: self.is_ready, READY_SECONDS, 0.25, f"the start of {self.name}")
        return self.past[0]

    def ask_stop(self) -> None:
        until(lambda: self.ground.asked(f"{self.path}/stop", "POST") == 202, 30, what="the stop was taken")

    def stop(self) -> None:
        session = self.past[0]
        self.ask_stop()
        until(lambda: self.session(session.id).closed_at, HEALED_SECONDS, what=f"the stop of {self.name}")
        until(lambda: self.is_stopped, HEALED_SECONDS, 0.25, "the Hub's end of it")

    def write(self, name: str, size: int = 4000) -> None:
        """A file of its user, as the user's own processes write it: straight into the workspace."""
        digest, left = hashlib.blake2b(), size
        with open(self.files / name, "wb") as file:
            while left:
                piece = os.urandom(min(left, PIECE_BYTES))
                digest.update(piece)
                left -= file.write(piece)
        self.written[name] = digest.hexdigest()

    def save(self) -> None:
        """`Save now` of the page, until everything is saved."""
        assert self.ground.asked(f"{self.path}/save", "POST") == 202
        until(self.asks_nothing, 60, what="the save")

    def asks_nothing(self) -> bool:
        """Whether no save is asked for that was not made."""
        return not intents.open_of(self.ground.ledger, self.past[0].id, "save")

    def start_kernel(self) -> None:
        made = self.ground.person.api("api/kernels", "POST", {}, base=self.ground.person.base(self.name))
        assert made.status == 201, made.text
        until(lambda: self.kernels(), 30, what="the kernel")

    def lose_volume(self) -> None:
        shutil.rmtree(self.files.parent)

    # -- its processes

    def pid(self, victim: str) -> int:
        session = self.past[0].id
        found = agent_of(session) if victim == AGENT else None
        if victim == SERVER:
            return self.servers()[0]
        if victim == KERNEL:
            return self.kernels()[0]
        assert found is not None, f"{self.name} has no agent"
        return found.pid

    def servers(self) -> list[int]:
        return self._children("singleuser")

    def kernels(self) -> list[int]:
        return self._children("ipykernel")

    def _children(self, word: str) -> list[int]:
        """Processes of the present session with that word; not a child of the agent that is still a copy of it."""
        agent = agent_of(self.past[0].id)
        found = []
        with suppress(psutil.Error):
            for one in psutil.Process(agent.pid).children(recursive=True) if agent else ():
                line = " ".join(one.cmdline())
                copy = "jupyterhub_notebooks.agent run" in line
                if word in line and not copy and one.status() != psutil.STATUS_ZOMBIE:
                    found.append(one.pid)
        return found

    def family(self) -> dict[str, Known]:
        """Agent and server, and the kernel where there is one, as they are now."""
        names = {AGENT: [self.pid(AGENT)], SERVER: self.servers(), KERNEL: self.kernels()}
        return {name: known(pids[0]) for name, pids in names.items() if pids}

    def listens(self) -> bool:
        """Whether its server takes connections."""
        kept = self.ground.product.state / "jupyterhub.sqlite"
        assert kept.exists()
        for pid in self.servers():
            with suppress(psutil.Error):
                port = re.search(r":(\d+)/", psutil.Process(pid).environ().get("JUPYTERHUB_SERVICE_URL", ""))
                with socket.socket() as probe:
                    if port and probe.connect_ex(("127.0.0.1", int(port[1]))) == 0:
                        return True
        return False

    def left(self) -> list[str]:
        """What still runs or lies about of its sessions: nothing, once they are over."""
        found = []
        for session in self.past:
            for process in of_session(session.id):
                with suppress(psutil.Error):
                    found.append(" ".join(process.cmdline())[:80])
            if run_dir(session.id).exists():
                found.append(str(run_dir(session.id)))
        return found

    # -- what it has

    def differs(self, folder: Path | None = None) -> list[str]:
        """The files of its user that are not as they were written; none is the answer."""
        folder = folder or self.files
        return [
            name
            for name, digest in self.written.items()
            if not (folder / name).is_file() or digest_of(folder / name) != digest
        ]

    def saved_differs(self, folder: Path) -> list[str]:
        """The same of what storage has, fetched by the engine's own command into an empty folder."""
        place = f"file://{self.ground.product.state}/store/workspaces/{self.row.workspace}"
        self.ground.command("workspace", "restore", str(folder), "--store", place)
        return self.differs(folder)

    def ends(self, session: str) -> list[audit.AuditRow]:
        """The audit's rows of that session's end."""
        rows = audit.rows(self.ground.ledger, subject=session)
        return [one for one in rows if one.action == "session.ended"]

    def told(self, session: str) -> tuple[str, str]:
        """The line of `session list`, and the cause line of `session why`, for that session."""
        end = short(session, [one.id for one in sessions.every(self.ground.ledger, limit=50)])
        lines = [line for line in self.ground.command("session", "list").splitlines() if end in line]
        why = [
            line for line in self.ground.command("session", "why", session).splitlines() if "cause " in line
        ]
        assert len(lines) == 1 and len(why) == 1, (end, lines, why)
        return " ".join(lines[0].split()), " ".join(why[0].split())

    def forget(self) -> None:
        """Frees the disk: the notebook is not started again."""
        workspace = self.ground.product.state / "store" / "workspaces" / self.row.workspace
        for folder in (workspace / "blocks", self.files):
            shutil.rmtree(folder, ignore_errors=True)


def digest_of(path: Path) -> str:
    """What the file's bytes are known by."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, hashlib.blake2b).hexdigest()


def frozen(pid: int) -> threading.Event:
    """Stops a process where it is; it goes on once the event is set."""
    os.kill(pid, signal.SIGSTOP)
    go_on = threading.Event()

    def wait() -> None:
        go_on.wait(100)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    threading.Thread(target=wait, daemon=True).start()
    return go_on
