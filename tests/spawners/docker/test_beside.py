"""`agent: beside`: an image with JupyterLab alone is restored, saved, judged and stopped as any other."""

import json
import urllib.error
import urllib.request

import pytest

from jupyterhub_notebooks.ledger import sessions
from jupyterhub_notebooks.spawners import beside
from jupyterhub_notebooks.spawners import engine as words
from tests import docker_engine
from tests.hub import until
from tests.services.idle_culler.test_with_a_hub import run_cell
from tests.spawners.conftest import last_session, notebook_of

from .conftest import docker_hub, profile
from .test_containers import container, named

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

IMAGE = "notebooks-test/lab-only:1"
DOCKERFILE = """\
FROM {base}
ARG PIP_INDEX_URL
COPY certs/ /usr/local/share/ca-certificates/
RUN update-ca-certificates
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt
RUN python3 -m venv /opt/lab && /opt/lab/bin/pip install -q --no-cache-dir jupyterlab
ENV PATH=/opt/lab/bin:$PATH
"""
IDLE_SECONDS = 20


@pytest.fixture(scope="module")
def lab_only(engine, tmp_path_factory):
    """An image that has JupyterLab and nothing of JupyterHub or ours."""
    folder = tmp_path_factory.mktemp("lab-only")
    (folder / "Dockerfile").write_text(DOCKERFILE.format(base=docker_engine.base_image(engine)))
    return docker_engine.build(engine, IMAGE, folder)


@pytest.fixture(scope="module")
def hub(engine, base, lab_only, tmp_path_factory):
    also = profile(
        "aside", lab_only, agent="beside", idle_stop=f"{IDLE_SECONDS}s", signals="[kernel, terminal, cpu]"
    )
    also += profile("careful", lab_only, agent="beside", idle_stop="3s")
    also += profile("wrong", lab_only)
    with docker_hub(
        engine,
        base,
        tmp_path_factory.mktemp("docker-beside"),
        also=also,
        settings={
            "culler_interval_seconds": 0.5,
            "heartbeat_seconds": 2.0,
            "heartbeat_soon_seconds": 1.0,
        },
        culler=True,
        DockerNotebookSpawner__agent_image=base,
    ) as running:
        yield running


def server(hub, user):
    """The notebook's own container; None where there is none."""
    return named(hub, beside.name_of(last_session(hub, user).id))


def asked(hub, user, token):
    """(status, body) of the server's list of kernels, for who has a token."""
    request = urllib.request.Request(
        f"{hub.url}/user/{user}/{beside.PATH}/api/kernels",
        headers={"Authorization": f"token {token}"} if token else {},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            kind = answer.headers.get("Content-Type", "")  # a page to log in on is no answer
            return answer.status, json.loads(answer.read()) if kind.startswith("application/json") else None
    except urllib.error.HTTPError as error:
        return error.code, None


def inside(hub, user, *command):
    status, said = server(hub, user).exec_run(list(command))
    assert status == 0, said.decode()
    return said.decode().strip()


def test_an_image_with_jupyterlab_alone_is_saved_stopped_as_idle_and_restored(hub):
    hub.user("bea")
    hub.user("eva")
    assert hub.start("bea", options={"profile": "aside"}, seconds=240).status == 201, hub.log()[-3000:]
    assert server(hub, "bea").attrs["Config"]["Image"] == IMAGE
    told = " ".join(server(hub, "bea").attrs["Config"]["Env"])
    assert "TOKEN" not in told and "NOTEBOOK_SERVICE_URL" not in told
    tokens = {
        one: hub.admin("POST", f"/hub/api/users/{one}/tokens", {}).json["token"] for one in ("bea", "eva")
    }
    assert asked(hub, "bea", tokens["bea"]) == (200, [])
    assert asked(hub, "bea", tokens["eva"])[1] is None and asked(hub, "bea", "")[1] is None

    code = "import sys, time; open('made.txt', 'w').write(sys.executable); time.sleep(30)"
    run_cell(hub, "bea", code, f"{beside.PATH}/")
    row = until(
        lambda: (one := sessions.get(hub.ledger, last_session(hub, "bea").id)).verdict == "working" and one,
        60,
        what="the cell as work",
    )
    assert row.verdict_sentence == "A cell runs."
    assert inside(hub, "bea", "cat", "/workspace/made.txt").startswith("/opt/lab/bin/python")
    row = until(lambda: (one := last_session(hub, "bea")).closed_at and one, 240, 0.2, "the idle stop")
    assert row.cause == "idle" and not row.pending_files
    assert (row.closed_at - row.ready_at).total_seconds() > 30 + IDLE_SECONDS - 5
    until(lambda: server(hub, "bea") is None and container(hub, "bea") is None, 60, 0.2, "the end of both")

    notebook = notebook_of(hub, "bea").id
    for volume in hub.engine.client.volumes.list(filters={"label": f"{words.LABEL}notebook={notebook}"}):
        volume.remove()
    until(lambda: not hub.active("bea"), 60, 0.2, "the Hub's end of it")
    assert hub.start("bea", seconds=240).status == 201, hub.log()[-3000:]
    assert inside(hub, "bea", "cat", "/workspace/made.txt").startswith("/opt/lab/bin/python")
    assert inside(hub, "bea", "id", "-u") == "1000"
    hub.end("bea")
    assert last_session(hub, "bea").cause == "stopped"


def test_what_is_not_known_of_such_an_image_is_never_quiet(hub):
    hub.user("ida")
    assert hub.start("ida", options={"profile": "careful"}, seconds=240).status == 201, hub.log()[-3000:]
    row = until(
        lambda: (one := sessions.get(hub.ledger, last_session(hub, "ida").id)).verdict and one,
        60,
        what="a verdict",
    )
    assert row.verdict == "unknown", row.verdict_sentence
    hub.end("ida")


def test_a_server_of_such_an_image_that_dies_ends_the_session_saved(hub):
    hub.user("ute")
    assert hub.start("ute", options={"profile": "aside"}, seconds=240).status == 201, hub.log()[-3000:]
    inside(hub, "ute", "sh", "-c", "echo kept > /workspace/kept.txt")
    server(hub, "ute").kill()
    row = until(lambda: (one := last_session(hub, "ute")).closed_at and one, 120, 0.2, "the end")
    assert row.cause == "server_died" and not row.pending_files
    until(lambda: server(hub, "ute") is None and container(hub, "ute") is None, 60, 0.2, "the end of both")


def test_an_image_without_our_agent_in_a_profile_that_says_inside_fails_at_once(hub):
    hub.user("wim")
    answer = hub.start("wim", options={"profile": "wrong"})
    assert "has no notebook agent" in answer.json["message"], answer.text
    assert container(hub, "wim") is None
