"""The look and the stops over a real ledger, with a Hub that can be away and a clock that tests turn."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jupyterhub_notebooks.errors import DatabaseAway, HubAway
from jupyterhub_notebooks.ledger import audit, intents, sessions
from jupyterhub_notebooks.services.idle_culler import culling

from .conftest import World


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(culling, "REPORT_SECONDS", 0.6)


def quiet_for(world: World, id: str, minutes: int, seen: bool = True) -> None:
    """Time goes by with a heartbeat a minute; its user sees the warning at the last."""
    for _ in range(minutes):
        world.clock.turn(minutes=1)
        world.beat(id)
    if seen:
        world.seen(id)


async def test_one_that_was_quiet_for_its_limit_is_stopped_with_its_evidence(world: World) -> None:
    id = world.session("mara")
    quiet_for(world, id, 29)
    assert (await world.look()).due == 0 and world.hub.asked == 0
    quiet_for(world, id, 1)
    await world.look()
    row = world.row(id)
    assert row.cause == "idle" and world.hub.stops == [("mara", "")]
    stop = intents.last_stop(world.ledger, id)
    assert stop is not None and stop.evidence["verdict"] == "quiet" and stop.evidence["limit_seconds"] == 1800
    await world.look()
    assert len(world.hub.stops) == 1
    assert audit.broken(world.ledger) is None


async def test_a_warning_that_nobody_saw_puts_it_off_once(world: World) -> None:
    id = world.session("mara")
    quiet_for(world, id, 30, seen=False)
    await world.look()
    assert world.hub.stops == [] and world.row(id).delayed_at == world.clock.now()
    quiet_for(world, id, 9, seen=False)
    await world.look()
    assert world.hub.stops == []
    quiet_for(world, id, 1, seen=False)
    await world.look()
    assert world.row(id).cause == "idle"
    assert [one.action for one in audit.rows(world.ledger, subject=id)].count("session.stop_delayed") == 1


async def test_work_that_begins_in_the_last_moment_is_not_stopped(world: World) -> None:
    id = world.session("mara")
    quiet_for(world, id, 30)
    world.clock.turn(seconds=20)
    world.set(id, "busy")  # what it answers when it is asked
    await world.look()
    assert world.hub.stops == [] and world.row(id).verdict == "working"
    world.set(id, "idle")
    world.beat(id)
    await world.look()
    assert world.hub.stops == [] and world.row(id).quiet_since == world.clock.now()


async def test_one_that_does_not_answer_is_not_idle_and_meets_its_session_limit(world: World) -> None:
    id = world.session("mara")
    quiet_for(world, id, 30)
    world.clock.turn(minutes=5)
    world.set(id, None)
    await world.look()
    assert world.hub.stops == [] and intents.open_of(world.ledger, id) == []
    world.clock.turn(hours=8)
    await world.look()
    assert world.row(id).cause == "session_limit"


async def test_one_that_never_said_a_word_meets_its_session_limit(world: World) -> None:
    id = world.session("mara", kernel=None)
    world.clock.turn(hours=7.9)
    await world.look()
    assert world.hub.stops == [] and world.row(id).session_ends_at is not None
    world.clock.turn(hours=0.1)
    await world.look()
    assert world.row(id).cause == "session_limit"


async def test_a_busy_loop_meets_its_session_limit_and_an_extension_moves_it(world: World) -> None:
    id = world.session("mara", kernel="busy")
    world.clock.turn(hours=7)
    from jupyterhub_notebooks.enforcement.rules import Limits, extend
    from jupyterhub_notebooks.ledger import clocks

    made = extend(world.row(id), Limits(1800, 8 * 3600), world.clock.now())
    clocks.change(world.ledger, id, lambda _: clocks.Change(made.values), world.clock.now())
    world.clock.turn(hours=2.9)
    await world.look()
    assert world.hub.stops == []
    world.clock.turn(hours=0.1)
    await world.look()
    assert world.row(id).cause == "session_limit"


async def test_while_the_hub_is_away_nothing_is_written_and_afterwards_it_is_stopped_once(
    world: World,
) -> None:
    id = world.session("mara")
    quiet_for(world, id, 30)
    world.hub.away = True
    with pytest.raises(HubAway):
        await world.look()
    assert intents.last_stop(world.ledger, id) is None and world.row(id).stop_asked_at is None
    world.hub.away = False
    await world.look()
    assert world.row(id).cause == "idle" and len(world.hub.stops) == 1


def _damaged(folder: Path) -> dict[str, bytes]:
    """Puts nonsense in the database's place; what was there."""
    moved = {}
    for one in list(folder.glob("ledger.sqlite*")):
        moved[one.name] = one.read_bytes()
        one.unlink()
    (folder / "ledger.sqlite").write_text("this is no database, and long enough to be told as one" * 20)
    return moved


async def test_while_the_database_is_away_nothing_is_stopped(world: World, tmp_path: Path) -> None:
    id = world.session("mara")
    quiet_for(world, id, 30)
    await world.culler.close()
    world.ledger.close()
    moved = _damaged(tmp_path)
    broken = type(world.ledger)(world.url)
    culler = culling.Culler(world.settings, broken, world.hub, world.clock)
    with pytest.raises(DatabaseAway):
        await culler.look()
    await culler.close()
    broken.close()
    assert world.hub.stops == [] and world.hub.asked == 0
    for name, content in moved.items():
        (tmp_path / name).write_bytes(content)
    world.ledger = type(world.ledger)(world.url)
    world.hub.ledger = world.ledger
    await world.look(world.new_culler())
    assert world.row(id).cause == "idle" and len(world.hub.stops) == 1


async def test_a_stop_that_died_with_the_hub_or_with_us_is_asked_again(world: World) -> None:
    id = world.session("mara")
    quiet_for(world, id, 30)
    world.hub.forgets = True
    await world.look()
    assert world.hub.stops == [("mara", "")] and world.row(id).closed_at is None
    world.hub.forgets = False
    await world.look(world.new_culler())  # as after a restart
    row = world.row(id)
    assert row.cause == "idle" and len(world.hub.stops) == 2
    asked = [one for one in audit.rows(world.ledger, subject=id) if one.action == "session.stop"]
    assert len(asked) == 1  # one intent, however often the Hub was asked


async def test_a_stop_that_was_not_begun_is_taken_back_when_work_begins(world: World) -> None:
    id = world.session("mara")
    quiet_for(world, id, 30)
    world.hub.forgets = True
    await world.look()
    world.set(id, "busy")
    world.beat(id)
    await world.look(world.new_culler())
    assert intents.open_of(world.ledger, id) == [] and len(world.hub.stops) == 1
    assert world.row(id).stop_asked_at is None


async def test_a_stop_of_somebody_else_is_left_to_them(world: World) -> None:
    id = world.session("mara")
    quiet_for(world, id, 30)
    sessions.stop_asked(world.ledger, id, world.clock.now())
    await world.look()
    assert world.hub.stops == []


async def test_many_are_stopped_at_a_time_and_no_more_than_the_setting(tmp_path: Path) -> None:
    world = World(tmp_path, culler_at_once=5)
    ids = [world.session(f"user{number}") for number in range(15)]
    world.clock.turn(minutes=30)
    for id in ids:
        world.beat(id)
        world.seen(id)
    world.hub.takes_seconds = 0.05
    found = await world.look()
    assert found.due == found.begun == 15
    assert len(world.hub.stops) == 15 and 1 < world.hub.most_at_once <= 5
    assert all(world.row(id).cause == "idle" for id in ids)
    await world.culler.close()
    world.ledger.close()


async def test_a_look_does_not_wait_for_stops_that_are_under_way(world: World) -> None:
    id = world.session("mara")
    quiet_for(world, id, 30)
    world.hub.takes_seconds = 30
    await world.culler.look()
    for _ in range(400):
        if world.hub.stops:
            break
        world._answer()
        await asyncio.sleep(0.01)
    assert (await world.culler.look()).begun == 0
    assert len(world.hub.stops) == 1


@pytest.mark.parametrize("where", ["hub", "profile"])
async def test_observing_records_once_in_a_quiet_stretch_and_stops_nothing(
    tmp_path: Path, where: str
) -> None:
    world = World(tmp_path, enforcement="observe") if where == "hub" else World(tmp_path)
    id = world.session("mara", **({} if where == "hub" else {"enforcement": "observe"}))
    for _ in range(2):
        for _ in range(3):
            quiet_for(world, id, 31, seen=False)
            await world.look()
        world.set(id, "busy")
        world.beat(id)
        world.set(id, "idle")
        world.beat(id)
    world.clock.turn(hours=8)
    await world.look()
    await world.look()
    found = [one for one in audit.rows(world.ledger, subject=id) if one.action == "session.would_stop"]
    assert [one.cause for one in reversed(found)] == ["idle", "idle", "session_limit"]
    assert world.hub.stops == [] and world.row(id).stop_asked_at is None
    await world.culler.close()
    world.ledger.close()


async def test_where_enforcement_is_off_nothing_is_looked_at(tmp_path: Path) -> None:
    world = World(tmp_path, enforcement="off")
    id = world.session("mara")
    world.clock.turn(hours=20)
    assert (await world.look()).due == 0
    assert world.row(id).stop_asked_at is None and world.hub.asked == 0
    await world.culler.close()
    world.ledger.close()
