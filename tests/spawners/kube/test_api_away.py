"""The cluster's API server dies, and comes back later: what runs goes on, what is stopped meanwhile is saved first."""

import contextlib

import pytest

from tests.cluster import parts
from tests.cluster.api import ApiError
from tests.hub import until
from tests.spawners.conftest import last_session

from .conftest import kube_hub, loaded, own_cluster
from .test_pods import pod, run, started

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def cluster():
    """Its own: schedulers and machines need a while to find an API server again."""
    with own_cluster() as found:
        yield found


@pytest.fixture(scope="module")
def base(cluster, engine):
    return loaded(cluster, engine)


@contextlib.contextmanager
def api_away(cluster):
    """Killed for so long; pods, and the way to them, go on."""
    process = cluster.own.processes.pop("apiserver")
    process.kill()
    process.wait(10)
    try:
        yield
    finally:
        cluster.own.run("apiserver", parts.apiserver(cluster.own.place))
        until(lambda: answers(cluster), 60, what="the API server")


def answers(cluster):
    try:
        return cluster.api("GET", "/readyz") == "ok"
    except (OSError, ApiError):
        return False


@pytest.fixture(scope="module")
def hub(cluster, base, tmp_path_factory):
    settings = {"heartbeat_seconds": 2.0, "heartbeat_soon_seconds": 1.0}
    with kube_hub(cluster, base, tmp_path_factory.mktemp("kube"), settings=settings) as found:
        yield found


def test_a_stop_is_saved_while_the_cluster_is_away_and_the_pod_goes_when_it_is_back(hub):
    started(hub, "ada", profile="passing")
    run(hub, "ada", "echo unsaved > /workspace/unsaved.txt")
    name = pod(hub, "ada")["metadata"]["name"]
    with api_away(hub.cluster):
        hub.admin("DELETE", "/hub/api/users/ada/server", wait=False)
        row = until(lambda: (found := last_session(hub, "ada")).closed_at and found, 60, what="its end")
        assert row.cause == "stopped" and not row.pending_files, (row.cause, row.detail)
        until(lambda: "giving up" in hub.log(), 120, 0.5, "the end of the watch")
    until(lambda: not hub.active("ada"), 60, what="the Hub to see it")
    until(lambda: hub.cluster.api.get("Pod", name, hub.namespace) is None, 90, what="the end of the pod")
    started(hub, "ada")
    assert run(hub, "ada", "cat /workspace/unsaved.txt") == "unsaved"
    hub.end("ada")


def test_a_hub_that_begins_while_the_cluster_is_away_takes_nothing_for_dead(hub):
    started(hub, "bea", profile="passing")
    run(hub, "bea", "echo unsaved > /workspace/unsaved.txt")
    before = pod(hub, "bea")["metadata"]["uid"]
    with api_away(hub.cluster):
        hub.kill("hub")
        hub.start_hub()
        until(lambda: "cannot be asked now" in hub.log(), 60, what="the look at it")
    until(lambda: (hub.server("bea") or {}).get("ready"), 60, what="the server at the new Hub")
    assert last_session(hub, "bea").closed_at is None
    assert pod(hub, "bea")["metadata"]["uid"] == before
    hub.end("bea", seconds=150)  # its machine may listen again a minute after its cluster only
    row = last_session(hub, "bea")
    assert row.cause == "stopped" and not row.pending_files, (row.cause, row.detail)
    started(hub, "bea")
    assert run(hub, "bea", "cat /workspace/unsaved.txt") == "unsaved"
    hub.end("bea")
