"""A small asynchronous client of JupyterHub 6's REST API.

Promises: every answer that is not a success is one of ours: ``HubAway`` (no answer, or 5xx), ``Denied``,
``NotFound``, or ``HubRefused`` with what the Hub said. Names of users and servers may hold any character.
Nothing is tried twice here: whoever asks decides.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.simple_httpclient import HTTPTimeoutError, SimpleAsyncHTTPClient

from ..errors import Denied, HubAway, NotFound, Refusal

PAGED = "application/jupyterhub-pagination+json"
REQUEST_SECONDS = 60.0
AT_ONCE = 50


class HubRefused(Refusal):
    """The Hub answered 4xx to a start or stop; title is what it said."""

    reason = "hub_refused"


@dataclass(frozen=True)
class Server:
    """One server as the Hub sees it. pending: spawn, stop, check or None. url: path from the host's root."""

    name: str
    ready: bool
    pending: str | None
    stopped: bool
    url: str
    full_url: str | None = None
    display_name: str = ""
    user_options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Server:
        return cls(
            name=str(raw.get("name") or ""),
            ready=bool(raw.get("ready")),
            pending=raw.get("pending"),
            stopped=bool(raw.get("stopped")),
            url=str(raw.get("url") or ""),
            full_url=raw.get("full_url"),
            display_name=str(raw.get("display_name") or ""),
            user_options=raw.get("user_options") or {},
        )


@dataclass(frozen=True)
class User:
    """A user as the Hub sees them; created is the Hub's own text of it."""

    name: str
    created: str
    admin: bool
    groups: tuple[str, ...]
    servers: Mapping[str, Server]

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> User:
        servers = raw.get("servers") or {}
        return cls(
            name=str(raw["name"]),
            created=str(raw.get("created") or ""),
            admin=bool(raw.get("admin")),
            groups=tuple(raw.get("groups") or ()),
            servers={name: Server.of(one) for name, one in servers.items()},
        )


class HubApi:
    """url: such as http://127.0.0.1:8081/hub/api. token: of the service or user that acts."""

    def __init__(
        self, url: str, token: str, *, seconds: float = REQUEST_SECONDS, at_once: int = AT_ONCE
    ) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._seconds = seconds
        self._client: AsyncHTTPClient = SimpleAsyncHTTPClient(force_instance=True, max_clients=at_once)

    def close(self) -> None:
        self._client.close()

    async def version(self) -> str:
        """The Hub's version: whether it answers at all."""
        return str((await self._json("GET", "")).get("version") or "")

    async def user(self, name: str) -> User:
        """Raises NotFound."""
        return User.of(await self._json("GET", f"users/{_quoted(name)}"))

    async def users(self, state: str | None = None, page: int = 200) -> AsyncIterator[User]:
        """All users, page by page; state: ``active`` (has a server), ``ready`` or ``inactive``."""
        query: dict[str, Any] = {"limit": page, "offset": 0, "include_stopped_servers": 1}
        if state is not None:
            query["state"] = state
        while True:
            answer = await self._json("GET", f"users?{urlencode(query)}", accept=PAGED)
            items = answer["items"] if isinstance(answer, dict) else answer
            for raw in items:
                yield User.of(raw)
            following = answer["_pagination"]["next"] if isinstance(answer, dict) else None
            if following is None:
                return
            query["offset"] = following["offset"]

    async def server(self, user: str, server: str) -> Server:
        """Raises NotFound where the Hub has no such server."""
        return Server.of(await self._json("GET", _server_path(user, server)))

    async def start_server(
        self, user: str, server: str, options: Mapping[str, Any], display_name: str = ""
    ) -> bool:
        """Asks for a start; whether it is ready already. Raises HubRefused."""
        body: dict[str, Any] = {"user_options": dict(options)}
        if server and display_name:
            body["display_name"] = display_name
        response = await self._ask("POST", _server_path(user, server), body)
        return response.code == 201

    async def stop_server(self, user: str, server: str) -> bool:
        """Asks for a stop; whether it is over already. One that does not run is over."""
        try:
            response = await self._ask("DELETE", _server_path(user, server))
        except NotFound:
            return True
        return response.code == 204

    async def count_routes(self) -> int:
        """How many routes the proxy has. Raises HubAway where it does not answer."""
        answer = await self._json("GET", "proxy?limit=1", accept=PAGED)
        return int(answer["_pagination"]["total"]) if isinstance(answer, dict) else len(answer or ())

    async def give_routes(self) -> None:
        """The Hub gives the proxy every route that it lacks."""
        await self._ask("POST", "proxy")

    async def delete_user(self, name: str) -> None:
        """Removes a user without servers from the Hub. Raises NotFound."""
        await self._ask("DELETE", f"users/{_quoted(name)}")

    async def _json(self, method: str, path: str, accept: str = "application/json") -> Any:
        return json.loads((await self._ask(method, path, accept=accept)).body or b"null")

    async def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        accept: str = "application/json",
    ) -> HTTPResponse:
        headers = {"Authorization": f"token {self._token}", "Accept": accept}
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = HTTPRequest(
            f"{self.url}/{path}",
            method,
            headers,
            json.dumps(body).encode() if body is not None else None,
            request_timeout=self._seconds,
            connect_timeout=10,
            follow_redirects=False,
            allow_nonstandard_methods=True,
        )
        try:
            response = await self._client.fetch(request, raise_error=False)
        except HTTPTimeoutError:
            raise _away("It has not answered in time") from None
        except OSError as error:
            raise _away(error.strerror or str(error)) from None
        if response.code >= 500:
            raise _away(f"It answered {response.code} {_said(response)}".rstrip())
        if response.code >= 400:
            raise _refused(response)
        return response


def _away(why: str) -> HubAway:
    return HubAway("The Hub does not answer", why, ["Try again in a moment; running notebooks go on"])


def _refused(response: HTTPResponse) -> Exception:
    said = _said(response) or f"The Hub answered {response.code}"
    if response.code in (401, 403):
        return Denied("The Hub does not allow this", said, ["Ask the Hub's administrator"])
    if response.code == 404:
        return NotFound("The Hub knows no such user or server", said)
    return HubRefused(said, label="hub_refused")


def _said(response: HTTPResponse) -> str:
    try:
        return str(json.loads(response.body).get("message") or "")
    except (ValueError, AttributeError, TypeError):
        return ""


def _quoted(name: str) -> str:
    return quote(name, safe="")


def _server_path(user: str, server: str) -> str:
    base = f"users/{_quoted(user)}"
    return f"{base}/servers/{_quoted(server)}" if server else f"{base}/server"
