"""Everything that a notebook reaches, port by port; each open one has its reason here."""

import contextlib
import json
import shutil
import socket
import subprocess

import psutil
import pytest

from .test_containers import container, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

PORTS = 65535
#: Where clouds give their machines' own credentials.
METADATA = "169.254.169.254"
SCAN = """
import asyncio, json, sys
hosts, most = json.loads(sys.argv[1]), int(sys.argv[2])
async def main():
    free = asyncio.Semaphore(400)
    found = {host: [] for host in hosts}
    async def look(host, port):
        async with free:
            try:
                _, line = await asyncio.wait_for(asyncio.open_connection(host, port), 1.0)
            except (OSError, asyncio.TimeoutError):
                return
            found[host].append(port)
            line.close()
    for host in hosts:
        for first in range(1, most + 1, 4000):
            ports = range(first, min(first + 4000, most + 1))
            await asyncio.gather(*(look(host, port) for port in ports))
    print(json.dumps(found))
asyncio.run(main())
"""


def scan(hub, user, hosts, most=PORTS):
    """host -> the ports from 1 to most that take a connection from inside a user's notebook."""
    command = ["/opt/notebook/bin/python", "-P", "-c", SCAN, json.dumps(hosts), str(most)]
    status, said = container(hub, user).exec_run(command)
    assert status == 0, said.decode()
    return {host: set(ports) for host, ports in json.loads(said).items()}


def everywhere():
    """Ports of this machine on which something listens on every address, none of it ours."""
    listening = [one for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
    return {one.laddr.port for one in listening if one.laddr.ip in ("0.0.0.0", "::")}


def own_addresses(but):
    """This machine's IPv4 addresses without loopback."""
    found = [
        one.address for all in psutil.net_if_addrs().values() for one in all if one.family == socket.AF_INET
    ]
    return sorted({one for one in found if not one.startswith("127.") and one != but})


@contextlib.contextmanager
def firewall(bridge, ports):
    """The lines of config/docker/deploying.md, for as long as the context lasts."""
    ours = ["-p", "tcp", "-m", "multiport", "--dports", ",".join(map(str, ports))]
    rules = [
        ["INPUT", "-i", bridge, "-j", "DROP"],
        ["INPUT", "-i", bridge, "-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset"],
        ["INPUT", "-i", bridge, *ours, "-j", "ACCEPT"],
        ["DOCKER-USER", "-i", bridge, "-d", "169.254.0.0/16", "-j", "DROP"],
    ]
    iptables = shutil.which("iptables") or "/usr/sbin/iptables"
    done = []
    try:
        for rule in rules:
            subprocess.run([iptables, "-I", *rule], check=True)
            done.append(rule)
        yield
    finally:
        for rule in done:
            subprocess.run([iptables, "-D", *rule], check=True)


def test_a_notebook_reaches_the_hub_and_services_agents_and_nothing_else_of_ours(hub):
    for user in ("gina", "hugo"):
        hub.user(user)
        assert hub.start(user, options={"profile": "work"}).status == 201, hub.log()[-3000:]
    network = hub.given["traits"]["DockerNotebookSpawner__network_name"]
    other = container(hub, "hugo").attrs["NetworkSettings"]["Networks"][network]["IPAddress"]
    why = {
        hub.ports["hub"]: "the Hub's API: log in, activity",
        hub.ports["agents"]: "services/agents: its files",
    }
    before = everywhere()
    found = scan(hub, "gina", [hub.host, *own_addresses(hub.host)])
    machine = before | everywhere()
    for address, ports in found.items():
        for port in sorted(ports):
            reason = why.get(port) if address == hub.host else None
            print(
                f"{address}:{port} {reason or 'listens on every address of this machine; the firewall closes it'}"
            )
        assert ports <= machine | (set(why) if address == hub.host else set()), (address, ports)
    assert set(why) <= found[hub.host]
    assert scan(hub, "gina", ["127.0.0.1"])["127.0.0.1"] >= {8888}
    assert scan(hub, "gina", [other], 9000) == {other: set()}
    said = run(hub, "gina", "ls /run/docker.sock /var/run/docker.sock 2>&1; env; true")
    assert "No such file" in said
    for secret in ("signing_key", "proxy_token", "token"):
        held = hub.given.get(secret) or hub.given["notebooks"].get(secret)
        assert held and held not in said
    bridge = f"br-{hub.engine.client.networks.get(network).id[:12]}"
    with firewall(bridge, sorted(why)):
        closed = scan(hub, "gina", [hub.host, *own_addresses(hub.host)])
        closed |= scan(hub, "gina", [METADATA], 1024)
    print("with the firewall:", {address: sorted(ports) for address, ports in closed.items()})
    assert closed.pop(hub.host) == set(why)
    assert not any(closed.values())
    for user in ("gina", "hugo"):
        hub.end(user)


def test_a_processor_s_share_is_what_the_flavor_says(hub):
    hub.user("ivan")
    assert hub.start("ivan", options={"profile": "tight"}).status == 201, hub.log()[-3000:]
    busy = "import time; a = time.time()\nwhile time.time() < a + 6: pass\nprint(time.process_time() / (time.time() - a))"
    status, said = container(hub, "ivan").exec_run(["/opt/notebook/bin/python", "-c", busy])
    assert status == 0
    share = float(said)
    print(f"flavor 0.5 CPU: a busy loop gets {share:.2f} of a processor")
    assert share < 0.6
    hub.end("ivan")
