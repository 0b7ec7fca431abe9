"""The history of a session's clock, GPUs that nobody uses, extensions beyond the bound, and a stop that keeps variables."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from sqlalchemy import update

from jupyterhub_notebooks.clock import SYSTEM_CLOCK, to_text
from jupyterhub_notebooks.ledger import audit, clocks, intents, sessions
from jupyterhub_notebooks.ledger.tables import sessions as table

from .conftest import Site


def told(answer: Any) -> Any:
    return json.loads(answer.body)


async def running(site: Site, name: str, **values: Any) -> tuple[str, str]:
    """A token of that user, and a session of theirs that runs."""
    token = site.hub.add(name)
    await site.api(token, f"notebooks/{name}/-/start", "POST", {"profile": "notebook-cpu-small"})
    [row] = [one for one in sessions.every(site.ledger) if one.closed_at is None][:1]
    now = SYSTEM_CLOCK.now()
    launch = {"profile": "p", "max_session_seconds": 3600, "extend_seconds": 600, "extensions": 1}
    made = {"ready_at": now - timedelta(minutes=30), "phase": "running", "launch": launch, **values}
    with site.ledger.write() as connection:
        connection.execute(update(table).where(table.c.id == row.id).values(**made))
    return token, row.id


async def test_a_sessions_clock_has_its_limits_and_each_stretch_with_its_end(site: Site) -> None:
    token, id = await running(site, "mara")
    now = SYSTEM_CLOCK.now()
    for minutes, verdict in ((20, "working"), (10, "quiet"), (5, "present")):
        values = {"verdict": verdict, "verdict_sentence": f"It was {verdict}."}
        at = now - timedelta(minutes=minutes)
        clocks.change(site.ledger, id, lambda row, values=values: clocks.Change(values), at)
    found = told(await site.api(token, f"sessions/{id}/clock"))
    assert [one["verdict"] for one in found["stretches"]] == ["working", "quiet", "present"]
    assert [round(one["seconds"] / 60) for one in found["stretches"]] == [10, 5, 5]
    assert found["stretches"][0]["until"] == found["stretches"][1]["since"]
    assert found["max_session_seconds"] == 3600 and found["enforcement"] == "stop"
    assert found["session_ends_at"] and found["idle_ends_at"] is None
    other = site.hub.add("otto")
    assert (await site.api(other, f"sessions/{id}/clock")).code == 404


async def test_a_gpu_that_was_not_used_for_an_hour_is_listed_for_its_user_and_administrators(
    site: Site,
) -> None:
    long, short = (to_text(SYSTEM_CLOCK.now() - timedelta(minutes=m)) for m in (75, 30))
    signals = [{"name": "gpu", "state": "idle", "since": long, "detail": "Used to 0 % over the last 30 s"}]
    launch = {"profile": "p", "resources": {"gpu": {"kind": "a100", "count": 1}}}
    token, id = await running(site, "mara", signals=signals, launch=launch, verdict="working")
    [unused] = told(await site.api(token, "gpus/unused"))["gpus"]
    assert (unused["session"], unused["user"], unused["gpu"], unused["verdict"]) == (
        id,
        "mara",
        "a100",
        "working",
    )
    assert unused["seconds"] // 60 == 75
    other, admin = site.hub.add("otto"), site.hub.add("petra", admin=True)
    assert told(await site.api(other, "gpus/unused"))["gpus"] == []
    assert len(told(await site.api(admin, "gpus/unused"))["gpus"]) == 1
    with site.ledger.write() as connection:
        newer = [{**signals[0], "since": short}]
        connection.execute(update(table).where(table.c.id == id).values(signals=newer))
    assert told(await site.api(admin, "gpus/unused"))["gpus"] == []


async def test_an_administrator_extends_beyond_the_bound_and_it_is_on_record(site: Site) -> None:
    token, id = await running(site, "mara")
    assert (await site.api(token, f"sessions/{id}/extend", "POST", {"seconds": 7200})).code == 409
    assert (await site.api(token, f"sessions/{id}/extend", "POST")).code == 200
    assert (await site.api(token, f"sessions/{id}/extend", "POST")).code == 409
    admin = site.hub.add("petra", admin=True)
    assert (await site.api(admin, f"sessions/{id}/extend", "POST", {"seconds": 36000})).code == 200
    row = sessions.get(site.ledger, id)
    assert row.extended_seconds == 600 + 36000 and row.extensions == 1
    records = [one for one in audit.rows(site.ledger, subject=id) if one.action == "session.extended"]
    assert [round(one.evidence["seconds"]) for one in records] == [36000, 600]
    assert records[0].actor != records[1].actor and all(one.evidence["until"] for one in records)


async def test_a_stop_may_ask_that_variables_are_kept_first(site: Site) -> None:
    token, id = await running(site, "mara")
    body = {"variables": True}
    assert (await site.api(token, "notebooks/mara/-/stop", "POST", body)).code == 202
    stop = intents.last_stop(site.ledger, id)
    assert stop is not None and stop.cause == "stopped" and stop.evidence["variables"] is True


def test_a_session_without_a_verdict_yet_has_no_stretches() -> None:
    from jupyterhub_notebooks.clock import SYSTEM_CLOCK
    from jupyterhub_notebooks.services.notebooks.clock_reads import stretches_json

    assert stretches_json([], SYSTEM_CLOCK.now()) == []
