"""Save now: on the page and by REST, for a notebook that runs and for one that is not saved."""

from __future__ import annotations

import json
import os
from typing import Any

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.ledger import intents, notebooks, sessions
from jupyterhub_notebooks.names import new_id

from .conftest import Site


def told(answer: Any) -> Any:
    return json.loads(answer.body)


def orders(site: Site) -> list[tuple[str, str, str | None]]:
    return [(one.session, one.do, one.actor) for one in intents.open_everywhere(site.ledger)]


async def a_session(site: Site, token: str) -> Any:
    made = {"name": "Churn", "profile": "notebook-cpu-small"}
    assert (await site.api(token, "notebooks", "POST", made)).code == 201
    return sessions.every(site.ledger)[0]


async def not_saved(site: Site, token: str) -> Any:
    """The session of a notebook that ended before everything was saved."""
    session = await a_session(site, token)
    now = SYSTEM_CLOCK.now()
    sessions.ready(site.ledger, session.id, now)
    sessions.close(site.ledger, session.id, now, "agent_died", pending_files=3)
    site.hub.servers.clear()
    return session


async def test_a_running_notebook_is_told_to_save_once(site: Site) -> None:
    token = site.hub.add("mara")
    session = await a_session(site, token)
    sessions.ready(site.ledger, session.id, SYSTEM_CLOCK.now())
    for _ in range(2):
        assert (await site.api(token, "notebooks/mara/churn/save", "POST")).code == 202
    assert orders(site) == [(session.id, "save", session.user)]
    page = (await site.page(token, "n/mara/churn")).body.decode()
    assert "Save now" in page


async def test_what_is_not_saved_is_asked_for_and_said(site: Site) -> None:
    token = site.hub.add("mara")
    session = await not_saved(site, token)
    listed = (await site.page(token, "")).body.decode()
    assert "/services/notebooks/n/mara/churn/save" in listed and "Save now" in listed
    assert "Save now" in (await site.page(token, "n/mara/churn")).body.decode()
    sent = await site.post(token, "n/mara/churn/save", {})
    assert sent.code in (302, 303)
    assert orders(site) == [(session.id, "save_only", session.user)]
    assert "It is saved as soon as storage answers." in (await site.page(token, "")).body.decode()


async def test_while_a_run_saves_the_notebook_is_not_running_and_says_so(site: Site) -> None:
    token = site.hub.add("mara")
    session = await not_saved(site, token)
    now = SYSTEM_CLOCK.now()
    run = sessions.begin(
        site.ledger, new_id(now, os.urandom), session.notebook, {}, "e" * 64, now, kind="save"
    )
    sessions.ready(site.ledger, run.id, now)
    one = told(await site.api(token, "notebooks/mara/churn"))
    assert (one["state"], one["sub_state"]) == ("ERROR", "not saved")
    listed = (await site.page(token, "")).body.decode()
    assert "It is being saved now." in listed and "Save now" not in listed
    assert (await site.api(token, "notebooks/mara/churn/save", "POST")).code == 202
    assert orders(site) == []
    # A start is not refused: it is wished, and goes on when the run has saved.
    assert (await site.api(token, "notebooks/mara/churn/start", "POST")).code == 202
    assert sessions.open_of_notebook(site.ledger, session.notebook).id == run.id

    sessions.close(site.ledger, run.id, now, "saved")
    with site.ledger.write() as connection:
        connection.exec_driver_sql("UPDATE workspaces SET unsaved_on = NULL")
    assert notebooks.views(site.ledger)[0].session.id == session.id  # type: ignore[union-attr]
    assert "being saved" not in (await site.page(token, "")).body.decode()


async def test_what_is_saved_already_is_said(site: Site) -> None:
    token = site.hub.add("mara")
    session = await a_session(site, token)
    sessions.close(site.ledger, session.id, SYSTEM_CLOCK.now(), "stopped")
    refused = await site.api(token, "notebooks/mara/churn/save", "POST")
    assert (refused.code, told(refused)["error"]["title"]) == (409, "Everything in Churn is saved")


async def test_nobody_saves_somebody_elses_notebook(site: Site) -> None:
    session = await not_saved(site, site.hub.add("mara"))
    other = site.hub.add("petra")
    assert (await site.api(other, "notebooks/mara/churn/save", "POST")).code == 404
    assert orders(site) == [] and session.user
