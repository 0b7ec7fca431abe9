"""A start that comes to nothing: its reason is in the Hub's answers, on its progress, and in the session's row."""

import json

import pytest

from jupyterhub_notebooks.ledger import sessions
from jupyterhub_notebooks.spawners.processes import of_session
from tests.hub import until

from .conftest import last_session, notebook_of


def events(answer):
    """The events of a progress stream."""
    lines = answer.text.splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def test_an_agent_that_ends_gives_its_last_words_as_the_reason(bad_hub):
    bad_hub.user("dies")
    answer = bad_hub.start("dies")
    assert answer.status == 500
    assert answer.json["message"].startswith(
        "The server did not start. ImportError: no module named torch. Start it again."
    )
    told = events(bad_hub.admin("GET", "/hub/api/users/dies/server/progress"))[-1]
    assert told["failed"] and "no module named torch" in told["message"]
    assert "<strong>The server did not start.</strong>" in told["html_message"]
    row = last_session(bad_hub, "dies")
    assert row.cause == "did_not_start" and "no module named torch" in row.detail
    assert row.closed_at and row.ready_at is None and row.pending_files == 0
    assert not bad_hub.active("dies") and of_session(row.id) == []


def test_markup_in_what_an_agent_says_is_text(bad_hub):
    bad_hub.user("noisy")
    bad_hub.start("noisy")
    told = events(bad_hub.admin("GET", "/hub/api/users/noisy/server/progress"))[-1]
    assert "<script>" not in told["html_message"] and "&lt;script&gt;" in told["html_message"]


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("silent", "The notebook did not come up. It has said nothing for 7\u00a0s."),
        (
            "half",
            "Your workspace could not be fetched. Storage has sent nothing for 7\u00a0s, at 312 of 840\u00a0MB",
        ),
    ],
)
def test_a_start_in_which_nothing_moves_ends_by_our_own_rule(bad_hub, user, words):
    bad_hub.user(user)
    answer = bad_hub.start(user, "stuck")
    assert answer.status == 500 and answer.json["message"].startswith(words), answer.text
    row = last_session(bad_hub, user, "stuck")
    assert row.cause == "no_progress" and row.closed_at and row.detail in answer.json["message"]
    assert of_session(row.id) == []


@pytest.mark.slow
def test_progress_is_told_in_megabytes(bad_hub):
    bad_hub.user("slow")
    bad_hub.admin("POST", "/hub/api/users/slow/servers/shown")
    until(lambda: notebook_of(bad_hub, "slow", "shown"), what="the notebook")
    session = last_session(bad_hub, "slow", "shown")
    until(lambda: sessions.get(bad_hub.ledger, session.id).done_bytes > 2000, what="some progress")
    (bad_hub.state / "volumes" / session.notebook / "go").touch()
    told = events(bad_hub.admin("GET", "/hub/api/users/slow/servers/shown/progress"))
    assert any(one["message"].startswith("Workspace 0 of 840\u00a0MB") for one in told), told
    assert told[-1]["ready"]
    bad_hub.end("slow", "shown")


def test_a_hook_refuses_in_its_own_words(own_hub):
    hub = own_hub(
        agents=False,
        more="""
from jupyterhub_notebooks.errors import Refusal
async def hook(spawner, session):
    raise Refusal("The licence server is full", "All 4 seats are taken", ["Try again after 16:00"], label="licence")
c.NotebookSpawner.post_start_hook = hook
""",
    )
    hub.user("vera")
    answer = hub.start("vera")
    assert answer.status == 409
    assert (
        answer.json["message"] == "The licence server is full. All 4 seats are taken. Try again after 16:00."
    )
    row = last_session(hub, "vera")
    assert row.cause == "did_not_start" and row.detail == "The licence server is full. All 4 seats are taken."
    assert of_session(row.id) == []


def test_a_program_that_is_not_there_is_named(own_hub):
    hub = own_hub(agents=False, LocalNotebookSpawner__agent_cmd=["/nowhere/agent"])
    hub.user("wilma")
    answer = hub.start("wilma")
    assert answer.status == 500 and "/nowhere/agent: No such file or directory" in answer.json["message"]
    assert last_session(hub, "wilma").closed_at


@pytest.mark.slow
def test_only_members_of_the_group_start_where_users_says_so(own_hub):
    hub = own_hub(
        settings={"users": "group:data", "contact": "the platform team"}, groups={"data": {"users": ["dora"]}}
    )
    hub.user("xaver")
    answer = hub.start("xaver")
    assert answer.status == 403
    assert answer.json["message"] == (
        "Notebooks are only for the group data. You are not in it; the platform team decides. Ask the platform team."
    )
    assert hub.start("dora").status == 201
    hub.end("dora")
