"""A profile with a rule for the network, on a real engine: what is reached from inside, what is refused, and who is told."""

import contextlib
import http.server
import threading

import pytest

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.ledger import egress, sessions
from jupyterhub_notebooks.profiles.egress import Rule
from jupyterhub_notebooks.spawners import walls
from tests import docker_engine
from tests.hub import until
from tests.spawners.conftest import last_session, notebook_of

from .conftest import docker_hub, profile
from .test_containers import container, named, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ALLOWED, BELOW, OTHER = "packages.example.net", "a.wild.example.net", "files.example.net"
DATABASE = "database.example.net"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"hello of {self.headers['Host']}\n".encode())

    def log_message(self, *_):
        return


@contextlib.contextmanager
def web(address, *ports):
    """A web server that says which host it was asked for, on each port."""
    servers = [http.server.ThreadingHTTPServer((address, port), Handler) for port in ports]
    for one in servers:
        threading.Thread(target=one.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        for one in servers:
            one.shutdown()
            one.server_close()


@pytest.fixture(scope="module")
def places(engine):
    """Two networks beside the notebooks': the address of an outside with web servers, and of an inside."""
    with (
        docker_engine.network(engine, "nbtest-outside") as (_, outside),
        docker_engine.network(engine, "nbtest-inside") as (_, inside),
        web(outside, 80, 5432),
        web(inside, 8000),
    ):
        yield outside, inside


@pytest.fixture(scope="module")
def hub(engine, base, places, tmp_path_factory):
    outside, inside = places
    allowed = f'[{ALLOWED}, "*.wild.example.net", "{DATABASE}:5432"]'
    mirror = f"{{PIP_INDEX_URL: 'http://{ALLOWED}/simple'}}"
    also = profile("private", base, egress_allowlist=allowed, no_public_internet="true", environment=mirror)
    also += profile("shut", base, no_public_internet="true")
    also += profile("aside", base, agent="beside", no_public_internet="true")
    names = (ALLOWED, BELOW, OTHER, DATABASE)
    with docker_hub(
        engine,
        base,
        tmp_path_factory.mktemp("docker-egress"),
        also=also,
        settings={
            "internal_networks": [f"{inside}/32"],
            "abilities": {"name": "docker", "images": True, "egress": True},
            "heartbeat_seconds": 2.0,
            "contact": "ops@example.org",
        },
        DockerNotebookSpawner__agent_image=base,
        DockerNotebookSpawner__egress_image=docker_engine.image(engine, "notebook-egress"),
        DockerNotebookSpawner__extra_host_config={"extra_hosts": {name: outside for name in names}},
    ) as running:
        yield running


def said(hub, user, command):
    """What a command prints, whatever its status, in the environment of a notebook's programs."""
    return container(hub, user).exec_run(["sh", "-c", command])[1].decode()


def direct(hub, user, host, port):
    """'' where a connection past the proxy is made, else what the system answers."""
    probe = f"import socket; socket.create_connection(('{host}', {port}), 5)"
    status, told = container(hub, user).exec_run(["/opt/notebook/bin/python", "-c", probe])
    return "" if status == 0 else told.decode().strip().splitlines()[-1]


def test_a_restricted_notebook_reaches_what_its_rule_names_and_nothing_else(hub, places):
    outside, inside = places
    hub.user("mara")
    assert hub.start("mara", options={"profile": "private"}).status == 201, hub.log()[-3000:]
    session = last_session(hub, "mara").id

    # an allowed host answers, also below a domain, and a port that is no web's, by address
    assert run(hub, "mara", f"curl -sS -m 10 http://{ALLOWED}/") == f"hello of {ALLOWED}"
    assert run(hub, "mara", f"curl -sS -m 10 http://{BELOW}/") == f"hello of {BELOW}"
    assert direct(hub, "mara", DATABASE, 5432) == ""
    # another is refused and named, by name and by address
    refused = said(hub, "mara", f"curl -sS -m 10 http://{OTHER}/data.csv")
    print(refused)
    assert f"Blocked: {OTHER}" in refused and "private has no public internet" in refused
    assert f"Packages come from {ALLOWED}, already set up." in refused and "ops@example.org" in refused
    assert "403" in said(hub, "mara", "curl -sS -m 10 https://pypi.org/")
    assert f"Blocked: {outside}" in said(hub, "mara", f"curl -sS -m 10 http://{outside}/")
    # past the proxy nothing leaves, but to the internal networks, the Hub and services/agents
    for host, port in (
        (outside, 80),
        (outside, 443),
        ("169.254.169.254", 80),
        (hub.host, 22),
        ("8.8.8.8", 53),
    ):
        told = direct(hub, "mara", host, port)
        print(f"{host}:{port} {told}")
        assert "refused" in told.lower(), (host, port, told)
    assert direct(hub, "mara", inside, 8000) == ""
    for port in ("hub", "agents"):
        assert direct(hub, "mara", hub.host, hub.ports[port]) == ""
    # names from outside do not resolve, whoever is asked
    for name in ("pypi.org", "deb.debian.org"):
        told = direct(hub, "mara", name, 443)
        print(name, told)
        assert "name resolution" in told or "not known" in told
    asked = "import socket; s = socket.socket(2, 2); s.settimeout(3); s.connect(('{}', 53)); s.send(b'x' * 20); s.recv(9)"
    for server in ("127.0.0.11", "1.1.1.1"):
        status, told = container(hub, "mara").exec_run(
            ["/opt/notebook/bin/python", "-c", asked.format(server)]
        )
        assert status and "not permitted" in told.decode(), told.decode()
    # pip explains itself
    told = said(hub, "mara", "pip install --index-url https://pypi.org/simple tabulate 2>&1")
    print(told)
    assert "403 Blocked: pypi.org. private has no public internet." in told
    # nothing in the notebook can change the walls
    assert "NET_ADMIN" not in str(container(hub, "mara").attrs["HostConfig"]["CapAdd"])
    assert run(hub, "mara", "id -u") == "1000"

    told = until(
        lambda: (
            (found := {one.host: one.times for one in egress.of_session(hub.ledger, session)}).get(
                "pypi.org", 0
            )
            > 2
            and found
        ),
        60,
        what="all that was blocked",
    )
    print(told)
    assert told[OTHER] == 1 and told[outside] == 1 and set(told) == {OTHER, outside, "pypi.org"}
    log = [line for _, line in sessions.log(hub.ledger, session, 500)]
    assert any(f"Blocked: {OTHER}" in line for line in log), log
    assert [profile for one, profile in egress.every(hub.ledger, 10) if one.host == OTHER] == ["private"]

    run(hub, "mara", "echo secret > /workspace/people.csv")
    hub.end("mara")
    row = last_session(hub, "mara")
    assert row.cause == "stopped" and not row.pending_files
    assert named(hub, walls.name_of(session)) is None


def test_files_of_a_restricted_profile_go_to_no_other_until_they_are_released(hub):
    hub.user("nora")
    assert hub.start("nora", options={"profile": "private"}).status == 201, hub.log()[-3000:]
    hub.end("nora")
    notebook = notebook_of(hub, "nora").id
    assert egress.bound(hub.ledger, notebook).hosts[0] == ALLOWED
    answer = hub.start("nora", options={"profile": "work"})
    assert "do not go to work" in answer.json["message"], answer.text
    assert hub.start("nora", options={"profile": "shut"}).status == 201, hub.log()[-3000:]
    assert "Blocked" in said(hub, "nora", f"curl -sS -m 10 http://{ALLOWED}/")
    hub.end("nora")
    assert egress.bound(hub.ledger, notebook) == Rule()
    assert "do not go to private" in hub.start("nora", options={"profile": "private"}).json["message"]
    egress.release(hub.ledger, notebook, None, "reviewed", SYSTEM_CLOCK.now())
    assert hub.start("nora", options={"profile": "work"}).status == 201, hub.log()[-3000:]
    hub.end("nora")


def test_an_image_that_knows_nothing_of_us_has_the_same_walls(hub, places):
    hub.user("olga")
    assert hub.start("olga", options={"profile": "aside"}, seconds=240).status == 201, hub.log()[-3000:]
    server = named(hub, f"{container(hub, 'olga').name}-server")
    told = server.exec_run(["curl", "-sS", "-m", "10", f"http://{OTHER}/"])[1].decode()
    assert f"Blocked: {OTHER}" in told
    probe = f"import socket; socket.create_connection(('{places[0]}', 80), 5)"
    assert server.exec_run(["python3", "-c", probe])[0] != 0
    hub.end("olga")


def test_a_proxy_that_dies_comes_back_and_a_network_that_is_gone_ends_the_session_without_loss(hub):
    hub.user("paul")
    assert hub.start("paul", options={"profile": "private"}).status == 201, hub.log()[-3000:]
    holder = named(hub, walls.name_of(last_session(hub, "paul").id))
    holder.exec_run(
        [
            "sh",
            "-c",
            "kill -9 $(cat /proc/[0-9]*/stat | grep -E '\\((squid|python3)\\)' | cut -d' ' -f1 | grep -vx 1)",
        ]
    )
    until(
        lambda: said(hub, "paul", f"curl -sS -m 10 http://{ALLOWED}/").strip() == f"hello of {ALLOWED}",
        60,
        what="the proxy again",
    )
    run(hub, "paul", "echo kept > /workspace/kept.txt")
    holder.kill()
    row = until(lambda: (one := last_session(hub, "paul")).closed_at and one, 90, 0.2, "the end")
    assert row.cause == "agent_died" and "held its network" in row.detail, row.detail
    until(lambda: not hub.active("paul"), 60, 0.2, "the Hub's end of it")
    assert hub.start("paul", options={"profile": "private"}).status == 201, hub.log()[-3000:]
    assert run(hub, "paul", "cat /workspace/kept.txt") == "kept"
    hub.end("paul")


def test_a_hub_that_was_killed_finds_a_restricted_notebook_again(hub):
    hub.user("rosa")
    assert hub.start("rosa", options={"profile": "private"}).status == 201, hub.log()[-3000:]
    before = container(hub, "rosa").id
    hub.kill("hub")
    hub.start_hub()
    until(lambda: (hub.server("rosa") or {}).get("ready"), 90, 0.2, "the server at the new Hub")
    assert container(hub, "rosa").id == before
    assert "Blocked" in said(hub, "rosa", f"curl -sS -m 10 http://{OTHER}/")
    session = last_session(hub, "rosa").id
    hub.end("rosa")
    assert last_session(hub, "rosa").cause == "stopped" and named(hub, walls.name_of(session)) is None
