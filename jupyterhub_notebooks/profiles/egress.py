"""Where a notebook may go in the network: the rule of a profile, which of two rules lets less through, and its words. Pure.

A rule leaves the Hub, its storage and the setting `internal_networks` within reach, and the hosts of its list: without a
port http and https, with one that port. A profile without a rule has none at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from ..errors import Refusal

#: What an entry without a port lets through.
WEB_PORTS = (80, 443)
#: Variables that lead programs to a proxy; where a rule holds they are set to the one that enforces it.
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy")


class Restricting(Protocol):
    """A profile, or a launch."""

    @property
    def no_public_internet(self) -> bool: ...

    @property
    def egress_allowlist(self) -> tuple[str, ...] | None: ...


@dataclass(frozen=True)
class Rule:
    """hosts: entries of `egress_allowlist`."""

    hosts: tuple[str, ...] = ()


def rule_of(one: Restricting) -> Rule | None:
    """None: nothing is restricted."""
    if not one.no_public_internet and one.egress_allowlist is None:
        return None
    return Rule(one.egress_allowlist or ())


def lets_no_more(new: Rule | None, old: Rule | None) -> bool:
    """Whether what a new rule lets through, the old one did too."""
    if old is None:
        return True
    return new is not None and all(any(_covers(there, entry) for there in old.hosts) for entry in new.hosts)


def split(entry: str) -> tuple[str, int | None]:
    """Host and port of an entry; None: none is named."""
    host, colon, port = entry.rpartition(":")
    return (host.lower(), int(port)) if colon else (entry.lower(), None)


def _covers(old: str, new: str) -> bool:
    (old_host, old_port), (new_host, new_port) = split(old), split(new)
    if old_port != new_port and not (old_port is None and new_port in WEB_PORTS):
        return False
    if old_host.startswith("*."):
        return new_host == old_host or new_host.removeprefix("*").endswith(old_host[1:])
    return new_host == old_host


def bound(title: str, ways: Iterable[str], contact: str) -> Refusal:
    """Why a notebook that ran on a restricted profile does not start on one that lets more through. ways: other profiles."""
    return Refusal(
        f"The files of this notebook do not go to {title}",
        "They were on a profile whose network is restricted, and this one reaches more",
        [*(f"Start with {way}" for way in ways), f"Ask {contact} to release it"],
        field="profile",
        label="egress",
    )
