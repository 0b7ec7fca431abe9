"""The crash table on two nodes: for each way down, what the next start finds, why it ended, and what is left over.

NOTEBOOKS_CRASHES: a file to which a line is added for each row, with seconds.
"""

import json
import os
import time

import pytest

from tests.hub import until
from tests.spawners.conftest import last_session

from . import ways
from .conftest import kube_hub, loaded, own_cluster
from .test_kept import without_volume
from .test_pods import claims, pod, run, started

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def cluster():
    """Two nodes, so that there is another one."""
    with own_cluster(nodes=2) as found:
        yield found


@pytest.fixture(scope="module")
def base(cluster, engine):
    return loaded(cluster, engine)


@pytest.fixture(scope="module")
def hub(cluster, base, tmp_path_factory):
    settings = {"no_progress_seconds": 70.0, "lease_seconds": 30.0, "heartbeat_seconds": 5.0}
    with kube_hub(cluster, base, tmp_path_factory.mktemp("kube"), settings=settings) as found:
        yield found


def hub_killed_mid_stop(hub, user, pod):
    hub.admin("DELETE", f"/hub/api/users/{user}/server", wait=False)
    until(lambda: last_session(hub, user).stop_asked_at, 30, 0.01, "the stop")
    hub.kill("hub")
    hub.start_hub()


WAYS = {**ways.WAYS, hub_killed_mid_stop: "stopped"}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_whatever_ends_a_notebook_its_files_are_there_and_why_is_told(hub, way):
    user = way.__name__.replace("_", "-")
    started(hub, user, profile="passing")
    run(hub, user, "echo unsaved > /workspace/unsaved.txt")
    began = time.monotonic()
    way(hub, user, pod(hub, user))
    row = until(lambda: (found := last_session(hub, user)).closed_at and found, 120, what="its end")
    saved = time.monotonic() - began
    until(lambda: not hub.active(user), 90, what="the Hub to see it")
    seen = time.monotonic() - began
    ways.cleared(hub)
    assert row.cause == WAYS[way] and not row.pending_files, (row.cause, row.detail)
    started(hub, user)
    assert run(hub, user, "cat /workspace/unsaved.txt") == "unsaved"
    hub.end(user)
    until(lambda: pod(hub, user) is None, 90, what="the end of the pod")
    tell(way.__name__, row, saved, seen)


def test_a_start_that_the_hub_s_death_cuts_off_goes_on_with_the_same_pod(hub):
    hub.user("mid")
    hub.admin("POST", "/hub/api/users/mid/server", {"user_options": {"profile": "work"}}, wait=False)
    found = until(lambda: hub.cluster.api.list("Pod", hub.namespace), 60, 0.02, "its pod")
    hub.kill("hub")
    began = time.monotonic()
    hub.start_hub()
    until(lambda: (hub.server("mid") or {}).get("ready"), 120, what="the server at the new Hub")
    assert pod(hub, "mid")["metadata"]["uid"] == found[0]["metadata"]["uid"]
    assert last_session(hub, "mid").ready_at and not last_session(hub, "mid").cause
    tell("hub killed mid-start", last_session(hub, "mid"), 0.0, time.monotonic() - began)
    hub.end("mid")
    without_volume(hub, "mid")


def test_a_machine_that_is_lost_gives_its_notebook_to_another(hub):
    started(hub, "lost", profile="work")
    run(hub, "lost", "echo claimed > /workspace/claimed.txt")
    found = pod(hub, "lost")
    node = next(one for one in hub.cluster.nodes if one.name == found["spec"]["nodeName"])
    began = time.monotonic()
    hub.cluster.own.kill_node(node)
    try:
        hub.admin("DELETE", "/hub/api/users/lost/server")
        row = until(lambda: (one := last_session(hub, "lost")).closed_at and one, 240, what="its end")
        until(lambda: not hub.active("lost"), 120, what="the Hub to see it")
        assert "Its machine stopped answering" in row.detail, row.detail
        seen = time.monotonic() - began
        until(lambda: pod(hub, "lost") is None, 60, what="the end of the pod")
        hub.cluster.api.patch("Node", node.name, {"spec": {"unschedulable": True}})
        started(hub, "lost")
        assert pod(hub, "lost")["spec"]["nodeName"] != node.name
        assert run(hub, "lost", "cat /workspace/claimed.txt") == "claimed"
        hub.end("lost")
        tell("machine lost", row, seen, seen)
    finally:
        hub.cluster.own.start_node(node)
        hub.cluster.api.patch("Node", node.name, {"spec": {"unschedulable": None}})


def test_nothing_is_left_over_but_the_claims_of_notebooks(hub):
    until(lambda: hub.cluster.api.list("Pod", hub.namespace) == [], 90, what="the end of all pods")
    without_volume(hub, "lost")
    assert not claims(hub, "lost")


def tell(way, row, saved, seen):
    line = {
        "way": way,
        "cause": row.cause,
        "detail": row.detail,
        "saved_s": round(saved, 1),
        "hub_s": round(seen, 1),
    }
    print(json.dumps(line))
    if "NOTEBOOKS_CRASHES" in os.environ:
        with open(os.environ["NOTEBOOKS_CRASHES"], "a") as out:
            out.write(json.dumps(line) + "\n")
