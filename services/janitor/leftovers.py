"""Processes of sessions that are over, on the machine of this service: an agent that was frozen past its lease, and
whatever a session started and left. They can save nothing any more; their files stay on the volume.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from datetime import datetime, timedelta

import psutil

from jupyterhub_notebooks.errors import NotFound
from jupyterhub_notebooks.ledger import Ledger, sessions
from jupyterhub_notebooks.names import is_id

log = logging.getLogger("janitor.processes")

#: Whoever ends a session clears away after it; this is for what was left all the same.
AFTER = timedelta(seconds=60)
END_SECONDS = 5.0
VARIABLE = "NOTEBOOK_SESSION_ID"


async def end(ledger: Ledger, now: datetime) -> None:
    """Ends them: asked first, then by force."""
    found = await asyncio.to_thread(_by_session)
    for session, processes in found.items():
        if await ledger.run(_is_over, session, now - AFTER):
            log.warning("ending %d processes that it left", len(processes), extra={"session": session})
            await asyncio.to_thread(_end, processes)


def _is_over(ledger: Ledger, session: str, before: datetime) -> bool:
    """Only what stands in our ledger is ours to end."""
    try:
        closed_at = sessions.get(ledger, session).closed_at
    except NotFound:
        return False
    return closed_at is not None and closed_at < before


def _by_session() -> dict[str, list[psutil.Process]]:
    found: dict[str, list[psutil.Process]] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid == os.getpid() or process.uids().real != os.getuid():
                continue
            session = process.environ().get(VARIABLE, "")
            if is_id(session):
                found.setdefault(session, []).append(process)
    return found


def _end(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=END_SECONDS)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
