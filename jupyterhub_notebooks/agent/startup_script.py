"""The profile's startup script: bounded in time, its output in the log, its failure a sentence and no obstacle."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from .. import messages
from ..units import show_duration
from .server import pump

PREFIX = "Running, but the startup script"


def run(
    script: str,
    environment: Mapping[str, str],
    workspace: Path,
    run_dir: Path,
    seconds: float,
    write: Callable[[str], None],
    stopped: Callable[[], bool],
) -> str | None:
    """A sentence about what went wrong, None where nothing did. ``stopped`` says to end it early."""
    last: list[str] = [""]

    def take(line: str) -> None:
        if line.strip():
            last[0] = line.strip()
        write(f"startup script: {line}")

    path = run_dir / "startup.sh"
    try:
        path.write_text(script if script.endswith("\n") else script + "\n", encoding="utf-8")
        process = subprocess.Popen(
            ["/bin/sh", "-e", str(path)],
            env=dict(environment),
            cwd=workspace,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return f"{PREFIX} could not be run: {error.strerror}"
    assert process.stdout is not None
    output = pump(process.stdout, take)
    in_time = _wait(process, seconds, stopped)
    if in_time:
        output.join(1.0)
    else:
        _kill(process)
    if stopped():
        return None
    if not in_time:
        return f"{PREFIX} did not end within {show_duration(seconds)} and was stopped: {_line(last[0])}"
    if process.returncode == 0:
        return None
    why = messages.why("startup script", line=_line(last[0]), status=str(process.returncode))
    return f"{messages.title('startup script')}: {why}"


def _wait(process: subprocess.Popen[bytes], seconds: float, stopped: Callable[[], bool]) -> bool:
    """Whether it ended by itself in time."""
    end = time.monotonic() + seconds
    while not stopped() and (left := end - time.monotonic()) > 0:
        try:
            process.wait(min(0.2, left))
        except subprocess.TimeoutExpired:
            continue
        return True
    return False


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        return


def _line(line: str) -> str:
    return line[:300] or "it printed nothing"
