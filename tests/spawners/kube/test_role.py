"""The Hub's role: with it all works, and with any of its verbs taken away something does not, and says so."""

import os
import subprocess
import sys

import pytest

from tests.hub import until
from tests.spawners.conftest import last_session, notebook_of

from .conftest import kube_hub, rules
from .test_pods import claims, pod, run, started

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def without(resource, verb):
    """The shipped rules, one verb fewer."""
    return [
        {**one, "verbs": [each for each in one["verbs"] if one["resources"] != [resource] or each != verb]}
        for one in rules()
    ]


def remove(hub, notebook):
    """The janitor's program for the claims of a notebook that was deleted for good."""
    program = [sys.executable, "-m", "jupyterhub_notebooks.spawners.removing_claims", notebook]
    return subprocess.run(program, env=dict(os.environ), capture_output=True, text=True)


def fill_quota(hub):
    """The namespace may have no claim more than it has."""
    there = len(hub.cluster.api.list("PersistentVolumeClaim", hub.namespace))
    quota = {"kind": "ResourceQuota", "apiVersion": "v1", "metadata": {"name": "claims"}}
    quota["spec"] = {"hard": {"persistentvolumeclaims": str(there)}}
    hub.cluster.api.create(quota, hub.namespace)
    until(
        lambda: hub.cluster.api.get("ResourceQuota", "claims", hub.namespace).get("status", {}).get("used"),
        30,
        what="the quota",
    )


def test_with_the_shipped_role_a_notebook_lives_its_whole_life(hub):
    started(hub, "ann", profile="work")
    run(hub, "ann", "echo kept > /workspace/kept.txt")
    hub.end("ann")
    fill_quota(hub)
    started(hub, "ann")
    assert run(hub, "ann", "cat /workspace/kept.txt") == "kept"
    hub.end("ann")
    until(lambda: pod(hub, "ann") is None, 30, what="the end of the pod")
    hub.cluster.api.delete("ResourceQuota", "claims", hub.namespace)
    done = remove(hub, notebook_of(hub, "ann").id)
    assert done.returncode == 0, done.stderr
    until(lambda: not claims(hub, "ann"), 30, what="the end of the claim")


@pytest.mark.parametrize(
    ("resource", "verb"),
    [(one["resources"][0], verb) for one in rules() for verb in one["verbs"]],
)
def test_one_verb_fewer_fails(cluster, base, tmp_path, resource, verb):
    with kube_hub(cluster, base, tmp_path, role=without(resource, verb)) as hub:
        hub.user("ann")
        answer = hub.start("ann", options={"profile": "work"}, seconds=240)
        if verb == "create" or (verb == "list" and resource != "persistentvolumeclaims"):
            assert answer.status != 201 and f"It may not {verb} {resource} there" in answer.text, answer.text
            return
        if verb == "watch":
            refused = answer.status != 201 or "forbidden" in hub.log().lower()
            assert refused, answer.text
            return
        assert answer.status == 201, answer.text
        if (resource, verb) == ("pods", "delete"):
            hub.admin("DELETE", "/hub/api/users/ann/server")
            until(lambda: "forbidden" in hub.log().lower(), 60, what="the refusal")
            return
        hub.end("ann")
        if verb == "get":
            fill_quota(hub)
            answer = hub.start("ann")
            assert answer.status != 201 and "quota" in answer.text.lower(), answer.text
        else:
            done = remove(hub, last_session(hub, "ann").notebook)
            assert done.returncode == 1 and "forbidden" in done.stderr, done.stderr
