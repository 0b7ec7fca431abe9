"""Starts that go wrong on a real Kubernetes, seen from both ends: when the cluster knows it, and when the user reads what.

A Hub's pods are changed by ``c.KubeSpawner.modify_pod_hook``, which administrators use: so that ours and a plain KubeSpawner
get the same pod. What the user reads is the stream behind the page of the start (ours), or the Hub's own (plain).
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.api import Api, ApiError
from tests.hub import RunningHub, until
from tests.spawners.kube.causes import ENDS, FAILS, STARTS, Cause, changed

ROOT = Path(__file__).parents[3]
LOOK_SECONDS = 0.05
PAGES = "/services/notebooks/api/v1"

#: Lines at the end of a Hub's configuration. {registry}: the address of ours.
HOOK = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from tests.spawners.kube.failing import hooked
c.KubeSpawner.modify_pod_hook = hooked({{registry!r}})
"""


class Manifest(dict[str, Any]):
    """A pod as the API takes it, with the attribute that KubeSpawner reads of one."""

    metadata: Any = None


def hooked(registry: str) -> Callable[[Any, Any], Manifest]:
    """A ``modify_pod_hook``: the user's name says what goes wrong with their pods."""
    by_user = {user_of(one): one for one in (*STARTS, *ENDS)}

    def hook(spawner: Any, pod: Any) -> Any:
        cause = by_user.get(spawner.user.name)
        if cause is None:
            return pod
        made = Manifest(changed(spawner.api.api_client.sanitize_for_serialization(pod), cause, registry))
        made.metadata = pod.metadata
        return made

    return hook


def user_of(cause: Cause) -> str:
    return re.sub(r"[^a-z0-9]+", "-", cause.name.lower()).strip("-")


@dataclass
class Seen:
    """Seconds since the start was asked for; None: never. said: what the user read first that fits, and all of it."""

    known_at: float | None = None
    told_at: float | None = None
    said: str = ""
    everything: list[tuple[float, str]] = field(default_factory=list)


@contextlib.contextmanager
def watched(
    api: Api, namespace: str, cause: Cause, began: float, seen: Seen, user: str = ""
) -> Iterator[None]:
    """Notes when the sign of a cause first stands in a pod's status or in an event about a pod that is there.

    user: only pods of theirs, where others start too.
    """
    over = threading.Event()

    def look() -> None:
        pods: set[str] = set()
        old = {one["metadata"]["name"] for one in api.list("Event", namespace)}
        while not over.wait(LOOK_SECONDS):
            with contextlib.suppress(OSError, ApiError):  # a busy API server: the next look has it
                there = [one for one in api.list("Pod", namespace) if user in one["metadata"]["name"]]
                pods |= {one["metadata"]["uid"] for one in there}
                events = [one for one in api.list("Event", namespace) if one["metadata"]["name"] not in old]
                mine = [one for one in events if one["involvedObject"].get("uid") in pods]
                text = json.dumps([one.get("status") for one in there] + mine)
                if re.search(cause.sign, text):
                    seen.known_at = time.monotonic() - began
                    return

    thread = threading.Thread(target=look, daemon=True)
    if cause.sign:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if cause.sign:
            thread.join(10)


def lines(
    port: int, path: str, token: str, seconds: float, host: str = "127.0.0.1"
) -> Iterator[dict[str, Any]]:
    """The events of a stream, until it ends or that many seconds are over."""
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    end = time.monotonic() + seconds
    try:
        connection.request("GET", path, headers={"Authorization": f"token {token}"})
        answer = connection.getresponse()
        assert answer.status == 200, (answer.status, answer.read()[:300])
        while time.monotonic() < end:
            line = answer.readline()
            if not line:
                return
            if line.startswith(b"data: "):
                yield json.loads(line[6:])
    except TimeoutError:
        return
    finally:
        connection.close()


def token_of(hub: RunningHub, user: str) -> str:
    hub.admin("POST", f"/hub/api/users/{user}")
    return str(hub.admin("POST", f"/hub/api/users/{user}/tokens", {}).json["token"])


@contextlib.contextmanager
def machines_seen(cluster: Any, namespace: str) -> Iterator[None]:
    """The right of config/kubernetes/machines.yaml for the Hub of a namespace."""
    from ruamel.yaml import YAML

    made = []
    for one in YAML(typ="safe").load_all(ROOT / "config" / "kubernetes" / "machines.yaml"):
        one["metadata"]["name"] = name = f"machines-{namespace}"
        if one["kind"] == "ClusterRoleBinding":
            one["roleRef"]["name"], one["subjects"][0]["namespace"] = name, namespace
        cluster.api.create(one)
        made.append((one["kind"], name))
    try:
        yield
    finally:
        for kind, name in made:
            cluster.api.delete(kind, name)


def pages_answer(hub: RunningHub) -> RunningHub:
    """Waits for services/notebooks, which the Hub starts after itself."""
    asked = type(hub.admin)(hub.ports["pages"], "")

    def answers() -> bool:
        try:
            return asked("GET", f"{PAGES}/profiles").status > 0
        except OSError:
            return False

    until(answers, 60, 0.2, "the pages")
    return hub


def ask_pages(hub: RunningHub, token: str, path: str, method: str = "GET", body: Any = None) -> Any:
    """services/notebooks' REST API, as that user."""
    answer = type(hub.admin)(hub.ports["pages"], token)(method, f"{PAGES}/{path}", body)
    assert answer.status < 400, answer.text
    return answer.json


def caused(hub: RunningHub, cause: Cause, title: str, seconds: float = 60) -> Seen:
    """One start of ours that goes wrong: asked for on the page, and watched there until its sentence holds ``title``."""
    api, namespace, user = hub.cluster.api, hub.namespace, user_of(cause)  # type: ignore[attr-defined]
    token, seen = token_of(hub, user), Seen()
    if cause.beside is not None:
        cause.beside(api, namespace)
    began = time.monotonic()
    with watched(api, namespace, cause, began, seen):
        ask_pages(hub, token, f"notebooks/{user}/-/start", "POST", {"profile": "work"})
        while seen.told_at is None and time.monotonic() < began + seconds:
            for event in lines(hub.ports["pages"], f"{PAGES}/notebooks/{user}/-/progress", token, seconds):
                now, said = time.monotonic() - began, event["sentence"].replace("\u00a0", " ")
                seen.everything.append((now, f"{event['state']}: {said}"))
                if title in said and (cause.what != FAILS or event["state"] == "ERROR"):
                    seen.told_at, seen.said = now, said
                    break
        if cause.sign:
            with contextlib.suppress(AssertionError):
                until(lambda: seen.known_at is not None, 5, what="the sign")
    return seen


def cleared(hub: RunningHub, cause: Cause) -> None:
    """Ends what waits still, and removes what the cause needed."""
    api, namespace, user = hub.cluster.api, hub.namespace, user_of(cause)  # type: ignore[attr-defined]
    if hub.active(user):
        hub.end(user)
    for kind, name, where in (
        ("ResourceQuota", "team", namespace),
        ("LimitRange", "small", namespace),
        ("PersistentVolumeClaim", "gone", namespace),
        ("PersistentVolume", f"away-{namespace}", ""),
    ):
        if cause.beside is not None:
            api.delete(kind, name, where)
    until(lambda: not api.list("Pod", namespace), 60, what="the end of its pods")
    if cause.beside is not None:
        until(lambda: api.get("PersistentVolumeClaim", "gone", namespace) is None, 30, what="the claim's end")
