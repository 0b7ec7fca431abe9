"""The Hub's REST API for commands: blocking calls, one connection each.

Promises: every answer that is not one raises HubAway (no answer), NotFound or Denied; a proxy named in the
environment is never used.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ..errors import Denied, HubAway, NotFound

PAGE = 100
PAGINATED = "application/jupyterhub-pagination+json"
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Server:
    """A server that is starting, running or stopping."""

    user: str
    name: str
    pending: str
    ready: bool


@dataclass(frozen=True)
class Hub:
    """url: the Hub's own address, such as http://127.0.0.1:8081/hub/api."""

    url: str
    token: str
    timeout_seconds: float = 30.0

    def active_servers(self) -> list[Server]:
        """All servers that are not stopped, of all users."""
        found: list[Server] = []
        for user in self._pages("users?state=active"):
            for server in (user.get("servers") or {}).values():
                if not server.get("stopped"):
                    pending, ready = server.get("pending") or "", bool(server.get("ready"))
                    found.append(Server(user["name"], server["name"], pending, ready))
        return found

    def servers_of(self, user: str) -> list[Server]:
        """One user's servers that are not stopped; none for a user whom the Hub does not know."""
        try:
            model = self.call("GET", f"users/{_part(user)}")
        except NotFound:
            return []
        servers = (model.get("servers") or {}).values()
        return [
            Server(user, server["name"], server.get("pending") or "", bool(server.get("ready")))
            for server in servers
            if not server.get("stopped")
        ]

    def stop(self, user: str, server: str) -> bool:
        """Asks for a stop. Whether it has stopped already."""
        path = f"users/{_part(user)}/servers/{_part(server)}" if server else f"users/{_part(user)}/server"
        status, _ = self._call("DELETE", path)
        return status != 202

    def delete_user(self, user: str) -> None:
        """Removes a user of the Hub. Raises NotFound."""
        self.call("DELETE", f"users/{_part(user)}")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request; answers the decoded body."""
        return self._call(method, path, body)[1]

    def _pages(self, path: str) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            page = self.call("GET", f"{path}&offset={offset}&limit={PAGE}")
            yield from page["items"]
            following = page["_pagination"]["next"]
            if following is None:
                return
            offset = following["offset"]

    def _call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        request = urllib.request.Request(
            f"{self.url}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}", "Accept": PAGINATED},
        )
        try:
            with _OPENER.open(request, timeout=self.timeout_seconds) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            raise _error(error, method, path) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise HubAway(
                "The Hub does not answer", f"{self.url}: {error}", ["Start it with: jupyterhub-notebooks up"]
            ) from None


def _error(error: urllib.error.HTTPError, method: str, path: str) -> Exception:
    try:
        told = str(json.loads(error.read()).get("message", ""))
    except (OSError, ValueError, AttributeError):
        told = ""
    why = told or str(error.reason)
    if error.code == 404:
        return NotFound("The Hub does not know it", why, field=path)
    if error.code in (401, 403):
        return Denied("The Hub does not allow it", why, field=f"{method} {path}")
    return HubAway("The Hub could not do it", f"{error.code} {why}", field=f"{method} {path}")


def _part(name: str) -> str:
    return quote(name, safe="@")
