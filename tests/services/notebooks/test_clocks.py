"""The clock on the pages and in the REST API: what is told, who moves it, how far."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.ledger import audit, sessions

from .conftest import Site

MINUTES = 60


def told(answer: Any) -> Any:
    return json.loads(answer.body)


async def running(site: Site, token: str, **values: Any) -> str:
    """A running notebook ``churn`` of mara's whose session has these columns; the session's id."""
    made = await site.api(token, "notebooks", "POST", {"name": "churn", "profile": "notebook-cpu-small"})
    id = told(made)["session"]
    now = SYSTEM_CLOCK.now()
    base = {"ready_at": now - timedelta(hours=1), "heard_at": now, "phase": "running", "verdict_at": now}
    sessions.report(site.ledger, [sessions.Report(id, {**base, **values})])
    return id


def quiet(minutes: float) -> dict[str, Any]:
    since = SYSTEM_CLOCK.now() - timedelta(minutes=minutes)
    return {"verdict": "quiet", "quiet_since": since, "idle_ends_at": since + timedelta(minutes=30)}


@pytest.fixture
def launched(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Sessions begin with the limits of a profile, as the real spawner begins them."""
    begin = sessions.begin
    limits = {"idle_stop_seconds": 1800, "max_session_seconds": 8 * 3600}
    monkeypatch.setattr(
        sessions,
        "begin",
        lambda ledger, id, notebook, launch, *rest, **more: begin(
            ledger, id, notebook, {**launch, **limits}, *rest, **more
        ),
    )
    return site


async def test_a_quiet_notebook_says_when_it_is_stopped_and_one_click_keeps_it(launched: Site) -> None:
    site = launched
    token = site.hub.add("mara")
    id = await running(site, token, **quiet(22))
    page = (await site.page(token, "")).body.decode()
    assert "Running, quiet" in page and "Idle stop in 8\u00a0min." in page and "Keep working" in page
    assert sessions.get(site.ledger, id).reached_at is not None  # its owner has seen the warning

    answer = await site.post(token, "n/mara/churn/extend", {})
    assert answer.code == 303
    row = sessions.get(site.ledger, id)
    assert (SYSTEM_CLOCK.now() - row.quiet_since).total_seconds() < 60
    assert row.idle_ends_at == row.quiet_since + timedelta(minutes=30)
    page = (await site.page(token, "")).body.decode()
    assert page.count("Keep working") == 1 and "Running, quiet" in page  # in the list of keys alone
    found = audit.rows(site.ledger, subject=id)[0]
    assert (found.action, found.cause, found.actor) == ("session.extended", "idle", row.user)


async def test_a_warning_that_somebody_else_sees_has_not_reached_its_owner(launched: Site) -> None:
    site = launched
    id = await running(site, site.hub.add("mara"), **quiet(22))
    boss = site.hub.add("petra", admin=True)
    assert "Idle stop in" in (await site.page(boss, "?who=everyone")).body.decode()
    assert sessions.get(site.ledger, id).reached_at is None


async def test_a_session_is_extended_within_its_bound_and_by_an_administrator_beyond_it(
    launched: Site,
) -> None:
    site = launched
    token, boss = site.hub.add("mara"), site.hub.add("petra", admin=True)
    now = SYSTEM_CLOCK.now()
    values = {
        "verdict": "working",
        "verdict_sentence": "train.ipynb runs a cell.",
        "ready_at": now - timedelta(hours=7.9),
    }
    id = await running(site, token, **values)
    one = told(await site.api(token, "notebooks/mara/churn"))
    assert one["verdict"] == "working" and "train.ipynb runs a cell." in one["sentence"]
    assert one["keep"] == "Extend by 2\u00a0h (1 of 2)" and one["idle_ends_at"] is None
    before = one["session_ends_at"]

    for left in (1, 0):
        made = told(await site.api(token, f"sessions/{id}/extend", "POST"))
        assert made["moved"] == "session_limit" and made["extensions_left"] == left
    assert made["session_ends_at"] > before
    assert sessions.get(site.ledger, id).extended_seconds == 4 * 3600
    refused = await site.api(token, f"sessions/{id}/extend", "POST")
    assert (refused.code, told(refused)["error"]["title"]) == (409, "All 2 extensions are used")
    assert (await site.api(boss, f"sessions/{id}/extend", "POST", {"seconds": 36000})).code == 200
    assert sessions.get(site.ledger, id).extended_seconds == 14 * 3600
    actors = {one.actor for one in audit.rows(site.ledger, subject=id) if one.action == "session.extended"}
    assert len(actors) == 2


@pytest.mark.parametrize(
    ("body", "field"), [({"seconds": "1h"}, "seconds"), ({"seconds": -1}, "seconds"), ({"hours": 1}, "hours")]
)
async def test_a_wrong_extension_is_told(launched: Site, body: dict[str, Any], field: str) -> None:
    token = launched.hub.add("mara")
    id = await running(launched, token, verdict="working")
    answer = await launched.api(token, f"sessions/{id}/extend", "POST", body)
    assert (answer.code, told(answer)["error"]["field"]) == (400, field)


async def test_nobody_extends_somebody_else_s_session(launched: Site) -> None:
    id = await running(launched, launched.hub.add("mara"), verdict="working")
    answer = await launched.api(launched.hub.add("eve"), f"sessions/{id}/extend", "POST")
    assert answer.code == 404
    assert (await launched.api(launched.hub.add("eve"), "sessions/none/extend", "POST")).code == 404


async def test_a_stopped_one_says_how_long_it_was_idle_and_on_what_evidence(launched: Site) -> None:
    site = launched
    token = site.hub.add("mara")
    id = await running(site, token, **quiet(31))
    now = SYSTEM_CLOCK.now()
    from jupyterhub_notebooks.ledger import clocks

    evidence = {
        "sentence": "Nothing ran <b>.",
        "verdict": "quiet",
        "signals": [{"name": "kernel", "state": "idle"}],
    }
    assert clocks.ask_stop(site.ledger, sessions.get(site.ledger, id), "idle", evidence, now)
    sessions.close(site.ledger, id, now, "idle")
    page = (await site.page(token, "")).body.decode()
    assert "Idle for 30\u00a0min, stopped at" in page
    assert told(await site.api(token, f"sessions/{id}"))["stop"]["evidence"] == evidence
    page = (await site.page(token, "n/mara/churn")).body.decode()
    assert "On what evidence" in page and "Kernel: idle" in page
    assert "Verdict: quiet. Nothing ran &lt;b&gt;." in page
    assert (await site.api(token, f"sessions/{id}/extend", "POST")).code == 409
