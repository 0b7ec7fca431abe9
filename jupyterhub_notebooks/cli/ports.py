"""Addresses on this machine: whether one is free, and which one is.

Only 127.0.0.1. New ports lie below the range from which outgoing connections take theirs.
"""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Collection

from ..errors import ConfigError, PortTaken
from ..listening import holder

HOST = "127.0.0.1"
LOWEST, HIGHEST = 20000, 32000


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    return _refusal(port) == 0


def check(port: int, what: str, remedy: str) -> None:
    """Raises PortTaken or ConfigError, naming the port and who holds it, unless a server could listen."""
    refusal = _refusal(port)
    if refusal == errno.EACCES:
        raise ConfigError(
            f"Port {port} is reserved for the administrator of this machine",
            next=["Choose one above 1023"],
            field=f"{HOST}:{port}",
        )
    if refusal:
        raise taken(port, what, remedy)


def _refusal(port: int) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError as error:
            return error.errno or errno.EADDRINUSE
    return 0


def choose_free(taken: Collection[int] = (), draw: random.Random | None = None) -> int:
    """A free port that is not in ``taken``. Raises PortTaken when hundreds of tries find none."""
    draw = draw or random.SystemRandom()
    for _ in range(500):
        port = draw.randrange(LOWEST, HIGHEST)
        if port not in taken and is_free(port):
            return port
    raise PortTaken("No free port was found", f"500 ports between {LOWEST} and {HIGHEST} are in use")


def taken(port: int, what: str, remedy: str) -> PortTaken:
    """The error for a port that somebody else holds."""
    who = holder(port)
    return PortTaken(
        f"Port {port} is in use",
        f"{what} needs it, and {who} holds it" if who else f"{what} needs it, and another program holds it",
        [remedy],
        field=f"{HOST}:{port}",
    )
