"""A running services/agents, and what an agent would do with it."""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
from typing import Any

import pytest

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.contract import Commit, UrlRequest, UrlsRequest
from jupyterhub_notebooks.ledger import hub
from jupyterhub_notebooks.workspace import Store, claim_root, open_store
from jupyterhub_notebooks.workspace.snapshots import SnapshotHead, compose_snapshot
from jupyterhub_notebooks.workspace.store import keep_validated, validating
from tests.agents_service import MadeSession, RunningAgents, open_url, start_agents_service

_numbers = itertools.count()


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    made = start_agents_service(tmp_path_factory.mktemp("agents"))
    yield made
    made.close()


@pytest.fixture
def own_service(tmp_path):
    """One for a test that stops, kills or slows it."""
    made = start_agents_service(tmp_path)
    yield made
    made.close()


@pytest.fixture
def session(service) -> MadeSession:
    """Of a notebook of its own."""
    return fresh(service)


def fresh(service: RunningAgents, user: str | None = None, **more: Any) -> MadeSession:
    """A session of a new notebook, of a new user where none is named."""
    number = next(_numbers)
    return service.new_session(user or f"user{number}", f"notebook-{number}", **more)


def hello(service: RunningAgents, session: MadeSession, **more: Any) -> dict[str, Any]:
    status, answer = service.call(session, "POST", "hello", {"agent_version": "0.1", **more})
    assert status == 200, answer
    return answer


def beat(
    service: RunningAgents, session: MadeSession, sequence: int, phase: str = "running", **more: Any
) -> Any:
    status, answer = service.call(
        session, "POST", "heartbeat", {"sequence": sequence, "phase": phase, **more}
    )
    assert status == 200, answer
    return answer


def sign(service: RunningAgents, session: MadeSession, *requests: UrlRequest) -> list[dict[str, Any]]:
    status, answer = service.call(session, "POST", "urls", UrlsRequest(requests))
    assert status == 200, answer
    return answer["urls"]


def name_of(body: bytes) -> str:
    """Some name of a block; the service does not look into blocks."""
    return hashlib.sha256(b"name" + body).hexdigest()


def to_put(body: bytes, name: str | None = None) -> UrlRequest:
    return UrlRequest(
        "block", "PUT", hash=name or name_of(body), length=len(body), sha256=hashlib.sha256(body).hexdigest()
    )


def to_get(name: str) -> UrlRequest:
    return UrlRequest("block", "GET", hash=name)


def put(service: RunningAgents, session: MadeSession, body: bytes, name: str | None = None) -> int:
    """Stores a block; the status."""
    [url] = sign(service, session, to_put(body, name))
    return open_url("PUT", url["url"], url["headers"], body)[0]


def get(service: RunningAgents, session: MadeSession, name: str) -> tuple[int, bytes]:
    [url] = sign(service, session, to_get(name))
    return open_url("GET", url["url"])[:2]


def snapshot(
    session: MadeSession, number: int, lease: int = 1, kind: str = "save", workspace: str | None = None
) -> bytes:
    """The object of an empty workspace's save; another one at each call."""
    head = SnapshotHead(
        workspace or session.workspace,
        number,
        kind,
        number - 1 or None,
        lease,
        SYSTEM_CLOCK.now(),
        "tests",
        size_bytes=1200,
        files=3,
        entries=4,
        stored_bytes=900,
        skipped=0,
        root=None,
    )
    return compose_snapshot(head, os.urandom(16))


def commit_of(body: bytes, number: int, lease: int = 1, kind: str = "save") -> Commit:
    return Commit(number, lease, base64.b64encode(body).decode(), kind)


def commit(service: RunningAgents, session: MadeSession, number: int, lease: int = 1) -> tuple[int, Any]:
    return service.call(session, "POST", "commit", commit_of(snapshot(session, number, lease), number, lease))


def looked_at_before(service: RunningAgents) -> Store:
    """The store of a service that is not started yet, as an earlier start leaves it that found all well."""
    settings, now = service.settings, SYSTEM_CLOCK.now()
    store = open_store(settings.store, settings.store_options, serialized=True)
    claim_root(store, hub.hub_id(service.ledger, now), now)
    reached = validating.reached(settings.store, settings.store_options)
    keep_validated(store, {"at": "before", "reached": reached, "checks": {}})
    return store
