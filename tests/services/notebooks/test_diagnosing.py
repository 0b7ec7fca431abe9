"""What is the matter with a session: one answer for the page, the REST API and the command, with its evidence."""

from __future__ import annotations

import json

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.ledger import notebooks, sessions, users
from jupyterhub_notebooks.spawners import opening

from .conftest import CREATED

FAILED = {
    "title": "No machine has 1 GPU",
    "why": "None here has any GPU",
    "next": ["Start it with a smaller profile", "Ask ops"],
    "signals": [["not placed, Unschedulable", "0/1 nodes are available: 1 Insufficient <nvidia.com/gpu>"]],
}


def begun(site, name="mara"):
    site.hub.begin(name, "")
    user = users.seen(site.ledger, name, CREATED, SYSTEM_CLOCK.now())
    notebook = notebooks.find(site.ledger, user.id, "")
    return sessions.of_notebook(site.ledger, notebook.id, 1)[0]


def failed(site, session):
    opening.fail(
        site.ledger,
        session,
        "no_gpu",
        "No machine has 1 GPU. None here has any GPU.",
        SYSTEM_CLOCK.now(),
        FAILED,
    )
    opening.settle(site.ledger, session, SYSTEM_CLOCK.now())


async def test_a_start_that_came_to_nothing_says_why_what_to_do_and_on_what_evidence(site):
    token = site.hub.add("mara")
    session = begun(site)
    failed(site, session)
    answer = await site.api(token, f"sessions/{session.id}/diagnosis")
    assert answer.code == 200
    told = json.loads(answer.body)
    assert (told["cause"], told["state"], told["title"], told["why"]) == (
        "no_gpu", "ERROR", "No machine has 1 GPU", "None here has any GPU",
    )  # fmt: skip
    assert (
        told["safe"] == "Your workspace was not touched."
        and told["next"][0] == "Start it with a smaller profile"
    )
    assert told["evidence"] == [{"what": "not placed, Unschedulable", "said": FAILED["signals"][0][1]}]
    page = (await site.page(token, "n/mara/-")).body.decode()
    assert "No machine has 1 GPU. None here has any GPU." in page
    assert (
        "evidence not placed, Unschedulable: 0/1 nodes are available: 1 Insufficient &lt;nvidia.com/gpu&gt;"
        in page
    )
    assert f"session diagnose {session.id}" in page


async def test_what_a_start_waits_for_stands_on_its_page_as_waiting(site):
    token = site.hub.add("mara")
    session = begun(site)
    values = {
        "phase": "waiting",
        "warnings": ["A machine is being started: none that runs has a place for this profile."],
    }
    sessions.report(site.ledger, [sessions.Report(session.id, values)])
    page = (await site.page(token, "n/mara/-")).body.decode()
    assert (
        "A machine is being started: none that runs has a place for this profile." in page
        and "Waiting" in page
    )
    one = json.loads((await site.api(token, "notebooks/mara/-")).body)
    assert (one["state"], one["sub_state"]) == (
        "STARTING",
        "waiting",
    ) and "A machine is being started" in one["sentence"]
    told = json.loads((await site.api(token, f"sessions/{session.id}/diagnosis")).body)
    assert told["state"] == "STARTING" and told["evidence"] == [{"what": "step", "said": "waiting"}]


async def test_the_session_of_somebody_else_is_not_told(site):
    site.hub.add("mara")
    session = begun(site)
    other = site.hub.add("nils")
    assert (await site.api(other, f"sessions/{session.id}/diagnosis")).code == 404
