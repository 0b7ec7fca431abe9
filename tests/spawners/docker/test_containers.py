"""Notebooks in containers of a real engine: what a start makes, what a stop leaves, and what keeps them apart."""

import os
import subprocess
import sys

import docker.errors
import pytest

from jupyterhub_notebooks.spawners import engine as words
from tests.hub import until
from tests.spawners.conftest import last_session, notebook_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def container(hub, user, server=""):
    """The container of a server's newest session, None where there is none."""
    return named(hub, words.container_of(last_session(hub, user, server).id))


def named(hub, name):
    """The container of this name, None where there is none."""
    try:
        return hub.engine.client.containers.get(name)
    except docker.errors.NotFound:
        return None


def run(hub, user, command, server=""):
    """What a command prints in a notebook's container, as its user."""
    status, said = container(hub, user, server).exec_run(["sh", "-c", command])
    assert status == 0, said.decode()
    return said.decode().strip()


def test_a_notebook_starts_in_its_image_is_saved_at_the_stop_and_comes_back_on_an_empty_volume(hub):
    hub.user("anna")
    assert hub.start("anna", options={"profile": "work"}).status == 201, hub.log()[-3000:]
    run(hub, "anna", "echo kept > /workspace/kept.txt; echo gone > /data/gone.txt")
    assert container(hub, "anna").attrs["Config"]["Image"] == "notebooks-test/notebook-base:latest"
    notebook = notebook_of(hub, "anna").id
    hub.end("anna")
    row = last_session(hub, "anna")
    assert row.cause == "stopped" and row.closed_at and container(hub, "anna") is None
    volumes = words.volumes_of(notebook).values()
    for volume in hub.engine.client.volumes.list(
        filters={"label": f"org.jupyterhub.notebooks.notebook={notebook}"}
    ):
        assert volume.name in volumes
        volume.remove()
    assert hub.start("anna").status == 201, hub.log()[-3000:]
    assert run(hub, "anna", "cat /workspace/kept.txt; ls -A /data") == "kept"
    hub.end("anna")


def test_what_is_deleted_for_good_leaves_no_volume_on_the_engine(hub):
    for user in ("gone", "stays"):
        hub.user(user)
        assert hub.start(user, options={"profile": "work"}).status == 201, hub.log()[-3000:]
        hub.end(user)
    ids = {user: notebook_of(hub, user).id for user in ("gone", "stays")}

    def remove(user):
        command = [sys.executable, "-m", "jupyterhub_notebooks.spawners.removing", ids[user]]
        return subprocess.run(command, env={**os.environ, "DOCKER_HOST": hub.engine.url}).returncode

    def left(user):
        label = f"org.jupyterhub.notebooks.notebook={ids[user]}"
        return len(hub.engine.client.volumes.list(filters={"label": label}))

    assert left("gone") == left("stays") == 2
    assert remove("gone") == 0 and remove("gone") == 0
    assert left("gone") == 0 and left("stays") == 2


def test_limits_and_walls_hold_inside(hub):
    hub.user("bert")
    assert hub.start("bert", options={"profile": "work", "flavor": "large"}).status == 201, hub.log()[-3000:]
    host = container(hub, "bert").attrs["HostConfig"]
    assert host["Memory"] == 2 * 10**9 == host["MemorySwap"] and host["CpuQuota"] == 2 * host["CpuPeriod"]
    assert host["CapDrop"] == ["ALL"] and host["PidsLimit"] == 4096 and host["ReadonlyRootfs"]
    assert run(hub, "bert", "id -u; grep NoNewPrivs /proc/self/status; grep CapEff /proc/self/status").split() == [
        "1000", "NoNewPrivs:", "1", "CapEff:", "0000000000000000",
    ]  # fmt: skip
    said = run(
        hub,
        "bert",
        "touch /usr/x 2>&1; touch /opt/notebook/x 2>&1; touch /tmp/x /data/x && echo fine; ls /var/run/docker.sock 2>&1; true",
    )
    assert "Read-only file system" in said and "fine" in said and "No such file" in said
    hub.end("bert")
    assert hub.start("bert", options={"profile": "work", "flavor": "small"}).status == 201
    assert container(hub, "bert").attrs["HostConfig"]["Memory"] == 10**9
    hub.end("bert")


def test_one_notebook_does_not_reach_another(hub):
    for name in ("carl", "dora"):
        hub.user(name)
        assert hub.start(name, options={"profile": "work"}).status == 201, hub.log()[-3000:]
    network = hub.given["traits"]["DockerNotebookSpawner__network_name"]
    address = container(hub, "dora").attrs["NetworkSettings"]["Networks"][network]["IPAddress"]
    probe = "import socket; s = socket.socket(); s.settimeout(3); print(s.connect_ex(('{}', {})))"
    python = "/opt/notebook/bin/python"
    assert run(hub, "carl", f'{python} -c "{probe.format(address, 8888)}"') != "0"
    assert run(hub, "carl", f'{python} -c "{probe.format(hub.host, hub.ports["hub"])}"') == "0"
    for name in ("carl", "dora"):
        hub.end(name)


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ("missing", "The image notebooks-test/none:1 could not be fetched"),
        ("foreign", "has no notebook agent"),
        ("gpu", "This machine has no GPU that notebooks can use"),
    ],
)
def test_what_cannot_run_is_refused_in_words_and_leaves_no_container(hub, profile, words):
    hub.user(f"emil-{profile}")
    answer = hub.start(f"emil-{profile}", options={"profile": profile})
    assert words in answer.json["message"], answer.text
    assert container(hub, f"emil-{profile}") is None


def test_a_container_that_is_killed_loses_no_file(hub):
    hub.user("fritz")
    assert hub.start("fritz", options={"profile": "work"}).status == 201, hub.log()[-3000:]
    run(hub, "fritz", "echo unsaved > /workspace/unsaved.txt")
    session = last_session(hub, "fritz").id
    container(hub, "fritz").kill()
    until(
        lambda: hub.admin("GET", "/hub/api/users/fritz").json and not hub.active("fritz"),
        90,
        what="the Hub to see it",
    )
    row = until(
        lambda: (found := last_session(hub, "fritz")).closed_at and found, 90, what="the closed session"
    )
    assert row.id == session and row.cause == "agent_died"
    assert hub.start("fritz").status == 201, hub.log()[-3000:]
    assert run(hub, "fritz", "cat /workspace/unsaved.txt") == "unsaved"
    hub.end("fritz")
    assert container(hub, "fritz") is None


def test_a_container_whose_memory_is_full_is_told_as_such_with_its_limit(hub):
    hub.user("otto")
    assert hub.start("otto", options={"profile": "tight"}).status == 201, hub.log()[-3000:]
    # The kernel ends the biggest process; this makes the agent, and with it the container, the one it ends.
    run(hub, "otto", "echo kept > /workspace/kept.txt; echo 1000 > /proc/1/oom_score_adj")
    eater = "import time\nheld = [bytearray(10_000_000) for _ in range(60)]\ntime.sleep(60)"
    container(hub, "otto").exec_run(["/opt/notebook/bin/python", "-c", eater])
    row = until(lambda: (found := last_session(hub, "otto")).closed_at and found, 90, what="its end")
    assert row.cause == "out_of_memory", row.detail
    assert "It used all of the 400\u00a0MB that its profile gives it." in row.detail
    until(lambda: not hub.active("otto"), 60, what="the Hub to see it")
    assert hub.start("otto", options={"profile": "work"}).status == 201, hub.log()[-3000:]
    assert run(hub, "otto", "cat /workspace/kept.txt") == "kept"
    hub.end("otto")


def test_a_hub_that_was_killed_finds_its_containers_again(hub):
    hub.user("gerda")
    assert hub.start("gerda", options={"profile": "work"}).status == 201, hub.log()[-3000:]
    before = container(hub, "gerda").id
    hub.kill("hub")
    hub.start_hub()
    until(lambda: hub.active("gerda"), 60, what="the server at the new Hub")
    assert container(hub, "gerda").id == before
    hub.end("gerda")
    assert last_session(hub, "gerda").cause == "stopped"
