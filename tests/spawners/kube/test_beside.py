"""`agent: beside` on Kubernetes: an image with JupyterLab alone is restored, saved, judged and stopped as any other."""

import pytest

from jupyterhub_notebooks.ledger import sessions
from jupyterhub_notebooks.spawners import foreign, pods
from tests import docker_engine
from tests.hub import until
from tests.services.idle_culler.test_with_a_hub import run_cell
from tests.spawners.conftest import last_session
from tests.spawners.docker.test_beside import DOCKERFILE, IMAGE, asked

from .conftest import kube_hub, profile
from .test_pods import claims, pod, run, started

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
IDLE_SECONDS = 15


@pytest.fixture(scope="module")
def lab_only(cluster, engine, tmp_path_factory):
    """An image that has JupyterLab and nothing of JupyterHub or ours."""
    folder = tmp_path_factory.mktemp("lab-only")
    (folder / "Dockerfile").write_text(DOCKERFILE.format(base=docker_engine.base_image(engine)))
    image = docker_engine.build(engine, IMAGE, folder)
    cluster.load(engine.program, engine.url, image)
    return image


@pytest.fixture(scope="module")
def hub(cluster, base, lab_only, tmp_path_factory):
    also = profile(
        "aside", lab_only, agent="beside", idle_stop=f"{IDLE_SECONDS}s", signals="[kernel, terminal, cpu]"
    )
    also += profile("wrong", lab_only)
    never = "{container: {imagePullPolicy: Never}}"
    also += profile("absent", "notebooks-test/none:1", agent="beside", kubernetes=never)
    beats = {"culler_interval_seconds": 0.5, "heartbeat_seconds": 2.0, "heartbeat_soon_seconds": 1.0}
    folder = tmp_path_factory.mktemp("kube-beside")
    with kube_hub(cluster, base, folder, also=also, settings=beats, culler=True) as found:
        yield found


def test_an_image_with_jupyterlab_alone_is_saved_stopped_as_idle_and_restored(hub):
    hub.user("eva")
    started(hub, "bea", profile="aside")
    spec = pod(hub, "bea")["spec"]
    assert spec["containers"][0]["image"] == IMAGE
    told = {one["name"] for one in spec["containers"][0].get("env", ())}
    assert told == {"HOME", "NOTEBOOK_SESSION_ID"}
    tokens = {
        one: hub.admin("POST", f"/hub/api/users/{one}/tokens", {}).json["token"] for one in ("bea", "eva")
    }
    assert asked(hub, "bea", tokens["bea"]) == (200, [])
    assert asked(hub, "bea", tokens["eva"])[1] is None and asked(hub, "bea", "")[1] is None

    code = "import sys, time; open('made.txt', 'w').write(sys.executable); time.sleep(20)"
    run_cell(hub, "bea", code, f"{foreign.PATH}/")
    seen = set()

    def works():
        row = sessions.get(hub.ledger, last_session(hub, "bea").id)
        seen.add((row.verdict, row.verdict_sentence))
        return row.verdict == "working"

    try:
        until(works, 60, what="the cell as work")
    except AssertionError:
        raise AssertionError(seen) from None
    assert run(hub, "bea", "cat /workspace/made.txt").startswith("/opt/lab/bin/python")
    row = until(lambda: (one := last_session(hub, "bea")).closed_at and one, 240, 0.2, "the idle stop")
    assert row.cause == "idle" and not row.pending_files
    until(lambda: pod(hub, "bea") is None and not hub.active("bea"), 60, 0.2, "the end of the pod")

    (claim,) = claims(hub, "bea")
    hub.cluster.api.delete("PersistentVolumeClaim", claim["metadata"]["name"], hub.namespace)
    until(lambda: not claims(hub, "bea"), 30, what="the end of the claim")
    started(hub, "bea")
    assert run(hub, "bea", "cat /workspace/made.txt").startswith("/opt/lab/bin/python")
    assert run(hub, "bea", "id -u") == "1000"
    assert run(hub, "bea", "id -u", container=pods.AGENT) == "1000"
    run(hub, "bea", "echo later > /workspace/later.txt")
    hub.end("bea")
    assert last_session(hub, "bea").cause == "stopped"
    until(lambda: pod(hub, "bea") is None, 30, what="the end of the pod")


def test_an_image_without_our_agent_whose_profile_says_it_is_inside_fails_at_once_and_says_so(hub):
    hub.user("wim")
    answer = hub.start("wim", options={"profile": "wrong"}, seconds=60)
    assert "It does not have `notebook-agent`" in answer.json["message"], answer.text
    until(lambda: pod(hub, "wim") is None, 30, what="the end of the pod")


def test_a_foreign_image_that_cannot_be_had_is_told_at_once_and_leaves_nothing(hub):
    hub.user("ina")
    answer = hub.start("ina", options={"profile": "absent"}, seconds=60)
    row = last_session(hub, "ina")
    assert answer.status != 201 and row.cause == "image_missing", (row.cause, row.detail)
    until(lambda: pod(hub, "ina") is None, 30, what="the end of the pod")
