"""What is said over the agent's socket (NOTEBOOK_AGENT_SOCKET) between the agent and what runs in the notebook.

A stream of lines, each one JSON object: ``SignalsReport`` up, ``SessionState`` down. The agent answers every
report, and sends a state by itself when services/agents said something new or when it wants a report at once.
Times that began in the notebook go as ages in seconds: no clock of the notebook is believed, and none that
jumps does harm.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .bodies import Notice, Saved, Verdict
from .checked import Body

#: A line that is longer is not read: whoever sent it is cut off.
MOST_LINE_BYTES = 256 * 1024
#: What a Unix socket's address may have, with its end, on every system we run on.
_MOST_ADDRESS_BYTES = 100


@dataclass(frozen=True)
class LocalSignal(Body):
    """A ``Signal`` before it goes up: since_seconds ago its state began (None: not known)."""

    name: str
    state: str = "unknown"
    since_seconds: float | None = None
    detail: str = ""


@dataclass(frozen=True)
class SignalsReport(Body):
    """Up. source: who reports (``lab``, ``vscode``). answers: the ``report`` that was asked for, 0 for none."""

    source: str = "lab"
    signals: tuple[LocalSignal, ...] = ()
    answers: int = 0


@dataclass(frozen=True)
class SessionState(Body):
    """Down: what the session's clocks say. report above 0 asks for a SignalsReport that answers it, at once.

    heard_seconds_ago: how old server_time, verdict, deadlines and notices are; None: nothing was heard yet.
    """

    report: int = 0
    phase: str = ""
    server_time: str = ""
    heard_seconds_ago: float | None = None
    verdict: Verdict = field(default_factory=Verdict)
    idle_ends_at: str | None = None
    session_ends_at: str | None = None
    notices: tuple[Notice, ...] = ()
    quota: dict[str, Any] = field(default_factory=dict)
    saved: Saved = field(default_factory=Saved)
    warnings: tuple[str, ...] = ()


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """An address for path that fits into a socket's: on Linux also where path itself is too long.

    Good within the block. Raises OSError where the folder is not there, or the path too long elsewhere.
    """
    if len(os.fsencode(path)) < _MOST_ADDRESS_BYTES or not sys.platform.startswith("linux"):
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
