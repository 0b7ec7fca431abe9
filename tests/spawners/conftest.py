"""Two Hubs for most tests of this folder: one with the real agent, one with agents that misbehave."""

import sys
from pathlib import Path

import pytest

from jupyterhub_notebooks.ledger import notebooks, sessions, users
from tests.hub import RunningHub, start_hub

STAND_IN = Path(__file__).with_name("stand_in.py")
NO_PROGRESS_SECONDS = 7.0
#: What is waited for is over soon.
SHORT = {
    "heartbeat_seconds": 2.0,
    "heartbeat_soon_seconds": 1.0,
    "lease_seconds": 30.0,
    "no_progress_seconds": 30.0,
    "save_interval_seconds": 600.0,
}


def behind(server, store, folder):
    """Settings of a Hub whose S3 server is reached through store, which may go away; so is the patience with it."""
    secret = folder / "s3-secret"
    secret.write_text(server.secret)
    options = {**server.options, "endpoint_url": store.url, "secret": f"file:{secret}"}
    return {
        **SHORT,
        "store": server.url,
        "store_options": options,
        "save_timeout_seconds": 10.0,
        "save_interval_seconds": 3.0,
        "janitor_interval_seconds": 0.5,
        "save_again_seconds": 1.0,
    }


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """Real services/agents and agents. Each test uses users of its own."""
    running = start_hub(tmp_path_factory.mktemp("real"), groups={"data": {"users": ["dora"]}})
    yield running
    running.stop()


@pytest.fixture(scope="module")
def bad_hub(tmp_path_factory):
    """Agents that misbehave, by the name of their user; without services/agents."""
    folder = tmp_path_factory.mktemp("bad")
    ledger = f"sqlite:///{folder / 'hub' / 'state' / 'ledger.sqlite'}"
    running = start_hub(
        folder,
        agents=False,
        settings={"no_progress_seconds": NO_PROGRESS_SECONDS},
        LocalNotebookSpawner__agent_cmd=[sys.executable, str(STAND_IN), ledger],
    )
    yield running
    running.stop()


@pytest.fixture
def own_hub(tmp_path):
    """For tests that kill or replace it: a function that starts one."""
    started: list[RunningHub] = []

    def start(**more) -> RunningHub:
        started.append(start_hub(tmp_path, **more))
        return started[-1]

    yield start
    for running in started:
        running.stop()


def notebook_of(hub, user, server=""):
    """The ledger's notebook of a server, None where there is none."""
    owner = users.by_name(hub.ledger, user)
    return notebooks.find(hub.ledger, owner.id, server) if owner else None


def last_session(hub, user, server=""):
    """The newest session of a server."""
    return sessions.of_notebook(hub.ledger, notebook_of(hub, user, server).id)[0]
