"""The processes of a session: found by the session id in their environment and by descent, ended to the last.

Never this process, its ancestors, or anything of another session.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

VARIABLE = "NOTEBOOK_SESSION_ID"
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """On Linux: what a server leaves behind becomes our child, so that it is found and its end is seen."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap_orphans(but: Iterable[int]) -> None:
    """Takes the exit status of adopted processes; ``but``: those whose parent code waits for them itself."""
    if not sys.platform.startswith("linux"):
        return
    mine = set(but)
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid in mine:
            return
        try:
            os.waitpid(ended.si_pid, os.WNOHANG)
        except ChildProcessError:
            return


def of_session(session: str) -> list[psutil.Process]:
    """All that run now."""
    import psutil

    own = psutil.Process()
    spared = {own.pid, *(parent.pid for parent in own.parents())}
    found = {process.pid: process for process in own.children(recursive=True)}
    for process in psutil.process_iter():
        if process.pid in spared or process.pid in found:
            continue
        try:
            if process.environ().get(VARIABLE) == session:
                found[process.pid] = process
        except (psutil.Error, OSError):
            continue  # ended meanwhile, or somebody else's
    return [process for pid, process in found.items() if pid not in spared]


def end_all(session: str, say: Callable[[str], None], grace_seconds: float = 2.0) -> None:
    """Asks what is left to end, then ends it."""
    import psutil

    left = of_session(session)
    for process in left:
        try:
            process.terminate()
        except psutil.Error:
            continue
    _, left = psutil.wait_procs(left, timeout=grace_seconds if left else 0)
    for _ in range(5):
        for process in left:
            try:
                say(f"Process {process.pid} did not end when asked and was killed")
                process.kill()
            except psutil.Error:
                continue
        psutil.wait_procs(left, timeout=2)
        left = [process for process in of_session(session) if _lives(process)]
        if not left:
            return
    say(f"{len(left)} processes of the session could not be ended")


def _lives(process: psutil.Process) -> bool:
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def mapped_writable(session: str, files: Path) -> frozenset[tuple[int, int]]:
    """Files below ``files`` that a process of the session has mapped writable and shared: device and inode of each."""
    if not sys.platform.startswith("linux"):
        return frozenset()
    root = os.path.realpath(files) + "/"
    found: set[tuple[int, int]] = set()
    for process in of_session(session):
        try:
            lines = Path(f"/proc/{process.pid}/maps").read_text(errors="surrogateescape").splitlines()
        except OSError:
            continue
        for line in lines:
            parts = line.split(maxsplit=5)
            shared = len(parts) == 6 and parts[1].startswith("rw") and parts[1].endswith("s")
            place = _place(parts[5]) if shared and parts[5].startswith(root) else None
            if place is not None:
                found.add(place)
    return frozenset(found)


def _place(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None  # removed meanwhile
    return status.st_dev, status.st_ino


def out_of_memory_count() -> int:
    """How many processes of this container the kernel ended for want of memory; 0 where it does not say."""
    for path, key in (
        ("/sys/fs/cgroup/memory.events", "oom_kill"),
        ("/sys/fs/cgroup/memory/memory.oom_control", "oom_kill"),
    ):
        try:
            for line in Path(path).read_text().splitlines():
                name, _, value = line.partition(" ")
                if name == key:
                    return int(value)
        except (OSError, ValueError):
            continue
    return 0
