"""A cluster for a person to try the product on: ``python -m tests.cluster [--nodes 2] [--no-image]``, which `make cluster` runs.

It says what to set, and ends with Ctrl-C, and nothing of it is left. The image of notebooks is built from images/ by the
Docker engine of this machine and put into the cluster without a registry.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from ruamel.yaml import YAML

from tests import docker_engine

from .running import Cluster, NoCluster, running

NAMESPACE = "notebooks"
ROLE = Path(__file__).parents[2] / "config" / "kubernetes" / "role.yaml"
IMAGE = "notebooks-test/notebook-base:latest"
PROFILES = """\
flavors:
  small: {{use: Small, cpu: 1, memory: 1 GB}}
  large: {{use: Large, cpu: 2, memory: 2 GB}}
profiles:
  notebook:
    title: Notebook
    use: To try it
    image: {image}
    flavor: [small, large]
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--nodes", type=int, default=1, choices=(1, 2))
    parser.add_argument("--no-image", action="store_true", help="without an image of notebooks")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with running(given.nodes) as cluster:
            if not given.no_image:
                _image(cluster)
            _tell(cluster, not given.no_image)
            signal.pause()
    except (NoCluster, docker_engine.NoEngine) as missing:
        print(missing, file=sys.stderr)
        return 11
    except KeyboardInterrupt:
        print("\nEnded; nothing of it is left.")
    return 0


def _image(cluster: Cluster) -> None:
    with docker_engine.running() as engine:
        began = time.monotonic()
        image = docker_engine.image(engine, "notebook-base")
        print(f"Built {image} in {time.monotonic() - began:.0f} s", flush=True)
        cluster.load(engine.program, engine.url, image)


def _tell(cluster: Cluster, with_image: bool) -> None:
    """A namespace, and in it an account for a Hub that may do what the shipped role says; how to use both."""
    folder = cluster.own.place.folder if cluster.own else Path(tempfile.mkdtemp(prefix="cluster-"))
    if cluster.api.get("Namespace", NAMESPACE) is None:
        restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
        cluster.api.create({"kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": restricted}})
    role = next(one for one in YAML(typ="safe").load_all(ROLE) if one["kind"] == "Role")
    account = cluster.account(NAMESPACE, "hub", role["rules"], folder)
    profiles = folder / "profiles.yaml"
    profiles.write_text(PROFILES.format(image=IMAGE))
    start = "up --config config/kubernetes/jupyterhub_config.py --profiles"
    lines = [
        "",
        f"    alias kubectl='{cluster.program} kubectl --kubeconfig {cluster.kubeconfig} -n {NAMESPACE}'",
        f"    export KUBECONFIG={account} NOTEBOOKS_NAMESPACE={NAMESPACE} NOTEBOOKS_ADDRESS={cluster.gateway}",
        f"    .venv/bin/jupyterhub-notebooks {start} {profiles if with_image else 'FILE'}",
        "",
        "The Hub of the last line may do what config/kubernetes/role.yaml says. Ctrl-C ends the cluster.",
    ]
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    sys.exit(main())
