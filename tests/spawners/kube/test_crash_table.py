"""The crash table on two nodes: for each way down, what the next start finds, why it ended, and what is left over.

NOTEBOOKS_CRASHES: a file to which a line is added for each row, with seconds.
"""

import json
import os
import time

import pytest

from tests.cluster import running
from tests.hub import until
from tests.spawners.conftest import last_session

from .conftest import kube_hub
from .test_kept import kill_agent, without_volume
from .test_pods import claims, pod, run, started

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def cluster():
    """Two nodes, so that there is another one."""
    try:
        with running.running(nodes=2) as found:
            if not found.nodes:
                pytest.skip("machines are killed here: only a cluster of the tests' own is used")
            yield found
    except running.NoCluster as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def base(cluster, engine):
    from tests import docker_engine

    image = os.environ.get("NOTEBOOKS_TEST_IMAGE") or docker_engine.image(engine, "notebook-base")
    cluster.load(engine.program, engine.url, image)
    return image


@pytest.fixture(scope="module")
def hub(cluster, base, tmp_path_factory):
    settings = {"no_progress_seconds": 40.0, "lease_seconds": 30.0, "heartbeat_seconds": 5.0}
    with kube_hub(cluster, base, tmp_path_factory.mktemp("kube"), settings=settings) as found:
        yield found


def stopped(hub, user):
    hub.end(user)


def deleted(hub, user):
    hub.cluster.kubectl("delete", "pod", name(hub, user), "-n", hub.namespace, "--wait=false")


def drained(hub, user):
    node = pod(hub, user)["spec"]["nodeName"]
    hub.cluster.kubectl(
        "drain", node, "--force", "--delete-emptydir-data", "--ignore-daemonsets", "--timeout=60s"
    )
    hub.cluster.kubectl("uncordon", node)


def evicted(hub, user):
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name(hub, user)}}
    path = f"/api/v1/namespaces/{hub.namespace}/pods/{name(hub, user)}/eviction"
    hub.cluster.api("POST", path, body)


def preempted(hub, user):
    """A pod that is more urgent and has room only in its place."""
    api, node = hub.cluster.api, pod(hub, user)["spec"]["nodeName"]
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


def killed(hub, user):
    kill_agent(hub, user)


def hub_killed_mid_stop(hub, user):
    hub.admin("DELETE", f"/hub/api/users/{user}/server", wait=False)
    until(lambda: last_session(hub, user).stop_asked_at, 30, 0.01, "the stop")
    hub.kill("hub")
    hub.start_hub()


def name(hub, user):
    return pod(hub, user)["metadata"]["name"]


WAYS = {
    stopped: "stopped",
    deleted: "killed",
    drained: "drained",
    evicted: "drained",
    preempted: "preempted",
    killed: "killed",
    hub_killed_mid_stop: "stopped",
}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_whatever_ends_a_notebook_its_files_are_there_and_why_is_told(hub, way):
    user = way.__name__.replace("_", "-")
    started(hub, user, profile="passing")
    run(hub, user, "echo unsaved > /workspace/unsaved.txt")
    began = time.monotonic()
    way(hub, user)
    row = until(lambda: (found := last_session(hub, user)).closed_at and found, 120, what="its end")
    saved = time.monotonic() - began
    until(lambda: not hub.active(user), 90, what="the Hub to see it")
    seen = time.monotonic() - began
    hub.cluster.api.delete("Pod", "urgent", hub.namespace, grace_seconds=0)
    assert row.cause == WAYS[way] and not row.pending_files, (row.cause, row.detail)
    started(hub, user)
    assert run(hub, user, "cat /workspace/unsaved.txt") == "unsaved"
    hub.end(user)
    until(lambda: pod(hub, user) is None, 90, what="the end of the pod")
    tell(way.__name__, row, saved, seen)


def test_a_machine_that_is_lost_gives_its_notebook_to_another(hub):
    started(hub, "lost", profile="work")
    run(hub, "lost", "echo claimed > /workspace/claimed.txt")
    found = pod(hub, "lost")
    node = next(one for one in hub.cluster.nodes if one.name == found["spec"]["nodeName"])
    began = time.monotonic()
    hub.cluster.own.kill_node(node)
    try:
        hub.admin("DELETE", "/hub/api/users/lost/server")
        row = until(lambda: (one := last_session(hub, "lost")).closed_at and one, 240, what="its end")
        until(lambda: not hub.active("lost"), 120, what="the Hub to see it")
        seen = time.monotonic() - began
        until(lambda: pod(hub, "lost") is None, 60, what="the end of the pod")
        hub.cluster.api.patch("Node", node.name, {"spec": {"unschedulable": True}})
        started(hub, "lost")
        assert pod(hub, "lost")["spec"]["nodeName"] != node.name
        assert run(hub, "lost", "cat /workspace/claimed.txt") == "claimed"
        hub.end("lost")
        tell("machine lost", row, seen, seen)
    finally:
        hub.cluster.own.start_node(node)
        hub.cluster.api.patch("Node", node.name, {"spec": {"unschedulable": None}})


def test_nothing_is_left_over_but_the_claims_of_notebooks(hub):
    until(lambda: hub.cluster.api.list("Pod", hub.namespace) == [], 90, what="the end of all pods")
    without_volume(hub, "lost")
    assert not claims(hub, "lost")


def tell(way, row, saved, seen):
    line = {
        "way": way,
        "cause": row.cause,
        "detail": row.detail,
        "saved_s": round(saved, 1),
        "hub_s": round(seen, 1),
    }
    print(json.dumps(line))
    if "NOTEBOOKS_CRASHES" in os.environ:
        with open(os.environ["NOTEBOOKS_CRASHES"], "a") as out:
            out.write(json.dumps(line) + "\n")
