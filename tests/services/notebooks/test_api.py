"""The REST API with tokens: the same checks as the pages, answers in JSON only."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.ledger import notebooks, sessions, users

from .conftest import CREATED, Site


def told(answer: Any) -> Any:
    return json.loads(answer.body)


async def test_a_notebook_is_created_started_looked_at_and_stopped(site: Site) -> None:
    token = site.hub.add("mara")
    made = await site.api(token, "notebooks", "POST", {"name": "Churn", "profile": "notebook-cpu-small"})
    assert made.code == 201
    assert (told(made)["name"], told(made)["state"], told(made)["url"]) == (
        "churn",
        "STARTING",
        "/user/mara/churn/",
    )
    one = told(await site.api(token, "notebooks/mara/churn"))
    assert one["session"] == sessions.every(site.ledger)[0].id
    assert (await site.api(token, "notebooks/mara/churn/stop", "POST")).code == 202
    assert told(await site.api(token, "notebooks/mara/churn"))["state"] == "STOPPING"
    listed = told(await site.api(token, "notebooks"))
    assert [each["title"] for each in listed["notebooks"]] == ["Churn"] and listed["next"] is None


async def test_a_notebook_may_be_created_without_a_start(site: Site) -> None:
    token = site.hub.add("mara")
    made = await site.api(token, "notebooks", "POST", {"name": "Later", "start": False})
    assert told(made)["state"] == "STOPPED" and site.hub.asked == []
    started = await site.api(token, "notebooks/mara/later/start", "POST", {"profile": "notebook-cpu-large"})
    assert started.code == 202
    assert site.hub.asked[0][3]["user_options"] == {"profile": "notebook-cpu-large", "flavor": "mem-4x32"}
    assert notebooks.views(site.ledger)[0].notebook.profile == "notebook-cpu-large"


async def test_a_refused_start_leaves_the_notebook_s_choice_as_it_was(site: Site) -> None:
    token = site.hub.add("mara")
    await site.api(token, "notebooks", "POST", {"name": "a", "profile": "notebook-cpu-small", "start": False})
    refused = await site.api(token, "notebooks/mara/a/start", "POST", {"profile": "notebook-gpu-t4"})
    assert (refused.code, told(refused)["error"]["reason"]) == (409, "not_possible_here")
    site.hub.refuses = (400, "Later.")
    assert (
        await site.api(token, "notebooks/mara/a/start", "POST", {"profile": "notebook-cpu-large"})
    ).code == 409
    assert notebooks.views(site.ledger)[0].notebook.profile == "notebook-cpu-small"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"profil": "x"}, "profil"),
        ({"name": 5}, "name"),
        ({"name": "a\x07b"}, "name"),
        ({"start": "yes"}, "start"),
        ({"profile": ["x"]}, "profile"),
        ({"profile": "none-of-these"}, "profile"),
        ([], "body"),
    ],
)
async def test_a_wrong_body_names_its_field(site: Site, body: Any, field: str) -> None:
    answer = await site.api(site.hub.add("mara"), "notebooks", "POST", body)
    assert (answer.code, told(answer)["error"]["field"]) == (400, field)


async def test_what_is_no_json_is_told(site: Site) -> None:
    token = site.hub.add("mara")
    answer = await site.ask(
        "api/v1/notebooks", "POST", headers={"Authorization": f"Bearer {token}"}, body="{" * 10_000
    )
    assert (answer.code, told(answer)["error"]["title"]) == (400, "The body is not JSON")


async def test_a_token_that_nobody_has_gets_json_and_no_redirect(site: Site) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = await site.ask("api/v1/notebooks", headers=headers)
        assert (answer.code, told(answer)["error"]["reason"]) == (403, "log_in_again")


async def test_another_s_things_are_not_found(site: Site) -> None:
    anna, bert = site.hub.add("anna"), site.hub.add("bert")
    await site.api(bert, "notebooks", "POST", {"name": "own", "profile": "notebook-cpu-small"})
    session = sessions.every(site.ledger)[0].id
    for path in (
        "notebooks/bert/own",
        "notebooks/bert/own/progress",
        "notebooks/bert/own/snapshots",
        "notebooks/bert/own/sessions",
        f"sessions/{session}",
        f"sessions/{session[-6:]}",
        "sessions/bert%2Fown",
        f"sessions/{session}/log",
        "notebooks?user=bert",
        "notebooks?user=*",
    ):
        answer = await site.api(anna, path)
        assert answer.code == 404, path
        assert "own" not in answer.body.decode().replace("known", "").replace("owner", ""), path
    for path in ("notebooks/bert/own/stop", "notebooks/bert/own/start"):
        assert (await site.api(anna, path, "POST")).code == 404
    assert told(await site.api(bert, f"sessions/{session}"))["id"] == session


async def test_an_administrator_lists_everybody_s(site: Site) -> None:
    bert, admin = site.hub.add("bert"), site.hub.add("petra", admin=True)
    await site.api(bert, "notebooks", "POST", {"name": "own", "profile": "notebook-cpu-small"})
    for query in ("user=*", "user=bert"):
        assert [one["user"] for one in told(await site.api(admin, f"notebooks?{query}"))["notebooks"]] == [
            "bert"
        ]
    assert told(await site.api(admin, "notebooks"))["notebooks"] == []


async def test_a_list_is_paged_by_cursor(site: Site) -> None:
    token = site.hub.add("mara")
    user = users.seen(site.ledger, "mara", CREATED, SYSTEM_CLOCK.now())
    for number in range(5):
        notebooks.create(site.ledger, user.id, f"n{number}", f"n{number}", SYSTEM_CLOCK.now())
    seen, cursor = [], ""
    while True:
        page = told(await site.api(token, f"notebooks?limit=2&cursor={cursor}"))
        seen += [one["name"] for one in page["notebooks"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert sorted(seen) == [f"n{number}" for number in range(5)] and len(set(seen)) == 5
    for query in ("limit=0", "limit=201", "limit=x", "cursor=../etc"):
        assert (await site.api(token, f"notebooks?{query}")).code == 400


async def test_profiles_are_listed_with_the_reason_of_those_that_cannot_start(site: Site) -> None:
    token = site.hub.add("mara")
    found = {one["name"]: one for one in told(await site.api(token, "profiles"))["profiles"]}
    assert found["notebook-gpu-a100"]["denied"]["why"] == "It needs an A100 and this machine has no GPU."
    assert found["notebook-cpu-small"]["denied"] is None
    one = told(await site.api(token, "profiles/notebook-cpu-small"))
    assert one["profile"]["flavor"] == ["std-2x8"]
    missing = await site.api(token, "profiles/notebook-cpu-smal")
    assert missing.code == 404 and told(missing)["error"]["next"] == ["Did you mean notebook-cpu-small?"]


async def test_an_address_or_method_that_is_not_there_is_json_too(site: Site) -> None:
    token = site.hub.add("mara")
    assert told(await site.api(token, "nothing"))["error"]["reason"] == "not_found"
    answer = await site.api(token, "profiles", "DELETE")
    assert "Traceback" not in answer.body.decode() and told(answer)["error"]["reason"] == "bad_input"
