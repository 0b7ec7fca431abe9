"""The ways in which a notebook's pod goes down, brought about for real: ``way(hub, user, pod)``, pod as the API gives it.

hub: a Hub in front of a cluster of the tests' own, with the attributes cluster and namespace.
"""

from __future__ import annotations

from typing import Any

from tests.cluster import images


def stopped(hub: Any, user: str, pod: dict[str, Any]) -> None:
    hub.end(user)


def deleted(hub: Any, user: str, pod: dict[str, Any]) -> None:
    """By somebody with kubectl."""
    hub.cluster.kubectl("delete", "pod", pod["metadata"]["name"], "-n", hub.namespace, "--wait=false")


def drained(hub: Any, user: str, pod: dict[str, Any]) -> None:
    """Its machine is emptied for its upkeep, and takes pods again after that."""
    node = pod["spec"]["nodeName"]
    hub.cluster.kubectl(
        "drain", node, "--force", "--delete-emptydir-data", "--ignore-daemonsets", "--timeout=60s"
    )
    hub.cluster.kubectl("uncordon", node)


def evicted(hub: Any, user: str, pod: dict[str, Any]) -> None:
    """By the API, as an autoscaler does."""
    name = pod["metadata"]["name"]
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    hub.cluster.api("POST", f"/api/v1/namespaces/{hub.namespace}/pods/{name}/eviction", body)


def preempted(hub: Any, user: str, pod: dict[str, Any]) -> None:
    """A pod that is more urgent and has room only in its place; ``cleared`` removes that."""
    api, node = hub.cluster.api, pod["spec"]["nodeName"]
    urgent = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "urgent"}}
    if api.get("PriorityClass", "urgent") is None:
        api.create({**urgent, "value": 1000})
    whole = api.get("Node", node)["status"]["allocatable"]["cpu"]
    spec = {
        "priorityClassName": "urgent",
        "nodeSelector": {"kubernetes.io/hostname": node},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "only",
                "image": "registry.k8s.io/pause:3.10",
                "resources": {"requests": {"cpu": whole}},
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    }
    api.create(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "urgent"}, "spec": spec}, hub.namespace
    )


def killed(hub: Any, user: str, pod: dict[str, Any]) -> None:
    """kill -9 of its container's first process, as the kernel does where a whole group is out of memory."""
    (status,) = pod["status"]["containerStatuses"]
    for node in hub.cluster.nodes:
        images.ctr(node, "tasks", "kill", "-s", "SIGKILL", status["containerID"].rpartition("/")[2])


def cleared(hub: Any) -> None:
    """What a way needed is gone."""
    hub.cluster.api.delete("Pod", "urgent", hub.namespace, grace_seconds=0)


#: Each way with the cause that our sessions give for it.
WAYS = {
    stopped: "stopped",
    deleted: "killed",
    drained: "drained",
    evicted: "drained",
    preempted: "preempted",
    killed: "killed",
}
