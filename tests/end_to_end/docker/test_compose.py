"""`config/docker/compose.yaml`: one command brings up Hub, services, PostgreSQL and an S3, and a notebook in them."""

import os
import secrets
import subprocess
import urllib.request
import uuid
from pathlib import Path
from types import SimpleNamespace

import docker.errors
import pytest

from jupyterhub_notebooks.cli.ports import choose_free
from jupyterhub_notebooks.spawners import engine as naming
from tests import docker_engine
from tests.end_to_end.product import Person
from tests.hub import until
from tests.spawners.docker.conftest import PROFILES, base, profile  # noqa: F401

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

FILE = Path(__file__).parents[3] / "config" / "docker" / "compose.yaml"


class Compose:
    """One project of the file, with names, ports and networks of its own."""

    def __init__(self, engine, images, profiles):
        self.engine, self.project = engine, f"nbtest{uuid.uuid4().hex[:8]}"
        ports = []
        for _ in range(3):
            ports.append(choose_free(ports))
        third = secrets.randbelow(200)
        socket = engine.url.removeprefix("unix://")
        self.port = ports[0]
        self.environment = {
            **os.environ,
            **images,
            "DOCKER_HOST": engine.url,
            "DOCKER_SOCKET": socket,
            "DOCKER_GROUP": str(os.stat(socket).st_gid),
            "PROFILES_FOLDER": str(profiles),
            "NOTEBOOKS_NETWORK": f"{self.project}-notebooks",
            "BRIDGE_SUBNET": f"10.213.{third}.0/24",
            "BRIDGE_ADDRESS": f"10.213.{third}.1",
            "PORT": str(ports[0]),
            "DATABASE_PORT": str(ports[1]),
            "STORAGE_PORT": str(ports[2]),
        }

    def __call__(self, *arguments, check=True):
        command = [*docker_engine.compose(), "--project-name", self.project, "--file", str(FILE), *arguments]
        done = subprocess.run(
            command, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        assert done.returncode == 0 or not check, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def inside(self, service, *command):
        return self("exec", "-T", service, *command).strip()

    def healthy(self):
        try:
            address = f"http://127.0.0.1:{self.port}/hub/health"
            return urllib.request.urlopen(address, timeout=5).status == 200
        except OSError:
            return False

    def admin(self):
        """The administrator, who logs in with the password that the first start made."""
        password = self.inside("hub", "cat", "/srv/notebooks/state/admin-password")
        return Person(SimpleNamespace(url=f"http://127.0.0.1:{self.port}"), "admin", password)

    def start(self, person):
        answer = person.api("/users/admin/server", "POST", {"user_options": {"profile": "work"}})
        assert answer.status in (201, 202), answer.text
        try:
            until(
                lambda: (person.api("/users/admin").json()["servers"].get("") or {}).get("ready"),
                180,
                0.5,
                "the notebook",
            )
        except AssertionError:
            raise AssertionError(self("logs", "hub", check=False)[-4000:]) from None

    def notebook(self):
        """The container of the notebook that runs; None where none does."""
        found = self.engine.client.containers.list(filters={"label": f"{naming.LABEL}profile=work"})
        mine = [
            one
            for one in found
            if self.environment["NOTEBOOKS_NETWORK"] in one.attrs["NetworkSettings"]["Networks"]
        ]
        return mine[0] if mine else None

    def end(self):
        self("down", "--volumes", "--timeout", "60", check=False)


@pytest.fixture(scope="module")
def composed(engine, base, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("compose")
    images = {
        "HUB_IMAGE": docker_engine.image(engine, "hub"),
        "DATABASE_IMAGE": docker_engine.postgres_image(engine, folder / "postgres"),
        "STORAGE_IMAGE": docker_engine.storage_image(engine, folder / "storage"),
    }
    profiles = folder / "profiles"
    profiles.mkdir(mode=0o755)
    (profiles / "profiles.yaml").write_text(PROFILES + profile("work", base))
    folder.chmod(0o755)
    made = Compose(engine, images, profiles)
    notebook = None
    try:
        made("up", "--detach")
        until(made.healthy, 240, 0.5, "the Hub")
        yield made
        notebook = made.notebook()
    except BaseException:
        print(made("logs", check=False)[-8000:])
        raise
    finally:
        if notebook is not None:
            notebook.remove(force=True, v=True)
        made.end()
        for volume in engine.client.volumes.list(filters={"label": f"{naming.LABEL}notebook"}):
            try:
                volume.remove()
            except docker.errors.APIError:
                continue  # another test's, which uses it


def test_the_file_is_one_that_compose_takes_and_says_nothing_of_passwords(composed):
    told = composed("config")
    assert "service_completed_successfully" in told and "POSTGRES_PASSWORD_FILE" in told
    assert "POSTGRES_PASSWORD:" not in told and "docker.sock" in told


def test_one_command_brings_up_all_a_notebook_runs_in_it_and_a_stop_saves_it_first(composed):
    composed.start(composed.admin())
    one = composed.notebook()
    assert one.exec_run(["sh", "-c", "echo kept > /workspace/kept.txt"]).exit_code == 0
    composed("stop")
    assert composed.notebook() is None
    label = {"label": f"{naming.LABEL}profile=work"}
    assert not [
        c for c in composed.engine.client.containers.list(all=True, filters=label) if c.name == one.name
    ]
    composed("start")
    until(composed.healthy, 240, 0.5, "the Hub again")
    stored = composed.inside("storage", "sh", "-c", "find /data/notebooks -type f | wc -l")
    rows = composed.inside(
        "database",
        "sh",
        "-c",
        "PGPASSWORD=$(cat /secrets/database) psql -h 127.0.0.1 -U notebooks -d ledger -Atc"
        ' "select cause, pending_files from sessions"',
    )
    print(f"objects in storage: {stored}; sessions: {rows}")
    assert int(stored) >= 3 and rows.endswith("|0")
    composed.start(composed.admin())
    assert composed.notebook().exec_run(["cat", "/workspace/kept.txt"]).output == b"kept\n"


def test_notebooks_reach_storage_and_neither_the_database_nor_the_passwords(composed):
    one = composed.notebook()
    assert one is not None
    probe = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"
    own = composed.environment

    def reached(host, port):
        return one.exec_run(["/opt/notebook/bin/python", "-c", probe, host, port]).exit_code == 0

    assert reached(own["BRIDGE_ADDRESS"], own["STORAGE_PORT"])
    assert not reached(own["BRIDGE_ADDRESS"], own["DATABASE_PORT"])
    for service in ("database", "storage"):
        found = composed.engine.client.containers.get(composed("ps", "-q", service).strip())
        for network in found.attrs["NetworkSettings"]["Networks"].values():
            assert not reached(network["IPAddress"], "5432" if service == "database" else "9000")
    assert one.exec_run(["ls", "/secrets"]).exit_code != 0
    said = one.exec_run(["env"]).output.decode()
    assert composed.inside("hub", "cat", "/secrets/storage") not in said
