"""Notebooks as pods of a Kubernetes, in front of KubeSpawner.

Promises: what the launch gives is on the pod before it runs; the files lie in a claim named by the notebook's id, which
outlives every pod, or in the pod, fetched from storage at each start (the profile says which); whoever ends a pod, its
agent has the whole grace for its last save, and no start ever ends a pod; a pod is kept until what it holds is saved; it
is found by its session's id after any restart of the Hub. What `c.KubeSpawner` was given goes on working beside ours;
names of pods, the grace and the agent's place as the first process are ours.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from kubernetes_asyncio.client.exceptions import ApiException
from kubespawner import KubeSpawner
from kubespawner.objects import make_pvc
from kubespawner.slugs import safe_slug
from traitlets import Bool, Enum, Integer, default

from ..errors import ConfigError, DatabaseAway
from ..ledger import Session, intents, sessions
from ..profiles.choosing import Abilities, Launch
from ..settings import Settings
from . import foreign, podchecks, podends, podrefused, pods, podwatch
from .backend import agent_flags, volume_key_of
from .contained import ContainedSpawner
from .local import EDITOR_URLS
from .podwatch import Bounds, PodWatch
from .podwatches import AWAY, Watching
from .refusing import NotStarted
from .waiting import Patience, unless_fails

LOOK_SECONDS = 0.1
#: An agent that was not told of its end by its machine for so long is told by services/agents.
UNHEARD_SECONDS = 10.0
REQUEST_SECONDS = 10.0
#: A kubelet gives 2 s to what is ended by force.
KILLED_SECONDS = 20.0
LABEL_LENGTH = 63
#: What of KubeSpawner ours is added to.
THEIRS = (
    "cpu_guarantee", "mem_guarantee", "extra_resource_limits", "extra_resource_guarantees", "node_selector",
    "tolerations", "image_pull_secrets", "volumes", "volume_mounts", "pod_security_context",
    "container_security_context", "extra_pod_config", "extra_container_config", "init_containers",
)  # fmt: skip


class KubeNotebookSpawner(ContainedSpawner, Watching):
    """See the module. Entry point ``notebooks-kube``."""

    workspace_volume = Enum(
        ("claim", "ephemeral"),
        "claim",
        help="""Where a notebook's files lie, unless its profile says: `claim`, a volume that outlives its pods and is
        made by the cluster's storage (`storage_class`, `storage_capacity`); or `ephemeral`, in the pod, fetched from
        the workspace storage at each start: what was not saved when the machine is lost is gone.""",
    ).tag(config=True)
    scales = Bool(
        False, help="This cluster starts machines when places are missing: a start then waits for one."
    ).tag(config=True)
    machine_seconds = Integer(600, help="How long a start waits for a place on a machine.").tag(config=True)
    pull_seconds = Integer(1200, help="How long a start waits for its image.").tag(config=True)

    _theirs: Mapping[str, Any] | None = None
    _variables: Mapping[str, str] = {}
    _created: asyncio.Event | None = None
    _last_wait: asyncio.Event | None = None

    @property
    def abilities(self) -> Abilities:  # type: ignore[override]
        """What Kubernetes can do; what only this cluster has (its kinds of GPU) is said in ``notebooks(c, …)``."""
        given = Abilities.from_json(self.settings.abilities)
        return replace(given, name="kubernetes", images=True, limits_cpu=True, limits_memory=True)

    @default("cmd")
    def _default_cmd(self) -> list[str]:
        return ["jupyterhub-singleuser"]

    @default("uid")
    def _default_uid(self) -> int:
        return pods.UID

    @default("gid")
    def _default_gid(self) -> int:
        return pods.UID

    @default("fs_gid")
    def _default_fs_gid(self) -> int:
        return pods.UID

    @classmethod
    def wrong_settings(cls, given: Sequence[Mapping[str, Any]], settings: Settings) -> ConfigError | None:
        return podchecks.wrong(given, int(settings.save_timeout_seconds))

    # -- the steps of base

    def volume_of(self, notebook: str) -> str:
        return f"{pods.VOLUME}{notebook}"

    def translate(self, launch: Launch) -> dict[str, Any]:
        session = self._session
        assert session is not None
        if self._theirs is None:
            self._theirs = {name: getattr(self, name) for name in (*THEIRS, "environment", "storage_class")}
        self._variables = dict(launch.environment)
        grace = int(self.settings.save_timeout_seconds)
        wrong = podchecks.of_pod(
            launch.kubernetes.get("pod") or {}, grace, f"{launch.profile}.kubernetes.pod"
        )
        if wrong is not None:
            raise wrong
        found = pods.traits(launch, self._pod_of(launch, session), self._theirs)
        if not self.cmd:  # what some charts set where the image's own command is meant
            found["cmd"] = self._default_cmd()
        if launch.agent == "beside":
            found["default_url"] = foreign.URL
        elif not self.default_url:
            found["default_url"] = EDITOR_URLS.get(launch.editor, "/lab")
        if session.kind == "save":
            found["cmd"] = foreign.SAVING_PAGE
        return found

    async def backend_start(self, session: Session) -> str:
        launch = Launch.from_json(session.launch)
        if self.internal_ssl:
            raise NotStarted(
                "Notebooks on Kubernetes cannot take part in c.JupyterHub.internal_ssl",
                "Their pods are named after the certificates are made",
                (f"Ask {self.settings.contact} to set c.JupyterHub.internal_ssl = False",),
                cause="not_created",
            )
        self.pod_name = pods.name_of(self._expand_user_properties(self.pod_name_template), session.id)
        self.dns_name = self.dns_name_template.format(namespace=self.namespace, name=self.pod_name)
        self._persist()
        self._created, self._last_wait = asyncio.Event(), asyncio.Event()
        starting = asyncio.ensure_future(self._start_pod(session, launch))
        try:
            await unless_fails(self._created.wait(), starting)
            pod = await unless_fails(self._until_running(session), starting)
            await unless_fails(self._last_wait.wait(), starting)  # hooks of the administrator
            return self._url_of(pod)
        except ApiException as error:
            raise podrefused.refused(error.status, str(error.body or ""), self.settings.contact) from error
        except (TimeoutError, OSError) as error:
            raise podwatch.away(str(error), self.settings.contact) from error
        finally:
            starting.cancel()

    async def backend_goes_on(self, session: Session) -> str:
        return self._url_of(await self._until_running(session))

    async def backend_restored(self, session: Session) -> None:
        """A foreign image is fetched only now: what can go wrong with it is watched as the agent's was."""
        if _is_beside(session, Launch.from_json(session.launch)):
            await self._watch_of_start().until_running(session, pods.NOTEBOOK, late=True)

    async def _until_running(self, session: Session) -> pods.Known:
        """The pod, once its agent runs; a cluster that does not answer meanwhile is waited for."""
        beside = _is_beside(session, Launch.from_json(session.launch))
        return await self._watch_of_start().until_running(session, pods.AGENT if beside else pods.NOTEBOOK)

    def _watch_of_start(self) -> PodWatch:
        return PodWatch(self, Bounds(self.machine_seconds, self.pull_seconds, self.scales))

    def _url_of(self, pod: pods.Known) -> str:
        self.pod_id, self._last_seen = pod["metadata"]["uid"], pod
        return str(self._get_pod_url(pod))

    async def stop(self, now: bool = False) -> None:
        """The one stop. KubeSpawner also calls it to clear away after a start of its own that failed: ours does that."""
        if not (now and self._bringing_up):
            await super().stop(now)

    async def _start_pod(self, session: Session, launch: Launch) -> None:
        """KubeSpawner's own start, after our claim is there. Its last wait is not awaited: a watch is quicker."""
        if not pods.is_ephemeral(launch, self.workspace_volume):
            if self.enable_user_namespaces:
                await self._ensure_namespace()
            async with asyncio.timeout(self.k8s_api_request_retry_timeout):
                await self._ensure_claim(session, launch)
        await KubeSpawner._start(self)

    def is_pod_running(self, pod: Any) -> bool:
        if self._last_wait is not None:
            self._last_wait.set()
        return bool(super().is_pod_running(pod))

    async def load_user_options(self) -> None:
        """What is started was chosen from profiles.yaml; KubeSpawner's profile_list has no part in it."""

    async def _make_create_pod_request(self, pod: Any, request_timeout: float) -> bool:
        """Makes the pod. One of its name that is there was made by us, in a request whose answer was lost: a session
        has one pod, and nothing is ever ended to make room for another."""
        self.log.info("Creating pod %s/%s", self.namespace, pod.metadata.name)
        try:
            async with asyncio.timeout(request_timeout):
                await self.api.create_namespaced_pod(self.namespace, pod)
        except TimeoutError:
            return False
        except ApiException as error:
            if error.status != 409:
                raise
        if self._created is not None:
            self._created.set()
        return True

    def backend_says_running(self, session: Session) -> bool:
        return Launch.from_json(session.launch).agent == "beside"

    async def backend_poll(self) -> int | None:
        return pods.exit_status(await self._pod(self._session_id))

    async def backend_running(self, session: Session) -> bool:
        return not pods.over(await self._pod(session.id))

    async def backend_stop(self, session: Session, patience: Patience) -> str:
        if self._created is not None and not self._created.is_set():
            return ""  # this start came to nothing before its pod was there
        why = await patience.wait(self._end(session))
        if why:
            pod = await self._pod(session.id)
            if podends.is_away(pod):
                why = "Its machine stopped answering: what it had not saved before is not saved."
            await self._delete(pod, 0)
            async with asyncio.timeout(KILLED_SECONDS):
                while await self.backend_running(session):  # noqa: ASYNC110  (the watch wakes nobody)
                    await asyncio.sleep(LOOK_SECONDS)
        return why

    async def _end(self, session: Session) -> None:
        """Asks for the end of a session's pod, with the grace for its last save, and returns once nothing of its agent
        runs. A cluster that does not answer, or refuses, is asked again, and the agent told by services/agents instead; so
        it is where its machine does not hear of it, as one does for up to a minute after its cluster was away."""
        asked = told = False
        since = 0.0
        while True:
            try:
                pod = await self._pod(session.id)
                if pods.over(pod):
                    return
                if not asked:
                    # what never ran has nothing to save, and its machine may be busy with its image for minutes
                    await self._delete(pod, int(self.settings.save_timeout_seconds) if pods.began(pod) else 0)
                    since = time.monotonic()
                asked = True
                if not told and pods.began(pod) and time.monotonic() - since > UNHEARD_SECONDS:
                    told = await self._told_to_finish(session)
                await asyncio.sleep(LOOK_SECONDS)
            except AWAY as error:
                self.log.warning("The end of session %s is asked for again: %s", session.id, error)
                told = told or await self._told_to_finish(session)
                await asyncio.sleep(podwatch.AWAY_SECONDS)

    async def _told_to_finish(self, session: Session) -> bool:
        """Whether the order could be written, or is not needed; an agent follows it with its next heartbeat."""
        try:
            row = await self.ledger.run(sessions.get, session.id)
            if row.phase in ("saving", "ended"):
                return True
            stop = await self.ledger.run(intents.last_stop, session.id)
            cause = stop.cause if stop is not None else "stopped"
            await self.ledger.run(intents.ask, session.id, "finish", cause, None, datetime.now(UTC))
        except DatabaseAway as error:
            self.log.warning("Session %s could not be told to end: %s", session.id, error.sentence())
            return False
        return True

    async def backend_left_over(self, session: Session) -> list[str]:
        """A pod whose agent is gone holds nothing but why it ended; what ran beside the agent ends with it."""
        pod = await self._pod(session.id)
        if pod is None:
            return []
        running = not pods.over(pod)
        await self._delete(pod, 0 if running else None)
        return [f"pod {pod['metadata']['name']}"] if running else []

    def backend_keeps_volume(self, session: Session) -> bool:
        return not pods.is_ephemeral(Launch.from_json(session.launch), self.workspace_volume)

    async def backend_death(self, session: Session) -> tuple[str, str]:
        pod = await self._pod(session.id) or self._seen_of(session.id)
        container = pods.container_of(pod) if pod is not None else pods.NOTEBOOK
        events = podwatch.events_of(self.event_reflector, pod, time.monotonic()) if pod is not None else ()
        cause, sentence = podends.death_of(pod, events, container)
        return cause or ("" if self._was_ready or not sentence else "ended_at_once"), sentence

    # -- what a pod is made of

    def _pod_of(self, launch: Launch, session: Session) -> pods.Pod:
        notebook = self._notebook
        made = pods.Pod(
            agent_image=self.agent_image,
            notebook=session.notebook,
            session=session.id,
            claim=self._claim_of(session, launch),
            paths=pods.Paths(self.workspace_path, self.state_path, self.run_path, self.data_path),
            command=self._agent_command(session, launch),
            grace_seconds=int(self.settings.save_timeout_seconds),
            project=safe_slug(notebook.project, max_length=LABEL_LENGTH)
            if notebook and notebook.project
            else "",
            title=notebook.title if notebook else "",
        )
        if not _is_beside(session, launch):
            return made
        return replace(
            made,
            server=foreign.command(f"{self.server.base_url.rstrip('/')}/{foreign.PATH}/"),
            agent_environment=self._environment_of_agent(session),
            agent_pull_policy=self.image_pull_policy or "IfNotPresent",
            front=foreign.FRONT,
        )

    def _agent_command(self, session: Session, launch: Launch) -> list[str]:
        flags = agent_flags(session)
        if _is_beside(session, launch):
            flags = [*flags, "--beside", str(foreign.PORT)]
        return ["notebook-agent", "run", *flags, "--state", self.state_path, "--run-dir", self.run_path, "--"]

    def get_args(self) -> list[str]:
        return [] if self._session is not None and self._session.kind == "save" else list(super().get_args())

    def get_env(self) -> dict[str, str]:
        session = self._session
        if session is None:
            return dict(super().get_env())
        if _is_beside(session, Launch.from_json(session.launch)):
            theirs = (self._theirs or {}).get("environment") or {}
            given = {**pods.of_administrator(theirs, self, self._expand_all), **self._variables}
            return {**given, "HOME": self.workspace_path, "NOTEBOOK_SESSION_ID": session.id}
        return self._environment_of_agent(session)

    def _environment_of_agent(self, session: Session) -> dict[str, str]:
        return {**super().get_env(), **self.agent_environment(session)}

    def _claim_of(self, session: Session, launch: Launch) -> str:
        if pods.is_ephemeral(launch, self.workspace_volume):
            return ""
        return pods.claim_of(volume_key_of(session, pods.VOLUME))

    async def _ensure_claim(self, session: Session, launch: Launch) -> None:
        own, notebook = launch.kubernetes, {f"{pods.LABEL}notebook": session.notebook}
        size = own.get("size")
        claim = make_pvc(
            name=self._claim_of(session, launch),
            storage_class=own.get("storage_class") or self.storage_class,
            access_modes=self.storage_access_modes,
            selector=self.storage_selector,
            storage=str(size) if size else self.storage_capacity or "10Gi",
            labels=self._build_common_labels({**self._expand_all(self.storage_extra_labels), **notebook}),
            annotations=self._build_common_annotations(self._expand_all(self.storage_extra_annotations)),
        )
        while not await self._make_create_pvc_request(claim, REQUEST_SECONDS):
            self.log.warning(
                "The cluster did not answer; the claim %s is asked for again", claim.metadata.name
            )

    # -- asking the cluster

    async def _delete(self, pod: pods.Known | None, grace_seconds: int | None) -> None:
        """Asks for the end of this very pod; None: with the grace it was made with."""
        if pod is None:
            return
        meta = pod["metadata"]
        body: dict[str, Any] = {
            "preconditions": {"uid": meta["uid"]}
        }  # an API that gets a body reads nothing else
        if grace_seconds is not None:
            body["gracePeriodSeconds"] = grace_seconds
        self.log.info("Deleting pod %s/%s, grace %s s", self.namespace, meta["name"], grace_seconds)
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                await self.api.delete_namespaced_pod(
                    name=meta["name"],
                    namespace=meta.get("namespace", self.namespace),
                    body=body,
                )
        except ApiException as error:
            if error.status not in (404, 409):
                raise
            self.log.info("Pod %s/%s is not there any more (%s)", self.namespace, meta["name"], error.status)


def _is_beside(session: Session, launch: Launch) -> bool:
    """Whether the agent has a container of its own. A run that only saves needs no foreign image."""
    return launch.agent == "beside" and session.kind != "save"
