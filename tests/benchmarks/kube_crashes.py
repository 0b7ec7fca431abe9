"""Every way down on two nodes: what is left of the files, and what the user reads; ours beside a plain KubeSpawner.

    .venv/bin/python -m tests.benchmarks.kube_crashes [ours|plain] [--storage none,claim]

Ours is the crash table of tests/spawners/kube, run by pytest: each row has to keep the file or the run fails. Plain is a Hub
with KubeSpawner as it comes, with the same image and limits: --storage none is its default (no volume, /workspace is in the
container), claim a volume claim at /workspace as zero-to-jupyterhub makes it, which every node reaches. In each row a file is
written in the running notebook, the way down is brought about, and the notebook is started again. Printed: whether the file
is there, what its user's page says of the end, seconds until the Hub knew of it, and pods and claims left over.
"""

from __future__ import annotations

import argparse
import contextlib
import html
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import docker_engine
from tests.benchmarks.kube_click import plain_hub
from tests.cluster import kubeconfig
from tests.cluster.running import Cluster, running
from tests.hub import RunningHub, until
from tests.spawners.kube import ways

ROOT = Path(__file__).parents[2]
KNOWN_SECONDS = 120.0
NO_STORAGE = """
c.KubeSpawner.storage_pvc_ensure = False
c.KubeSpawner.volumes = c.KubeSpawner.volume_mounts = []
"""
Way = Callable[[Any, str, dict[str, Any]], None]


def pod_of(hub: RunningHub, user: str) -> dict[str, Any]:
    found = [one for one in hub.cluster.api.list("Pod", hub.namespace) if user in one["metadata"]["name"]]  # type: ignore[attr-defined]
    return dict(found[0]) if found else {}


def inside(hub: RunningHub, user: str, command: str) -> str:
    """What a command prints in a user's pod, and what it complains of."""
    cluster, name = hub.cluster, pod_of(hub, user)["metadata"]["name"]  # type: ignore[attr-defined]
    arguments = ["exec", "-n", hub.namespace, name, "-c", "notebook", "--", "sh", "-c", command]  # type: ignore[attr-defined]
    whole = kubeconfig.kubectl(cluster.program, cluster.kubeconfig, *arguments)
    done = subprocess.run(whole, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return (done.stdout + done.stderr).strip()


def page_of(hub: RunningHub, user: str) -> str:
    """The words of the Hub's page of a user's server."""
    text = hub.browser(user).get("/hub/home").text
    main = text[text.find('id="home-main"') :] if 'id="home-main"' in text else text[text.find("</nav>") :]
    main = re.sub(r"(?s)<(script|style|noscript).*?</\1>|<!--.*?-->", " ", main[main.find(">") + 1 :])
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", main)).split())


def hub_killed_mid_stop(hub: RunningHub, user: str, pod: dict[str, Any]) -> None:
    hub.admin("DELETE", f"/hub/api/users/{user}/server", wait=False)
    until(lambda: (hub.server(user) or {}).get("pending") == "stop", 30, 0.01, "the stop")
    hub.kill("hub")
    hub.start_hub()


def machine_lost(hub: RunningHub, user: str, pod: dict[str, Any]) -> None:
    """Its user asks for a stop when nothing answers any more."""
    cluster: Cluster = hub.cluster  # type: ignore[attr-defined]
    node = next(one for one in cluster.nodes if one.name == pod["spec"]["nodeName"])
    assert cluster.own is not None
    cluster.own.kill_node(node)
    cluster.api.patch("Node", node.name, {"spec": {"unschedulable": True}})
    hub.admin("DELETE", f"/hub/api/users/{user}/server", seconds=120)


WAYS: tuple[Way, ...] = (*ways.WAYS, hub_killed_mid_stop, machine_lost)


def row(hub: RunningHub, way: Way) -> dict[str, Any]:
    """One way down of a plain KubeSpawner."""
    user = way.__name__.replace("_", "-")
    hub.user(user)
    answer = hub.start(user, seconds=120)
    assert answer.status == 201, answer.text + hub.log()[-3000:]
    inside(hub, user, "echo unsaved > /workspace/unsaved.txt")
    began = time.monotonic()
    way(hub, user, pod_of(hub, user))
    known: float | None = None
    with contextlib.suppress(AssertionError):
        until(lambda: not hub.active(user), KNOWN_SECONDS, 0.2, "the Hub to see it")
        known = round(time.monotonic() - began, 1)
    ways.cleared(hub)
    said = page_of(hub, user)
    again = hub.start(user, seconds=150)
    ready = (hub.server(user) or {}).get("ready")
    file = inside(hub, user, "cat /workspace/unsaved.txt") if ready else ""
    if ready:
        hub.end(user)
    kept = "there" if file == "unsaved" else "gone" if ready else "no start"
    return {
        "way": way.__name__,
        "file": kept,
        "known_s": known,
        "page": said[:200],
        "start": "" if ready else again.text[:200],
    }


def plain(storage: str, names: list[str]) -> list[dict[str, Any]]:
    rows = []
    with contextlib.ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="kube-crashes-")))
        cluster = held.enter_context(running(nodes=2))
        if cluster.own is None:
            raise SystemExit(
                "Machines are killed here: unset KUBECONFIG, the tests' own cluster is used then"
            )
        engine = held.enter_context(docker_engine.running())
        image = os.environ.get("NOTEBOOKS_TEST_IMAGE") or docker_engine.image(engine, "notebook-base")
        cluster.load(engine.program, engine.url, image)
        more = NO_STORAGE if storage == "none" else ""
        hub = held.enter_context(plain_hub(cluster, image, folder, more))
        for way in [one for one in WAYS if not names or one.__name__ in names]:
            rows.append(row(hub, way))
            print(json.dumps({"plain": storage, **rows[-1]}), flush=True)
        cluster.own.start_node(
            next(one for one in cluster.nodes if f"kubelet-{one.name}" not in cluster.own.processes)
        )
        print(f"plain, {storage}: left over: {left_over(hub)}", flush=True)
    return rows


def left_over(hub: RunningHub) -> str:
    api, namespace = hub.cluster.api, hub.namespace  # type: ignore[attr-defined]
    return (
        f"{len(api.list('Pod', namespace))} pods, {len(api.list('PersistentVolumeClaim', namespace))} claims"
    )


def ours() -> int:
    """The rows of our crash table; its exit status."""
    with tempfile.TemporaryDirectory(prefix="kube-crashes-") as folder:
        told = Path(folder) / "rows"
        command = [sys.executable, "-m", "pytest", "-q", "-m", "slow", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*command, "tests/spawners/kube/test_crash_table.py"],
            cwd=ROOT,
            env={**os.environ, "NOTEBOOKS_CRASHES": str(told)},
            stdin=subprocess.DEVNULL,
        )
        print(told.read_text() if told.exists() else "no row", flush=True)
    return done.returncode


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("which", nargs="?", choices=["ours", "plain", "both"], default="both")
    parser.add_argument("--storage", default="none,claim", help="of plain: none, claim or both")
    parser.add_argument("--ways", default="", help="of plain: names of ways down, all if none is named")
    asked = parser.parse_args()
    status = ours() if asked.which != "plain" else 0
    if asked.which != "ours":
        for storage in asked.storage.split(","):
            rows = plain(storage, [one for one in asked.ways.split(",") if one])
            there = sum(one["file"] == "there" for one in rows)
            print(f"plain, {storage}: the file is there after {there} of {len(rows)} ways down")
    return status


if __name__ == "__main__":
    sys.exit(main())
