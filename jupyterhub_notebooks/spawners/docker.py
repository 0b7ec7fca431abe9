"""Notebooks as containers of one Docker engine, in front of dockerspawner.

Promises: limits and walls of the launch are on the container before it runs; the files lie in two volumes named by
the notebook's id, which outlive every container; the agent gets its grace whoever stops the container; a container
is found by its session's id after any restart, of Hub or engine; one slow stop holds up nothing else. Traits of
DockerSpawner go on working beside ours; `remove`, `name_template` and `cmd`'s place as the first process are ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import docker.errors
from docker.types import Mount
from dockerspawner import DockerSpawner
from traitlets import Unicode, default

from .. import __version__
from ..ledger import Session, sessions
from ..profiles.choosing import Abilities, Launch
from . import beside, engine, foreign, walling, walls
from .backend import agent_flags, volume_key_of
from .contained import ContainedSpawner
from .local import EDITOR_URLS
from .waiting import Patience

#: Calls of all spawners of this Hub at once: a stop that waits takes no thread, a pull and a start do.
THREADS = 64
ENGINE_SECONDS = 120
KILLED_SECONDS = 10.0
LOG_LINES = 30
POLL_SECONDS = 0.25
#: How often the ledger hears of a pull.
PULL_SECONDS = 1.0
NETWORK = "notebooks"


class DockerNotebookSpawner(ContainedSpawner, DockerSpawner):
    """See the module. Entry point ``notebooks-docker``."""

    egress_image = Unicode(
        f"notebook-egress:{__version__}",
        help="The image that holds the network of notebooks whose profile has a rule for it (`no_public_internet`,"
        " `egress_allowlist`).",
    ).tag(config=True)

    _executor = ThreadPoolExecutor(THREADS, thread_name_prefix="docker")

    @property
    def abilities(self) -> Abilities:  # type: ignore[override]
        """What Docker can do; what only this machine knows (its kinds of GPU) is said in ``notebooks(c, …)``."""
        given = Abilities.from_json(self.settings.abilities)
        return replace(given, name="docker", images=True, limits_cpu=True, limits_memory=True, egress=True)

    @default("network_name")
    def _default_network_name(self) -> str:
        return NETWORK

    @default("client_kwargs")
    def _default_client_kwargs(self) -> dict[str, Any]:
        return {"timeout": ENGINE_SECONDS}

    @default("cmd")
    def _default_cmd(self) -> list[str]:
        return ["jupyterhub-singleuser"]

    # -- the steps of base

    def volume_of(self, notebook: str) -> str:
        return f"{engine.VOLUME}{notebook}"

    def translate(self, launch: Launch) -> dict[str, Any]:
        traits: dict[str, Any] = {
            "environment": dict(launch.environment),
            "mem_limit": launch.resources.memory_bytes,
            "cpu_limit": float(launch.resources.cpu),
            "remove": False,
        }
        if launch.agent == "beside":
            traits |= {"image": self.agent_image, "default_url": beside.URL}
            traits |= {"mem_limit": beside.MEMORY_BYTES, "cpu_limit": beside.CPUS, "environment": {}}
            return traits
        if launch.image:
            traits["image"] = launch.image
        if not self.default_url:
            traits["default_url"] = EDITOR_URLS.get(launch.editor, "/lab")
        return traits

    async def backend_start(self, session: Session) -> tuple[str, int]:
        launch = Launch.from_json(session.launch)
        self.object_name, self.object_id = engine.container_of(session.id), ""
        try:
            for image in dict.fromkeys((self.image, launch.image or self.image)):
                await self.fetch_image(session, image)
            await self._check_image(launch)
            await self._ensure_network()
            await self._ensure_volumes(session)
            await walling.raise_walls(self, session, launch)
            made = await self._create(session, launch)
            self.object_id = made["Id"]
            self._persist()
            await self.docker("start", self.object_id)
            if self.post_start_cmd:
                await self.post_start_exec()
            where: tuple[str, int] = await self.get_ip_and_port()
            return where
        except (docker.errors.DockerException, OSError) as error:
            raise engine.told(_said(error), self.image, self.settings.contact) from error

    async def backend_restored(self, session: Session) -> None:
        launch = Launch.from_json(session.launch)
        if session.kind == "save" or launch.agent != "beside":
            return
        told, joins = walling.told(self, session), engine.container_of(session.id)
        walled = (walls.name_of(session.id), walls.led({}, told)) if told is not None else (joins, {})
        try:
            made = await self.docker(
                "create_container",
                **beside.container(
                    self.client, session, launch, self.workspace_path, self.server.base_url, walled
                ),
            )
            await self.docker("start", made["Id"])
        except (docker.errors.DockerException, OSError) as error:
            raise engine.told(_said(error), launch.image or "", self.settings.contact) from error

    def backend_says_running(self, session: Session) -> bool:
        return Launch.from_json(session.launch).agent == "beside"

    async def backend_poll(self) -> int | None:
        found = await self._inspect(self._session_id)
        if found is None:
            return 0
        if found["State"]["Running"] and await walling.network_is_gone(self, found):
            self.log.error("The network of session %s is gone; its container is ended", self._session_id)
            await self.quietly("kill", found["Id"])
            found = await self._inspect(self._session_id) or found
        return None if found["State"]["Running"] else int(found["State"]["ExitCode"] or 0)

    async def backend_running(self, session: Session) -> bool:
        found = await self._inspect(session.id)
        return bool(found and found["State"]["Running"])

    async def backend_stop(self, session: Session, patience: Patience) -> str:
        if not await self.backend_running(session):
            return ""
        name = engine.container_of(session.id)
        await self.quietly("kill", name, signal="SIGTERM")
        why = await patience.wait(self._ended(session))
        if why:
            await self.quietly("kill", name)
            async with asyncio.timeout(KILLED_SECONDS):
                await self._ended(session)
        return why

    async def backend_left_over(self, session: Session) -> list[str]:
        """A container whose agent is gone holds nothing but a log; what ran beside the agent ended with it."""
        await self.quietly("remove_container", beside.name_of(session.id), v=True, force=True)
        found = await self._inspect(session.id)
        if found is None:
            await self.quietly("remove_container", walls.name_of(session.id), v=True, force=True)
            return []
        running = bool(found["State"]["Running"])
        for name in (found["Id"], walls.name_of(session.id)):
            await self.quietly("remove_container", name, v=True, force=True)
        if found["Id"] == self.object_id:
            self.object_id = ""
        return [f"container {found['Name'].lstrip('/')}"] if running else []

    async def backend_death(self, session: Session) -> tuple[str, str]:
        """What the engine noted: memory that was full, or an end from outside."""
        found = await self._inspect(session.id)
        if found is None:
            return "", "Its container was removed."
        state = found["State"]
        if await walling.network_is_gone(self, found):
            return "", "The container that held its network was ended."
        if state.get("OOMKilled"):
            return "out_of_memory", engine.out_of_memory(found["HostConfig"].get("Memory") or 0, None)
        return "", engine.ended_with(int(state.get("ExitCode") or 0))

    async def backend_log(self) -> list[str]:
        if not self._session_id:
            return []
        lines: list[str] = []
        for name in (engine.container_of(self._session_id), beside.name_of(self._session_id)):
            said = await self.quietly("logs", name, tail=LOG_LINES)
            lines += said.decode("utf-8", "replace").splitlines() if said else []
        return lines

    # -- what a container is made of

    async def fetch_image(self, session: Session, image: str) -> None:
        """An image on this engine; while it comes, the session's row says how much of it is there."""
        if self.pull_policy.lower() != "always":
            try:
                await self.docker("inspect_image", image)
                return
            except docker.errors.NotFound:
                if self.pull_policy.lower() in ("never", "skip"):
                    raise
        self.log.info("Fetching image %s for session %s", image, session.id)
        layers = engine.Layers()
        pull = asyncio.wrap_future(self.executor.submit(self._pull, image, layers))
        told = -1
        while not pull.done():
            await asyncio.wait({pull}, timeout=PULL_SECONDS)
            if layers.done_bytes != told:
                told = layers.done_bytes
                values = {"phase": "pulling", "done_bytes": told, "total_bytes": layers.total_bytes}
                await self.ledger.run(sessions.report, [sessions.Report(session.id, values)])
        await pull
        if layers.error:
            raise docker.errors.DockerException(layers.error)

    def _pull(self, image: str, layers: engine.Layers) -> None:
        repository, tag = _split(image)
        for line in self.client.pull(repository, tag=tag, stream=True, decode=True):
            layers.take(line)

    async def _check_image(self, launch: Launch) -> None:
        """What the profile says of the agent is true of the image."""
        image = await self.docker("inspect_image", self.image)
        has = ((image.get("Config") or {}).get("Labels") or {}).get(engine.AGENT_LABEL)
        if not has:
            raise engine.without_agent(self.image, launch.agent, self.settings.contact)
        if not engine.serves(has, __version__):
            raise engine.too_old(self.image, has, __version__, self.settings.contact)

    async def _ensure_network(self) -> None:
        """A bridge on which notebooks do not see one another. One that is there is taken as it is."""
        if self.network_name in ("bridge", "host", "none"):
            return
        if await self.docker("networks", names=[self.network_name]):
            return
        await self.quietly(
            "create_network",
            self.network_name,
            driver="bridge",
            options={"com.docker.network.bridge.enable_icc": "false"},
            labels={f"{engine.LABEL}network": "1"},
            check_duplicate=True,
        )

    async def _ensure_volumes(self, session: Session) -> None:
        labels = {f"{engine.LABEL}notebook": session.notebook}
        for name in engine.volumes_of(volume_key_of(session, engine.VOLUME)).values():
            await self.docker("create_volume", name, labels=labels)

    async def _create(self, session: Session, launch: Launch) -> dict[str, Any]:
        grace = int(self.settings.save_timeout_seconds)
        limits = engine.host_config(launch)
        host: dict[str, Any] = dict(self.given("extra_host_config"))
        told = walling.told(self, session)
        if told is not None:
            limits["network_mode"] = f"container:{walls.name_of(session.id)}"
            host = {name: value for name, value in host.items() if name not in walls.OF_NETWORK}
        given: dict[str, Any] = dict(self.given("extra_create_kwargs"))
        labels = {**engine.labels_of(session.notebook, session.id, launch), **(given.get("labels") or {})}
        made_of = {"stop_timeout": grace, "working_dir": "/", **given, "labels": labels}
        if told is not None:
            made_of["ports"] = None  # they are those of whoever holds the network
        before = {name: getattr(self, name) for name in ("extra_host_config", "extra_create_kwargs")}
        try:
            self.set_trait("extra_host_config", {**limits, **host})
            self.set_trait("extra_create_kwargs", made_of)
            made: dict[str, Any] = await self.create_object()
            return made
        finally:
            for name, value in before.items():
                self.set_trait(name, value)

    async def get_ip_and_port(self) -> tuple[str, int]:
        """Of whoever holds the network."""
        session = await self.known_session()  # also one that a Hub before this one started
        if session is None or not walls.holds(session):
            where: tuple[str, int] = await super().get_ip_and_port()
            return where
        found = await self.docker("inspect_container", walls.name_of(session.id))
        return str(self.get_network_ip(found["NetworkSettings"])), int(self.port)

    def given(self, trait: str) -> Mapping[str, Any]:
        """What the administrator set, a dict or what makes one."""
        return self._eval_if_callable(getattr(self, trait)) or {}

    @property
    def mount_binds(self) -> list[Mount]:
        """Those of the administrator, and ours: two volumes that stay, and what is gone with the container."""
        mounts = list(super().mount_binds)
        if self._session is not None:
            names = engine.volumes_of(volume_key_of(self._session, engine.VOLUME))
            mounts += [
                Mount(self.workspace_path, names["files"], type="volume"),
                Mount(self.state_path, names["state"], type="volume"),
            ]
        passing = [path for path in (self.run_path, self.data_path, "/tmp", "/var/tmp") if path]
        return mounts + [Mount(path, None, type="volume") for path in passing]

    async def get_command(self) -> list[str]:
        """The agent, and after it what it starts."""
        only_save = self._session is not None and self._session.kind == "save"
        server = foreign.SAVING_PAGE if only_save else [*self.cmd, *self.get_args()]
        flags = agent_flags(self._session) if self._session is not None else []
        if self._session is not None and not only_save and self.backend_says_running(self._session):
            server, flags = beside.FRONT, [*flags, "--beside", str(beside.PORT)]
        if self._session is not None and walls.holds(self._session):
            flags += ["--egress", walls.PROXY]
        return [
            "notebook-agent", "run", *flags, "--state", self.state_path, "--run-dir", self.run_path, "--", *server,
        ]  # fmt: skip

    def get_env(self) -> dict[str, str]:
        env: dict[str, str] = super().get_env()
        if self._session is not None:
            env |= self.agent_environment(self._session)
        told = walling.told(self, self._session)
        if told is not None:
            env = walls.led(env, told)
        return env

    # -- what a Hub restart must find again

    async def get_url(self) -> str:
        """The container's address now: an engine that was restarted gives another one."""
        if self._session_id and self.server is not None:
            try:
                self.server.ip, self.server.port = await self.get_ip_and_port()
            except (docker.errors.DockerException, OSError, KeyError) as error:
                self.log.warning("The address of %s is not known: %s", self._log_name, error)
        return await super().get_url()

    # -- asking the engine

    async def _inspect(self, session: str) -> dict[str, Any] | None:
        """The container of a session; None where there is none. An engine that does not answer raises."""
        if not session:
            return None
        try:
            found: dict[str, Any] = await self.docker("inspect_container", engine.container_of(session))
            return found
        except docker.errors.NotFound:
            return None

    async def _ended(self, session: Session) -> None:
        while await self.backend_running(session):  # noqa: ASYNC110  (the engine tells nobody)
            await asyncio.sleep(POLL_SECONDS)

    async def quietly(self, method: str, *args: Any, **more: Any) -> Any:
        """A call whose object may be gone meanwhile, or there already: then None."""
        try:
            return await self.docker(method, *args, **more)
        except docker.errors.APIError as error:
            if error.status_code in (404, 409):
                return None
            raise


def _said(error: Exception) -> str:
    """What the engine wrote, without the library's words around it."""
    if isinstance(error, docker.errors.APIError):
        return str(error.explanation or error)
    if isinstance(error, OSError) or "Error while fetching server API version" in str(error):
        return f"Docker does not answer: {error}"
    return str(error)


def _split(image: str) -> tuple[str, str | None]:
    """Repository and tag; an image that is named by its digest has no tag."""
    if "@" in image:
        return image, None
    head, colon, tag = image.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (image, "latest")
