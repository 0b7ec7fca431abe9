"""What is said over the agent's socket (NOTEBOOK_AGENT_SOCKET) between the agent and what runs in the notebook.

A stream of lines, each one JSON object: ``SignalsReport`` up, ``SessionState`` down. The agent answers every
report, and sends a state by itself when services/agents said something new or when it wants a report at once.
A line that has ``ask`` is an ``Ask``; the line with ``answered`` answers it, to that caller alone.
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

from .bodies import KeptVariables, LostVariable, Notice, Saved, Signal, Verdict
from .checked import Body
from .shown import Clock, Meter, SavedShown

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
class LocalKernel(Body):
    """A kernel: its id, the notebook that it belongs to (its name), and its process on this machine, 0 where it has none."""

    id: str
    name: str = ""
    pid: int = 0


@dataclass(frozen=True)
class Checkpoint(Body):
    """Asks to keep the kernels' variables, all of them together within seconds and size_bytes.

    interrupt: a cell that runs is interrupted first, because the session ends in any case.
    """

    number: int
    seconds: float
    size_bytes: int
    cause: str = ""
    interrupt: bool = False


@dataclass(frozen=True)
class CheckpointDone(Body):
    """The answer to the Checkpoint of that number."""

    number: int
    kept: KeptVariables


@dataclass(frozen=True)
class SignalsReport(Body):
    """Up. source: who reports (``lab``, ``vscode``). answers: the ``report`` that was asked for, 0 for none.

    checkpoint: once, when one that was asked for is over. shown_notices: ids of notices that were on a screen since the
    last report. unsaved: documents with changes in an open editor that are not in their file. kernels: those that run.
    """

    source: str = "lab"
    signals: tuple[LocalSignal, ...] = ()
    answers: int = 0
    shown_notices: tuple[str, ...] = ()
    unsaved: tuple[str, ...] = ()
    kernels: tuple[LocalKernel, ...] = ()
    checkpoint: CheckpointDone | None = None


@dataclass(frozen=True)
class SessionState(Body):
    """Down: what the session's clocks say. report above 0 asks for a SignalsReport that answers it, at once.

    heard_seconds_ago: how old server_time, verdict, deadlines and notices are; None: nothing was heard yet.
    title and profile: the notebook's. clock, saving and meters: what screens show, in words; signals: on what evidence.
    checkpoint: variables are to be kept now; the same one may come again and is carried out once.
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
    title: str = ""
    profile: str = ""
    clock: Clock = field(default_factory=Clock)
    saving: SavedShown = field(default_factory=SavedShown)
    meters: tuple[Meter, ...] = ()
    signals: tuple[Signal, ...] = ()
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True)
class Ask(Body):
    """Up: do something (agent/asking.py says what can be asked). ask: a number of the caller's, above 0."""

    ask: int
    do: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answered(Body):
    """Down: the answer to that ask. error: as ``errors.as_json`` has it, with its HTTP status; None: it was done."""

    answered: int
    result: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    status: int = 200


@dataclass(frozen=True)
class SavedVariable(Body):
    """kind: its type, such as ``DataFrame``; size_bytes as stored, 0 for what is only named (a module)."""

    name: str
    kind: str = ""
    size_bytes: int = 0


@dataclass(frozen=True)
class VariablesOffer(Body):
    """The variables of one file's kernel, kept before a stop. notebook: its path as JupyterLab has it, ``""`` for a
    kernel without one; id: tells offers apart; language: ``python`` or ``R``; command: does the same in a cell."""

    id: str
    notebook: str
    language: str = "python"
    saved_at: str = ""
    cause: str = ""
    saved: tuple[SavedVariable, ...] = ()
    lost: tuple[LostVariable, ...] = ()
    size_bytes: int = 0
    command: str = ""


@dataclass(frozen=True)
class VariablesOffers(Body):
    """GET …/notebooks/variables: what can be brought back. DELETE …/notebooks/variables?id=ID takes one away for good.

    An offer stays until it is brought back or deleted, or the same file's kernel is kept anew.
    """

    offers: tuple[VariablesOffer, ...] = ()


@dataclass(frozen=True)
class BringBack(Body):
    """POST …/notebooks/variables: into a kernel that runs and is idle, by its id. names: which; none: all of them."""

    id: str
    kernel: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class BroughtBack(Body):
    """Its answer. back: names that are there now; lost: those that could not be read, and why."""

    back: tuple[str, ...] = ()
    lost: tuple[LostVariable, ...] = ()
    seconds: float = 0.0


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
