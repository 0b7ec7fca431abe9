"""What runs in the terminals: the signal ``terminal``.

A command in the foreground is work, also a silent one: a shell waits for it as a notebook does for a cell. One that
only waits for a key (an editor, a pager, ``top``, a bare interpreter) is not. A command in the background is work
while it computes or moves bytes: a server that somebody forgot does neither, nor does one in the foreground that
listens and that nobody is connected to. A program that only waits for what it started is judged by that; what ``watch``
repeats is looked at by nobody once its person is gone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..contract import LocalSignal

BACKGROUND_CORES = 0.01
BACKGROUND_BYTES_PER_SECOND = 1024.0
#: A shell that computes itself, in a loop of its own.
SHELL_CORES = 0.1
#: A server looks after itself now and then, also when nobody asks it anything.
SERVER_CORES = 0.05

SHELLS = frozenset({"bash", "sh", "zsh", "fish", "dash", "ksh", "tcsh", "csh"})
#: They wait for a key or show what others do; what they start is judged by itself.
WAITING = frozenset(
    {
        *("vi", "vim", "nvim", "nano", "emacs", "joe", "mc", "less", "more", "most", "man", "info"),
        *("top", "htop", "btop", "atop", "iotop", "nvtop", "nvitop", "watch"),
        *("tmux", "screen", "su", "sudo", "script", "login"),
    }
)
#: They run a command again and again for somebody to look at.
MONITORS = frozenset({"watch", "viddy"})
#: Without an argument they wait for a line.
INTERPRETERS = ("python", "pypy", "ipython", "R", "julia", "node", "psql", "mysql", "sqlite3", "bc", "ghci")


@dataclass(frozen=True)
class Process:
    """One process below a terminal's shell. cores and bytes_per_second since the last look; waits_for: ``child`` or ``time``
    where it does nothing else; serves: it listens for connections and has none; suspended: by Ctrl-Z."""

    pid: int
    command: tuple[str, ...]
    foreground: bool
    cores: float
    bytes_per_second: float
    is_shell: bool = False
    parent: int = 0
    waits_for: str = ""
    serves: bool = False
    suspended: bool = False

    @property
    def moves(self) -> bool:
        """Whether it computes or moves bytes, as far as it counts in the background."""
        cores = SERVER_CORES if self.serves else BACKGROUND_CORES
        return self.cores >= cores or self.bytes_per_second >= BACKGROUND_BYTES_PER_SECOND


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


def working(processes: Sequence[Process]) -> list[Process]:
    """Those that work, by the rules above."""
    by_pid = {one.pid: one for one in processes}
    parents = {one.parent for one in processes}

    def above(one: Process) -> list[Process]:
        found: list[Process] = []
        while (parent := by_pid.get(one.parent)) is not None and parent not in found:
            found.append(one := parent)
        return found

    def hands_on(one: Process) -> bool:
        """Whether it does nothing but wait for what it started in the terminal."""
        own = one.is_shell or waits_for_person(one.command)
        return not own and one.waits_for == "child" and one.pid in parents and not one.moves

    def in_front(one: Process) -> bool:
        for parent in above(one):
            if one.foreground or not hands_on(parent):
                break
            one = parent
        return one.foreground

    def works(one: Process) -> bool:
        if one.is_shell:
            return one.cores >= SHELL_CORES
        if waits_for_person(one.command) or hands_on(one) or any(_monitors(two) for two in above(one)):
            return False
        return one.moves or (in_front(one) and not one.serves)

    return [one for one in processes if works(one)]


def _monitors(process: Process) -> bool:
    return bool(process.command) and os.path.basename(process.command[0]) in MONITORS


def resting(terminals: int, processes: Sequence[Process]) -> str:
    """Such as ``2 terminals, nothing runs``; a job that somebody suspended is named."""
    if not terminals:
        return "No terminal is open"
    suspended = [one for one in processes if one.suspended]
    words = f"{shown(suspended[0].command)} is suspended" if suspended else "nothing runs"
    return f"{terminals} terminal{'' if terminals == 1 else 's'}, {words}"


def in_words(busy: Sequence[Process]) -> str:
    """Such as ``train.py runs in a terminal (0.97 cores)``."""
    first = max(busy, key=lambda one: (one.cores, one.foreground))
    more = f", {len(busy) - 1} more with it" if len(busy) > 1 else ""
    cores = sum(one.cores for one in busy)
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
        processes = self._processes(terminals, now)
        busy = working(processes)
        state = "busy" if busy else "idle"
        if state != self._state:
            self._state, self._since = state, now
        detail = in_words(busy) if busy else resting(len(terminals), processes)
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
                    one = self._look(process, group, process.pid == pty.pid, now, looks)
                    found += [one] if one is not None else []
                except (psutil.Error, OSError):
                    continue
        self._looks = looks
        return found

    def _look(
        self, process: Any, group: int, is_shell: bool, now: float, looks: dict[tuple[int, float], Looks]
    ) -> Process | None:
        """None where nothing is left of it but its exit status."""
        with process.oneshot():
            parent, status = process.ppid(), process.status()
            if status == "zombie":
                return None
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
        foreground, waits_for = os.getpgid(process.pid) == group, waited_for(process.pid)
        silent = foreground and not is_shell and waits_for == "" and cores < SERVER_CORES
        return Process(
            process.pid,
            command,
            foreground,
            max(0.0, cores),
            max(0.0, rate),
            is_shell,
            parent,
            waits_for,
            silent and not waits_for_person(command) and serves_nobody(process),
            status == "stopped",
        )


def waited_for(pid: int) -> str:
    """What its first thread waits for: ``child``, ``time``, or ``""`` for all else and where the system does not say."""
    try:
        place = Path(f"/proc/{pid}/wchan").read_text()
    except OSError:
        return ""
    if place.startswith("do_wait") or place in ("wait4", "kernel_wait4", "kernel_waitid"):
        return "child"
    return "time" if "nanosleep" in place else ""


def serves_nobody(process: Any) -> bool:
    """Whether it listens for connections over TCP and has none, in either direction."""
    import psutil

    try:
        of = getattr(process, "net_connections", None) or process.connections
        found = {one.status for one in of(kind="tcp")}
    except (psutil.Error, OSError):
        return False
    return psutil.CONN_LISTEN in found and not found & {psutil.CONN_ESTABLISHED, psutil.CONN_SYN_SENT}


def _moved(process: Any) -> float:
    """Bytes that it has read and written, files and pipes; 0 where the system does not say."""
    import psutil

    try:
        counters = process.io_counters()
    except (psutil.Error, AttributeError, OSError):
        return 0.0
    return float(getattr(counters, "read_chars", 0) + getattr(counters, "write_chars", 0))
