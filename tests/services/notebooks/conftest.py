"""The real application and ledger, and a stand-in for the Hub's REST API that begins sessions as a spawner does."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest
from jupyterhub.services.auth import HubOAuth
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler, create_signed_value

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.hubapi import HubApi
from jupyterhub_notebooks.ledger import Ledger, notebooks, sessions, upgrade, users
from jupyterhub_notebooks.names import new_id
from jupyterhub_notebooks.profiles.catalog import SHIPPED, CatalogFile
from jupyterhub_notebooks.services.notebooks.app import make_app
from jupyterhub_notebooks.services.notebooks.context import Context
from jupyterhub_notebooks.settings import Settings

PREFIX = "/services/notebooks/"
CREATED = "2026-01-01T00:00:00Z"
USE = ["access:services!service=notebooks"]


class StandIn:
    """A Hub of a few users. ``tokens``: token to name. What was asked for is in ``asked``."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.created: dict[str, str] = {}
        self.tokens: dict[str, str] = {}
        self.scopes: dict[str, list[str]] = {}
        self.groups: dict[str, list[str]] = {}
        self.servers: dict[tuple[str, str], dict[str, Any]] = {}
        self.asked: list[tuple[str, str, str, Any]] = []
        self.refuses: tuple[int, str] | None = None
        self.away = False
        self.sessions = 0

    def add(self, name: str, *, admin: bool = False, created: str = CREATED) -> str:
        """A user and a token of theirs."""
        token = hashlib.sha256(f"{name} {created}".encode()).hexdigest()
        self.created[name], self.tokens[token] = created, name
        more = ["custom:notebooks:admin"] if admin else []
        self.scopes[name] = [*USE, f"custom:notebooks:use!user={name}", *more]
        return token

    def user(self, name: str) -> dict[str, Any]:
        own = {server: model for (owner, server), model in self.servers.items() if owner == name}
        groups = self.groups.get(name, [])
        return {
            "name": name,
            "kind": "user",
            "created": self.created[name],
            "admin": False,
            "groups": groups,
            "servers": own,
        }

    def begin(self, name: str, server: str) -> None:
        """What our spawner writes at a start."""
        user = users.seen(self.ledger, name, self.created[name], SYSTEM_CLOCK.now())
        row = notebooks.ensure(self.ledger, user.id, server, SYSTEM_CLOCK.now())
        self.sessions += 1
        launch = {"profile": row.profile, "version": "v"}
        id = new_id(SYSTEM_CLOCK.now(), os.urandom)
        sessions.begin(self.ledger, id, row.id, launch, f"{self.sessions:064d}", SYSTEM_CLOCK.now())
        self.servers[name, server] = {"name": server, "ready": False, "pending": "spawn", "url": "/x/"}


class HubHandler(RequestHandler):
    def initialize(self, hub: StandIn) -> None:
        self.hub = hub

    def prepare(self) -> None:
        if self.hub.away:
            self._answer(503, {"message": "away"})

    def _answer(self, status: int, body: Any = None) -> None:
        self.set_status(status)
        self.finish(json.dumps(body) if body is not None else None)

    def get(self, path: str) -> None:
        token = self.request.headers["Authorization"].split()[1]
        parts = path.split("/")
        if path == "user":
            name = self.hub.tokens.get(token)
            if name is None:
                self._answer(403, {"message": "no"})
            else:
                self._answer(200, {**self.hub.user(name), "scopes": self.hub.scopes[name]})
        elif parts[0] == "users" and len(parts) == 2 and parts[1] in self.hub.created:
            self._answer(200, self.hub.user(parts[1]))
        elif parts[0] == "users" and len(parts) > 2:
            found = self.hub.servers.get((parts[1], parts[3] if len(parts) > 3 else ""))
            self._answer(200 if found else 404, found or {"message": "no"})
        else:
            self._answer(404, {"message": "no"})

    def post(self, path: str) -> None:
        parts = path.split("/")
        server = parts[3] if len(parts) > 3 else ""
        self.hub.asked.append(("POST", parts[1], server, json.loads(self.request.body)))
        if self.hub.refuses:
            self._answer(self.hub.refuses[0], {"message": self.hub.refuses[1]})
            return
        self.hub.begin(parts[1], server)
        self._answer(202)

    def delete(self, path: str) -> None:
        parts = path.split("/")
        self.hub.asked.append(("DELETE", parts[1], parts[3] if len(parts) > 3 else "", None))
        self._answer(202)


def listening(app: Application) -> tuple[HTTPServer, int]:
    sockets = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(app)
    server.add_sockets(sockets)
    return server, sockets[0].getsockname()[1]


class Site:
    """The application under test, asked by cookie as a browser or by token as a script."""

    def __init__(self, hub: StandIn, ledger: Ledger, context: Context, port: int, secret: bytes) -> None:
        self.hub, self.ledger, self.context = hub, ledger, context
        self.url, self._secret = f"http://127.0.0.1:{port}", secret
        self._client = AsyncHTTPClient(force_instance=True)

    async def ask(self, path: str, method: str = "GET", **more: Any) -> HTTPResponse:
        url = path if path.startswith("http") else self.url + PREFIX + path
        more = {"follow_redirects": False, "allow_nonstandard_methods": True, "request_timeout": 120, **more}
        return await self._client.fetch(url, method=method, raise_error=False, **more)

    async def api(self, token: str, path: str, method: str = "GET", body: Any = None) -> HTTPResponse:
        sent = json.dumps(body) if body is not None else None
        return await self.ask(
            f"api/v1/{path}", method, headers={"Authorization": f"Bearer {token}"}, body=sent
        )

    def cookies(self, token: str) -> dict[str, str]:
        name = HubOAuth.instance().cookie_name
        signed = create_signed_value(self._secret, name, token).decode()
        return {"Cookie": f"{name}={signed}", "User-Agent": "test"}

    async def page(self, token: str, path: str) -> HTTPResponse:
        return await self.ask(path, headers=self.cookies(token))

    async def post(self, token: str, path: str, form: dict[str, str], **headers: str) -> HTTPResponse:
        """A form sent from a page, with its hidden field."""
        shown = await self.page(token, "new")
        cookie = shown.headers.get_list("Set-Cookie")
        xsrf = re.search(r'name="_xsrf" value="([^"]*)"', shown.body.decode())
        assert xsrf
        base = self.cookies(token)
        given = "; ".join([base["Cookie"], *(one.split(";")[0] for one in cookie)])
        sent = urlencode({"_xsrf": xsrf[1], **form})
        return await self.ask(path, "POST", headers={**base, "Cookie": given, **headers}, body=sent)


@pytest.fixture
async def site(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    async for made in made_site(tmp_path, monkeypatch):
        yield made


async def made_site(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """The site while it is iterated over."""
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    upgrade(ledger)
    hub = StandIn(ledger)
    hub_server, hub_port = listening(Application([(r"/hub/api/(.*)", HubHandler, {"hub": hub})]))
    api_url = f"http://127.0.0.1:{hub_port}/hub/api"
    for name, value in {
        "API_URL": api_url,
        "API_TOKEN": "ours",
        "SERVICE_PREFIX": PREFIX,
        "SERVICE_NAME": "notebooks",
        "CLIENT_ID": "service-notebooks",
        "OAUTH_ACCESS_SCOPES": json.dumps(["access:services", USE[0]]),
    }.items():
        monkeypatch.setenv(f"JUPYTERHUB_{name}", value)
    HubOAuth.clear_instance()
    settings = Settings(
        ledger=str(ledger.url),
        store=f"file://{tmp_path}/store",
        profiles=str(SHIPPED),
        agents_url="http://127.0.0.1:1",
        agents_api_token="a",
        signing_key="key",
    )
    client = HubApi(api_url, "ours")
    context = Context(settings, ledger, client, CatalogFile(SHIPPED), SYSTEM_CLOCK, "/", PREFIX)
    app = make_app(context)
    server, port = listening(app)
    yield Site(hub, ledger, context, port, app.settings["cookie_secret"])
    server.stop()
    hub_server.stop()
    await context.background.close()
    client.close()
    ledger.close()
    HubOAuth.clear_instance()
    await asyncio.sleep(0)
