"""From a launch to what KubeSpawner makes a pod of. Pure functions of the launch, of the Hub's paths and of what the
administrator set.

What the administrator set in ``c.KubeSpawner`` holds beside ours and, where both name one key, before ours; what the profile
says of pod and container holds before both. Texts of a profile are never taken for KubeSpawner's templates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any

from ..profiles.choosing import Launch
from . import podchecks

#: A part of an object of Kubernetes, by its own keys.
Object = dict[str, Any]
#: One as the Hub's watch has it.
Known = Mapping[str, Any]
#: Before the names of volumes in the ledger.
VOLUME = "kubernetes:"
#: On pods and claims; a value is an id or a profile's name, never what a user spelled.
LABEL = "notebooks.jupyter.org/"
UID = 1000
AGENT, NOTEBOOK = "agent", "notebook"
#: KubeSpawner's name for the volume of ours would be a user's; this one is in every pod of ours.
FILES = "notebook-files"
#: How long a pod stays bound to a machine that stopped answering; a kubelet's restart takes less.
AWAY_SECONDS = 120
PROBE_SECONDS = 6 * 3600
LONGEST_NAME = 63
AGENT_MEMORY_BYTES, AGENT_CPUS = 10**9, 1.0


@dataclass(frozen=True)
class Paths:
    """Where a notebook's files, the agent's own, its sockets and what is gone at the stop lie. data: '' for none."""

    workspace: str
    state: str
    run: str
    data: str


@dataclass(frozen=True)
class Pod:
    """What a session's pod is made of beside its launch. claim: '' where the workspace lies in the pod. command: of the
    agent, to its ``--``. server: what a foreign image runs beside it. grace_seconds: for the last save. agent_environment:
    texts, or what Kubernetes takes a value from, as ``{"valueFrom": …}``."""

    notebook: str
    session: str
    claim: str
    paths: Paths
    command: Sequence[str]
    grace_seconds: int
    project: str = ""
    title: str = ""
    server: Sequence[str] = ()
    agent_image: str = ""
    agent_pull_policy: str = "IfNotPresent"
    agent_environment: Mapping[str, Any] = field(default_factory=dict)
    front: Sequence[str] = ()


def claim_of(key: str) -> str:
    """The name of a notebook's claim. key: its id, with ``.N`` behind it once it was given an N-th other volume."""
    return f"nb-{key.lower().replace('.', '-')}"


def name_of(slug: str, session: str) -> str:
    """The name of a session's pod: what the administrator's template gives, and the session's id."""
    return f"{slug[: LONGEST_NAME - len(session) - 1].rstrip('-') or 'nb'}-{session.lower()}"


def labels_of(notebook: str, session: str, launch: Launch, project: str = "") -> dict[str, str]:
    """What `kubectl get pods -L` shows. project: left out where its name may be no label's value."""
    found = {"notebook": notebook, "session": session, "profile": launch.profile, "flavor": launch.flavor}
    if _LABEL_VALUE.fullmatch(project):
        found["project"] = project
    return {f"{LABEL}{name}": value for name, value in found.items() if value}


def is_ephemeral(launch: Launch, default: str) -> bool:
    """Whether the workspace lies in the pod alone. default: the Hub's."""
    return (launch.kubernetes.get("workspace") or default) == "ephemeral"


def traits(launch: Launch, pod: Pod, theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Traits of KubeSpawner by name. theirs: what the administrator set of them, by name. Raises ConfigError."""
    beside = bool(pod.server)
    own = launch.kubernetes
    if not pod.claim and not beside:
        _check_restarts(launch, theirs.get("extra_pod_config") or {})
    made: dict[str, Any] = {
        **_resources(launch, theirs),
        "environment": literal(dict(launch.environment)),
        "node_selector": {**(theirs.get("node_selector") or {}), **launch.resources.placement.node_selector},
        "tolerations": listed(theirs.get("tolerations")) + _tolerations(launch, theirs),
        "image_pull_secrets": listed(theirs.get("image_pull_secrets")) + list(own.get("pull_secrets") or ()),
        "extra_labels": labels_of(pod.notebook, pod.session, launch, pod.project),
        "extra_annotations": literal(_annotations(pod)),
        "volumes": listed(theirs.get("volumes")) + _volumes(launch, pod, theirs.get("storage_class")),
        "volume_mounts": listed(theirs.get("volume_mounts")) + mounts(pod.paths, beside=beside),
        "pod_security_context": _under(_POD_SECURITY, theirs.get("pod_security_context")),
        "container_security_context": _under(
            _security(read_only=not beside), theirs.get("container_security_context")
        ),
        "extra_pod_config": _joined(
            _pod_config(launch, pod), theirs.get("extra_pod_config"), literal(own.get("pod"))
        ),
        "extra_container_config": _joined(
            _container_config(pod, beside), theirs.get("extra_container_config"), own.get("container")
        ),
    }
    if launch.agent == "beside" and not beside:
        made["image"] = pod.agent_image
    elif launch.image:
        made["image"] = launch.image
    if launch.resources.placement.priority_class:
        made["priority_class_name"] = launch.resources.placement.priority_class
    if beside:
        made["init_containers"] = [*listed(theirs.get("init_containers")), literal(_agent(pod))]
    return made


def mounts(paths: Paths, *, beside: bool = False, agent: bool = False) -> list[Object]:
    """Where the volumes are in a container. beside: of a notebook whose agent is in another container; it gets the files
    alone. agent: of that agent."""
    found = [{"name": FILES, "mountPath": paths.workspace, "subPath": "files"}]
    if not beside:
        found += [
            {"name": FILES, "mountPath": paths.state, "subPath": "state"},
            {"name": "notebook-run", "mountPath": paths.run},
        ]
        found += [{"name": "notebook-tmp", "mountPath": path, "subPath": sub} for path, sub in _TEMPORARY]
    if paths.data and not agent:
        found.append({"name": "notebook-data", "mountPath": paths.data})
    return found


def of_administrator(
    environment: Mapping[str, Any], spawner: Any, expanded: Callable[[Any], Any]
) -> dict[str, Any]:
    """What a foreign image gets of ``c.KubeSpawner.environment``, as the Hub and KubeSpawner would have it: functions are
    asked, templates expanded. Nothing by which the Hub or an agent is reached."""
    return {
        name: value(spawner) if callable(value) else expanded(value)
        for name, value in environment.items()
        if not name.startswith(_OURS)
    }


def listed(given: Any) -> list[Any]:
    """KubeSpawner's lists may be dicts, ordered by their keys."""
    if isinstance(given, Mapping):
        return [given[key] for key in sorted(given)]
    return list(given or ())


def literal(value: Any) -> Any:
    """A value that comes out of KubeSpawner's templates as it is."""
    if isinstance(value, str):
        return value.replace("{", "{{").replace("}", "}}")
    if isinstance(value, Mapping):
        return {literal(key): literal(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [literal(item) for item in value]
    return value


#: Before the names of variables that only the agent and the Hub's own server may have.
_OURS = ("JUPYTERHUB_", "NOTEBOOK_")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_TEMPORARY = (("/tmp", "tmp"), ("/var/tmp", "var-tmp"))
_POD_SECURITY: Mapping[str, Any] = {
    "runAsNonRoot": True,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}


def _security(*, read_only: bool) -> dict[str, Any]:
    """What passes the level "restricted". read_only: what an image that knows nothing of us writes is not known."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": read_only,
    }


def _under(ours: Mapping[str, Any], theirs: Any) -> Any:
    """Theirs hold before ours. Where theirs are a function of the spawner, so is the result: KubeSpawner asks it when it
    makes the pod, and waits for what it answers."""
    if not callable(theirs):
        return {**ours, **(theirs or {})}

    async def both(spawner: Any) -> dict[str, Any]:
        given = theirs(spawner)
        return {**ours, **((await given if isawaitable(given) else given) or {})}

    return both


def _resources(launch: Launch, theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Limits, and as much guaranteed as the administrator says, or all of it."""
    resources = launch.resources
    made: dict[str, Any] = {"cpu_limit": float(resources.cpu), "mem_limit": resources.memory_bytes}
    for name, limit in (("cpu_guarantee", made["cpu_limit"]), ("mem_guarantee", made["mem_limit"])):
        given = theirs.get(name)
        made[name] = limit if given is None else min(given, limit)
    if resources.gpu is not None:
        gpus = {resources.gpu.resource: resources.gpu.count}
        for name in ("extra_resource_limits", "extra_resource_guarantees"):
            made[name] = {**(theirs.get(name) or {}), **gpus}
    return made


def _tolerations(launch: Launch, theirs: Mapping[str, Any]) -> list[Object]:
    """The flavor's; the usual taint of machines with such GPUs; and how long a machine may be away."""
    found: list[Object] = [dict(one) for one in launch.resources.placement.tolerations]
    for one in found:  # numbers are texts in profiles.yaml
        if "tolerationSeconds" in one:
            one["tolerationSeconds"] = int(one["tolerationSeconds"])
    if launch.resources.gpu is not None:
        found.append({"key": launch.resources.gpu.resource, "operator": "Exists", "effect": "NoSchedule"})
    said = {one.get("key") for one in [*listed(theirs.get("tolerations")), *found]}
    for name in ("unreachable", "not-ready"):
        key = f"node.kubernetes.io/{name}"
        if key not in said:
            away = {
                "key": key,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": AWAY_SECONDS,
            }
            found.append(away)
    return found


def _annotations(pod: Pod) -> dict[str, str]:
    found = {f"{LABEL}title": pod.title, f"{LABEL}project": pod.project}
    # what makes a cluster smaller leaves a machine with a notebook on it alone
    held = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false", "karpenter.sh/do-not-disrupt": "true"}
    return {**{name: value for name, value in found.items() if value}, **held}


def _volumes(launch: Launch, pod: Pod, storage_class: str | None) -> list[Object]:
    """storage_class: the Hub's, for volumes of a profile that names none; None: the cluster's."""
    files: Object = {"name": FILES}
    files |= {"persistentVolumeClaim": {"claimName": pod.claim}} if pod.claim else {"emptyDir": {}}
    found = [files, *({"name": f"notebook-{name}", "emptyDir": {}} for name in ("run", "tmp"))]
    if pod.paths.data:
        kind = launch.kubernetes.get("storage_class") or storage_class
        found.append({"name": "notebook-data", **_data(launch.resources.data_bytes, kind)})
    return found


def _data(size_bytes: int | None, storage_class: str | None) -> Object:
    """A volume that goes with the pod. One of a size is the storage's: a machine ends what writes more than a limit."""
    if not size_bytes:
        return {"emptyDir": {}}
    spec: Object = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": str(size_bytes)}}}
    if storage_class is not None:
        spec["storageClassName"] = literal(storage_class)
    return {"ephemeral": {"volumeClaimTemplate": {"spec": spec}}}


def _pod_config(launch: Launch, pod: Pod) -> Object:
    made: Object = {"enableServiceLinks": False, "terminationGracePeriodSeconds": pod.grace_seconds}
    if launch.resources.placement.affinity:
        made["affinity"] = literal(launch.resources.placement.affinity)
    if pod.server:
        made["shareProcessNamespace"] = True
    return made


def _check_restarts(launch: Launch, theirs: Mapping[str, Any]) -> None:
    own = launch.kubernetes.get("pod") or {}
    where = f"{launch.profile}.kubernetes.pod" if "restartPolicy" in own else podchecks.EXTRA_POD_CONFIG
    wrong = podchecks.of_workspace_in_pod({**theirs, **own}, where)
    if wrong is not None:
        raise wrong


def _container_config(pod: Pod, beside: bool) -> Object:
    made: Object = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    if beside:
        there = {"workingDir": pod.paths.workspace}  # its server shows what lies where it begins
        return {**made, **there, "command": list(pod.server[:1]), "args": list(pod.server[1:])}
    return {**made, "command": list(pod.command)}


def _agent(pod: Pod) -> Object:
    """The agent of a foreign image: begins first, and is told to end last. The notebook begins once it has restored."""
    restored = {"command": ["test", "-d", f"{pod.paths.run}/front"]}
    return {
        "name": AGENT,
        "image": pod.agent_image,
        "imagePullPolicy": pod.agent_pull_policy,
        "restartPolicy": "Always",
        "command": list(pod.command),
        "args": list(pod.front),
        "env": [_variable(name, value) for name, value in sorted(pod.agent_environment.items())],
        "ports": [{"name": "front", "containerPort": 8888}],
        "resources": {
            "limits": {"cpu": AGENT_CPUS, "memory": AGENT_MEMORY_BYTES},
            "requests": {"cpu": 0.1, "memory": AGENT_MEMORY_BYTES // 4},
        },
        "securityContext": {**_security(read_only=True), "runAsUser": UID, "runAsGroup": UID},
        "startupProbe": {"exec": restored, "periodSeconds": 1, "failureThreshold": PROBE_SECONDS},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts(pod.paths, agent=True),
    }


def _variable(name: str, value: Any) -> Object:
    """As KubeSpawner's: a dict is what Kubernetes takes the value from."""
    return {"name": name, **value} if isinstance(value, Mapping) else {"name": name, "value": value}


def _joined(*parts: Mapping[str, Any] | None) -> Object:
    """Later ones hold before earlier ones, key by key."""
    found: Object = {}
    for part in parts:
        found = {**found, **(part or {})}
    return found


# -- what a pod says of itself


def session_of(pod: Known) -> str:
    """The session's id, '' where it is no pod of ours."""
    return str((pod["metadata"].get("labels") or {}).get(f"{LABEL}session", ""))


def container_of(pod: Known) -> str:
    """The container in which a pod's agent is."""
    inits = (pod.get("spec") or {}).get("initContainers") or ()
    return AGENT if any(one["name"] == AGENT for one in inits) else NOTEBOOK


def status_of(pod: Known) -> Object:
    """What its machine last said of the agent's container, {} where it said nothing yet."""
    name, status = container_of(pod), pod.get("status") or {}
    for part in ("containerStatuses", "initContainerStatuses"):
        for one in status.get(part) or ():
            if one["name"] == name:
                return dict(one)
    return {}


def began(pod: Known | None) -> bool:
    """Whether the agent has run at all, as far as its machine said."""
    said = status_of(pod) if pod is not None else {}
    states = (said.get("state") or {}, said.get("lastState") or {})
    return any(name in one for one in states for name in ("running", "terminated"))


def ends(pod: Known) -> bool:
    """Whether the cluster was told to end it."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def over(pod: Known | None) -> bool:
    """Whether nothing of the agent runs any more, or will again."""
    if pod is None or (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return True
    ended = (status_of(pod).get("state") or {}).get("terminated")
    return ended is not None and (ends(pod) or ended.get("exitCode") == 0)


def exit_status(pod: Known | None) -> int | None:
    """None while its first life lasts, else that one's exit status, 0 where it is not known.

    An agent whose container was killed is started again in the same pod, to save; nobody works in it any more.
    """
    if pod is None:
        return 0
    said = status_of(pod)
    ended = (said.get("lastState") or {}).get("terminated") or (said.get("state") or {}).get("terminated")
    if ended is not None:
        return int(ended.get("exitCode") or 0)
    return 1 if over(pod) else None
