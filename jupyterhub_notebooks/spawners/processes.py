"""Processes of a session on this machine: known by pid and start time, found by their environment.

Promises: only processes of this account; only those that carry exactly this session's id, or were seen as
children of its agent; a pid that was given to somebody else in the meantime is never touched. Linux, macOS.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

SESSION = "NOTEBOOK_SESSION_ID"
TOKEN = "NOTEBOOK_SESSION_TOKEN"
#: The system's idea of when it booted, and with it start times, may move by this much.
SAME_SECONDS = 2.0


@dataclass(frozen=True)
class Known:
    """One process. created: seconds since 1970, as psutil says."""

    pid: int
    created: float

    def find(self) -> psutil.Process | None:
        """The process, None where it is gone, has ended and waits to be reaped, or is another one."""
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.created) > SAME_SECONDS:
                return None
            return None if process.status() == psutil.STATUS_ZOMBIE else process
        except psutil.Error:
            return None

    @property
    def runs(self) -> bool:
        return self.find() is not None


def known(pid: int) -> Known:
    """Who has that pid now. A process that is gone already is known by a time that none has."""
    try:
        return Known(pid, psutil.Process(pid).create_time())
    except psutil.Error:
        return Known(pid, 0.0)


def of_session(session: str) -> list[psutil.Process]:
    """Every process of this account that carries the session's id."""
    return [process for process, _ in _carrying(session)]


def agent_of(session: str) -> Known | None:
    """The session's agent: the one that was given the token, which it hands to nobody."""
    for process, environment in _carrying(session):
        if TOKEN in environment:
            return known(process.pid)
    return None


def _carrying(session: str) -> Iterable[tuple[psutil.Process, dict[str, str]]]:
    me, own = os.getpid(), os.getuid()
    for process in psutil.process_iter():
        try:
            if process.pid == me or process.uids().real != own:
                continue
            environment = process.environ()
            if environment.get(SESSION) == session and process.status() != psutil.STATUS_ZOMBIE:
                yield process, environment
        except (psutil.Error, OSError):
            continue


def family(of: Known) -> list[Known]:
    """Everything that descends from a process now."""
    process = of.find()
    try:
        return [known(child.pid) for child in process.children(recursive=True)] if process else []
    except psutil.Error:
        return []


def end(processes: Iterable[psutil.Process], polite_seconds: float, force_seconds: float = 5.0) -> list[str]:
    """Asks each to end, then makes it. Answers what they were, such as ``sleep (process 812)``."""
    named: dict[psutil.Process, str] = {}
    for process in set(processes):
        try:
            named[process] = f"{process.name()} (process {process.pid})"
            process.terminate()
        except psutil.Error:
            continue
    _gone, alive = psutil.wait_procs(named, timeout=polite_seconds)
    for process in alive:
        try:
            process.kill()
        except psutil.Error:
            continue
    psutil.wait_procs(alive, timeout=force_seconds)
    return sorted(named.values())
