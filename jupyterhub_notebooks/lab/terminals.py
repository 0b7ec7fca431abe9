"""What runs in the terminals: the signal ``terminal``.

A command in the foreground is work, also a silent one: a shell waits for it as a notebook does for a cell. One that
only waits for a key (an editor, a pager, ``top``, a bare interpreter) is not. A command in the background is work
while it computes or moves bytes: a server that somebody forgot does neither.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..contract import LocalSignal

BACKGROUND_CORES = 0.01
BACKGROUND_BYTES_PER_SECOND = 1024.0
#: A shell that computes itself, in a loop of its own.
SHELL_CORES = 0.1

SHELLS = frozenset({"bash", "sh", "zsh", "fish", "dash", "ksh", "tcsh", "csh"})
#: They wait for a key or show what others do; what they start is judged by itself.
WAITING = frozenset(
    {
        *("vi", "vim", "nvim", "nano", "emacs", "joe", "mc", "less", "more", "most", "man", "info"),
        *("top", "htop", "btop", "atop", "iotop", "nvtop", "nvitop", "watch"),
        *("tmux", "screen", "su", "sudo", "script", "login"),
    }
)
#: Without an argument they wait for a line.
INTERPRETERS = ("python", "pypy", "ipython", "R", "julia", "node", "psql", "mysql", "sqlite3", "bc", "ghci")


@dataclass(frozen=True)
class Process:
    """One process below a terminal's shell. cores and bytes_per_second since the last look."""

    pid: int
    command: tuple[str, ...]
    foreground: bool
    cores: float
    bytes_per_second: float
    is_shell: bool = False


def waits_for_person(command: Sequence[str]) -> bool:
    """Whether this command line is one of a program that waits for a key or a line."""
    if not command:
        return True
    program = os.path.basename(command[0]).lstrip("-")
    plain = [part for part in command[1:] if not part.startswith("-")]
    if program in SHELLS:
        return not plain and "-c" not in command
    if program in ("tail", "journalctl"):
        return any(part in ("-f", "-F") or part.startswith("--follow") for part in command[1:])
    if program in WAITING:
        return True
    return program.startswith(INTERPRETERS) and not command[1:]


def works(process: Process) -> bool:
    """The rules above."""
    if process.is_shell:
        return process.cores >= SHELL_CORES
    if waits_for_person(process.command):
        return False
    return (
        process.foreground
        or process.cores >= BACKGROUND_CORES
        or process.bytes_per_second >= BACKGROUND_BYTES_PER_SECOND
    )


def in_words(working: Sequence[Process]) -> str:
    """Such as ``train.py runs in a terminal (0.97 cores)``."""
    first = max(working, key=lambda one: (one.cores, one.foreground))
    more = f", {len(working) - 1} more with it" if len(working) > 1 else ""
    cores = sum(one.cores for one in working)
    return f"{shown(first.command)} runs in a terminal ({cores:.2f} cores{more})"


def shown(command: Sequence[str]) -> str:
    """A command line, short: the program and what it works on, without options."""
    program = os.path.basename(command[0]).lstrip("-") if command else "A program"
    plain = [os.path.basename(part) for part in command[1:] if not part.startswith("-")]
    return f"{program} {plain[0]}"[:60] if plain else program[:60]


@dataclass
class Looks:
    """What the last look saw of a process."""

    at: float
    seconds: float
    moved: float


@dataclass
class Terminals:
    """``signal`` looks at the terminals of a manager; it reads processes and may be called from any one thread."""

    manager: Callable[[], Any]
    monotonic: Callable[[], float] = time.monotonic
    _looks: dict[tuple[int, float], Looks] = field(default_factory=dict)
    _state: str = ""
    _since: float = 0.0

    def signal(self) -> LocalSignal:
        """``terminal`` now."""
        now = self.monotonic()
        manager = self.manager()
        terminals: Mapping[str, Any] = dict(getattr(manager, "terminals", None) or {})
        working = [one for one in self._processes(terminals, now) if works(one)]
        state = "busy" if working else "idle"
        if state != self._state:
            self._state, self._since = state, now
        if working:
            detail = in_words(working)
        else:
            count = len(terminals)
            detail = (
                "No terminal is open"
                if not count
                else f"{count} terminal{'' if count == 1 else 's'}, nothing runs"
            )
        return LocalSignal("terminal", state, now - self._since, detail)

    def _processes(self, terminals: Mapping[str, Any], now: float) -> list[Process]:
        import psutil

        found: list[Process] = []
        looks: dict[tuple[int, float], Looks] = {}
        for terminal in terminals.values():
            pty = getattr(terminal, "ptyproc", None)
            if pty is None:
                continue
            try:
                group = os.tcgetpgrp(pty.fd)
            except OSError:
                group = -1
            try:
                shell = psutil.Process(pty.pid)
                family = [shell, *shell.children(recursive=True)]
            except psutil.Error:
                continue  # closed meanwhile
            for process in family:
                try:
                    found.append(self._look(process, group, process.pid == pty.pid, now, looks))
                except (psutil.Error, OSError):
                    continue
        self._looks = looks
        return found

    def _look(
        self, process: Any, group: int, is_shell: bool, now: float, looks: dict[tuple[int, float], Looks]
    ) -> Process:
        with process.oneshot():
            key = (process.pid, process.create_time())
            times = process.cpu_times()
            seconds = times.user + times.system
            moved = _moved(process)
            command = tuple(process.cmdline()) or (process.name(),)
        old = self._looks.get(key)
        looks[key] = Looks(now, seconds, moved)
        if old is None or now - old.at < 0.2:
            looks[key] = old or looks[key]
            cores = rate = 0.0
        else:
            span = now - old.at
            cores, rate = (seconds - old.seconds) / span, (moved - old.moved) / span
        return Process(
            process.pid,
            command,
            os.getpgid(process.pid) == group,
            max(0.0, cores),
            max(0.0, rate),
            is_shell,
        )


def _moved(process: Any) -> float:
    """Bytes that it has read and written, files and pipes; 0 where the system does not say."""
    import psutil

    try:
        counters = process.io_counters()
    except (psutil.Error, AttributeError, OSError):
        return 0.0
    return float(getattr(counters, "read_chars", 0) + getattr(counters, "write_chars", 0))
