"""The first process of the container that holds a restricted notebook's network: sets its rules, then keeps them true.

What is allowed stands in NOTEBOOK_EGRESS, as JSON (rules.Given). Promises: `ready` is printed once the rules are set and the
proxy answers, and not before; where the rules cannot be set it ends with a sentence and 1, and no notebook joins; the
addresses of what is reached by address are looked up anew every minute; squid and the front are started again when they end.
The rules belong to the network and stay as long as anything is in it. Standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import rules

FOLDER = Path("/run/egress")
HOSTS = Path("/etc/hosts")
LOOK_UP_SECONDS, LOOK_SECONDS, READY_SECONDS = 60.0, 0.2, 30.0
DNS_SECONDS = 3.0
PROGRAMS = {
    "squid": (["squid", "-N", "-f", str(FOLDER / "squid.conf")], rules.SQUID_USER),
    "front": (
        [sys.executable, "-I", str(Path(__file__).with_name("front.py")), str(FOLDER / "given.json")],
        rules.FRONT_USER,
    ),
}


def looked_up(host: str, own: dict[str, list[str]]) -> list[str]:
    """Addresses of a host: as the engine was told, else as its name server says; none where that does not answer."""
    if rules.is_address(host):
        return [host]
    if host in own:
        return own[host]
    number = secrets.randbelow(65536)
    with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(DNS_SECONDS)
        asking.sendto(rules.question(number, host), (rules.RESOLVER, 53))
        return rules.answered(number, asking.recv(4096))
    return []


def restore(program: str, table: str, *more: str) -> str:
    """Hands a table to the kernel; '' where it took it, else what it said."""
    said = ""
    for name in (f"{program}-restore", f"{program}-legacy-restore"):
        try:
            done = subprocess.run([name, "-w", *more], input=table, text=True, capture_output=True)
        except FileNotFoundError:
            continue
        if done.returncode == 0:
            return ""
        said = said or done.stderr.strip()
    return said or f"{program} is not in this image"


class Walls:
    """``raise_`` once, ``keep`` for ever."""

    def __init__(self, given: rules.Given, own_hosts: str) -> None:
        self._given, self._own_hosts = given, own_hosts
        self._own = rules.names_in(own_hosts)
        self._found: dict[str, list[str]] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def raise_(self) -> None:
        """Raises SystemExit with a sentence where the rules cannot be set."""
        shut = restore("iptables", rules.filter_table((), ()))  # nothing leaves while names are looked up
        if not shut and Path("/proc/net/if_inet6").exists():
            shut = restore("ip6tables", rules.shut_out_v6())
        if shut:
            raise SystemExit(f"The network could not be restricted: {shut}")
        addresses = self._addresses()
        said = restore("iptables", rules.filter_table(self._given.networks, addresses))
        if said:
            raise SystemExit(f"The network could not be restricted: {said}")
        self._write_hosts()

    def _addresses(self) -> list[tuple[str, int]]:
        """What is reached by address now. A name that nobody answers keeps what it had."""
        wanted = rules.by_address(self._given)
        for host in dict.fromkeys(host for host, _ in wanted):
            self._found[host] = looked_up(host, self._own) or self._found.get(host, [])
        return list(dict.fromkeys((one, port) for host, port in wanted for one in self._found[host]))

    def _write_hosts(self) -> None:
        """For programs in the notebook, which ask no name server; the file is the notebook's too."""
        names = {host: found for host, found in self._found.items() if host not in self._own}
        named = {host: found for host, found in names.items() if not rules.is_address(host)}
        with contextlib.suppress(OSError):
            HOSTS.write_text(rules.hosts_file(self._own_hosts, named), encoding="utf-8")

    def look_up(self) -> None:
        """The addresses anew."""
        before = dict(self._found)
        addresses = self._addresses()
        if self._found == before:
            return
        said = restore("iptables", rules.by_address_table(addresses), "--noflush")
        if said:
            print(f"The addresses could not be renewed: {said}", flush=True)
        self._write_hosts()

    def start(self) -> None:
        """What has ended, or never began."""
        for name, (command, user) in PROGRAMS.items():
            there = self._running.get(name)
            if there is not None and there.poll() is None:
                continue
            if there is not None:
                print(f"{name} ended with {there.returncode} and is started again", flush=True)
                time.sleep(LOOK_SECONDS)
            self._running[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, cwd="/", user=user, group=rules.SQUID_USER, extra_groups=[]
            )

    def keep(self) -> None:
        """For ever."""
        looked_up_at = time.monotonic()
        by_name = any(not rules.is_address(host) for host, _ in rules.by_address(self._given))
        while True:
            self.start()
            time.sleep(LOOK_SECONDS)
            if by_name and time.monotonic() - looked_up_at >= LOOK_UP_SECONDS:
                looked_up_at = time.monotonic()
                self.look_up()


def answer(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    given = rules.Given(**json.loads(os.environ["NOTEBOOK_EGRESS"]))
    own_hosts = HOSTS.read_text(encoding="utf-8")
    walls = Walls(given, own_hosts)
    walls.raise_()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("squid.conf", rules.squid(given.hosts, str(FOLDER))),
        ("hosts", own_hosts),
        ("given.json", os.environ["NOTEBOOK_EGRESS"]),
    ):
        (FOLDER / name).write_text(text, encoding="utf-8")
    walls.start()
    end = time.monotonic() + READY_SECONDS
    while not (answer(rules.FRONT_PORT) and answer(rules.SQUID_PORT)):
        if time.monotonic() > end:
            raise SystemExit("The proxy of this notebook's network does not answer")
        walls.start()
        time.sleep(LOOK_SECONDS)
    print("ready", flush=True)
    walls.keep()


if __name__ == "__main__":
    main()
