"""Starts that cannot work on Kubernetes: what a user reads, and how long after the cluster knew it; ours beside a plain KubeSpawner.

    python -m tests.benchmarks.kube_failures [ours|plain] [NAME…]

Each cause of tests/spawners/kube/causes.py is brought about for real, on the cluster of the tests or of KUBECONFIG, on one
machine. Ours one after the other; plain KubeSpawner with its defaults (60 s for a start, 30 s for a server to answer), all
at once, because each takes that long. The cluster is looked at every 0.05 s; what the user reads comes by the stream behind
the page of the start.

Seen on two cores, with other work beside it (Kubernetes 1.34, KubeSpawner 7.1): ours 0.4 s after the cluster knew it (median
of 25 causes, 1.3 s at most; what the API refuses after 0.1 s), each with its cause; plain 60 to 65 s after the start was
asked for, "Spawn failed:" without a reason or "pod … did not start in 60 seconds!", and "Internal Server Error" for what
the API refuses.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from unittest import mock

from tests.cluster.running import Cluster, running
from tests.hub import start_hub
from tests.spawners.kube import conftest
from tests.spawners.kube.causes import STARTS, Cause
from tests.spawners.kube.failing import (
    HOOK,
    Seen,
    caused,
    cleared,
    lines,
    machines_seen,
    pages_answer,
    token_of,
    user_of,
    watched,
)
from tests.spawners.kube.registry import registry
from tests.spawners.kube.test_podstate import READ

FREE = {"pod-security.kubernetes.io/enforce": "privileged"}
#: Of the namespace: their starts are refused there, and so are the others'.
ALONE = ("quota", "limit of the namespace", "no such storage", "no storage", "volume elsewhere")
PLAIN_SECONDS = 200.0

PLAIN = """
c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
c.JupyterHub.services = [one for one in c.JupyterHub.services if one["name"] == "test"]
c.JupyterHub.load_roles = [one for one in c.JupyterHub.load_roles if one["name"] == "test"]
c.JupyterHub.extra_user_scopes = set()
del c.Spawner["start_timeout"], c.Spawner["http_timeout"]
c.KubeSpawner.image = {image!r}
c.KubeSpawner.extra_container_config = {{"command": ["jupyterhub-singleuser"], "args": []}}
"""


def ours(cluster: Cluster, image: str, address: str, names: list[str]) -> dict[str, Seen]:
    found: dict[str, Seen] = {}
    for strict in (False, True):
        causes = [
            one for one in STARTS if bool(one.namespace_labels) == strict and (not names or one.name in names)
        ]
        if not causes:
            continue
        with tempfile.TemporaryDirectory(prefix="kf-") as folder:
            more, labels = HOOK.format(registry=address), None if strict else FREE
            with contextlib.ExitStack() as held:
                made = conftest.kube_hub(cluster, image, Path(folder), more=more, labels=labels, pages=True)
                hub = pages_answer(held.enter_context(made))
                held.enter_context(machines_seen(cluster, hub.namespace))
                for cause in causes:
                    title = "Fetching the image" if cause.name == "registry hangs" else READ[cause.name][0]
                    found[cause.name] = caused(hub, cause, title.replace("127.0.0.1:5000", address))
                    cleared(hub, cause)
                    print(_line(cause, found[cause.name]), flush=True)
    return found


def plain(cluster: Cluster, image: str, address: str, names: list[str]) -> dict[str, Seen]:
    found: dict[str, Seen] = {}
    wanted = [one for one in STARTS if not names or one.name in names]
    groups = [[one for one in wanted if one.name not in ALONE and not one.namespace_labels]]
    groups += [[one] for one in wanted if one.name in ALONE]
    groups += [[one] for one in wanted if one.namespace_labels]
    for causes in groups:
        if causes:
            with contextlib.ExitStack() as held:
                found |= _plain_at_once(held, cluster, image, address, causes)
    return found


def _plain_at_once(
    held: contextlib.ExitStack, cluster: Cluster, image: str, address: str, causes: list[Cause]
) -> dict[str, Seen]:
    folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="kf-")))
    labels = dict(causes[0].namespace_labels) or FREE
    namespace = held.enter_context(cluster.namespace(labels))
    account = cluster.account(namespace, "hub", conftest.rules(), folder)
    more = PLAIN.format(image=f"docker.io/{image}") + HOOK.format(registry=address)
    traits: dict[str, Any] = {
        "KubeSpawner__namespace": namespace,
        "KubeSpawner__image_pull_policy": "IfNotPresent",
        "KubeSpawner__cpu_guarantee": 0.02,
        "KubeSpawner__uid": 1000,
    }
    with mock.patch.dict(os.environ, {"KUBECONFIG": str(account)}):
        hub = start_hub(folder, host=cluster.gateway, more=more, agents=False, **traits)
    held.callback(hub.stop)
    for cause in causes:
        if cause.beside is not None:
            cause.beside(cluster.api, namespace)
    found = {cause.name: Seen() for cause in causes}
    threads = [
        threading.Thread(target=_plain_one, args=(hub, cluster, namespace, one, found[one.name]))
        for one in causes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for cause in causes:
        print(_line(cause, found[cause.name]), flush=True)
    return found


def _plain_one(hub: Any, cluster: Cluster, namespace: str, cause: Cause, seen: Seen) -> None:
    """One start, and what the Hub's own page says until it ends or goes on for too long."""
    user = user_of(cause)
    token, began = token_of(hub, user), time.monotonic()
    with watched(cluster.api, namespace, cause, began, seen, user):
        asked = hub.admin("POST", f"/hub/api/users/{user}/server", seconds=PLAIN_SECONDS)
        if asked.status >= 400:
            with contextlib.suppress(ValueError):
                seen.said = str(asked.json.get("message"))
            seen.told_at = time.monotonic() - began
            return
        path = f"/hub/api/users/{user}/server/progress"
        for event in lines(hub.ports["hub"], path, token, PLAIN_SECONDS, hub.host):
            now = time.monotonic() - began
            seen.everything.append((now, str(event.get("message", ""))))
            if event.get("failed") or event.get("ready"):
                seen.told_at, seen.said = now, str(event.get("message", ""))
                return


def _line(cause: Cause, seen: Seen) -> str:
    known, told = (f"{at:.1f}" if at is not None else "-" for at in (seen.known_at, seen.told_at))
    late = (
        f"{seen.told_at - seen.known_at:+.1f}"
        if seen.told_at is not None and seen.known_at is not None
        else told
    )
    said = " ".join(seen.said.split())
    return f"{cause.name:24} known {known:>5} s  told {told:>5} s  ({late:>6})  {said[:230]}"


def main(arguments: list[str]) -> int:
    which = arguments[0] if arguments[:1] in (["ours"], ["plain"]) else "both"
    names = arguments[1:] if which != "both" else arguments
    image = os.environ.get("NOTEBOOKS_TEST_IMAGE", "notebooks-test/notebook-base:latest")
    found: dict[str, dict[str, Seen]] = {}
    with running() as cluster, registry() as address:
        cluster.load("docker", os.environ["DOCKER_HOST"], image)
        for name, run in (("ours", ours), ("plain", plain)):
            if which in (name, "both"):
                print(f"-- {name}", flush=True)
                found[name] = run(cluster, image, address, names)
    kept = os.environ.get("NOTEBOOKS_TEST_RESULTS")
    if kept:
        Path(kept).write_text(
            json.dumps(
                {name: {one: vars(seen) for one, seen in rows.items()} for name, rows in found.items()}
            )
        )
    for name, rows in found.items():
        late = sorted(
            one.told_at - one.known_at
            for one in rows.values()
            if one.told_at is not None and one.known_at is not None
        )
        if late:
            print(
                f"{name}: {len(rows)} causes; told after the cluster knew it: median {late[len(late) // 2]:.1f} s, most {late[-1]:.1f} s"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
