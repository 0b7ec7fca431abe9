"""Records what a real cluster says of each cause of causes.py: ``python -m tests.spawners.kube.record [NAME…]``.

The files in recorded/ are made by this and by nothing else: the pod, its events, its claim and their events each time that
one of them changed, with the seconds since the pod was made; or the answer that refused it.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.cluster.api import Api, ApiError
from tests.cluster.running import Cluster, running
from tests.spawners.kube.causes import ENDS, STARTS, Cause, changed
from tests.spawners.kube.registry import registry

RECORDED = Path(__file__).parent / "recorded"
MOST_SECONDS = 100.0
#: What says nothing, and is long or different each time.
_LEFT_OUT = ("managedFields", "resourceVersion", "annotations", "generation")


def file_of(cause: Cause) -> Path:
    return RECORDED / f"{re.sub(r'[^a-z0-9]+', '-', cause.name.lower()).strip('-')}.json"


def base_pod(image: str) -> dict[str, Any]:
    """A pod as a notebook's is, with a program that stays."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "notebook-1"},
        "spec": {
            "restartPolicy": "OnFailure",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 2,
            "securityContext": {"runAsUser": 1000, "fsGroup": 1000},
            "containers": [
                {
                    "name": "notebook",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["/bin/sh", "-c", "sleep 600"],
                }
            ],
        },
    }


def record(api: Api, namespace: str, cause: Cause, image: str, address: str) -> dict[str, Any]:
    """What the cluster said, over time."""
    if cause.beside is not None:
        cause.beside(api, namespace)
    pod = changed(base_pod(image), cause, address)
    began = time.monotonic()
    try:
        api.create(pod, namespace)
    except ApiError as error:
        return {
            "refused": {"status": error.status, "message": error.message},
            "body": getattr(error, "body", None),
        }
    frames: list[dict[str, Any]] = []
    known_at = None
    acted = cause.act is None
    for frame in _frames(api, namespace):
        if not frame["pod"]:
            break
        if not acted and '"running"' in json.dumps(frame["pod"]):
            acted = True
            cause.act(api, namespace)
        now = time.monotonic() - began
        if not frames or _differs(frames[-1], frame):
            frames.append({"at": round(now, 2), **frame})
        if known_at is None and re.search(cause.sign, json.dumps(frame)):
            known_at = now
        if now > MOST_SECONDS or (known_at is not None and now > known_at + cause.after_seconds):
            break
        time.sleep(0.05)
    api.delete("Pod", "notebook-1", namespace, 0)
    api.delete("PersistentVolume", f"away-{namespace}")
    api.delete("PriorityClass", f"first-{namespace}")
    return {"frames": _few(frames)}


def _frames(api: Api, namespace: str) -> Iterator[dict[str, Any]]:
    while True:
        pod = api.get("Pod", "notebook-1", namespace)
        everything = api.list("Event", namespace)
        claim = api.get("PersistentVolumeClaim", "gone", namespace)
        of = {"pod": _plain(pod), "events": [_plain(one) for one in everything if _kind(one) == "Pod"]}
        if claim is not None:
            of |= {"claim": _plain(claim)}
            of |= {
                "claim_events": [_plain(one) for one in everything if _kind(one) == "PersistentVolumeClaim"]
            }
        yield of


def _kind(event: dict[str, Any]) -> str:
    return str(event["involvedObject"].get("kind"))


def _plain(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: _plain(value) for key, value in found.items() if key not in _LEFT_OUT}
    return [_plain(one) for one in found] if isinstance(found, list) else found


def _differs(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return {key: value for key, value in one.items() if key != "at"} != other


def _few(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first and the last, and between them those in which the status or the number of events changed."""
    picked = frames[:1]
    for frame in frames[1:]:
        if frame["pod"].get("status") != picked[-1]["pod"].get("status") or len(frame["events"]) != len(
            picked[-1]["events"]
        ):
            picked.append(frame)
    return picked if not frames or picked[-1] is frames[-1] else [*picked, frames[-1]]


def record_all(cluster: Cluster, image: str, names: list[str]) -> None:
    RECORDED.mkdir(exist_ok=True)
    nodes = [_plain(one) for one in cluster.api.list("Node")]
    for node in nodes:
        node["status"] = {key: node["status"][key] for key in ("allocatable", "conditions")}
    (RECORDED / "nodes.json").write_text(json.dumps(nodes, indent=1) + "\n")
    with registry() as address:
        for cause in (*STARTS, *ENDS):
            if names and cause.name not in names:
                continue
            with cluster.namespace(dict(cause.namespace_labels) or None) as namespace:
                began = time.monotonic()
                said = record(cluster.api, namespace, cause, image, address)
                said = {"name": cause.name, "cluster": "v1.34.4", **said}
                text = (
                    json.dumps(said, indent=1).replace(address, "127.0.0.1:5000").replace(namespace, "team")
                )
                file_of(cause).write_text(text + "\n")
            print(
                f"{cause.name:28} {time.monotonic() - began:5.1f} s  {said.get('refused') or len(said['frames'])}",
                flush=True,
            )


def main() -> int:
    import os

    with running() as cluster:
        image = os.environ.get("NOTEBOOKS_TEST_IMAGE", "notebooks-test/notebook-base:latest")
        cluster.load("docker", os.environ["DOCKER_HOST"], image)
        record_all(cluster, f"docker.io/{image}", sys.argv[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
