"""Two people, one service: a token opens its own workspace, while its session is open, and nothing else."""

import pytest

from jupyterhub_notebooks.contract import Release
from tests.agents_service import open_url

from .conftest import commit_of, fresh, get, hello, name_of, put, sign, snapshot, to_get, to_put

CALLS = [
    ("POST", "hello", {"agent_version": "0.1"}),
    ("POST", "heartbeat", {"sequence": 1, "phase": "running"}),
    ("GET", "orders", None),
    ("POST", "urls", {"urls": [{"kind": "block", "hash": "ab" * 32}]}),
    ("POST", "commit", {"number": 1, "lease": 1, "body": ""}),
    ("GET", "snapshots", None),
    ("POST", "extend", {"seconds": 60}),
    ("POST", "log", {"first": 0, "lines": ["x"]}),
]


@pytest.mark.parametrize(("method", "path", "body"), [*CALLS, ("POST", "release", {})])
def test_without_a_known_token_every_address_answers_401(service, method, path, body):
    for token in (None, "", "0" * 64):
        status, answer = service.call(token, method, path, body)
        assert (status, answer["error"]["reason"]) == (401, "no_session")


def test_the_token_of_a_closed_session_opens_nothing_any_more(service, session):
    hello(service, session)
    assert service.call(session, "POST", "release", Release(0))[0] == 200
    for method, path, body in CALLS:
        status, answer = service.call(session, method, path, body)
        assert (status, answer["error"]["reason"]) == (401, "no_session"), path


def test_the_ledgers_hash_of_a_token_is_not_a_token(service, session):
    import hashlib

    status, _ = service.call(hashlib.sha256(session.token.encode()).hexdigest(), "GET", "snapshots")
    assert status == 401


def test_a_session_gets_signed_urls_below_its_own_workspace_only(service):
    mara, lukas = fresh(service, "mara"), fresh(service, "lukas")
    body = b"of mara" * 100
    name = name_of(body)
    assert put(service, mara, body) == 200
    assert get(service, mara, name) == (200, body)
    for url in sign(service, lukas, to_get(name), to_put(b"of lukas", name)):
        assert f"/store/{lukas.workspace}/" in url["url"]
        assert mara.workspace not in url["url"]
    assert get(service, lukas, name)[0] == 404
    assert put(service, lukas, b"of lukas", name) == 200
    assert get(service, mara, name) == (200, body)


def test_a_url_of_one_workspace_does_not_open_another(service):
    mara, lukas = fresh(service, "mara"), fresh(service, "lukas")
    body = b"of mara"
    put(service, mara, body)
    [url] = sign(service, lukas, to_get(name_of(body)))
    assert open_url("GET", url["url"].replace(lukas.workspace, mara.workspace))[0] == 403


def test_a_session_cannot_commit_into_another_workspace(service):
    mara, lukas = fresh(service, "mara"), fresh(service, "lukas")
    hello(service, mara)
    hello(service, lukas)
    body = snapshot(lukas, 1, workspace=mara.workspace)
    status, answer = service.call(lukas, "POST", "commit", commit_of(body, 1))
    assert (status, answer["error"]["field"]) == (400, "body")
    assert service.call(mara, "GET", "snapshots")[1]["snapshots"] == []


def test_a_session_cannot_mark_anothers_orders_as_done(service):
    from jupyterhub_notebooks.clock import SYSTEM_CLOCK
    from jupyterhub_notebooks.ledger import intents

    mara, lukas = fresh(service, "mara"), fresh(service, "lukas")
    asked = intents.ask(service.ledger, mara.id, "save", "asked", None, SYSTEM_CLOCK.now())
    beat = {"sequence": 1, "phase": "running", "done_orders": [asked.id]}
    status, answer = service.call(lukas, "POST", "heartbeat", beat)
    assert (status, answer["orders"]) == (200, [])
    assert [one.id for one in intents.open_of(service.ledger, mara.id)] == [asked.id]
