"""The last heartbeat of each session, in memory; what of it goes to the ledger, and when.

A change of phase, of warnings, of what was made anew or of a save's error is written before the answer
goes out. Progress, pending files and the time of hearing are written once a second, all sessions in one
transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jupyterhub_notebooks.contract import Heartbeat
from jupyterhub_notebooks.errors import DatabaseAway
from jupyterhub_notebooks.ledger import Ledger, Session, hearing, sessions
from jupyterhub_notebooks.ledger.hearing import Holder, Known
from jupyterhub_notebooks.ledger.leases import Lease

from . import reading
from .together import Changes, Together

log = logging.getLogger("agents.heartbeats")

FLUSH_SECONDS = 1.0
FORGET_SECONDS = 600.0
AT_ONCE = ("phase", "save_error", "made_anew", "warnings")


@dataclass(frozen=True)
class Heard:
    """A heartbeat and when it came, by this process's own clock."""

    beat: Heartbeat
    at_monotonic: float


def values_of(beat: Heartbeat, now: datetime) -> dict[str, Any]:
    """What a heartbeat says, as columns of the session's row."""
    return {
        "phase": reading.phase(beat),
        "save_error": reading.text(beat.saved.error) if beat.saved.error else None,
        "made_anew": reading.texts(beat.made_anew),
        "warnings": reading.texts(beat.warnings),
        "done_bytes": reading.size(beat.progress.done_bytes),
        "total_bytes": reading.size(beat.progress.total_bytes),
        "done_files": reading.count(beat.progress.done_files),
        "total_files": reading.count(beat.progress.total_files),
        "pending_files": reading.count(beat.saved.pending_files),
        "pending_bytes": reading.size(beat.saved.pending_bytes),
        "heard_at": now,
        **({"variables": reading.variables(beat.variables)} if beat.variables is not None else {}),
    }


def is_urgent(values: Mapping[str, Any], row: Session) -> bool:
    """Whether these values change what somebody waits for."""
    return any((values.get(name) or None) != (getattr(row, name) or None) for name in AT_ONCE) or (
        "variables" in values and values["variables"] != row.variables
    )


def next_in_seconds(phase: str, usual: float, soon: float) -> float:
    """When the next heartbeat shall come: smooth progress while something moves, else the usual time."""
    return usual if phase == "running" else min(1.0, soon)


class Heartbeats:
    """Memory and its way to the ledger; ``run`` writes it, ``flush`` does so once.

    known: by token hash, what the ledger has of a session now. renewed: the lease, moved; None where it is lost.
    changes: what somebody waits for, written before the answer goes out.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.known = Together[str, Known](lambda hashes: ledger.run(hearing.by_tokens, hashes))
        self.renewed = Together[Holder, Lease](lambda holders: ledger.run(hearing.renew, holders))
        self.changes = Changes[Session](ledger)
        self._last: dict[str, Heard] = {}
        self._due: dict[str, dict[str, Any]] = {}

    def is_newer(self, session: str, beat: Heartbeat) -> bool:
        """Whether it came after the one that is known."""
        known = self._last.get(session)
        return known is None or beat.sequence > known.beat.sequence

    def has_blocked(self, session: str, beat: Heartbeat) -> bool:
        """Whether it tells of other refused hosts, or of more, than the one before did."""
        known = self._last.get(session)
        return bool(beat.blocked) and (known is None or known.beat.blocked != beat.blocked)

    def heard(self, session: str, beat: Heartbeat, monotonic: float) -> None:
        self._last[session] = Heard(beat, monotonic)

    def later(self, session: str, values: Mapping[str, Any]) -> None:
        """To be written with the next second's transaction."""
        self._due[session] = {name: value for name, value in values.items() if name not in AT_ONCE}

    def written(self, session: str) -> None:
        """Newer values than the ones kept here are in the ledger."""
        self._due.pop(session, None)

    def forget(self, session: str) -> None:
        """The agent began anew, or the session is over."""
        self._last.pop(session, None)
        self._due.pop(session, None)

    async def flush(self) -> None:
        """Writes what is due. Raises DatabaseAway; what was due stays due."""
        due, self._due = self._due, {}
        if not due:
            return
        try:
            await self._ledger.run(
                sessions.report, [sessions.Report(session, values) for session, values in due.items()]
            )
        except DatabaseAway:
            self._due = {**due, **self._due}
            raise

    async def run(self, monotonic: Any) -> None:
        """Until cancelled."""
        away = False
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
                away = False
            except DatabaseAway as error:
                if not away:
                    log.warning("heartbeats are kept in memory: %s", error.sentence())
                away = True
            except Exception:  # whatever it was, the next heartbeats bring newer values
                log.exception("heartbeats were not written")
            old = monotonic() - FORGET_SECONDS
            for session in [name for name, one in self._last.items() if one.at_monotonic < old]:
                with contextlib.suppress(KeyError):
                    del self._last[session]
