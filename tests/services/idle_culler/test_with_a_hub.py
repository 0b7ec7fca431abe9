"""A real Hub with short clocks: a quiet notebook is saved and stopped with its reason, a busy one meets its limit."""

import pytest

from jupyterhub_notebooks.ledger import audit, intents, notebooks, sessions, snapshots, users
from tests.hub import start_hub, until

IDLE_SECONDS, SESSION_SECONDS = 3, 8

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
    idle_stop: 0
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


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("culled")
    profiles = folder / "profiles.yaml"
    profiles.write_text(PROFILES)
    running = start_hub(
        folder,
        culler=True,
        settings={
            "profiles": str(profiles),
            "culler_interval_seconds": 0.5,
            "heartbeat_seconds": 2.0,
            "heartbeat_soon_seconds": 1.0,
        },
    )
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
    stop = intents.last_stop(hub.ledger, row.id)
    assert stop.cause == "idle" and stop.actor is None and stop.done_at
    assert stop.evidence["verdict"] == "quiet" and stop.evidence["limit_seconds"] == IDLE_SECONDS
    assert {one["name"] for one in stop.evidence["signals"]} >= {"kernel", "cpu"}
    assert snapshots.head(hub.ledger, row.workspace) is not None
    until(lambda: not hub.active("quinn"), 20, what="the Hub's end of it")
    assert audit.broken(hub.ledger) is None


def test_a_session_meets_its_limit_whatever_it_does(hub):
    run(hub, "lena", "limited")
    until(lambda: session_of(hub, "lena").closed_at, 60, what="the session limit")
    row = session_of(hub, "lena")
    assert row.cause == "session_limit"
    assert (row.stop_asked_at - row.ready_at).total_seconds() >= SESSION_SECONDS
    assert intents.last_stop(hub.ledger, row.id).evidence["limit_seconds"] == SESSION_SECONDS


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
