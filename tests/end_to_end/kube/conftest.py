"""The product on a real Kubernetes, with PostgreSQL for both databases and an S3 for the workspaces."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jupyterhub_notebooks.ledger import Ledger, notebooks
from jupyterhub_notebooks.spawners import pods as naming
from tests import postgres, s3
from tests.cluster import kubeconfig
from tests.cluster.running import Cluster
from tests.end_to_end import configs
from tests.end_to_end.product import Product
from tests.spawners.docker.conftest import profile
from tests.spawners.kube.conftest import PROFILES, base, rules  # noqa: F401

CONFIG = configs.CONFIG / "kubernetes" / "jupyterhub_config.py"


@dataclass
class OnKubernetes:
    """product: `up` with config/kubernetes. ledger: its PostgreSQL's address."""

    product: Product
    cluster: Cluster
    namespace: str
    store: s3.S3
    ledger: str

    def of(self, kind: str, notebook: str) -> list[dict]:
        """Pods or claims of a notebook's id."""
        return self.cluster.api.list(kind, self.namespace, f"{naming.LABEL}notebook={notebook}")

    def chosen(self, notebook: str) -> dict[str, str]:
        """What the notebook starts with the next time, beside its profile."""
        opened = Ledger(self.ledger)
        try:
            return dict(notebooks.get(opened, notebook).options)
        finally:
            opened.close()

    def kubectl(self, *arguments: str) -> str:
        return self.cluster.kubectl("-n", self.namespace, *arguments)

    def inside(self, notebook: str, *command: str) -> str:
        """A command in the notebook's pod, as its user."""
        (one,) = [one for one in self.of("Pod", notebook) if one["status"]["phase"] == "Running"]
        return self.kubectl("exec", one["metadata"]["name"], "-c", naming.NOTEBOOK, "--", *command)

    def put_in(self, notebook: str, folder: Path, at: str) -> None:
        """A folder's files, into a folder of a notebook's pod."""
        (one,) = self.of("Pod", notebook)
        packed = subprocess.run(["tar", "-C", str(folder), "-c", "."], capture_output=True, check=True).stdout
        arguments = ["-n", self.namespace, "exec", "-i", one["metadata"]["name"], "-c", naming.NOTEBOOK]
        unpack = f"mkdir -p {at} && tar -C {at} -x"
        done = subprocess.run(
            kubeconfig.kubectl(
                self.cluster.program, self.cluster.kubeconfig, *arguments, "--", "sh", "-c", unpack
            ),
            input=packed,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr.decode()


@contextlib.contextmanager
def on_kubernetes(cluster: Cluster, folder: Path, profiles: str) -> Iterator[OnKubernetes]:
    """`up` with config/kubernetes in a namespace of its own. folder: an empty one. profiles: the file's text."""
    own = Product(folder / "state")
    offered = folder / "profiles.yaml"
    offered.write_text(profiles)
    with (
        cluster.namespace({"pod-security.kubernetes.io/enforce": "restricted"}) as namespace,
        s3.running(folder / "s3", host=cluster.gateway) as store,
        postgres.running(durable=True) as databases,
    ):
        ledger = databases.new_database()
        keys = {"key": "env:S3_KEY", "secret": "env:S3_SECRET"}
        own.environment |= {
            "KUBECONFIG": str(cluster.account(namespace, "hub", rules(), folder)),
            "NOTEBOOKS_NAMESPACE": namespace,
            "NOTEBOOKS_ADDRESS": cluster.gateway,
            "LEDGER_URL": ledger,
            "NOTEBOOKS_LEDGER": "env:LEDGER_URL",
            "NOTEBOOKS_HUB_DATABASE": databases.new_database(),
            "NOTEBOOKS_STORE": store.url,
            "NOTEBOOKS_STORE_OPTIONS": json.dumps({**store.options, **keys}),
            **configs.s3_variables(store, {}),
        }
        try:
            own.start("--config", str(CONFIG), "--profiles", str(offered))
            yield OnKubernetes(own, cluster, namespace, store, ledger)
        finally:
            own.stop()


@pytest.fixture(scope="module")
def on_kube(cluster, base, tmp_path_factory):  # noqa: F811
    profiles = PROFILES + profile("work", base, "small, large")
    with on_kubernetes(cluster, tmp_path_factory.mktemp("kube"), profiles) as found:
        yield found
