"""What processes show of themselves; one that ends meanwhile shows nothing."""

from __future__ import annotations

import psutil


def variables(process: psutil.Process) -> dict[str, str]:
    """Its environment; nothing of one that ended or that may not be read."""
    try:
        return process.environ()
    except (psutil.Error, OSError):
        return {}


def command(process: psutil.Process) -> list[str]:
    """Its arguments; nothing of one that ended or that may not be read."""
    try:
        return process.cmdline()
    except (psutil.Error, OSError):
        return []


def words(process: psutil.Process) -> list[str]:
    """Its arguments and its variables' values; nothing of one that ended or that may not be read."""
    try:
        return [*process.cmdline(), *process.environ().values()]
    except (psutil.Error, OSError):
        return []


def ended(process: psutil.Process) -> bool:
    """Whether it is gone, or only waits to be asked how it ended."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True
