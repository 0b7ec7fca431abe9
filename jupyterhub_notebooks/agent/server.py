"""The single-user server as our child: started with its output in the session's log, asked to end, then made to."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

#: A line longer than this is cut into several.
LONGEST_LINE = 4000


def pump(pipe: IO[bytes], write: Callable[[str], None]) -> threading.Thread:
    """Hands each line of pipe to write until its end, from a thread of its own; memory is bounded."""

    def run() -> None:
        with pipe:
            while line := pipe.readline(LONGEST_LINE):
                write(line.decode("utf-8", "replace").rstrip("\r\n"))

    thread = threading.Thread(target=run, name="output", daemon=True)
    thread.start()
    return thread


class Server:
    """One run of the command. ``ended`` is set when it is over."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], cwd: Path, write: Callable[[str], None]
    ) -> None:
        """Starts it. Raises OSError where it cannot be."""
        self.ended = threading.Event()
        self.last_line = ""
        self._process = subprocess.Popen(
            list(command),
            env=dict(environment),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._process.stdout is not None

        def take(line: str) -> None:
            if line.strip():
                self.last_line = line.strip()
            write(line)

        self._pump = pump(self._process.stdout, take)

    def watch(self, then: Callable[[], None]) -> None:
        """Calls then, from a thread, when the server has ended."""

        def run() -> None:
            self._process.wait()
            self.ended.set()
            then()

        threading.Thread(target=run, name="server", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""
        return self._process.returncode

    def end(self, seconds: float) -> None:
        """SIGTERM, and SIGKILL after seconds."""
        if self.ended.is_set():
            return
        self._signal(signal.SIGTERM)
        if not self.ended.wait(seconds):
            self._signal(signal.SIGKILL)
            self.ended.wait(10)

    def drain(self, seconds: float = 1.0) -> None:
        """Waits for the last lines; a process that still holds the pipe delays nothing for longer."""
        self._pump.join(seconds)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            try:
                os.kill(self._process.pid, number)
            except ProcessLookupError:
                return


def end_in_words(status: int, out_of_memory: bool) -> tuple[str, str]:
    """Cause and sentence for a server that ended by itself."""
    if status == 0:
        return "server_exited", "The server ended by itself (exit status 0)"
    if out_of_memory:
        return "server_died", "The server was ended because the notebook ran out of memory"
    if status == -signal.SIGKILL:
        return "server_died", "The server was ended by SIGKILL: most often the machine ran out of memory"
    if status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        return "server_died", f"The server was ended by {name}"
    return "server_died", f"The server ended with exit status {status}"


def plain_line(line: str) -> str:
    """A line of a log without its head, such as ``[C 2026-11-21 19:49:15.123 ServerApp]``, and not too long."""
    return re.sub(r"^\[[A-Z] [^\]]*\] *", "", line)[:300].rstrip(".")
