"""Notebooks as pods of a real Kubernetes: what a start makes, what a stop leaves, and what comes back."""

import subprocess

import pytest

from jupyterhub_notebooks.spawners import pods as words
from tests.cluster import kubeconfig
from tests.hub import until
from tests.spawners.conftest import last_session, notebook_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def pod(hub, user, server=""):
    """The pod of a server's newest session, None where there is none."""
    found = hub.cluster.api.list(
        "Pod", hub.namespace, f"{words.LABEL}session={last_session(hub, user, server).id}"
    )
    return found[0] if found else None


def claims(hub, user, server=""):
    notebook = notebook_of(hub, user, server).id
    return hub.cluster.api.list("PersistentVolumeClaim", hub.namespace, f"{words.LABEL}notebook={notebook}")


def run(hub, user, command, server="", container="notebook"):
    """What a command prints in a notebook's pod, as its user."""
    name = pod(hub, user, server)["metadata"]["name"]
    cluster = hub.cluster
    arguments = ["exec", "-n", hub.namespace, name, "-c", container, "--", "sh", "-c", command]
    done = subprocess.run(
        kubeconfig.kubectl(cluster.program, cluster.kubeconfig, *arguments), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def started(hub, user, server="", **options):
    hub.user(user)
    answer = hub.start(user, server, options=options or None, seconds=120)
    assert answer.status == 201, answer.text + hub.log()[-4000:]


def test_a_notebook_starts_as_a_pod_is_saved_at_the_stop_and_comes_back_on_a_new_claim(hub):
    started(hub, "anna", profile="work")
    run(hub, "anna", "echo kept > /workspace/kept.txt; echo gone > /data/gone.txt")
    (claim,) = claims(hub, "anna")
    hub.end("anna")
    row = last_session(hub, "anna")
    assert row.cause == "stopped" and row.closed_at
    until(lambda: pod(hub, "anna") is None, 30, what="the end of the pod")
    assert [one["metadata"]["name"] for one in claims(hub, "anna")] == [claim["metadata"]["name"]]
    hub.cluster.api.delete("PersistentVolumeClaim", claim["metadata"]["name"], hub.namespace)
    until(lambda: not claims(hub, "anna"), 30, what="the end of the claim")
    started(hub, "anna")
    assert run(hub, "anna", "cat /workspace/kept.txt; ls -A /data") == "kept"
    assert claims(hub, "anna")[0]["metadata"]["uid"] != claim["metadata"]["uid"]
    hub.end("anna")


def test_limits_walls_and_labels_are_on_the_pod_and_hold_inside(hub):
    started(hub, "bert", profile="work", flavor="large")
    found, session = pod(hub, "bert"), last_session(hub, "bert")
    (container,) = found["spec"]["containers"]
    assert container["resources"]["limits"] == {"cpu": "750m", "memory": "1500M"}
    assert found["spec"]["automountServiceAccountToken"] is False
    assert found["spec"]["terminationGracePeriodSeconds"] == 3600
    labels = found["metadata"]["labels"]
    for name, value in (
        ("session", session.id),
        ("notebook", session.notebook),
        ("profile", "work"),
        ("flavor", "large"),
    ):
        assert labels[f"{words.LABEL}{name}"] == value
    said = run(hub, "bert", "id -u; grep NoNewPrivs /proc/self/status; grep CapEff /proc/self/status")
    assert said.split() == ["1000", "NoNewPrivs:", "1", "CapEff:", "0000000000000000"]
    said = run(
        hub,
        "bert",
        "touch /usr/x 2>&1; touch /tmp/x /var/tmp/x /data/x && echo fine; ls /var/run/secrets 2>&1; true",
    )
    assert "Read-only file system" in said and "fine" in said and "No such file" in said
    hub.end("bert")


def test_a_workspace_in_the_pod_alone_is_fetched_at_each_start(hub):
    started(hub, "carl", profile="passing")
    run(hub, "carl", "echo kept > /workspace/kept.txt")
    assert claims(hub, "carl") == []
    hub.end("carl")
    started(hub, "carl")
    assert run(hub, "carl", "cat /workspace/kept.txt") == "kept"
    hub.end("carl")


def test_a_pod_that_is_deleted_behind_our_back_is_saved_first_and_starts_again(hub):
    started(hub, "dora", profile="work")
    run(hub, "dora", "echo kept > /workspace/kept.txt")
    hub.cluster.api.delete("Pod", pod(hub, "dora")["metadata"]["name"], hub.namespace)
    until(lambda: last_session(hub, "dora").closed_at, 90, what="its end")
    until(lambda: not hub.active("dora"), 60, what="the Hub to see it")
    (claim,) = claims(hub, "dora")
    hub.cluster.api.delete("PersistentVolumeClaim", claim["metadata"]["name"], hub.namespace)
    until(lambda: not claims(hub, "dora"), 30, what="the end of the claim")
    started(hub, "dora")
    assert run(hub, "dora", "cat /workspace/kept.txt") == "kept"
    hub.end("dora")


def test_a_hub_that_was_killed_finds_its_pods_again(hub):
    started(hub, "emil", profile="work")
    before = pod(hub, "emil")["metadata"]["uid"]
    hub.kill("hub")
    hub.start_hub()
    until(lambda: hub.active("emil"), 60, what="the server at the new Hub")
    assert pod(hub, "emil")["metadata"]["uid"] == before
    hub.end("emil")
    assert last_session(hub, "emil").cause == "stopped"
    until(lambda: pod(hub, "emil") is None, 30, what="the end of the pod")
