"""A Hub, its services and an S3 behind a fault, with short times: what its users see while something is away."""

from __future__ import annotations

import contextlib
import http.client
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.ledger import NotebookView, Session, notebooks, sessions, users
from jupyterhub_notebooks.ledger.hub import hub_id
from jupyterhub_notebooks.settings import Settings
from jupyterhub_notebooks.workspace import claim_root, open_store
from jupyterhub_notebooks.workspace.store import keep_validated, validating

from . import s3
from .faults import Faulty, faulty
from .hub import HOST, RunningHub, start_hub, until

#: Minutes become seconds.
SHORT: dict[str, Any] = {
    "janitor_interval_seconds": 0.5,
    "save_again_seconds": 1.0,
    "lease_seconds": 30.0,
    "heartbeat_seconds": 1.0,
    "heartbeat_soon_seconds": 0.5,
    "save_interval_seconds": 2.0,
    "save_timeout_seconds": 8.0,
    "no_progress_seconds": 90.0,
}


#: Answers as a server does and takes no processor from the others: what is away here is not the editor.
SERVER = [sys.executable, "-P", "-s", "-m", "jupyterhub_notebooks.agent.saving_page"]


#: On a busy machine the pages take longer to come up than the Hub would wait.
PATIENT = """
for one in c.JupyterHub.services:
    if one.get("command"):
        one["timeout"] = 600
"""


def _pages_answer(hub: RunningHub) -> bool:
    try:
        connection = http.client.HTTPConnection(HOST, hub.ports["public"], timeout=5)
        connection.request("GET", "/services/notebooks/health")
        return connection.getresponse().status == 200
    except OSError:
        return False


def _store_is_open(hub: RunningHub) -> bool:
    """On a busy machine the service may have started without its store."""
    log = hub.log("agents")
    return '"started"' in log and ("started without the store" not in log or "the store answers" in log)


def looked_at_before(hub: RunningHub) -> None:
    """The store as an earlier start leaves it that found all well: what is looked at then is not shown here."""
    settings = Settings.of(hub.given["notebooks"])
    store = open_store(settings.store, settings.store_options, serialized=True)
    claim_root(store, hub_id(hub.ledger, SYSTEM_CLOCK.now()), SYSTEM_CLOCK.now())
    reached = validating.reached(settings.store, settings.store_options)
    keep_validated(store, {"at": "before", "reached": reached, "checks": {}})


@dataclass
class Place:
    """hub: everything that runs. store: the fault between it and its S3; away at any moment by ``store.mode``."""

    hub: RunningHub
    store: Faulty
    server: s3.S3
    _tokens: dict[str, str] = field(default_factory=dict)

    # -- what a person does and sees

    def token(self, user: str) -> str:
        if user not in self._tokens:
            self.hub.admin("POST", f"/hub/api/users/{user}")
            made = self.hub.admin("POST", f"/hub/api/users/{user}/tokens", {})
            self._tokens[user] = made.json["token"]
        return self._tokens[user]

    def ask(self, user: str, path: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
        """A request to services/notebooks through the proxy: (status, parsed JSON or text)."""
        connection = http.client.HTTPConnection(HOST, self.hub.ports["public"], timeout=90)
        try:
            headers = {"Authorization": f"token {self.token(user)}"}
            raw = None if body is None else json.dumps(body)
            connection.request(method, f"/services/notebooks/{path}", raw, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def seen(self, user: str) -> dict[str, Any]:
        """What REST API and pages say of the user's notebook; waited for while the Hub starts the pages anew."""

        def answered() -> tuple[int, Any] | None:
            status, told = self.ask(user, f"api/v1/notebooks/{user}/-")
            by_the_hub = status == 503 and isinstance(told, str)
            return None if by_the_hub else (status, told)

        status, told = until(answered, 90, 0.2, "an answer of the pages")
        assert status == 200, told
        return dict(told)

    def start(self, user: str) -> None:
        """Until it runs."""
        status, told = self.ask(user, f"api/v1/notebooks/{user}/-/start", "POST", {})
        assert status == 202, told
        self.until_state(user, "RUNNING", 240)
        until(lambda: (self.hub.server(user) or {}).get("ready"), 120, what="the way to the server")

    def stop(self, user: str) -> None:
        """Asks for it, as the page does; returns at once."""
        status, told = self.ask(user, f"api/v1/notebooks/{user}/-/stop", "POST", {})
        assert status == 202, told

    def until_state(
        self, user: str, state: str, seconds: float = 120, sub: str | None = None
    ) -> dict[str, Any]:
        def there() -> dict[str, Any] | None:
            told = self.seen(user)
            return told if told["state"] == state and sub in (None, told["sub_state"]) else None

        try:
            return until(there, seconds, 0.1, f"{state} of {user}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.seen(user)}") from None

    def until_said(self, user: str, *words: str, seconds: float = 120) -> str:
        """The notebook's sentence, once it has all these words."""

        def there() -> str:
            sentence = str(self.seen(user)["sentence"])
            return sentence if all(word in sentence for word in words) else ""

        try:
            return until(there, seconds, 0.1, f"the words {words}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it says {self.seen(user)['sentence']!r}") from None

    # -- what is behind it

    def view(self, user: str) -> NotebookView:
        owner = users.by_name(self.hub.ledger, user)
        assert owner is not None
        found = notebooks.find(self.hub.ledger, owner.id, "")
        assert found is not None
        return notebooks.views(self.hub.ledger, notebook=found.id)[0]

    def past(self, user: str) -> list[Session]:
        return sessions.of_notebook(self.hub.ledger, self.view(user).notebook.id)

    def file(self, user: str, name: str = "results.csv") -> Path:
        return self.hub.state / "volumes" / self.view(user).notebook.id / "files" / name

    def head(self, user: str) -> int:
        head = self.view(user).head
        return head.number if head is not None else 0

    def saved_after(self, user: str, number: int, seconds: float = 120) -> float:
        """Seconds until there is a newer save than number."""
        begun = time.monotonic()
        until(lambda: self.head(user) > number, seconds, 0.1, "the save")
        return time.monotonic() - begun


@contextlib.contextmanager
def place(folder: Path, *, settings: dict[str, Any] | None = None, **more: Any) -> Iterator[Place]:
    """Everything started, until the block ends."""
    with s3.running(folder / "s3") as server, faulty(server.endpoint) as store:
        secret = folder / "s3-secret"
        secret.write_text(server.secret)
        options = {**server.options, "endpoint_url": store.url, "secret": f"file:{secret}"}
        given = {**SHORT, "store": server.url, "store_options": options, **(settings or {})}
        traits = {"LocalNotebookSpawner__cmd": SERVER, **more, "more": PATIENT + more.get("more", "")}
        hub = start_hub(folder, agents=False, pages=True, janitor=True, settings=given, wait=False, **traits)
        try:
            looked_at_before(hub)
            hub.start_agents()
            until(hub.healthy, 240, 0.2, "the Hub")
            until(lambda: _pages_answer(hub), 240, 0.2, "the pages")
            until(lambda: _store_is_open(hub), 240, 0.2, "the store")
            yield Place(hub, store, server)
        finally:
            store.mode = "through"
            hub.stop()
