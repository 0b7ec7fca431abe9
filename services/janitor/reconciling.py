"""Sessions, the Hub and the store made to agree: what is decided in deciding.py is done here, each step by itself."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from jupyterhub_notebooks.clock import Clock
from jupyterhub_notebooks.errors import NotebooksError
from jupyterhub_notebooks.hubapi import HubApi
from jupyterhub_notebooks.hubapi.client import Server
from jupyterhub_notebooks.ledger import (
    Ledger,
    Session,
    burying,
    intents,
    leases,
    notebooks,
    sessions,
    snapshots,
    users,
)
from jupyterhub_notebooks.settings import Settings

from .. import settling
from . import leftovers
from .deciding import (
    CLOSE,
    END_SAVED,
    FINISH,
    STOP_AGAIN,
    STOP_SILENT,
    Action,
    Evidence,
    decide,
    over_at_hub,
    routes_are_missing,
)
from .storage import Storage
from .watching import Watch, agents_answer

log = logging.getLogger("janitor.sessions")

MOST_SESSIONS = 100_000
#: A look may take so long; looks further apart than that and three intervals are a break in what was seen.
LONG_LOOK_SECONDS = 30.0
#: A reserved snapshot of a session that is over is settled after so long: its writer may still wait for the store.
SETTLE_AFTER = timedelta(minutes=5)
#: Where a server is: (name of its user, name of the server).
Place = tuple[str, str]


class Reconciler:
    """``look`` once. Raises HubAway or DatabaseAway; whatever is done already stays done."""

    def __init__(
        self, settings: Settings, ledger: Ledger, hub: HubApi, storage: Storage, clock: Clock
    ) -> None:
        self._settings, self._ledger, self._hub = settings, ledger, hub
        self._storage, self._clock = storage, clock
        self._watch = Watch(3 * settings.janitor_interval_seconds + LONG_LOOK_SECONDS)
        self._proxy_trouble = ""
        self._heard: dict[str, tuple[datetime | None, float]] = {}

    async def look(self) -> None:
        try:
            await self._look()
        except NotebooksError:
            self._watch.broken()
            raise

    async def _look(self) -> None:
        # The ledger first: a session that begins after this is not looked at.
        opened = await self._ledger.run(_open_sessions)
        servers = {
            (user.name, name): server
            async for user in self._hub.users(state="active")
            for name, server in user.servers.items()
        }
        await self._route(sum(server.ready for server in servers.values()))
        now = self._clock.now()
        watched = self._watch.seen(now, await agents_answer(self._settings.agents_url))
        ids = {session.id for session, _ in opened}
        self._heard = {id: one for id, one in self._heard.items() if id in ids}
        for session, place in opened:
            await self._one(session, place, servers.get(place) if place else None, watched, now)
        await self._forget_saved(servers, {place for _, place in opened})
        await self._settle(now)
        if self._settings.abilities.get("name", "local") == "local":
            await leftovers.end(self._ledger, now)

    async def _one(
        self, session: Session, place: Place | None, server: Server | None, watched: float, now: datetime
    ) -> None:
        known = await self._ledger.run(_evidence, session, self._settings, watched)
        known = dataclasses.replace(known, unheard_seconds=self._unheard(session))
        action = decide(session, server, known, now)
        told = {"session": session.id}
        if action.do == CLOSE:
            if await self._ledger.run(burying.bury, session, now, action.cause):
                log.warning("closed: its agent is gone (%s)", action.cause, extra=told)
        elif action.do == FINISH:
            await self._ledger.run(intents.ask, session.id, "finish", action.cause, None, now)
            log.warning("runs and the Hub does not know it: told to save and end", extra=told)
        elif place is not None:
            await self._at_hub(session, place, action, now)

    async def _at_hub(self, session: Session, place: Place, action: Action, now: datetime) -> None:
        """What is done about a session by asking the Hub."""
        if action.do == END_SAVED:
            await self._ledger.run(_ask_stop, session, action.cause, now)
            await self._stop(session, place, "saves only and runs: it is ended")
        elif action.do == STOP_AGAIN:
            await self._stop(session, place, "its stop was forgotten and is asked for again")
        elif action.do == STOP_SILENT:
            await self._ledger.run(_ask_stop, session, action.cause, now)
            await self._stop(session, place, "says nothing any more and its lease is over: it is stopped")

    async def _route(self, ready: int) -> None:
        """A proxy that was started again has lost the ways to notebooks and pages; the Hub is asked to give them anew."""
        try:
            if routes_are_missing(await self._hub.count_routes(), ready):
                log.warning("the proxy has lost its routes: the Hub is asked to give them anew")
                await self._hub.give_routes()
            self._proxy_trouble = ""
        except NotebooksError as error:
            if self._proxy_trouble != error.sentence():
                log.warning("the proxy's routes are not known: %s", error.sentence())
            self._proxy_trouble = error.sentence()

    def _unheard(self, session: Session) -> float:
        """For how long nothing new was heard of a session, by a clock that nobody sets back."""
        at, since = self._heard.get(session.id, (None, 0.0))
        if at != session.heard_at or session.id not in self._heard:
            at, since = session.heard_at, self._clock.monotonic()
            self._heard[session.id] = (at, since)
        return self._clock.monotonic() - since

    async def _stop(self, session: Session, place: Place, why: str) -> None:
        log.info("%s", why, extra={"session": session.id})
        try:
            await self._hub.stop_server(*place)
        except NotebooksError as error:
            log.warning("the Hub did not stop it: %s", error.sentence(), extra={"session": session.id})

    async def _forget_saved(self, servers: Mapping[Place, Server], opened: set[Place | None]) -> None:
        """A run that only saved is over and the Hub has not noticed: its user can start again at once."""
        for place, server in servers.items():
            if place in opened or not server.ready:
                continue
            last = await self._ledger.run(_last_session, place)
            if over_at_hub(last, server):
                try:
                    await self._hub.stop_server(*place)
                except NotebooksError as error:
                    log.warning("the Hub did not forget %s: %s", "/".join(place), error.sentence())

    async def _settle(self, now: datetime) -> None:
        for row in await self._ledger.run(snapshots.reserved, now - SETTLE_AFTER):
            told = {"session": row.session}
            try:
                await settling.settled(self._ledger, self._storage, row, now, self._settings.encryption_key)
                log.info("snapshot %s of a commit that was cut off is settled", row.number, extra=told)
            except NotebooksError as error:
                log.warning("snapshot %s is not settled: %s", row.number, error.sentence(), extra=told)


def _open_sessions(ledger: Ledger) -> list[tuple[Session, Place | None]]:
    """Each open session and where the Hub would have it; None where its user is gone."""
    found: list[tuple[Session, Place | None]] = []
    for session in sessions.every(ledger, only_open=True, limit=MOST_SESSIONS):
        user = users.get(ledger, session.user)
        notebook = notebooks.get(ledger, session.notebook)
        found.append((session, (user.hub_name, notebook.server_name) if user.gone_at is None else None))
    return found


def _evidence(ledger: Ledger, session: Session, settings: Settings, watched_seconds: float) -> Evidence:
    lease = leases.of_session(ledger, session.workspace, session.id)
    asked = intents.open_of(ledger, session.id)
    stops = [one for one in asked if one.do == "stop"]
    return Evidence(
        lease_left=lease.ends_in_seconds if lease is not None else None,
        silent_seconds=settings.lease_seconds,
        stop_asked_at=stops[-1].asked_at if stops else None,
        told=any(one.do == "finish" for one in asked),
        stop_cause=stops[-1].cause if stops else "stopped",
        watched_seconds=watched_seconds,
    )


def _ask_stop(ledger: Ledger, session: Session, cause: str, now: datetime) -> None:
    intents.ask(ledger, session.id, "stop", cause, None, now)
    sessions.stop_asked(ledger, session.id, now)


def _last_session(ledger: Ledger, place: Place) -> Session | None:
    user = users.by_name(ledger, place[0])
    notebook = notebooks.find(ledger, user.id, place[1]) if user is not None else None
    found = sessions.of_notebook(ledger, notebook.id, 1) if notebook is not None else []
    return found[0] if found else None
