"""The pages as a browser gets them: what they hold, what they refuse, and that nothing in them is executed."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.ledger import intents, notebooks, sessions, users
from jupyterhub_notebooks.services.notebooks.handling import safe_path

from .conftest import CREATED, PREFIX, Site

BAD = "<script>alert('x')</script>"


def body(answer) -> str:
    return answer.body.decode()


async def test_a_page_without_a_login_leads_to_the_hub_s_and_comes_back(site: Site) -> None:
    answer = await site.ask("")
    assert answer.code == 302
    assert "/hub/api/oauth2/authorize" in answer.headers["Location"]


async def test_a_script_s_request_without_a_login_is_told_to_log_in_again(site: Site) -> None:
    answer = await site.ask("rows", headers={"Sec-Fetch-Mode": "cors"})
    assert answer.code == 403
    assert json.loads(answer.body)["error"]["reason"] == "log_in_again"


async def test_the_first_visit_asks_one_thing_and_one_click_starts(site: Site) -> None:
    token = site.hub.add("mara")
    assert "What do you want to work on?" in body(await site.page(token, ""))
    answer = await site.post(token, "new", {"profile": "notebook-cpu-small"})
    assert answer.code == 303
    assert answer.headers["Location"] == f"{PREFIX}n/mara/notebook?open=1"
    assert site.hub.asked == [
        (
            "POST",
            "mara",
            "notebook",
            {
                "user_options": {"profile": "notebook-cpu-small", "flavor": "std-2x8"},
                "display_name": "Notebook",
            },
        )
    ]
    listed = body(await site.page(token, ""))
    assert "My notebooks" in listed and "Starting" in listed


async def test_the_form_shows_every_profile_and_the_reason_of_those_that_cannot_start(site: Site) -> None:
    shown = body(await site.page(site.hub.add("mara"), "new?profile=notebook-cpu-large&name=Churn"))
    assert 'value="notebook-cpu-large" required' in shown.replace("\n", " ")
    assert "It needs a T4 and this machine has no GPU." in shown
    assert "CPU and memory limits are not enforced here." in shown
    assert 'value="Churn"' in shown and "<strong data-nb-address>churn</strong>" in shown
    assert "Start on" in shown and "€0.32" in shown


async def test_a_refusal_stands_in_the_form_which_keeps_what_was_typed(site: Site) -> None:
    token = site.hub.add("mara")
    answer = await site.post(token, "new", {"profile": "notebook-gpu-t4", "name": "My training"})
    assert answer.code == 409
    assert "GPU T4 cannot run on this Hub." in body(answer)
    assert 'value="My training"' in body(answer)
    assert site.hub.asked == []


async def test_a_name_that_is_taken_is_told_with_one_that_is_free(site: Site) -> None:
    token = site.hub.add("mara")
    await site.post(token, "new", {"profile": "notebook-cpu-small", "name": "Churn"})
    answer = await site.post(token, "new", {"profile": "notebook-cpu-small", "name": "churn"})
    assert answer.code == 409
    assert "You already have a notebook churn." in body(answer) and "Use churn 2." in body(answer)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"profile": "notebook-cpu-smal"}, "Did you mean notebook-cpu-small?"),
        ({"profile": "notebook-cpu-small", "image": "evil"}, "There is no such option."),
        ({"profile": "notebook-cpu-small", "name": "x" * 200}, "longer than 60 characters"),
        ({"profile": "notebook-cpu-small", "run": "save"}, "There is no such option."),
    ],
)
async def test_a_wrong_form_is_told_in_words(site: Site, form: dict[str, str], told: str) -> None:
    answer = await site.post(site.hub.add("mara"), "new", form)
    assert answer.code in (400, 409)
    assert told in body(answer) and site.hub.asked == []


async def test_strange_names_get_an_address_that_the_hub_accepts(site: Site) -> None:
    token = site.hub.add("mara")
    for name, server in (
        ("../etc", "etc"),
        ("Ünï cödé 😀", "uni-code"),
        ("123", "notebook"),
        ("a@b c", "a-b-c"),
    ):
        answer = await site.post(token, "new", {"profile": "notebook-cpu-small", "name": name})
        assert answer.headers["Location"] == f"{PREFIX}n/mara/{server}?open=1"


async def test_a_user_name_with_an_at_sign_and_a_space_has_pages(site: Site) -> None:
    token = site.hub.add("bob b@example.com")
    answer = await site.post(token, "new", {"profile": "notebook-cpu-small", "name": "one"})
    assert answer.headers["Location"] == f"{PREFIX}n/bob%20b@example.com/one?open=1"
    assert (await site.page(token, "n/bob%20b@example.com/one")).code == 200
    assert (await site.page(token, "n/bob%20b%40example.com/one")).code == 200


async def test_what_the_hub_refuses_is_what_the_person_reads(site: Site) -> None:
    token = site.hub.add("mara")
    site.hub.refuses = (403, "Not on Sundays.")
    answer = await site.post(token, "new", {"profile": "notebook-cpu-small", "name": "one"})
    assert "Not on Sundays." in body(answer)


async def test_a_stop_writes_who_and_why_before_the_hub_is_asked(site: Site) -> None:
    token = site.hub.add("mara")
    await site.post(token, "new", {"profile": "notebook-cpu-small", "name": "one"})
    answer = await site.post(token, "n/mara/one/stop", {"next": PREFIX})
    assert answer.code == 303 and answer.headers["Location"] == PREFIX
    session = sessions.every(site.ledger)[0]
    asked = intents.last_stop(site.ledger, session.id)
    assert asked is not None and (asked.cause, asked.actor) == ("stopped", session.user)
    assert site.hub.asked[-1][:3] == ("DELETE", "mara", "one")
    shown = body(await site.page(token, ""))
    assert "Stopping" in shown and "You stopped it at" in shown


async def test_a_start_while_it_is_saved_is_refused_and_a_second_start_asks_nothing(site: Site) -> None:
    token = site.hub.add("mara")
    await site.post(token, "new", {"profile": "notebook-cpu-small", "name": "one"})
    asked = len(site.hub.asked)
    assert (await site.post(token, "n/mara/one/start", {})).code == 303
    assert len(site.hub.asked) == asked
    await site.post(token, "n/mara/one/stop", {})
    answer = await site.post(token, "n/mara/one/start", {}, Accept="application/json")
    assert answer.code == 409 and json.loads(answer.body)["error"]["title"] == "one is still being saved"


async def test_a_post_without_the_page_s_secret_is_not_done(site: Site) -> None:
    token = site.hub.add("mara")
    answer = await site.ask("new", "POST", headers=site.cookies(token), body="profile=notebook-cpu-small")
    assert answer.code == 403 and "Log in again" in body(answer)
    assert site.hub.asked == []


async def test_nobody_sees_another_s_notebook_and_an_administrator_does(site: Site) -> None:
    anna, bert, admin = site.hub.add("anna"), site.hub.add("bert"), site.hub.add("petra", admin=True)
    await site.post(bert, "new", {"profile": "notebook-cpu-small", "name": "secret work"})
    for path in (
        "n/bert/secret-work",
        "n/bert/secret-work/progress",
        "n/bert/nothing",
        "n/nobody/x",
        "n/bert",
    ):
        assert (await site.page(anna, path)).code == 404
    for path in ("n/bert/secret-work/start", "n/bert/secret-work/stop"):
        assert (await site.post(anna, path, {})).code == 404
    assert "secret" not in body(await site.page(anna, "?who=everyone"))
    assert "secret" not in body(await site.page(anna, "rows?who=everyone"))
    assert (await site.page(admin, "n/bert/secret-work")).code == 200
    assert "secret work" in body(await site.page(admin, "?who=everyone"))


async def test_an_administrator_s_stop_of_another_s_notebook_says_so(site: Site) -> None:
    bert, admin = site.hub.add("bert"), site.hub.add("petra", admin=True)
    await site.post(bert, "new", {"profile": "notebook-cpu-small", "name": "one"})
    await site.post(admin, "n/bert/one/stop", {})
    asked = intents.last_stop(site.ledger, sessions.every(site.ledger)[0].id)
    assert asked is not None and asked.cause == "admin"
    assert "petra stopped it at" in body(await site.page(bert, ""))


async def test_a_user_made_again_under_the_same_name_sees_nothing_of_the_first(site: Site) -> None:
    first = site.hub.add("carla")
    await site.post(first, "new", {"profile": "notebook-cpu-small", "name": "of the first"})
    second = site.hub.add("carla", created="2026-02-02T00:00:00Z")
    assert "of the first" not in body(await site.page(second, ""))
    assert (await site.page(second, "n/carla/of-the-first")).code == 404


async def test_a_login_without_the_right_is_told_whom_to_ask(site: Site) -> None:
    token = site.hub.add("zoe")
    site.hub.scopes["zoe"] = ["access:services!service=notebooks"]
    answer = await site.page(token, "")
    assert answer.code == 403 and "Ask your administrator." in body(answer)
    site.hub.scopes["zoe"] = ["custom:notebooks:use!user=zoe"]
    assert (await site.page(site.hub.add("yan"), "")).code == 200
    site.hub.scopes["yan"] = ["custom:notebooks:use!user=zoe", "access:services!service=notebooks"]
    assert (await site.ask("", headers={"Authorization": "Bearer nothing"})).code == 403


async def test_a_hub_that_does_not_answer_is_told_and_is_no_traceback(site: Site) -> None:
    token = site.hub.add("mara")
    site.hub.away = True
    answer = await site.page(token, "")
    assert answer.code == 503 and "The Hub does not answer" in body(answer)
    assert "Traceback" not in body(answer)


async def test_no_text_of_anybody_is_ever_executed(site: Site) -> None:
    name = "m<script>alert(1)<"
    token = site.hub.add(name)
    user = users.seen(site.ledger, name, CREATED, SYSTEM_CLOCK.now())
    row = notebooks.create(site.ledger, user.id, "bad", BAD, SYSTEM_CLOCK.now(), profile=BAD)
    site.hub.begin(name, "bad")
    session = sessions.every(site.ledger)[0]
    sessions.add_log(site.ledger, session.id, 1, [BAD], SYSTEM_CLOCK.now())
    values = {"made_anew": [BAD], "warnings": [BAD], "save_error": BAD, "ready_at": SYSTEM_CLOCK.now()}
    address = f"n/{'m%3Cscript%3Ealert(1)%3C'}/bad"
    pages = []
    for step in ("starting", "running", "closed"):
        if step == "running":
            sessions.report(site.ledger, [sessions.Report(session.id, values)])
        if step == "closed":
            sessions.close(site.ledger, session.id, SYSTEM_CLOCK.now(), BAD, BAD, pending_files=1)
        for path in ("", f"?find={BAD}", "rows", "new?name=%3Cscript%3E&profile=%3Cscript%3E", address):
            answer = await site.page(token, path)
            assert answer.code == 200, path
            pages.append(body(answer))
    pages.append(body(await site.post(token, "new", {"profile": BAD, "name": BAD})))
    pages.append(body(await site.page(token, "n/x/%3Cscript%3E")))
    assert row.title == BAD
    for shown in pages:
        assert "<script>" not in shown
        assert " style=" not in shown and "javascript:" not in shown
        assert not any(f" on{event}=" in shown for event in ("click", "load", "error", "submit"))


async def test_every_answer_carries_the_headers(site: Site) -> None:
    token = site.hub.add("mara")
    for path in ("", "new", "n/x/y", "nothing", "api/v1/profiles", "n/mara/-"):
        answer = await site.page(token, path)
        assert answer.headers["Content-Security-Policy"] == (
            "default-src 'self'; frame-ancestors 'none'; object-src 'none'"
        )
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil",
        "javascript:alert(1)",
        "evil",
        "/a\r\nb",
    ],
)
async def test_next_leads_to_this_host_only(wanted: str) -> None:
    assert safe_path("/", wanted, "/ours/") == "/ours/"
    assert safe_path("/base/", "/other/", "/ours/") == "/ours/"
    assert safe_path("/base/", "/base/../other", "/ours/") == "/ours/"
    assert safe_path("/", "/services/notebooks/n/a/b?x=1", "/ours/") == "/services/notebooks/n/a/b?x=1"


async def test_the_default_server_is_a_notebook_called_main(site: Site) -> None:
    token = site.hub.add("mara")
    assert "Not started yet." in body(await site.page(token, "n/mara/-"))
    answer = await site.post(token, "n/mara/-/start", {"profile": "notebook-cpu-small"})
    assert answer.headers["Location"] == f"{PREFIX}n/mara/-?open=1"
    assert site.hub.asked[-1][:3] == ("POST", "mara", "")
    assert "Main" in body(await site.page(token, ""))


async def test_a_page_opened_for_a_start_that_is_ready_goes_to_the_notebook(site: Site) -> None:
    token = site.hub.add("mara")
    await site.post(token, "new", {"profile": "notebook-cpu-small", "name": "one"})
    session = sessions.every(site.ledger)[0]
    sessions.ready(site.ledger, session.id, SYSTEM_CLOCK.now())
    assert (await site.page(token, "n/mara/one?open=1")).code == 200
    site.hub.servers["mara", "one"] |= {"ready": True, "pending": None}
    answer = await site.page(token, "n/mara/one?open=1")
    assert (answer.code, answer.headers["Location"]) == (303, "/user/mara/one/")
    assert (await site.page(token, "n/mara/one")).code == 200


async def test_the_stream_tells_each_step_and_ends_when_it_is_open(site: Site) -> None:
    token = site.hub.add("mara")
    await site.post(token, "new", {"profile": "notebook-cpu-small", "name": "one"})
    session = sessions.every(site.ledger)[0]
    events: list[dict] = []

    def read(chunk: bytes) -> None:
        for part in chunk.decode().split("\n\n"):
            if not part.startswith("data: "):
                continue
            events.append(json.loads(part[6:]))
            if len(events) == 1:
                half = {"phase": "restoring", "done_bytes": 312_000_000, "total_bytes": 840_000_000}
                sessions.report(site.ledger, [sessions.Report(session.id, half)])
            elif events[-1]["progress"]:
                sessions.ready(site.ledger, session.id, SYSTEM_CLOCK.now())
                site.hub.servers["mara", "one"] |= {"ready": True, "pending": None}

    answer = await site.ask(
        "n/mara/one/progress?html=1", headers=site.cookies(token), streaming_callback=read
    )
    assert answer.code == 200
    assert [event["state"] for event in events] == ["STARTING", "STARTING", "RUNNING"]
    assert events[1]["sentence"] == "Workspace 312 of 840\u00a0MB." and events[1]["sub_state"] == "restoring"
    assert 'value="312000000"' in events[1]["html"]
    assert events[-1]["ready"] and events[-1]["url"] == "/user/mara/one/"


async def test_the_list_is_sorted_and_filtered_by_its_address(site: Site) -> None:
    token = site.hub.add("mara")
    user = users.seen(site.ledger, "mara", CREATED, SYSTEM_CLOCK.now())
    for name in ("alpha", "beta"):
        notebooks.create(site.ledger, user.id, name, name, SYSTEM_CLOCK.now(), profile="notebook-cpu-small")
    site.hub.begin("mara", "beta")
    row = sessions.every(site.ledger)[0]
    sessions.close(site.ledger, row.id, SYSTEM_CLOCK.now() + timedelta(seconds=1), "server_died", "It ended")
    shown = body(await site.page(token, ""))
    assert shown.index("beta") < shown.index("alpha")
    assert "alpha" not in body(await site.page(token, "?show=needs"))
    assert "beta" not in body(await site.page(token, "rows?find=alp"))
    assert "Nothing matches" in body(await site.page(token, "?find=zzz"))
    for view in notebooks.views(site.ledger):
        notebooks.trash(site.ledger, view.notebook.id, user.id, SYSTEM_CLOCK.now())
    empty = body(await site.page(token, ""))
    assert "You have no notebook outside the trash" in empty and "put one back" in empty


async def test_static_files_need_no_login_and_health_says_so(site: Site) -> None:
    assert (await site.ask("static/notebooks.css")).code == 200
    assert (await site.ask("static/../app.py")).code in (403, 404, 302)
    assert json.loads((await site.ask("health")).body) == {"ok": True}
