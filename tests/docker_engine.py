"""A real Docker engine for tests: the one that is there, or Debian's own, started for this run and ended after it.

Promises: an engine that this machine runs already is used as it is and never stopped; else, as root, docker.io is
installed and an engine of the tests' own started, with its socket in a temporary folder and its images in the tests'
cache, so that the next run finds them built; what tests leave on it (containers, volumes, networks with our labels) is
removed. Without an engine and without root every test that asks for one is skipped, with that reason.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import docker.errors

from .tools import prepare

ROOT = Path(__file__).parents[1]
START_SECONDS = 60.0
PACKAGES = "docker.io iptables debootstrap"
#: Made by debootstrap where no registry is reached; the Dockerfiles are the same as on a public base.
BASE = "notebooks-test/debian:bookworm"
PYTHONS = "3.11"
SYSTEM_SOCKET = "/var/run/docker.sock"


class NoEngine(Exception):
    """There is no Docker here and none can be started; the text says why."""


@dataclass
class Engine:
    """An engine that answers. url: DOCKER_HOST of it. program: a docker command that fits it."""

    url: str
    program: str
    client: docker.DockerClient

    def run(self, *arguments: str, check: bool = True, **more: Any) -> subprocess.CompletedProcess[str]:
        """The docker command."""
        return subprocess.run(
            [self.program, *arguments],
            env={**os.environ, "DOCKER_HOST": self.url},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=check,
            **more,
        )


@contextlib.contextmanager
def running() -> Iterator[Engine]:
    """An engine. Raises NoEngine."""
    given = os.environ.get("DOCKER_HOST") or f"unix://{SYSTEM_SOCKET}"
    client = _connect(given)
    if client is not None:
        yield Engine(given, _program(), client)
        return
    if os.geteuid() != 0:
        raise NoEngine("no Docker engine answers, and only root can start one")
    if _dockerd() is None:
        try:
            prepare.install_with_apt("Docker", PACKAGES)
        except prepare.Missing as missing:
            raise NoEngine(str(missing)) from None
    with _started() as url:
        made = _connect(url)
        assert made is not None
        try:
            yield Engine(url, _program(), made)
        finally:  # builds of earlier checkouts would fill the disk of the machine
            made.images.prune()


@contextlib.contextmanager
def _started() -> Iterator[str]:
    """dockerd over a folder of its own. Ended by its pid, and with it every container of it."""
    data = prepare.cache() / "docker"
    data.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="engine-"))
    url = f"unix://{folder / 'docker.sock'}"
    command = [str(_dockerd()), "--host", url, "--data-root", str(data), "--exec-root", str(folder / "exec")]
    command += ["--pidfile", str(folder / "docker.pid")]
    with open(folder / "docker.log", "wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        end = time.monotonic() + START_SECONDS
        while _connect(url) is None:
            if process.poll() is not None or time.monotonic() > end:
                said = (folder / "docker.log").read_text(errors="replace").splitlines()[-3:]
                raise NoEngine(f"an engine was started and does not answer: {' '.join(said)}")
            time.sleep(0.2)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _connect(url: str) -> docker.DockerClient | None:
    try:
        client = docker.DockerClient(base_url=url, timeout=120)
        client.ping()
        return client
    except (docker.errors.DockerException, OSError):
        return None


def _dockerd() -> str | None:
    return shutil.which("dockerd") or shutil.which("/usr/sbin/dockerd")


def _program() -> str:
    """Debian's own command where it is there: another one in PATH may be newer than the engine likes."""
    return (
        "/usr/bin/docker" if os.access("/usr/bin/docker", os.X_OK) else (shutil.which("docker") or "docker")
    )


def base_image(engine: Engine) -> str:
    """A Debian made with debootstrap, once; it trusts what this machine trusts."""
    with contextlib.suppress(docker.errors.ImageNotFound):
        engine.client.images.get(BASE)
        return BASE
    with tempfile.TemporaryDirectory(prefix="base-", dir=prepare.cache()) as made:
        root = Path(made) / "root"
        include = "--include=ca-certificates,python3,python3-venv"
        command = ["debootstrap", "--variant=minbase", include, "bookworm", str(root)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        archive = subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE)
        told = subprocess.run(
            [engine.program, "import", "-", BASE],
            env={**os.environ, "DOCKER_HOST": engine.url},
            stdin=archive.stdout,
            capture_output=True,
        )
        assert archive.wait() == 0 and told.returncode == 0, told.stderr.decode()
    return BASE


def image(engine: Engine, name: str, *more: str) -> str:
    """One of images/, built from this checkout; what did not change since the last build is not built again. more: arguments
    of images/build.py."""
    command = [sys.executable, str(ROOT / "images" / "build.py"), "--docker", engine.program]
    command += ["--base-image", base_image(engine), "--build-arg", f"PYTHONS={PYTHONS}"]
    command += ["--tag-prefix", "notebooks-test/"]
    own = Path("/usr/local/share/ca-certificates")
    if any(own.glob("*.crt")):
        command += ["--certificates", str(own)]
    done = subprocess.run(
        [*command, *more, name],
        env={**os.environ, "DOCKER_HOST": engine.url},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return f"notebooks-test/{name}:latest"


def build(engine: Engine, tag: str, folder: Path) -> str:
    """The image of a folder's Dockerfile; it gets the package index and, in certs/, the authorities of this machine."""
    (folder / "certs").mkdir()
    (folder / "certs" / "README").touch()
    for file in Path("/usr/local/share/ca-certificates").glob("*.crt"):
        shutil.copy(file, folder / "certs")
    arguments = ["build", "-q", "--tag", tag]
    if "PIP_INDEX_URL" in os.environ:
        arguments += ["--build-arg", f"PIP_INDEX_URL={os.environ['PIP_INDEX_URL']}"]
    built = engine.run(*arguments, str(folder), check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return tag


@contextlib.contextmanager
def network(engine: Engine, name: str) -> Iterator[tuple[str, str]]:
    """A bridge as the spawner makes it: its name, and the address of this machine on it."""
    made = engine.client.networks.create(
        name, driver="bridge", options={"com.docker.network.bridge.enable_icc": "false"}
    )
    try:
        made.reload()
        gateway = str(ipaddress.ip_address(made.attrs["IPAM"]["Config"][0]["Gateway"]))
        yield name, gateway
    finally:
        for one in engine.client.containers.list(all=True, filters={"network": name}):
            one.remove(force=True, v=True)
        made.remove()


def remove_ours(engine: Engine, notebooks: set[str]) -> None:
    """Containers and volumes of these notebooks."""
    for notebook in notebooks:
        label = {"label": f"org.jupyterhub.notebooks.notebook={notebook}"}
        for container in engine.client.containers.list(all=True, filters=label):
            container.remove(force=True, v=True)
        for volume in engine.client.volumes.list(filters=label):
            volume.remove(force=True)


def compose() -> list[str]:
    """The compose command: Docker's own part, or the program. Raises NoEngine."""
    if subprocess.run([_program(), "compose", "version"], capture_output=True).returncode == 0:
        return [_program(), "compose"]
    if shutil.which("docker-compose") is None:
        try:
            prepare.install_with_apt("Docker Compose", "docker-compose")
        except prepare.Missing as missing:
            raise NoEngine(str(missing)) from None
    return [shutil.which("docker-compose") or "docker-compose"]


#: As the public image behaves: reads these variables, runs the files of that folder once, keeps its data there.
POSTGRES = """\
FROM {base}
RUN apt-get update -q && apt-get install -q -y --no-install-recommends postgresql && rm -rf /var/lib/apt/lists/*
RUN ln -s /usr/lib/postgresql/*/bin /usr/local/pgsql && mkdir -p /var/lib/postgresql/data && chown postgres /var/lib/postgresql/data /var/run/postgresql
ENV PATH=/usr/local/pgsql:$PATH PGDATA=/var/lib/postgresql/data
COPY start.sh /start.sh
USER postgres
CMD ["sh", "-eu", "/start.sh"]
"""
START_POSTGRES = """\
if [ ! -s $PGDATA/PG_VERSION ]; then
    initdb -U "$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" -A scram-sha-256 -E UTF8 --locale=C.UTF-8
    echo 'host all all all scram-sha-256' >> $PGDATA/pg_hba.conf
    export PGPASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
    pg_ctl -w -o "-c listen_addresses=''" start
    createdb -U "$POSTGRES_USER" "$POSTGRES_DB"
    for file in /docker-entrypoint-initdb.d/*.sql; do psql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -f "$file"; done
    pg_ctl -w -m fast stop
fi
exec postgres -c listen_addresses='*'
"""


def postgres_image(engine: Engine, folder: Path) -> str:
    """An image with PostgreSQL that starts as the public one does."""
    folder.mkdir()
    (folder / "Dockerfile").write_text(POSTGRES.format(base=base_image(engine)))
    (folder / "start.sh").write_text(START_POSTGRES)
    return build(engine, "notebooks-test/postgres:1", folder)


def storage_image(engine: Engine, folder: Path) -> str:
    """An image with versitygw."""
    folder.mkdir()
    shutil.copy(prepare.versitygw(), folder / "versitygw")
    (folder / "Dockerfile").write_text(
        f"FROM {base_image(engine)}\nCOPY versitygw /usr/local/bin/versitygw\n"
    )
    return build(engine, "notebooks-test/versitygw:1", folder)
