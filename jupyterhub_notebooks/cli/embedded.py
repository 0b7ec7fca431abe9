"""What ``up`` runs on one machine: the environment that its children share, and the children themselves.

Promises: everything the Hub's configuration needs is in the environment; nothing listens beyond 127.0.0.1, but for
the Hub and services/agents where the configuration names the address that containers reach this machine by; the
settings that services/agents gets are those that the Hub's configuration makes.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import http.client
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import ConfigError
from ..settings import VARIABLE, Settings
from .ports import HOST
from .state import State
from .supervise import Child
from .tools import Tools

CONFIG_FOLDER = Path(__file__).parents[1] / "config"
CONFIG = CONFIG_FOLDER / "local" / "jupyterhub_config.py"
PROFILES = CONFIG_FOLDER / "profiles.yaml"
READ_SECONDS = 60


@dataclass(frozen=True)
class Plan:
    """One ``up``: where it keeps things, what it reads, where it listens."""

    state: State
    port: int
    config: Path
    profiles: Path
    ports: Mapping[str, int]
    #: What the configuration says the Hub and services/agents listen on; known once it is read.
    hub_host: str = HOST
    agents_host: str = HOST

    @property
    def url(self) -> str:
        """Where people go."""
        return f"http://{HOST}:{self.port}"

    @property
    def hub_api(self) -> str:
        return f"{self.hub_url}/hub/api"

    @property
    def hub_url(self) -> str:
        return f"http://{self.hub_host}:{self.ports['hub']}"

    def listening_as(self, configured: Configured) -> Plan:
        """With the addresses that this configuration names."""
        return dataclasses.replace(
            self,
            hub_host=configured.hub_host,
            agents_host=urlsplit(configured.settings.agents_url).hostname or HOST,
        )


def environment(plan: Plan, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of the children: ours, this Python's programs first, and what the configuration reads."""
    programs = str(Path(sys.executable).parent)
    return {
        **{name: value for name, value in base.items() if name != VARIABLE},
        "PATH": f"{programs}{os.pathsep}{base.get('PATH', os.defpath)}",
        "NOTEBOOKS_STATE": str(plan.state.folder),
        "NOTEBOOKS_URL": plan.url,
        "NOTEBOOKS_PROFILES": str(plan.profiles),
        **{f"NOTEBOOKS_PORT_{name.upper()}": str(port) for name, port in plan.ports.items()},
    }


@dataclass(frozen=True)
class Configured:
    """What the Hub's configuration says that ``up`` must know."""

    settings: Settings
    own_passwords: bool
    hub_host: str = HOST


def read_config(plan: Plan) -> Configured:
    """What the configuration makes, read in a process of its own. Raises ConfigError.

    Where the state is not made yet, it is read against one that lies in a temporary folder.
    """
    with _rehearsal(plan) as stand_in:
        found = _read_config(stand_in)
    there, here = str(stand_in.state.folder), str(plan.state.folder)
    settings = Settings.from_json(found.settings.to_json().replace(there, here))
    return dataclasses.replace(found, settings=settings)


@contextlib.contextmanager
def _rehearsal(plan: Plan) -> Iterator[Plan]:
    if plan.state.exists():
        yield plan
        return
    with tempfile.TemporaryDirectory(prefix="jupyterhub-notebooks-") as made:
        state = State(Path(made))
        state.prepare_folder()
        state.prepare()
        yield dataclasses.replace(plan, state=state)


def _read_config(plan: Plan) -> Configured:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "jupyterhub_notebooks.cli.read_config", str(plan.config)],
            env=environment(plan),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=READ_SECONDS,
        )
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise ConfigError(
            "This configuration does not come to an end",
            f"It was read for {READ_SECONDS} s",
            field=str(plan.config),
        ) from None
    except ValueError:
        said = (done.stderr.strip().splitlines() or [f"Its reader ended with status {done.returncode}"])[-1]
        raise ConfigError("This configuration cannot be read", said, field=str(plan.config)) from None
    if "error" in answer:
        told: dict[str, Any] = answer["error"]
        raise ConfigError(told["title"], told["why"], told["next"], field=told["field"])
    return Configured(
        Settings.from_json(answer["settings"]), answer["own_passwords"], answer["hub_host"] or HOST
    )


def children(plan: Plan, tools: Tools, settings: Settings) -> list[Child]:
    """The processes of ``up`` in the order of their start."""
    shared = environment(plan)
    return [_proxy(plan, tools, shared), _agents(plan, settings, shared), _hub(plan, shared)]


def _proxy(plan: Plan, tools: Tools, shared: Mapping[str, str]) -> Child:
    port = plan.ports["proxy"]
    token = plan.state.secret("proxy-token").read_text().strip()
    command = [str(tools.node), str(tools.proxy), "--ip", HOST, "--port", str(plan.port)]
    command += ["--api-ip", HOST, "--api-port", str(port), "--log-level", "warn"]
    command += [
        "--default-target",
        plan.hub_url,
        "--error-target",
        f"{plan.hub_url}/hub/error",
    ]

    async def ready() -> bool:
        return await answers(HOST, port, "/api/routes", {"Authorization": f"token {token}"}) == 200

    return Child(
        "proxy", "The proxy", command, {**shared, "CONFIGPROXY_AUTH_TOKEN": token, "NO_COLOR": "1"}, ready
    )


def _agents(plan: Plan, settings: Settings, shared: Mapping[str, str]) -> Child:
    port = plan.ports["agents"]
    own = {
        VARIABLE: settings.to_json(),
        "JUPYTERHUB_SERVICE_NAME": "agents",
        "JUPYTERHUB_SERVICE_URL": f"http://{plan.agents_host}:{port}",
        "JUPYTERHUB_SERVICE_PREFIX": "/services/agents/",
        "JUPYTERHUB_API_URL": plan.hub_api,
        "JUPYTERHUB_API_TOKEN": plan.state.secret("agents-token").read_text().strip(),
    }
    command = [sys.executable, "-m", "jupyterhub_notebooks.services.agents"]

    async def ready() -> bool:
        return await answers(plan.agents_host, port, "/services/agents/health") == 200

    return Child("agents", "The agents' service", command, {**shared, **own}, ready)


def _hub(plan: Plan, shared: Mapping[str, str]) -> Child:
    command = [sys.executable, "-m", "jupyterhub", "-f", str(plan.config)]

    async def ready() -> bool:
        """The Hub itself, and the ways that people take.

        The Hub answers before it has given the proxy the routes to pages and running notebooks, all at once.
        """
        if await answers(plan.hub_host, plan.ports["hub"], "/hub/health") != 200:
            return False
        return await answers(HOST, plan.port, "/services/notebooks/health") == 200

    return Child("hub", "The Hub", command, shared, ready)


async def answers(host: str, port: int, path: str, headers: Mapping[str, str] | None = None) -> int | None:
    """The status that a server on this machine answers at this address of its own; None where none does."""

    def ask() -> int | None:
        connection = http.client.HTTPConnection(host, port, timeout=5)
        try:
            connection.request("GET", path, headers=dict(headers or {}))
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    return await asyncio.to_thread(ask)
