"""The watch over a notebook's pod while it starts: what the cluster knows stands on the page of the start at once.

Promises: a start that cannot work ends with its reason as soon as the cluster says so, and not after a time-out; what it
waits for is in the session's row (phase, and a sentence among its warnings) for page, API and commands; it is waited for
as long as that may help and no longer. The pods and events come from the watches that KubeSpawner keeps for the whole
Hub: a start asks the cluster nothing by itself, but for a volume or the machines where the scheduler names them.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from ..ledger import Ledger, Session, sessions
from ..settings import Settings
from ..units import show_duration
from . import podplaces, podstate
from .podwords import FAILS, GOING, MACHINE, PULL, WAITS, Object, Told
from .refusing import NotStarted

#: The watches are dicts in this process; looking costs nothing.
LOOK_SECONDS = 0.1
#: Events of all starts are sorted by pod once in so long.
EVENTS_SECONDS = 0.3
#: A volume or the machines are asked for at most once in so long.
ASK_SECONDS = 1.0
#: A scheduler that just started, or has not heard of a new volume, says what is over in a moment.
SETTLE_SECONDS = 1.0
#: A pod that was made and is in no watch after so long: the watch is not to be trusted, and it is asked for.
UNSEEN_SECONDS = 10.0
#: A cluster that does not answer is asked again after so long.
AWAY_SECONDS = 2.0
REQUEST_SECONDS = 5.0
#: The machines change rarely, and the answer is large.
NODES_SECONDS = 10.0
NODES_DENIED_SECONDS = 600.0


class Watched(Protocol):
    """What it needs of the spawner."""

    namespace: str
    pod_name: str
    api: Any
    log: Any

    @property
    def event_reflector(self) -> Any: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def settings(self) -> Settings: ...
    async def pods_there(self) -> Mapping[str, Object] | None: ...


@dataclass(frozen=True)
class Bounds:
    """How long what is waited for may take, in seconds. scales: this cluster starts machines when places are missing.

    machine: for a place on a machine, or for a machine. pull: for an image. Anything else that does not move: the Hub's
    ``no_progress_seconds``.
    """

    machine_seconds: float = 600.0
    pull_seconds: float = 1200.0
    scales: bool = False


class PodWatch:
    """The watch over one start."""

    def __init__(self, spawner: Watched, bounds: Bounds | None = None) -> None:
        self._spawner = spawner
        self._bounds = bounds or Bounds()
        self._claims: dict[str, Object | None] = {}
        self._claim_events: list[Object] = []
        self._asked_at = 0.0
        self.told = Told(GOING, "asked")

    async def until_running(
        self, session: Session, container: str = podstate.NOTEBOOK, *, late: bool = False
    ) -> Object:
        """Returns the pod once that container of it runs and it has an address. Raises NotStarted.

        late: the agent runs already, and says the phase; only what is waited for is told beside it.
        """
        begun = since = heard = time.monotonic()
        was_there, written = False, Told(GOING, "asked")
        while True:
            now = time.monotonic()
            there = await self._spawner.pods_there()
            if there is None:  # no news: what was seen before stays
                if now - heard >= self._bounds.machine_seconds:
                    raise away(
                        f"It was waited for {show_duration(now - heard)}", self._spawner.settings.contact
                    )
                await asyncio.sleep(AWAY_SECONDS)
                continue
            since, heard = since + (now - heard if now - heard > AWAY_SECONDS else 0.0), now
            pod = await self._pod(there, now - begun)
            was_there = was_there or pod is not None
            if pod is None and was_there:
                raise _removed()
            if pod is not None and podstate.runs(pod, container):
                if written.sentence() and written.what == WAITS:
                    await self._write(session, {"warnings": []})
                return pod
            told = podstate.judge(await self._seen(pod, now, container), self._spawner.settings.contact)
            if _same(told) != _same(self.told):
                since = now
            self.told = told
            self._give_up_where_it_is_over(told, now - since)
            if _shown(told) != _shown(written):
                written = told
                await self._tell(session, told, late)
            await asyncio.sleep(LOOK_SECONDS)

    # -- what is decided

    def _give_up_where_it_is_over(self, told: Told, seconds: float) -> None:
        if told.what == FAILS:
            if told.step not in ("waiting", "attaching") or seconds >= SETTLE_SECONDS:
                raise told.error()
            return
        bounds, most = self._bounds, self._spawner.settings.no_progress_seconds
        bound = {MACHINE: bounds.machine_seconds, PULL: bounds.pull_seconds}.get(told.patience, most)
        if seconds < bound:
            return
        waited = f"It was waited for {show_duration(bound)}"
        if told.title:
            raise told.error(waited)
        raise NotStarted(
            "The notebook could not be set up on its machine",
            f"Nothing has happened for {show_duration(bound)}",
            ("Start it again", f"Ask {self._spawner.settings.contact}"),
            cause="no_progress",
            evidence=(("last step", told.step),),
        )

    # -- what is seen

    async def _pod(self, there: Mapping[str, Object], seconds: float) -> Object | None:
        spawner = self._spawner
        found = there.get(f"{spawner.namespace}/{spawner.pod_name}")
        if found is None and seconds > UNSEEN_SECONDS:
            spawner.log.warning("No watch knows %s after %d s; it is asked for", spawner.pod_name, seconds)
            listed = await self._ask(
                spawner.api.list_namespaced_pod,
                namespace=spawner.namespace,
                field_selector=f"metadata.name={spawner.pod_name}",
            )
            await asyncio.sleep(ASK_SECONDS)
            found = next(iter((listed or {}).get("items") or ()), None)
        return found

    async def _seen(self, pod: Object | None, now: float, container: str) -> podstate.Seen:
        if pod is None:
            return podstate.Seen(None)
        events = events_of(self._spawner.event_reflector, pod, now)
        said = _not_placed(pod)
        nodes: Sequence[Object] = ()
        if said:
            if "ersistent" in said or "olume" in said:
                await self._ask_for_volume(pod, now)
            if "nsufficient" in said or podplaces.UNNAMED_TAINT in said:
                nodes = await _nodes(self._spawner, self._ask, now)
        return podstate.Seen(
            pod, events, self._claims, self._claim_events, nodes, self._bounds.scales, container
        )

    async def _ask_for_volume(self, pod: Object, now: float) -> None:
        if now - self._asked_at < ASK_SECONDS:
            return
        self._asked_at = now
        spawner, events = self._spawner, []
        for name in podplaces.claims_of(pod):
            read = spawner.api.read_namespaced_persistent_volume_claim
            self._claims[name] = await self._ask(read, name=name, namespace=spawner.namespace)
            listed = await self._ask(
                spawner.api.list_namespaced_event,
                namespace=spawner.namespace,
                field_selector=f"involvedObject.kind=PersistentVolumeClaim,involvedObject.name={name}",
            )
            uid = ((self._claims[name] or {}).get("metadata") or {}).get("uid")
            found = (listed or {}).get("items") or []
            events += [one for one in found if uid is None or one["involvedObject"].get("uid") == uid]
        self._claim_events = sorted(events, key=podstate._at)

    async def _ask(self, method: Callable[..., Awaitable[Any]], **more: Any) -> Any:
        """The answer as the API's JSON; None where there is none, or it is not this Hub's to see."""
        try:
            raw = await method(_preload_content=False, _request_timeout=REQUEST_SECONDS, **more)
            return json.loads(await raw.read()) if raw.status < 400 else None
        except Exception as error:
            if getattr(error, "status", 0) not in (403, 404):
                self._spawner.log.warning("The cluster did not answer: %s", error)
            return None

    # -- what is told

    async def _tell(self, session: Session, told: Told, late: bool) -> None:
        phase = told.step if told.step in ("waiting", "attaching", "pulling") else ""
        warnings = [told.sentence()] if told.what == WAITS else []
        self._spawner.log.info("Session %s: %s", session.id, warnings[0] if warnings else told.step)
        if phase or warnings or not late:
            await self._write(session, {"phase": phase, "warnings": warnings})

    async def _write(self, session: Session, values: Mapping[str, Any]) -> None:
        try:
            await self._spawner.ledger.run(sessions.report, [sessions.Report(session.id, values)])
        except Exception as error:
            self._spawner.log.warning("What session %s waits for could not be written: %s", session.id, error)


def gave_up(watch: Any) -> bool:
    """Whether a watch of KubeSpawner's is not there, or ended: it does after half a minute without its cluster."""
    return watch is None or (watch.watch_task is not None and watch.watch_task.done())


def _same(told: Told) -> tuple[str, ...]:
    """What must change for the clock of patience to begin anew."""
    return (told.what, told.step, told.cause, told.patience)


def _shown(told: Told) -> tuple[str, ...]:
    return (told.what, told.step, told.sentence() if told.what == WAITS else "")


def away(why: str, contact: str) -> NotStarted:
    """The error of a start whose cluster does not answer."""
    return NotStarted(
        "The cluster does not answer", why, ("Start it again in a moment", f"Ask {contact}"), cause="not_created"
    )  # fmt: skip


def _removed() -> NotStarted:
    return NotStarted(
        "The start was ended from outside", "It was removed from the cluster by somebody else", ("Start it again",),
        cause="killed",
    )  # fmt: skip


def _not_placed(pod: Object) -> str:
    for one in (pod.get("status") or {}).get("conditions") or ():
        if one.get("type") == "PodScheduled" and one.get("status") == "False":
            return str(one.get("message") or "")
    return ""


#: Of each watch over events: when it was sorted, and the events by the id of their pod.
_sorted: WeakKeyDictionary[Any, tuple[float, dict[str, list[Object]]]] = WeakKeyDictionary()


def events_of(reflector: Any, pod: Object, now: float) -> list[Object]:
    """The events of a pod, from a watch over those of all; sorted once for all starts."""
    if reflector is None:
        return []
    at, by_pod = _sorted.get(reflector, (0.0, {}))
    if now - at >= EVENTS_SECONDS:
        by_pod = {}
        for event in list(reflector.resources.values()):
            by_pod.setdefault((event.get("involvedObject") or {}).get("uid", ""), []).append(event)
        _sorted[reflector] = (now, by_pod)
    return by_pod.get(pod["metadata"].get("uid", ""), [])


#: Machines as last listed, and until when they are taken for true; empty while this Hub may not see them.
_machines: dict[int, tuple[float, list[Object]]] = {}


async def _nodes(spawner: Watched, ask: Callable[..., Awaitable[Any]], now: float) -> list[Object]:
    until, known = _machines.get(0, (0.0, []))
    if now < until:
        return known
    listed = await ask(spawner.api.list_node, resource_version="0")
    known = (listed or {}).get("items") or []
    _machines[0] = (now + (NODES_SECONDS if known else NODES_DENIED_SECONDS), known)
    return known
