"""Who listens on a port of this machine, as far as the system lets this user know."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psutil


def holder(port: int) -> str:
    """Who listens there: ``nginx (process 812)``; empty where the system does not say."""
    for pid in listeners(port):
        try:
            return f"{psutil.Process(pid).name()} (process {pid})"
        except psutil.Error:
            return f"process {pid}"
    return ""


def listeners(port: int) -> Iterator[int]:
    """Process ids of those who listen there."""
    try:
        for each in psutil.net_connections(kind="tcp"):
            if each.pid and _listens(each, port):
                yield each.pid
    except (psutil.Error, OSError):  # macOS lets people ask about their own processes only
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                for own in process.net_connections(kind="tcp"):
                    if _listens(own, port):
                        yield process.pid


def _listens(connection: Any, port: int) -> bool:
    return (
        connection.status == psutil.CONN_LISTEN and bool(connection.laddr) and connection.laddr.port == port
    )
