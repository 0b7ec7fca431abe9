"""A real Hub with short clocks: a quiet notebook is saved and stopped with its reason, a busy one meets its limit."""

import asyncio
import json
import urllib.request

import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from jupyterhub_notebooks.ledger import audit, intents, notebooks, sessions, snapshots, users
from tests.hub import start_hub, until

IDLE_SECONDS, SESSION_SECONDS = 3, 20

PROFILES = f"""
flavors:
  std:
    use: Tests
    cpu: 1
    memory: 1 GB
profiles:
  quiet:
    title: Quiet
    use: Stops soon
    flavor: std
    idle_stop: {IDLE_SECONDS}s
    max_session: 1h
    warn_before: 0
  limited:
    title: Limited
    use: Has an end
    flavor: std
    idle_stop: 10s
    max_session: {SESSION_SECONDS}s
    warn_before: 0
  watched:
    title: Watched
    use: Nothing is stopped
    flavor: std
    idle_stop: {IDLE_SECONDS}s
    max_session: 0
    enforcement: observe
"""


def started(folder, text=PROFILES, **settings):
    """A Hub with an enforcer that looks often. text: of profiles.yaml."""
    profiles = folder / "profiles.yaml"
    profiles.write_text(text)
    return start_hub(
        folder,
        culler=True,
        settings={
            "profiles": str(profiles),
            "culler_interval_seconds": 0.5,
            "heartbeat_seconds": 2.0,
            "heartbeat_soon_seconds": 1.0,
            **settings,
        },
    )


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    running = started(tmp_path_factory.mktemp("culled"))
    yield running
    running.stop()


def session_of(hub, user):
    owner = users.by_name(hub.ledger, user)
    notebook = notebooks.find(hub.ledger, owner.id, "")
    return sessions.of_notebook(hub.ledger, notebook.id)[0]


def run(hub, user, profile):
    hub.user(user)
    assert hub.start(user, "", {"profile": profile}).status == 201
    return session_of(hub, user)


def test_a_quiet_notebook_is_saved_and_stopped_and_says_why(hub):
    begun = run(hub, "quinn", "quiet")
    until(lambda: session_of(hub, "quinn").closed_at, 60, what="the idle stop")
    row = session_of(hub, "quinn")
    assert row.id == begun.id and row.cause == "idle" and row.ended_at
    stop = until(
        lambda: (found := intents.last_stop(hub.ledger, row.id)).done_at and found,
        30,
        what="the end of the stop",
    )
    assert stop.cause == "idle" and stop.actor is None
    assert stop.evidence["verdict"] == "quiet" and stop.evidence["limit_seconds"] == IDLE_SECONDS
    assert {one["name"] for one in stop.evidence["signals"]} >= {"kernel", "cpu"}
    assert snapshots.head(hub.ledger, row.workspace) is not None
    until(lambda: not hub.active("quinn"), 20, what="the Hub's end of it")
    assert audit.broken(hub.ledger) is None


def run_cell(hub, user, code, at=""):
    """Runs code in a new kernel of the user's notebook, and leaves without waiting for its end. at: where below the
    notebook's address its server answers."""
    token = hub.admin("POST", f"/hub/api/users/{user}/tokens", {}).json["token"]
    base, headers = f"{hub.url}/user/{user}/{at}", {"Authorization": f"token {token}"}
    request = urllib.request.Request(f"{base}api/kernels", b"{}", headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        kernel = json.loads(answer.read())["id"]
    head = {"msg_id": "1", "session": "1", "username": user, "msg_type": "execute_request", "version": "5.3"}
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
    message = {"header": head, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}

    async def send():
        url = f"{base}api/kernels/{kernel}/channels".replace("http", "ws", 1)
        channel = await websocket_connect(HTTPRequest(url, headers=headers))
        await channel.write_message(json.dumps({**message, "buffers": []}))
        while text := await channel.read_message():
            said = json.loads(text)
            if said["msg_type"] == "status" and said["content"]["execution_state"] == "busy":
                break
        channel.close()

    asyncio.run(send())


def test_a_silent_cell_with_its_tab_closed_is_work_and_meets_its_session_limit(hub):
    run(hub, "lena", "limited")
    run_cell(hub, "lena", "import time; time.sleep(600)")
    until(lambda: session_of(hub, "lena").closed_at, 60, what="the session limit")
    row = session_of(hub, "lena")
    assert row.cause == "session_limit"
    assert intents.last_stop(hub.ledger, row.id).evidence["verdict"] == "working"
    assert (row.stop_asked_at - row.ready_at).total_seconds() >= SESSION_SECONDS
    assert intents.last_stop(hub.ledger, row.id).evidence["limit_seconds"] == SESSION_SECONDS


@pytest.mark.slow
def test_observing_records_the_stop_that_would_have_been_once_and_stops_nothing(hub):
    begun = run(hub, "olga", "watched")
    until(lambda: session_of(hub, "olga").observed_idle_at, 60, what="the record")
    found = [one for one in audit.rows(hub.ledger, subject=begun.id) if one.action == "session.would_stop"]
    assert len(found) == 1 and found[0].cause == "idle"
    assert found[0].evidence["verdict"] == "quiet"
    row = session_of(hub, "olga")
    assert row.stop_asked_at is None and hub.active("olga")
    hub.end("olga")
    assert session_of(hub, "olga").cause == "stopped"


@pytest.mark.slow
def test_a_hub_and_its_enforcer_killed_in_a_stop_end_it_once_when_they_are_back(tmp_path):
    hub = started(tmp_path)
    try:
        begun = run(hub, "karl", "quiet")
        until(lambda: intents.last_stop(hub.ledger, begun.id), 60, 0.01, what="the intent")
        hub.kill("hub")
        until(lambda: not [one for one in hub.left() if "idle_culler" in " ".join(one.cmdline())], 20)
        hub.start_hub()
        until(lambda: session_of(hub, "karl").closed_at, 90, what="the idle stop")
        row = session_of(hub, "karl")
        assert row.id == begun.id and row.cause == "idle"
        asked = [one for one in audit.rows(hub.ledger, subject=row.id) if one.action == "session.stop"]
        assert len(asked) == 1
        assert snapshots.head(hub.ledger, row.workspace) is not None
    finally:
        hub.stop()


@pytest.mark.slow
def test_nothing_is_stopped_while_the_hub_is_down(tmp_path):
    hub = started(tmp_path)
    try:
        begun = run(hub, "nora", "watched")
        hub.kill("hub")
        until(lambda: session_of(hub, "nora").verdict == "quiet", 60, what="the verdict")
        assert session_of(hub, "nora").id == begun.id and session_of(hub, "nora").stop_asked_at is None
        hub.start_hub()
        until(lambda: session_of(hub, "nora").observed_idle_at, 60, what="the record")
        assert hub.active("nora")
        hub.end("nora")
    finally:
        hub.stop()
