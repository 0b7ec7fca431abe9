"""The tests' own Kubernetes: it runs pods with volumes, lets nobody do more than their role says, and leaves nothing."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import clearing, kubeconfig, running
from tests.cluster.api import Api, ApiError
from tests.cluster.parts import PAUSE
from tests.hub import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def pod(name, node="", claim=""):
    """A pod that does nothing."""
    volumes = [{"name": "files", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    mounts = [{"name": "files", "mountPath": "/files"}] if claim else []
    spec = {"containers": [{"name": "only", "image": PAUSE, "volumeMounts": mounts}], "volumes": volumes}
    spec |= {"nodeSelector": {"kubernetes.io/hostname": node}} if node else {}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def claim(name, storage=None):
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    spec |= {"storageClassName": storage} if storage else {}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def phase(cluster, namespace, name="one"):
    found = cluster.api.get("Pod", name, namespace)
    return found and found["status"].get("phase")


def left(folder, name):
    """What there still is of a cluster."""
    processes = [one.cmdline() for one in clearing.left_processes(folder)]
    return [
        *processes,
        *clearing.left_mounts(folder),
        *clearing.left_namespaces(name),
        *clearing.left_bridges(name),
        *clearing.left_cgroups(name),
        *([folder] if folder.exists() else []),
    ]


def test_two_nodes_run_pods_with_volumes_and_nothing_is_left_of_them():
    try:
        held = running.running(nodes=2)
        cluster = held.__enter__()
    except running.NoCluster as missing:
        pytest.skip(str(missing))
    try:
        if not cluster.nodes:
            pytest.skip("the cluster of KUBECONFIG is not ended by the tests")
        folder, name = cluster.own.place.folder, cluster.own.place.name
        with cluster.namespace() as namespace:
            for number, storage in (("one", None), ("two", "local")):
                cluster.api.create(claim(number, storage), namespace)
                node = {"one": "node1", "two": "node2"}[number]
                cluster.api.create(pod(number, node, number), namespace)
            for number in ("one", "two"):
                until(
                    lambda number=number: phase(cluster, namespace, number) == "Running", 60, what="the pod"
                )
            assert left(folder, name)
            made = clearing.left_namespaces(name)
            assert len(made) == 2
    finally:
        held.__exit__(None, None, None)
    assert left(folder, name) == []
    assert not any(path.exists() for path in made)


def test_a_cluster_whose_process_was_killed_is_cleared_away_by_the_next(cluster, tmp_path):
    if not cluster.nodes:
        pytest.skip("the cluster of KUBECONFIG is not the tests' own")
    said = tmp_path / "said"
    with said.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.cluster", "--no-image"], stdout=out, start_new_session=True
        )
    line = until(
        lambda: next((one for one in said.read_text().splitlines() if "KUBECONFIG=" in one), ""), 120
    )
    folder = Path(line.split("KUBECONFIG=", 1)[1].split()[0]).parent
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    name = folder.name.partition("-")[0]
    assert clearing.left_processes(folder) and clearing.left_bridges(name)
    clearing.clear_dead()
    assert left(folder, name) == []
    assert cluster.api.list("Node"), "the living cluster was touched"


def test_the_cluster_of_a_kubeconfig_is_used_as_it_is(cluster, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    with running.running() as found:
        assert not found.nodes
        names = [node["metadata"]["name"] for node in found.api.list("Node")]
    assert names == [node["metadata"]["name"] for node in cluster.api.list("Node")]
    with pytest.raises(running.NoCluster, match="has 1 node, and this needs 9"), running.running(nodes=9):
        pass


def test_an_account_may_do_what_its_role_says_and_nobody_else_speaks_at_all(cluster, tmp_path):
    with cluster.namespace() as namespace:
        rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
        config = cluster.account(namespace, "reader", rules, tmp_path)

        def ask(*arguments):
            command = kubeconfig.kubectl(cluster.program, config, *arguments)
            return subprocess.run(command, capture_output=True, text=True)

        assert ask("get", "pods").returncode == 0
        assert "forbidden" in ask("get", "secrets").stderr
        assert "forbidden" in ask("get", "pods", "-n", "kube-system").stderr
        assert "forbidden" in ask("run", "more", f"--image={PAUSE}").stderr
    if cluster.nodes:
        place = cluster.own.place
        nobody = Api("127.0.0.1", place.ports["apiserver"], place.keys / "authority.crt")
        with pytest.raises(ApiError, match="401"):
            nobody.list("Pod")
