"""What a profile says of machines, on a real scheduler: GPUs, labels, taints, affinity, priority and the image's secret."""

import contextlib

import pytest

from jupyterhub_notebooks.ledger import sessions
from tests.hub import until
from tests.spawners.conftest import last_session, notebook_of
from tests.spawners.docker.conftest import profile

from .conftest import kube_hub
from .test_pods import pod, started

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

GPU = "nvidia.com~1gpu"
LABELS = {"accelerator": "t4", "place": "hall-a"}
TAINTS = [
    {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"},
    {"key": "team", "value": "vision", "effect": "NoSchedule"},
]


@contextlib.contextmanager
def machine_with_a_gpu(cluster):
    """The first machine says that it has one, and takes only what tolerates that."""
    api, name = cluster.api, cluster.api.list("Node")[0]["metadata"]["name"]
    before = api.get("Node", name)["spec"].get("taints")
    parts = [f"/status/{part}/{GPU}" for part in ("capacity", "allocatable")]
    api.patch("Node", name, [{"op": "add", "path": path, "value": "1"} for path in parts], part="status")
    api.patch("Node", name, {"metadata": {"labels": LABELS}, "spec": {"taints": TAINTS}})
    priority = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 100}
    api.create({**priority, "metadata": {"name": "vision"}})
    try:
        yield name
    finally:
        api.delete("PriorityClass", "vision")
        off = {"metadata": {"labels": dict.fromkeys(LABELS)}, "spec": {"taints": before}}
        api.patch("Node", name, off)
        api.patch("Node", name, [{"op": "remove", "path": path} for path in parts], part="status")


@pytest.fixture(scope="module")
def hub(cluster, base, tmp_path_factory):
    secret = "{pull_secrets: [registry-key]}"
    also = profile("vision", base, "gpu", kubernetes=secret)
    with (
        kube_hub(
            cluster, base, tmp_path_factory.mktemp("kube"), also=also, settings={"no_progress_seconds": 30.0}
        ) as found,
        machine_with_a_gpu(cluster),
    ):
        key = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson"}
        key |= {"metadata": {"name": "registry-key"}, "stringData": {".dockerconfigjson": '{"auths": {}}'}}
        cluster.api.create(key, found.namespace)
        yield found


def asked(hub, user, name):
    """Asks for a start and does not wait for it. A function: its session, None until that is written."""
    hub.user(user)
    options = {"user_options": {"profile": name}}
    hub.admin("POST", f"/hub/api/users/{user}/server", options, wait=False)

    def look():
        notebook = notebook_of(hub, user)
        rows = sessions.of_notebook(hub.ledger, notebook.id, 1) if notebook else []
        return rows[0] if rows else None

    return look


def test_a_profile_with_a_gpu_runs_on_the_machine_that_has_it_and_the_next_one_waits_in_words(hub):
    started(hub, "gwen", profile="vision")
    spec = pod(hub, "gwen")["spec"]
    assert spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert spec["nodeSelector"] == {"accelerator": "t4"} and spec["affinity"]["nodeAffinity"]
    assert (spec["priorityClassName"], spec["priority"]) == ("vision", 100)
    assert spec["imagePullSecrets"] == [{"name": "registry-key"}]

    look = asked(hub, "gus", "vision")
    waits = until(lambda: (row := look()) and row.warnings, 30, what="what it waits for")
    assert waits == ["No machine has 1\u00a0GPU free: it starts as soon as one has."], waits
    hub.end("gwen")
    until(lambda: (hub.server("gus") or {}).get("ready"), 120, what="its turn")
    assert not last_session(hub, "gus").warnings
    hub.end("gus")


def test_a_profile_that_tolerates_nothing_stays_off_that_machine(hub):
    if len(hub.cluster.api.list("Node")) > 1:
        pytest.skip("another machine of this cluster would take it")
    look = asked(hub, "nora", "work")
    until(lambda: (row := look()) and row.warnings, 30, what="what it waits for: perhaps a machine is away")
    row = until(lambda: (found := look()) and found.closed_at and found, 90, what="its end")
    assert row.cause == "no_machine" and "kept for something else" in row.detail, (row.cause, row.detail)
