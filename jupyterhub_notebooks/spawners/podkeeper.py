"""Looks after the pods of all sessions of a Hub between its own looks, which are far apart.

Promises: why a pod is taken away, or was killed, stands in its session's row as soon as the cluster says so, before the
agent's own end closes the row; a pod is removed once its session is closed and its agent ended, also one whose machine
starts such an agent again and again, and never before. It asks the cluster nothing: the Hub's watches are read, and begun
again where they gave up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from ..errors import NotFound
from ..ledger import Ledger, Session, sessions
from . import podends, pods
from .podwatch import AWAY_SECONDS, gave_up

LOOK_SECONDS = 0.5
#: The Hub's own look comes first: it reads from a pod that is over why it ended.
KEPT_SECONDS = 60.0


class Kept(Protocol):
    """What it needs of a spawner of this Hub; any of them will do."""

    log: Any

    @property
    def pod_reflector(self) -> Any: ...
    @property
    def event_reflector(self) -> Any: ...
    @property
    def ledger(self) -> Ledger: ...


class PodKeeper:
    """One for each watch. ``begin`` may be called again."""

    def __init__(
        self,
        spawner: Kept,
        delete: Callable[[pods.Known], Awaitable[None]],
        watch_again: Callable[[], Awaitable[None]],
    ) -> None:
        self._spawner, self._delete, self._watch_again = spawner, delete, watch_again
        self._told: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Looks until the event loop ends."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._look(), name="keeper of pods")

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not await self._watches():
                await asyncio.sleep(AWAY_SECONDS)
                continue
            try:
                there = list(self._spawner.pod_reflector.pods.values())
                self._told &= {pods.session_of(pod) for pod in there}
                for pod in worth_a_look(there, self._told):
                    await self._judge(pod)
            except Exception:
                self._spawner.log.exception("Pods could not be looked after; it is tried again")

    async def _watches(self) -> bool:
        """Whether the watch over pods goes on; it and the one over events begin again where they gave up."""
        pods_watch, events_watch = self._spawner.pod_reflector, self._spawner.event_reflector
        if gave_up(pods_watch) or (events_watch is not None and gave_up(events_watch)):
            self._spawner.log.warning("A watch over the cluster had ended; it begins again")
            try:
                await self._watch_again()
            except Exception as error:
                self._spawner.log.warning("The cluster does not answer: %s", error)
        there = self._spawner.pod_reflector
        return not gave_up(there) and there.watch_task is not None

    async def _judge(self, pod: pods.Known) -> None:
        session = pods.session_of(pod)
        try:
            row = await self._spawner.ledger.run(sessions.get, session)
        except NotFound:
            return
        values = told_of(pod, row)
        if values:
            await self._spawner.ledger.run(sessions.report, [sessions.Report(session, values)])
            self._spawner.log.warning("Session %s: %s", session, values.get("detail") or values["cause"])
        if row.closed_at is None:
            if not pods.over(pod):
                self._told.add(session)
        elif not pods.ends(pod) and (datetime.now(UTC) - row.closed_at).total_seconds() > KEPT_SECONDS:
            await self._delete(pod)


def worth_a_look(there: Iterable[pods.Known], told: set[str]) -> list[pods.Known]:
    """Pods that are ending, were killed, or are over, of sessions of ours. told: sessions that are known to be ending."""
    return [
        pod
        for pod in there
        if (session := pods.session_of(pod))
        and (pods.over(pod) or pods.exit_status(pod) is not None or (session not in told and pods.ends(pod)))
    ]


def told_of(pod: pods.Known, row: Session) -> Mapping[str, Any]:
    """What the row of a session does not say yet of its pod's end; nothing where somebody asked for it, and nothing of a
    start: that tells itself why it came to nothing."""
    if row.closed_at is not None or row.cause or row.stop_asked_at is not None or row.ready_at is None:
        return {}
    if pods.ends(pod) and pods.exit_status(pod) is None:
        cause, detail = podends.why_removed(pod)
        return {"cause": cause or "killed", "detail": detail}
    if pods.over(pod):
        return {}  # the Hub's own look tells it
    cause, detail = podends.death_of(pod, (), pods.container_of(pod))
    return {"cause": cause or "killed", "detail": detail}
