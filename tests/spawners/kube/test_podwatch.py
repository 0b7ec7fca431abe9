"""The watch over a start: each word of the cluster is in the session's row at once, and a start that cannot work ends then.

The cluster is a recording of a real one (recorded/), played into the dicts that KubeSpawner's watches keep.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from jupyterhub_notebooks.ledger import Ledger, notebooks, sessions, upgrade, users
from jupyterhub_notebooks.names import new_id
from jupyterhub_notebooks.spawners import podwatch
from jupyterhub_notebooks.spawners.podwatch import Bounds, PodWatch
from jupyterhub_notebooks.spawners.refusing import NotStarted
from tests.spawners.kube.test_podstate import STARTS, nodes, recorded

NOW = datetime(2026, 10, 14, 14, 30, tzinfo=UTC)


class Reflector:
    """A watch of KubeSpawner: what it has of the cluster."""

    def __init__(self) -> None:
        self.resources: dict[str, Any] = {}

    @property
    def pods(self) -> dict[str, Any]:
        return self.resources


class Answer:
    def __init__(self, status: int, body: Any) -> None:
        self.status, self._body = status, json.dumps(body).encode()

    async def read(self) -> bytes:
        return self._body


class Api:
    """What a start asks the cluster for by itself. may_see_nodes: whether the Hub's role has them."""

    def __init__(self, may_see_nodes: bool = True) -> None:
        self.may_see_nodes, self.frame = may_see_nodes, {}

    async def list_node(self, **more: Any) -> Answer:
        return Answer(200, {"items": nodes()}) if self.may_see_nodes else Answer(403, {})

    async def read_namespaced_persistent_volume_claim(self, **more: Any) -> Answer:
        claim = self.frame.get("claim")
        return Answer(200, claim) if claim else Answer(404, {})

    async def list_namespaced_event(self, **more: Any) -> Answer:
        return Answer(200, {"items": self.frame.get("claim_events", [])})


class Site:
    """A ledger with a session that starts, and a cluster that a test plays."""

    def __init__(self, path: Any, api: Api, **bounds: Any) -> None:
        self.ledger = Ledger(f"sqlite:///{path}/ledger.sqlite")
        upgrade(self.ledger)
        owner = users.seen(self.ledger, "mara", "2026-01-01T00:00:00Z", NOW)
        book = notebooks.ensure(self.ledger, owner.id, "", NOW)
        id = new_id(NOW, lambda length: b"1" * length)
        self.session = sessions.begin(self.ledger, id, book.id, {"profile": "p"}, "1" * 64, NOW)
        self.pods, self.events, self.api = Reflector(), Reflector(), api
        settings = SimpleNamespace(contact="ops", no_progress_seconds=bounds.pop("quiet", 120.0))
        spawner: Any = SimpleNamespace(
            namespace="team", pod_name="notebook-1", api=api, log=logging.getLogger("podwatch"),
            pods_there=self.pods_there, event_reflector=self.events, ledger=self.ledger, settings=settings,
        )  # fmt: skip
        self.watch, self.away = PodWatch(spawner, Bounds(**bounds)), False

    async def pods_there(self) -> dict[str, Any] | None:
        return None if self.away else self.pods.pods

    def play(self, frame: dict[str, Any]) -> None:
        self.api.frame = frame
        self.pods.resources = {"team/notebook-1": frame["pod"]}
        self.events.resources = {one["metadata"]["name"]: one for one in frame["events"]}

    @property
    def row(self) -> Any:
        return sessions.get(self.ledger, self.session.id)


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setattr(podwatch, "_machines", {})
    made: list[Site] = []

    def make(api: Api | None = None, **bounds: Any) -> Site:
        made.append(Site(tmp_path, api or Api(), **bounds))
        return made[-1]

    yield make
    for one in made:
        one.ledger.close()


def cause(name: str) -> dict[str, Any]:
    return recorded(next(one for one in STARTS if one.name == name))


def last(name: str) -> dict[str, Any]:
    return dict(cause(name)["frames"][-1])


async def until(check: Any, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it did not come about"
        await asyncio.sleep(0.02)


FAST = (
    "image missing",
    "registry login",
    "settings absent",
    "ends at once",
    "secret to mount",
    "no such machine",
    "no storage",
)


@pytest.mark.parametrize("name", FAST)
async def test_a_start_that_cannot_work_ends_with_its_reason_and_its_evidence(site, name):
    here = site()
    here.play(last(name))
    with pytest.raises(NotStarted) as told:
        await asyncio.wait_for(here.watch.until_running(here.session), 5)
    assert told.value.cause == next(one.cause for one in STARTS if one.name == name)
    assert told.value.title and told.value.why and told.value.next and told.value.evidence


async def test_what_it_waits_for_stands_in_its_row_and_goes_when_it_goes_on(site):
    here = site(Api(may_see_nodes=False))
    here.play(last("no GPU"))
    going = asyncio.create_task(here.watch.until_running(here.session))
    await until(lambda: here.row.phase == "waiting")
    assert here.row.warnings[0].startswith("No machine has 1\u00a0GPU free")
    frames = cause("ends at once")["frames"]
    here.play(
        next(
            one
            for one in frames
            if '"running"' not in json.dumps(one) and "terminated" not in json.dumps(one)
        )
    )
    await until(lambda: here.row.phase != "waiting")
    assert here.row.warnings == []
    assert not going.done()
    pod = json.loads(json.dumps(frames[0]["pod"]))
    pod["status"] |= {
        "podIP": "10.0.0.9",
        "containerStatuses": [{"name": "notebook", "state": {"running": {}}}],
    }
    here.play({"pod": pod, "events": []})
    assert (await asyncio.wait_for(going, 5))["status"]["podIP"] == "10.0.0.9"


async def test_what_is_waited_for_too_long_ends_the_start_and_says_how_long(site):
    here = site(Api(may_see_nodes=False), machine_seconds=0.5)
    here.play(last("no GPU"))
    with pytest.raises(NotStarted, match="No machine has 1\u00a0GPU free") as told:
        await asyncio.wait_for(here.watch.until_running(here.session), 5)
    assert "It was waited for" in told.value.why and told.value.cause == "no_gpu"


async def test_a_place_is_waited_for_where_machines_come_when_they_are_missing(site):
    here = site(scales=True)
    here.play(last("no such machine"))
    going = asyncio.create_task(here.watch.until_running(here.session))
    await until(lambda: here.row.phase == "waiting")
    assert here.row.warnings[0].startswith("No machine of this flavor runs now")
    going.cancel()


async def test_a_registry_that_limits_downloads_is_waited_for(site):
    here = site()
    here.play(last("registry limits"))
    going = asyncio.create_task(here.watch.until_running(here.session))
    await until(lambda: here.row.phase == "pulling")
    assert "limits downloads" in here.row.warnings[0]
    await asyncio.sleep(podwatch.LOOK_SECONDS * 3)
    assert not going.done()
    going.cancel()


async def test_a_start_in_which_nothing_happens_any_more_is_given_up(site):
    here = site(quiet=0.5)
    frame = cause("ends at once")["frames"][0]
    here.play({**frame, "events": []})
    with pytest.raises(NotStarted, match="could not be set up on its machine"):
        await asyncio.wait_for(here.watch.until_running(here.session), 5)


async def test_one_that_is_removed_meanwhile_is_told_as_that(site):
    here = site()
    here.play({**cause("ends at once")["frames"][0], "events": []})
    going = asyncio.create_task(here.watch.until_running(here.session))
    await until(lambda: here.watch.told.step == "creating")
    here.pods.resources = {}
    with pytest.raises(NotStarted, match="ended from outside"):
        await asyncio.wait_for(going, 5)


async def test_a_watch_that_is_away_for_a_while_is_no_news_and_takes_none_of_the_patience(site, monkeypatch):
    monkeypatch.setattr(podwatch, "AWAY_SECONDS", 0.05)
    here = site(quiet=0.3)
    here.play(cause("image missing")["frames"][0])
    started = asyncio.create_task(here.watch.until_running(here.session))
    await until(lambda: here.watch.told.step != "asked")
    here.away, here.pods.resources = True, {}
    await asyncio.wait({started}, timeout=0.6)
    assert not started.done()
    here.play(last("image missing"))
    here.away = False
    with pytest.raises(NotStarted, match="is not in its registry"):
        await asyncio.wait_for(started, 5)


async def test_a_cluster_that_stays_away_ends_a_start_in_words(site, monkeypatch):
    monkeypatch.setattr(podwatch, "AWAY_SECONDS", 0.02)
    here = site(machine_seconds=0.2)
    here.away = True
    with pytest.raises(NotStarted, match="The cluster does not answer"):
        await asyncio.wait_for(here.watch.until_running(here.session), 5)
