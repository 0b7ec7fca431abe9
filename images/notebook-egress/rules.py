"""What walls are made of, from what a profile allows: rules for iptables, a configuration for squid. Pure functions.

Promises: what is not named is refused at once, with a reset and no silence; what a notebook runs reaches its services, the
internal networks, the proxy, and the listed hosts' other ports by address; it asks no name server; the address at which a
cloud gives a machine's own credentials is reached by nobody. Standard library only.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

SQUID_USER, FRONT_USER = 61313, 61314
#: The notebook's proxy, and squid behind it.
FRONT_PORT, SQUID_PORT = 3128, 3127
#: Docker's name server, within each network.
RESOLVER = "127.0.0.11"
METADATA = "169.254.0.0/16"
WEB_PORTS = (80, 443)
#: The part of the rules that is made anew as addresses change.
BY_ADDRESS = "BY-ADDRESS"


@dataclass(frozen=True)
class Given:
    """What the Hub says. direct: host:port that notebooks reach without a proxy, services and storage; networks: theirs
    too, on every port; hosts: entries of `egress_allowlist`. The rest are words: title of the profile, whom to ask, where
    packages come from ('' where nothing was said of that)."""

    direct: Sequence[str] = ()
    networks: Sequence[str] = ()
    hosts: Sequence[str] = ()
    title: str = "This profile"
    contact: str = "your administrator"
    mirror: str = ""


def split(entry: str) -> tuple[str, int | None]:
    """Host and port of an entry; None: none is named."""
    host, colon, port = entry.rpartition(":")
    return (host.lower(), int(port)) if colon else (entry.lower(), None)


def by_address(given: Given) -> list[tuple[str, int]]:
    """Host and port of what is reached by address: services, storage, and what no web proxy speaks."""
    listed = [split(one) for one in given.hosts if not one.startswith("*.")]
    named = [(host, port) for host, port in listed if port is not None and port not in WEB_PORTS]
    return [(host, port or 443) for host, port in map(split, given.direct)] + named


def is_address(host: str) -> bool:
    return re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3}){3}", host) is not None


def filter_table(networks: Iterable[str], addresses: Iterable[tuple[str, int]]) -> str:
    """The table `filter` for iptables-restore. addresses: what is reached by address, now."""
    lines = [
        "*filter",
        ":INPUT ACCEPT [0:0]",
        ":FORWARD DROP [0:0]",
        ":OUTPUT DROP [0:0]",
        f":{BY_ADDRESS} - [0:0]",
    ]
    lines += [f"-A OUTPUT -d {RESOLVER}/32 -m owner --uid-owner {user} -j ACCEPT" for user in (0, SQUID_USER)]
    lines += [
        f"-A OUTPUT -d {RESOLVER}/32 -j REJECT",
        "-A OUTPUT -o lo -j ACCEPT",
        # The engine asks the machine's name servers from within this network, as root; a notebook is never root.
        "-A OUTPUT -p udp --dport 53 -m owner --uid-owner 0 -j ACCEPT",
        "-A OUTPUT -p tcp --dport 53 -m owner --uid-owner 0 -j ACCEPT",
        f"-A OUTPUT -d {METADATA} -j REJECT",
        "-A OUTPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
        f"-A OUTPUT -m owner --uid-owner {SQUID_USER} -j ACCEPT",
    ]
    lines += [f"-A OUTPUT -d {network} -j ACCEPT" for network in networks]
    lines += [
        f"-A OUTPUT -j {BY_ADDRESS}",
        "-A OUTPUT -p tcp -j REJECT --reject-with tcp-reset",
        "-A OUTPUT -j REJECT",
    ]
    return "\n".join([*lines, *_accepted(addresses), "COMMIT", ""])


def by_address_table(addresses: Iterable[tuple[str, int]]) -> str:
    """That part alone, for iptables-restore --noflush."""
    return "\n".join(["*filter", f":{BY_ADDRESS} - [0:0]", *_accepted(addresses), "COMMIT", ""])


def _accepted(addresses: Iterable[tuple[str, int]]) -> list[str]:
    return [f"-A {BY_ADDRESS} -d {address}/32 -p tcp --dport {port} -j ACCEPT" for address, port in addresses]


def shut_out_v6() -> str:
    """The table for ip6tables-restore: nothing but this network itself and what answers the Hub."""
    return "\n".join(
        [
            "*filter", ":INPUT ACCEPT [0:0]", ":FORWARD DROP [0:0]", ":OUTPUT DROP [0:0]",
            "-A OUTPUT -o lo -j ACCEPT", "-A OUTPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT", "COMMIT", "",
        ]
    )  # fmt: skip


def squid(hosts: Sequence[str], folder: str) -> str:
    """squid.conf: the listed hosts and nothing else; nothing is kept. folder: where squid may write."""
    lines = [
        f"http_port 127.0.0.1:{SQUID_PORT}",
        "visible_hostname notebook",
        f"dns_nameservers {RESOLVER}",
        f"hosts_file {folder}/hosts",
        "cache deny all",
        "cache_mem 8 MB",
        "memory_pools off",
        "access_log none",
        "cache_log /dev/null",
        "cache_store_log none",
        "logfile_rotate 0",
        "netdb_filename none",
        "pid_filename none",
        f"coredump_dir {folder}",
        "pinger_enable off",
        "via off",
        "forwarded_for delete",
        "client_persistent_connections off",
        "shutdown_lifetime 1 second",
        f"acl web port {' '.join(map(str, WEB_PORTS))}",
    ]
    for number, entry in enumerate(hosts):
        host, port = split(entry)
        if host.startswith("*."):
            lines.append(f"acl host{number} dstdom_regex -n -i {re.escape(host[1:])}$")
        else:
            lines.append(f"acl host{number} dstdomain -n {host}")
        if port is None:
            lines.append(f"http_access allow host{number} web")
        else:
            lines += [f"acl port{number} port {port}", f"http_access allow host{number} port{number}"]
    return "\n".join([*lines, "http_access deny all", ""])


def hosts_file(own: str, found: Mapping[str, Sequence[str]]) -> str:
    """/etc/hosts with the names of what is reached by address. own: what the engine wrote there."""
    lines = [f"{address}\t{host}" for host, addresses in found.items() for address in addresses]
    return own.rstrip("\n") + "\n" + "".join(f"{line}\n" for line in lines)


def names_in(hosts: str) -> dict[str, list[str]]:
    """name -> IPv4 addresses of a hosts file."""
    found: dict[str, list[str]] = {}
    for line in hosts.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if is_address(address):
            for name in names:
                found.setdefault(name.lower(), []).append(address)
    return found


def question(number: int, host: str) -> bytes:
    """A question for the IPv4 addresses of a host, as name servers read it. number: it comes back with the answer."""
    name = b"".join(bytes([len(part)]) + part for part in host.encode("idna").split(b".")) + b"\0"
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + name + struct.pack(">2H", 1, 1)


def answered(number: int, said: bytes) -> list[str]:
    """The addresses in an answer. Raises ValueError for what answers something else."""
    try:
        got, flags, questions, answers = struct.unpack(">4H", said[:8])
        if got != number or not flags & 0x8000:
            raise ValueError("another answer")
        at = 12
        for _ in range(questions):
            at = _past_name(said, at) + 4
        found = []
        for _ in range(answers):
            at = _past_name(said, at)
            kind, _, _, length = struct.unpack(">2HIH", said[at : at + 10])
            at += 10
            if kind == 1 and length == 4:
                found.append(".".join(map(str, said[at : at + 4])))
            at += length
        return found
    except (struct.error, IndexError):
        raise ValueError("half an answer") from None


def _past_name(said: bytes, at: int) -> int:
    while said[at]:
        if said[at] & 0xC0:
            return at + 2
        at += said[at] + 1
    return at + 1


def words(given: Given, host: str) -> list[str]:
    """What is told of a host that is not reached: a line for a program, then those for its reader."""
    listed = ", ".join(given.hosts) if given.hosts else "none beside those of this Hub"
    packages = f" Packages come from {given.mirror}, already set up." if given.mirror else ""
    return [
        f"Blocked: {host}",
        f"{given.title} has no public internet.{packages}",
        f"Hosts that it reaches: {listed}.",
        f"Ask {given.contact} for {host}.",
    ]
