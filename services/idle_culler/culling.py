"""The look and the stops: who is due by the ledger, a reading as of now, the intent, then the Hub.

Promises: a look never waits for a stop; many stops are under way at a time; nothing is written or stopped while
the Hub or the database is away; what was asked for and not begun is asked again after any restart, and taken
back where work has begun in between. Whether something is stopped is ``enforcement.rules`` alone.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from jupyterhub_notebooks.clock import Clock, to_text
from jupyterhub_notebooks.enforcement import rules
from jupyterhub_notebooks.enforcement.rules import Ask, Delay, Keep, Limits, Stop
from jupyterhub_notebooks.errors import NotebooksError
from jupyterhub_notebooks.ledger import Ledger, Session, clocks, sessions
from jupyterhub_notebooks.settings import Settings

from .reports import Reports

log = logging.getLogger("idle_culler")

#: So long one that did not answer, or whose stop the Hub took and did not begin, is left alone.
AGAIN_SECONDS = 60.0
#: How long a notebook has for the heartbeat that it is asked for.
REPORT_SECONDS = 10.0


class Hub(Protocol):
    """What is needed of the Hub."""

    async def version(self) -> str: ...

    async def stop_server(self, user: str, server: str) -> bool: ...


@dataclass(frozen=True)
class Looked:
    """What one look found: how many were due, and how many were begun with."""

    due: int
    begun: int


class Culler:
    """``run`` until cancelled, then ``close``; ``look`` is one pass, ``settled`` awaits what it began."""

    def __init__(self, settings: Settings, ledger: Ledger, hub: Hub, clock: Clock) -> None:
        self._settings, self._ledger, self._hub, self._clock = settings, ledger, hub, clock
        self._reports = Reports(ledger, clock)
        self._going: dict[str, asyncio.Task[None]] = {}
        self._not_before: dict[str, float] = {}
        self._at_once = asyncio.Semaphore(settings.culler_at_once)
        self._trouble = ""

    async def run(self) -> None:
        """Looks at once and then at every interval."""
        while True:
            try:
                await self.look()
                self._well()
            except NotebooksError as error:
                self._unwell(error)
            except Exception:  # whatever it was, the next look begins from the ledger again
                log.exception("a look ended with an error")
            await asyncio.sleep(self._settings.culler_interval_seconds)

    async def close(self) -> None:
        """Begins nothing any more and awaits what it had begun."""
        tasks = list(self._going.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._reports.close()

    async def settled(self) -> None:
        """Returns once everything that looks have begun is over."""
        while self._going:
            await asyncio.gather(*self._going.values(), return_exceptions=True)
            await asyncio.sleep(0)

    async def look(self) -> Looked:
        """One pass: begins with each session that is due. Raises DatabaseAway or HubAway, and has done nothing then."""
        if self._settings.enforcement == "off":
            return Looked(0, 0)
        now = self._clock.now()
        found = await self._ledger.run(clocks.due, now)
        mono = self._clock.monotonic()
        self._not_before = {id: at for id, at in self._not_before.items() if at > mono}
        wanted = []
        for due in found:
            id = due.session.id
            if id in self._going or id in self._not_before:
                continue
            limits = self._limits(due.session)
            decision = rules.decide(due.session, limits, now)
            if isinstance(decision, Keep):
                await self._keep(due, limits)
            elif not _observed(due.session, decision, limits):
                wanted.append(due)
        if wanted:
            await self._hub.version()
        for due in wanted:
            task = asyncio.create_task(self._one(due), name=f"session {due.session.id}")
            self._going[due.session.id] = task
            task.add_done_callback(lambda done, id=due.session.id: self._ended(id, done))  # type: ignore[misc]
        return Looked(len(found), len(wanted))

    def _ended(self, id: str, task: asyncio.Task[None]) -> None:
        self._going.pop(id, None)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, NotebooksError):
            log.warning("not stopped: %s", error.sentence(), extra={"session": id})
        elif error is not None:
            log.error("a stop ended with an error", exc_info=error, extra={"session": id})

    def _limits(self, row: Session) -> Limits:
        return Limits.of(row.launch, self._settings.enforcement, self._settings.unsaved_idle_seconds)

    async def _keep(self, due: clocks.Due, limits: Limits) -> None:
        """Not due after all: what was asked for is taken back, an end that nobody worked out is."""
        if due.stop is not None:
            log.info("a stop is taken back", extra={"session": due.session.id})
            await self._ledger.run(clocks.withdraw, [due.stop.id], self._clock.now())
        if due.session.session_ends_at is None and rules.ends(due.session, limits).session_at is not None:
            await self._ledger.run(
                clocks.change,
                due.session.id,
                lambda row: clocks.Change({"session_ends_at": rules.ends(row, limits).session_at}),
                self._clock.now(),
            )

    async def _one(self, due: clocks.Due) -> None:
        """One session from its reading to its end."""
        row, limits = due.session, self._limits(due.session)
        async with self._at_once:
            decision = rules.decide(row, limits, self._clock.now())
            if isinstance(decision, Ask):
                await self._reports.ask(row.id, REPORT_SECONDS)
                row = await self._ledger.run(sessions.get, row.id)
                if row.closed_at is not None or row.stop_asked_at is not None:
                    return
                decision = rules.decide(row, limits, self._clock.now(), asked=True)
            if isinstance(decision, Stop):
                if limits.mode == "observe":
                    await self._observe(row, decision, limits)
                else:
                    await self._stop(due, row, decision, limits)
            elif isinstance(decision, Delay):
                await self._delay(row, decision, limits)
            else:
                if due.stop is not None:
                    await self._ledger.run(clocks.withdraw, [due.stop.id], self._clock.now())
                if isinstance(decision, Keep) and decision.why:
                    log.info("kept: %s", decision.why, extra={"session": row.id})
                    self._not_before[row.id] = self._clock.monotonic() + AGAIN_SECONDS

    async def _stop(self, due: clocks.Due, row: Session, stop: Stop, limits: Limits) -> None:
        evidence = evidence_of(row, stop, limits)
        asked = await self._ledger.run(clocks.ask_stop, row, stop.cause, evidence, self._clock.now())
        if asked is None:
            return  # it has changed in this moment; the next look sees it as it is then
        log.info("stopping: %s", stop.cause, extra={"session": row.id})
        await self._hub.stop_server(due.user, due.server)
        self._not_before[row.id] = self._clock.monotonic() + AGAIN_SECONDS

    async def _delay(self, seen: Session, delay: Delay, limits: Limits) -> None:
        now = self._clock.now()

        def decide(row: Session) -> clocks.Change:
            if not isinstance(rules.decide(row, limits, now), Delay):
                return clocks.Change()
            values = {"delayed_at": now, "idle_ends_at": delay.until}
            return clocks.Change(
                values, "session.stop_delayed", "unseen_warning", {"until": to_text(delay.until)}
            )

        await self._ledger.run(clocks.change, seen.id, decide, now)

    async def _observe(self, seen: Session, stop: Stop, limits: Limits) -> None:
        now = self._clock.now()

        def decide(row: Session) -> clocks.Change:
            if _observed(row, stop, limits):
                return clocks.Change()
            evidence = evidence_of(row, stop, limits)
            return clocks.Change({_column(stop): now}, "session.would_stop", stop.cause, evidence)

        await self._ledger.run(clocks.change, seen.id, decide, now)
        log.info("would be stopped: %s", stop.cause, extra={"session": seen.id})

    def _unwell(self, error: NotebooksError) -> None:
        if error.title != self._trouble:
            self._trouble = error.title
            log.warning("nothing is stopped: %s", error.sentence())

    def _well(self) -> None:
        if self._trouble:
            self._trouble = ""
            log.info("it can be seen again what runs")


def _column(stop: Stop) -> str:
    return "observed_idle_at" if stop.cause == rules.IDLE else "observed_limit_at"


def _observed(row: Session, decision: rules.Decision, limits: Limits) -> bool:
    """Whether a stop that is only observed is on record already: an idle one once in each quiet stretch."""
    if limits.mode != "observe":
        return False
    if isinstance(decision, Stop) and decision.cause == rules.SESSION_LIMIT:
        at = row.observed_limit_at
        return at is not None and at >= decision.due_at
    at, quiet = row.observed_idle_at, row.quiet_since
    return at is not None and (quiet is None or at >= quiet)


def evidence_of(row: Session, stop: Stop, limits: Limits) -> dict[str, Any]:
    """What a stop was decided on, as the ledger and ``session why`` tell it."""
    limit = limits.idle_seconds if stop.cause == rules.IDLE else limits.max_seconds
    return {
        "verdict": row.verdict or "unknown",
        "sentence": row.verdict_sentence or "",
        "quiet_since": _text(row.quiet_since),
        "heard_at": _text(row.verdict_at),
        "due_at": to_text(stop.due_at),
        "limit_seconds": limit,
        "extended_seconds": row.extended_seconds,
        "warned_at": _text(row.warned_at),
        "warning_seen_at": _text(row.reached_at),
        "signals": list(row.signals or ()),
    }


def _text(at: datetime | None) -> str | None:
    return to_text(at) if at is not None else None


__all__ = ["Culler", "Looked", "evidence_of"]
