"""The keeper of pods goes on: where the watch gave up it is begun again, and an error of one look is not the end."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from jupyterhub_notebooks.spawners import podkeeper, pods
from jupyterhub_notebooks.spawners.podkeeper import PodKeeper

NOW = datetime.now(UTC)


class Reflector:
    """A watch as KubeSpawner keeps it; ended: whether it gave up."""

    def __init__(self, ended: bool, *there: dict[str, Any]) -> None:
        self.watch_task: Any = SimpleNamespace(done=lambda: ended)
        self.pods = {one["metadata"]["name"]: one for one in there}


class Ledger:
    """What is written of sessions. away: so many questions are answered with an error first."""

    def __init__(self, closed_at: datetime | None, away: int = 0) -> None:
        self.row = SimpleNamespace(closed_at=closed_at, cause="stopped", stop_asked_at=NOW)
        self.away = away

    async def run(self, call: Any, *more: Any) -> Any:
        if self.away:
            self.away -= 1
            raise OSError("the database does not answer")
        return self.row


def over(name: str) -> dict[str, Any]:
    """A pod whose agent ended."""
    meta = {"name": name, "labels": {f"{pods.LABEL}session": name}}
    return {"metadata": meta, "spec": {}, "status": {"phase": "Succeeded"}}


@pytest.fixture
def look(monkeypatch):
    """Looks after pods until ``enough``; what was deleted, and how often the watch was begun again. away: so many times
    that came to nothing."""
    monkeypatch.setattr(podkeeper, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(podkeeper, "AWAY_SECONDS", 0.001)

    async def run(reflector: Reflector, ledger: Ledger, enough: Any, away: int = 0) -> SimpleNamespace:
        seen = SimpleNamespace(deleted=[], begun=0)
        spawner = SimpleNamespace(
            log=logging.getLogger("keeper"), pod_reflector=reflector, event_reflector=None, ledger=ledger
        )

        async def delete(pod: Any) -> None:
            seen.deleted.append(pod["metadata"]["name"])
            del reflector.pods[pod["metadata"]["name"]]

        async def again() -> None:
            seen.begun += 1
            if seen.begun <= away:
                raise OSError("the cluster does not answer")
            spawner.pod_reflector = Reflector(False, *reflector.pods.values())
            reflector.pods = spawner.pod_reflector.pods

        keeper = PodKeeper(spawner, delete, again)
        keeper.begin()
        keeper.begin()
        async with asyncio.timeout(10):
            while not enough(seen):  # noqa: ASYNC110  (nobody tells it)
                await asyncio.sleep(0.001)
        keeper._task.cancel()
        return seen

    return run


async def test_a_watch_that_gave_up_is_begun_again_once_and_pods_are_looked_after_on_it(look):
    long_ago = NOW - timedelta(seconds=podkeeper.KEPT_SECONDS + 5)
    seen = await look(Reflector(True, over("old")), Ledger(long_ago), lambda seen: seen.deleted)
    assert (seen.begun, seen.deleted) == (1, ["old"])


async def test_a_cluster_that_is_away_is_asked_until_it_answers(look):
    long_ago = NOW - timedelta(seconds=podkeeper.KEPT_SECONDS + 5)
    seen = await look(Reflector(True, over("old")), Ledger(long_ago), lambda seen: seen.deleted, away=3)
    assert (seen.begun, seen.deleted) == (4, ["old"])


async def test_an_agent_that_its_machine_starts_again_and_again_is_removed_once_its_session_is_closed(look):
    ended = {"state": {"waiting": {}}, "lastState": {"terminated": {"exitCode": 75}}, "name": pods.NOTEBOOK}
    again = {**over("again"), "status": {"phase": "Running", "containerStatuses": [ended]}}
    long_ago = NOW - timedelta(seconds=podkeeper.KEPT_SECONDS + 5)
    seen = await look(Reflector(False, again), Ledger(long_ago), lambda seen: seen.deleted)
    assert seen.deleted == ["again"]
    ledger = Ledger(None, away=1)
    seen = await look(Reflector(False, again), ledger, lambda seen: not ledger.away)
    assert seen.deleted == []


async def test_a_database_that_is_away_for_a_look_is_asked_at_the_next(look):
    long_ago = NOW - timedelta(seconds=podkeeper.KEPT_SECONDS + 5)
    seen = await look(Reflector(False, over("old")), Ledger(long_ago, away=3), lambda seen: seen.deleted)
    assert (seen.begun, seen.deleted) == (0, ["old"])


async def test_a_pod_is_kept_while_the_hub_may_still_read_why_it_ended_and_while_its_session_is_open(look):
    for closed_at in (NOW, None):
        ledger = Ledger(closed_at, away=1)
        seen = await look(Reflector(False, over("new")), ledger, lambda seen, ledger=ledger: not ledger.away)
        assert seen.deleted == []


@pytest.mark.parametrize("ready_at", [None, NOW])
def test_why_a_pod_ended_is_told_of_what_ran_and_left_to_a_start_to_tell(ready_at):
    ended = {"state": {"terminated": {"exitCode": 137}}, "name": pods.NOTEBOOK}
    pod = {**over("one"), "status": {"phase": "Running", "containerStatuses": [ended]}}
    row = SimpleNamespace(closed_at=None, cause=None, stop_asked_at=None, ready_at=ready_at)
    told = podkeeper.told_of(pod, row)
    assert (told.get("cause") if ready_at else told) == ("killed" if ready_at else {})
