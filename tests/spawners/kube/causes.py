"""What goes wrong with a notebook on Kubernetes, each caused for real: by a change of its pod and what lies beside it.

Promises: nothing here is a stand-in but the registry (registry.py), which answers as registries do. A cause changes its own
namespace, or what it made itself; ``told`` is what a user's page says of it, and ``sign`` what the cluster says first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.api import Api
from tests.cluster.running import Cluster

FAILS, WAITS, GOING = "fails for cause", "waiting", "going on"

CLAIM = {"persistentVolumeClaim": {"claimName": "gone"}}


@dataclass(frozen=True)
class Cause:
    """pod, container: merged into the pod's spec and its notebook's container; {registry} is the address of ours.

    after_seconds: for so long the cluster says more of it. what, cause: as the start is judged. sign: a pattern in the pod's status or its events by which the cluster knows it;
    '' where creating the pod is refused. beside: made in the namespace first. act: done once it runs.
    """

    name: str
    what: str
    cause: str
    sign: str = ""
    pod: Mapping[str, Any] = field(default_factory=dict)
    container: Mapping[str, Any] = field(default_factory=dict)
    beside: Callable[[Api, str], None] | None = None
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    after_seconds: float = 2.0
    act: Callable[[Api, str], None] | None = None


def _volume(source: Mapping[str, Any]) -> dict[str, Any]:
    return {"volumes": [{"name": "more", **source}]}


_MOUNT = {"volumeMounts": [{"name": "more", "mountPath": "/more"}]}


def _claim(storage_class: str | None) -> Callable[[Api, str], None]:
    def make(api: Api, namespace: str) -> None:
        spec: dict[str, Any] = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        }
        if storage_class is not None:
            spec["storageClassName"] = storage_class
        api.create(
            {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "gone"}, "spec": spec},
            namespace,
        )

    return make


def _claim_elsewhere(api: Api, namespace: str) -> None:
    """A volume on a machine that is not there any more."""
    name = f"away-{namespace}"
    api.create({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "",
            "persistentVolumeReclaimPolicy": "Delete", "local": {"path": "/srv/away"},
            "claimRef": {"namespace": namespace, "name": "gone"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": ["a-machine-that-is-gone"]}]}]}},
        },
    })  # fmt: skip
    api.create({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "gone"},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "", "volumeName": name,
                 "resources": {"requests": {"storage": "1Gi"}}},
    }, namespace)  # fmt: skip
    _until(
        lambda: (api.get("PersistentVolumeClaim", "gone", namespace) or {})["status"].get("phase") == "Bound"
    )


def _until(check: Callable[[], bool]) -> None:
    """What controllers do after an object was made."""
    Cluster.wait(check, "what a cause needs", 30.0)


def _quota(api: Api, namespace: str) -> None:
    api.create({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "team"},
        "spec": {"hard": {"requests.cpu": "50m", "requests.memory": "10Mi"}},
    }, namespace)  # fmt: skip
    _until(lambda: bool((api.get("ResourceQuota", "team", namespace) or {}).get("status", {}).get("hard")))


def _limits(api: Api, namespace: str) -> None:
    limit = {"type": "Container", "max": {"memory": "64Mi"}}
    api.create({
        "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"}, "spec": {"limits": [limit]},
    }, namespace)  # fmt: skip


def _resources(name: str, value: str) -> dict[str, Any]:
    return {"resources": {"requests": {name: value}, "limits": {name: value}}}


def _shell(line: str) -> dict[str, Any]:
    return {"command": ["/bin/sh", "-c", line], "args": None}


_SETTINGS = {"env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "team-settings", "key": "x"}}}]}
_SMALL = {"resources": {"requests": {"cpu": "100m", "memory": "100Mi"}, "limits": {"memory": "200Mi"}}}

#: While it starts.
STARTS: tuple[Cause, ...] = (
    Cause("image missing", FAILS, "image_missing", "ErrImagePull", container={"image": "{registry}/missing/x:1"}),
    Cause("image missing, alone", FAILS, "image_missing", "ErrImagePull", container={"image": "{registry}/unknown/x:1"}, after_seconds=18),
    Cause("registry login", FAILS, "image_login", "ErrImagePull", container={"image": "{registry}/login/x:1"}),
    Cause("registry denies", FAILS, "image_denied", "ErrImagePull", container={"image": "{registry}/denied/x:1"}),
    Cause("registry limits", WAITS, "image_limited", "ErrImagePull", container={"image": "{registry}/limited/x:1"}),
    Cause("registry broken", WAITS, "registry_away", "ErrImagePull", container={"image": "{registry}/broken/x:1"}),
    Cause("registry away", WAITS, "registry_away", "ErrImagePull", container={"image": "127.0.0.1:1/team/x:1"}),
    Cause("registry hangs", GOING, "registry_away", '"Pulling"', container={"image": "{registry}/hangs/x:1"}),
    Cause("image name", FAILS, "image_name", "InvalidImageName", container={"image": "Not An Image:1"}),
    Cause(
        "image never fetched", FAILS, "image_missing", "ErrImageNeverPull",
        container={"image": "{registry}/missing/x:1", "imagePullPolicy": "Never"},
    ),
    Cause("too many processors", FAILS, "no_place", "Unschedulable", container=_resources("cpu", "500")),
    Cause("too much memory", FAILS, "no_place", "Unschedulable", container=_resources("memory", "900Gi")),
    Cause("no GPU", FAILS, "no_gpu", "Unschedulable", container=_resources("nvidia.com/gpu", "1")),
    Cause("no such machine", FAILS, "no_machine", "Unschedulable", pod={"nodeSelector": {"flavor": "gpu-a100"}}),
    Cause("claim absent", FAILS, "volume_missing", "Unschedulable", pod=_volume(CLAIM)),
    Cause(
        "no such storage", FAILS, "volume_missing", "Unschedulable", pod=_volume(CLAIM), beside=_claim("not-there")
    ),
    Cause("no storage", FAILS, "volume_missing", "Unschedulable", pod=_volume(CLAIM), beside=_claim("")),
    Cause(
        "volume elsewhere", FAILS, "volume_elsewhere", "Unschedulable", pod=_volume(CLAIM), beside=_claim_elsewhere
    ),
    Cause(
        "secret to mount", FAILS, "config_missing", "FailedMount", pod=_volume({"secret": {"secretName": "keys"}}),
        container=_MOUNT,
    ),
    Cause(
        "settings to mount", FAILS, "config_missing", "FailedMount", pod=_volume({"configMap": {"name": "team-settings"}}),
        container=_MOUNT,
    ),
    Cause(
        "volume not attached", WAITS, "volume_not_attached", "FailedMount",
        pod=_volume({"hostPath": {"path": "/srv/not-there", "type": "Directory"}}), container=_MOUNT,
    ),
    Cause("settings absent", FAILS, "config_missing", "CreateContainerConfigError", container=_SETTINGS),
    Cause(
        "command not found", FAILS, "image_without_agent", "StartError|CreateContainerError|RunContainerError",
        container={"command": ["notebook-agent-of-nobody"], "args": None},
    ),
    Cause(
        "ends at once", FAILS, "ended_at_once", '"exitCode": 3',
        container=_shell("echo the licence server does not answer > /dev/termination-log; exit 3"), after_seconds=18,
    ),
    Cause(
        "out of memory", FAILS, "out_of_memory", "OOMKilled",
        container={**_shell("exec /opt/notebook/bin/python -c 'x = bytearray(10**9)'"), **_SMALL},
    ),
    Cause(
        "runs as root", FAILS, "policy", "CreateContainerConfigError",
        pod={"securityContext": {"runAsUser": None}},
        container={"securityContext": {"runAsNonRoot": True, "runAsUser": 0}},
    ),
    Cause("quota", FAILS, "quota_of_namespace", container=_SMALL, beside=_quota),
    Cause("limit of the namespace", FAILS, "limit_of_namespace", container=_SMALL, beside=_limits),
    Cause(
        "security level", FAILS, "policy", pod=_volume({"hostPath": {"path": "/srv"}}),
        namespace_labels={"pod-security.kubernetes.io/enforce": "restricted"},
    ),
    Cause("priority class", FAILS, "missing_there", pod={"priorityClassName": "team-first"}),
    Cause("service account", FAILS, "missing_there", pod={"serviceAccountName": "team"}),
    Cause("runtime class", FAILS, "missing_there", pod={"runtimeClassName": "gvisor"}),
    Cause(
        "more asked than allowed", FAILS, "profile_field",
        container={"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}},
    ),
)  # fmt: skip


def _evict(api: Api, namespace: str) -> None:
    """As `kubectl drain` does it, and what makes a cluster smaller."""
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": "notebook-1", "namespace": namespace},
    }
    api("POST", f"/api/v1/namespaces/{namespace}/pods/notebook-1/eviction", body)


def _remove(api: Api, namespace: str) -> None:
    api.delete("Pod", "notebook-1", namespace)


def _urgent(api: Api, namespace: str) -> None:
    """A pod that comes first and needs the place."""
    name = f"first-{namespace}"
    api.create(
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": 1000,
        }
    )
    asks = {"requests": {"cpu": "1500m"}}
    pause = {"name": "urgent", "image": "registry.k8s.io/pause:3.10", "resources": asks}
    spec = {"priorityClassName": name, "terminationGracePeriodSeconds": 1, "containers": [pause]}
    api.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "urgent"}, "spec": spec}, namespace)


_EMPTY = {"emptyDir": {"sizeLimit": "10Mi"}}
_WRITES = "sleep 1; head -c 40000000 /dev/zero > {}; trap 'exit 1' TERM; while :; do sleep 0.2; done"

#: While it runs; act is done once it does.
ENDS: tuple[Cause, ...] = (
    Cause(
        "temporary volume full", FAILS, "evicted_disk", '"reason": "Evicted"', pod=_volume(_EMPTY),
        container={**_MOUNT, **_shell(_WRITES.format("/more/x"))},
    ),
    Cause(
        "wrote outside", FAILS, "evicted_disk", '"reason": "Evicted"',
        container={**_resources("ephemeral-storage", "20Mi"), **_shell(_WRITES.format("/tmp/x"))},
    ),
    Cause(
        "out of memory while it runs", FAILS, "out_of_memory", "OOMKilled", pod={"restartPolicy": "Never"},
        container={**_shell("sleep 1; exec /opt/notebook/bin/python -c 'x = bytearray(10**9)'"), **_SMALL},
    ),
    Cause(
        "out of memory, restarted in place", FAILS, "out_of_memory", "OOMKilled",
        container={**_shell("sleep 1; exec /opt/notebook/bin/python -c 'x = bytearray(10**9)'"), **_SMALL},
    ),
    Cause("drained", FAILS, "drained", "EvictionByEvictionAPI", act=_evict),
    Cause("preempted", FAILS, "preempted", "PreemptionByScheduler", container={
        "resources": {"requests": {"cpu": "1500m"}}}, act=_urgent),
    Cause("removed", FAILS, "", "deletionTimestamp", act=_remove),
    Cause("deadline", FAILS, "deadline", "DeadlineExceeded", pod={"activeDeadlineSeconds": 3}),
    Cause(
        "ended with a status", FAILS, "", '"exitCode": 7', pod={"restartPolicy": "Never"},
        container=_shell("sleep 1; echo the licence is over > /dev/termination-log; exit 7"),
    ),
)  # fmt: skip


def changed(pod: Mapping[str, Any], cause: Cause, registry: str) -> dict[str, Any]:
    """A pod's manifest with a cause in it."""
    spec = merged(pod["spec"], cause.pod)
    notebook = merged(spec["containers"][0], cause.container)
    if notebook.get("image"):
        notebook["image"] = notebook["image"].replace("{registry}", registry)
    spec["containers"] = [notebook, *spec["containers"][1:]]
    return {**pod, "spec": spec}


def merged(base: Any, more: Any) -> Any:
    """Dicts key by key; lists one after the other, but a command in the place of another; None removes."""
    if isinstance(base, Mapping) and isinstance(more, Mapping):
        made = {**base}
        for key, value in more.items():
            joins = key in base and value is not None and key != "command"
            made[key] = merged(base[key], value) if joins else value
        return {key: value for key, value in made.items() if value is not None}
    if isinstance(base, list) and isinstance(more, list):
        return [*base, *more]
    return more
