"""The client of the Hub's REST API: what it sends, and what each answer becomes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from jupyterhub_notebooks.errors import Denied, HubAway, NotFound
from jupyterhub_notebooks.hubapi import HubApi, HubRefused

ANSWERS: dict[str, tuple[int, Any]] = {}
ASKED: list[tuple[str, str, bytes]] = []


class Scripted(RequestHandler):
    def _answer(self) -> None:
        ASKED.append((self.request.method or "", self.request.uri or "", self.request.body))
        assert self.request.headers["Authorization"] == "token t"
        status, body = ANSWERS[f"{self.request.method} {self.request.uri}"]
        self.set_status(status)
        self.finish(json.dumps(body) if body is not None else None)

    get = post = delete = _answer


@pytest.fixture
async def hub() -> AsyncIterator[HubApi]:
    ANSWERS.clear()
    ASKED.clear()
    sockets = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(Application([(r".*", Scripted)]))
    server.add_sockets(sockets)
    client = HubApi(f"http://127.0.0.1:{sockets[0].getsockname()[1]}/hub/api", "t", seconds=5)
    yield client
    client.close()
    server.stop()


async def test_a_start_sends_names_only_and_says_whether_it_is_ready(hub: HubApi) -> None:
    ANSWERS["POST /hub/api/users/bob%20b%40x/servers/one"] = (202, None)
    ANSWERS["POST /hub/api/users/bob/server"] = (201, None)
    assert await hub.start_server("bob b@x", "one", {"profile": "p"}, "One") is False
    assert await hub.start_server("bob", "", {"profile": "p"}, "Main") is True
    assert json.loads(ASKED[0][2]) == {"user_options": {"profile": "p"}, "display_name": "One"}
    assert json.loads(ASKED[1][2]) == {"user_options": {"profile": "p"}}


async def test_a_stop_of_what_does_not_run_is_over(hub: HubApi) -> None:
    ANSWERS["DELETE /hub/api/users/bob/servers/one"] = (202, None)
    ANSWERS["DELETE /hub/api/users/bob/servers/two"] = (404, {"message": "no"})
    assert await hub.stop_server("bob", "one") is False
    assert await hub.stop_server("bob", "two") is True


@pytest.mark.parametrize(
    ("status", "kind"), [(400, HubRefused), (429, HubRefused), (403, Denied), (404, NotFound), (503, HubAway)]
)
async def test_each_refusal_has_its_type_and_what_the_hub_said(
    hub: HubApi, status: int, kind: type[Exception]
) -> None:
    ANSWERS["POST /hub/api/users/bob/server"] = (status, {"status": status, "message": "Not on Sundays"})
    with pytest.raises(kind, match="Not on Sundays"):
        await hub.start_server("bob", "", {})


async def test_a_hub_that_is_gone_is_away(hub: HubApi) -> None:
    with pytest.raises(HubAway, match="The Hub does not answer"):
        await HubApi("http://127.0.0.1:9/hub/api", "t", seconds=2).user("bob")


async def test_all_users_are_read_page_by_page(hub: HubApi) -> None:
    query = "limit=2&offset={}&include_stopped_servers=1&state=ready"
    one = {"name": "a", "created": "c", "servers": {"": {"name": "", "ready": True, "url": "/user/a/"}}}
    ANSWERS[f"GET /hub/api/users?{query.format(0)}"] = (
        200,
        {"items": [one, {"name": "b"}], "_pagination": {"next": {"offset": 2}}},
    )
    ANSWERS[f"GET /hub/api/users?{query.format(2)}"] = (
        200,
        {"items": [{"name": "c"}], "_pagination": {"next": None}},
    )
    found = [user async for user in hub.users("ready", page=2)]
    assert [user.name for user in found] == ["a", "b", "c"]
    assert found[0].servers[""].ready and found[0].created == "c"
