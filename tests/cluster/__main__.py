"""A cluster for a person to try the product on: ``python -m tests.cluster [--nodes 2] [--no-image]``, which `make cluster` runs.

It says what to set, and ends with Ctrl-C, and nothing of it is left. The image of notebooks is built from images/ by the
Docker engine of this machine and put into the cluster without a registry.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time

from tests import docker_engine

from .running import Cluster, NoCluster, running


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
            _tell(cluster)
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


def _tell(cluster: Cluster) -> None:
    lines = [
        "",
        f"    export KUBECONFIG={cluster.kubeconfig}",
        f"    alias kubectl='{cluster.program} kubectl'",
        "",
        f"Pods reach this machine at {cluster.gateway}. Ctrl-C ends the cluster.",
    ]
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    sys.exit(main())
