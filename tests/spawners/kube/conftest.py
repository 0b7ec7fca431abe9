"""A real Kubernetes, an image built from this checkout in it, and a Hub whose notebooks are pods."""

import contextlib
import os
from pathlib import Path

import pytest

from tests import docker_engine
from tests.cluster import running
from tests.hub import start_hub
from tests.spawners.docker.conftest import profile

PROFILES = """
flavors:
  small: {use: Small, cpu: 0.5, memory: 1 GB}
  large: {use: Large, cpu: 0.75, memory: 1500 MB}
  tiny: {use: Tiny, cpu: 0.5, memory: 400 MB}
  gpu:
    use: GPU
    cpu: 0.5
    memory: 1 GB
    gpu: {kind: T4, memory: 16 GB}
    placement:
      node_selector: {accelerator: t4}
      tolerations: [{key: team, operator: Equal, value: vision, effect: NoSchedule}]
      priority_class: vision
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms: [{matchExpressions: [{key: place, operator: In, values: [hall-a]}]}]
profiles:
"""
#: What the Hub may do in its namespace, and nothing else.
ROLE = Path(__file__).parents[3] / "config" / "kubernetes" / "role.yaml"


def rules():
    """Those of the shipped role."""
    from ruamel.yaml import YAML

    found = YAML(typ="safe").load_all(ROLE)
    return next(one for one in found if one["kind"] == "Role")["rules"]


@contextlib.contextmanager
def own_cluster(nodes=1):
    """A cluster that no other test uses, for those that break its machines or its API."""
    try:
        with running.running(nodes=nodes) as found:
            if found.own is None:
                pytest.skip("parts of it are killed here: only a cluster of the tests' own is used")
            yield found
    except running.NoCluster as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def base(cluster, engine):
    """The tag of notebook-base, which the cluster has."""
    return loaded(cluster, engine)


def loaded(cluster, engine):
    """Puts notebook-base onto a cluster's machines. NOTEBOOKS_TEST_IMAGE: one that is built already."""
    image = os.environ.get("NOTEBOOKS_TEST_IMAGE") or docker_engine.image(engine, "notebook-base")
    cluster.load(engine.program, engine.url, image)
    return image


@contextlib.contextmanager
def kube_hub(cluster, base, folder, also="", settings=None, role=None, more="", labels=None, **traits):
    """A Hub in front of a namespace of its own; what is left in that is removed after it. also: further profiles.
    role: rules in place of the shipped ones. labels: of the namespace. traits: those of the Hub that differ."""
    profiles = folder / "profiles.yaml"
    profiles.write_text(
        PROFILES
        + profile("work", base)
        + profile("passing", base, kubernetes="{workspace: ephemeral}")
        # guaranteed as much as its limit: the kernel then ends what asks for it by oom_score_adj
        + profile(
            "tight", base, "tiny", kubernetes="{container: {resources: {limits: {cpu: 0.5, memory: 400M}}}}"
        )
        + profile("missing", "notebooks-test/none:1")
        + also
    )
    walls = labels or {"pod-security.kubernetes.io/enforce": "restricted"}
    with cluster.namespace(walls) as namespace, pytest.MonkeyPatch.context() as patched:
        patched.setenv("KUBECONFIG", str(cluster.account(namespace, "hub", role or rules(), folder)))
        running_hub = start_hub(
            folder,
            host=cluster.gateway,
            janitor=True,
            settings={"profiles": str(profiles), "abilities": {"gpu_kinds": ["T4"]}, **(settings or {})},
            more=more,
            JupyterHub__spawner_class="notebooks-kube",
            **{
                "KubeNotebookSpawner__namespace": namespace,
                "KubeNotebookSpawner__poll_interval": 5,
                "KubeNotebookSpawner__image_pull_policy": "IfNotPresent",
                "KubeNotebookSpawner__cpu_guarantee": 0.05,
                "KubeNotebookSpawner__mem_guarantee": "200M",
                "KubeNotebookSpawner__storage_capacity": "1Gi",
                "KubeNotebookSpawner__agent_image": base,
                **traits,
            },
        )
        running_hub.cluster, running_hub.namespace = cluster, namespace
        try:
            yield running_hub
        finally:
            running_hub.stop()


@pytest.fixture(scope="module")
def hub(cluster, base, tmp_path_factory):
    """One for the tests of a file."""
    with kube_hub(cluster, base, tmp_path_factory.mktemp("kube")) as found:
        yield found
