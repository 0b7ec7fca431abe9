"""Volumes that were left behind: as soon as one is there again, what was not saved on it becomes a recovery snapshot.

Each is tried by a run that only saves, on that volume, while the notebook is stopped; one that is not there is tried again,
each time after twice as long. What such a run keeps never becomes the newest save by itself.
"""

from __future__ import annotations

import logging
from datetime import datetime

from jupyterhub_notebooks.clock import Clock
from jupyterhub_notebooks.errors import NotebooksError, NotFound
from jupyterhub_notebooks.hubapi import HubApi
from jupyterhub_notebooks.ledger import (
    Ledger,
    NotebookView,
    Session,
    SetAside,
    aside,
    intents,
    notebooks,
    sessions,
)
from jupyterhub_notebooks.settings import Settings

from .deciding import Tries, save_due
from .storage import Storage

log = logging.getLogger("janitor.recovering")

PAST = 50


class Recoverer:
    """``look`` once. Raises StorageAway while the store does not answer, HubAway, DatabaseAway."""

    def __init__(
        self, settings: Settings, ledger: Ledger, hub: HubApi, storage: Storage, clock: Clock
    ) -> None:
        self._settings, self._ledger, self._hub = settings, ledger, hub
        self._storage, self._clock = storage, clock
        self._asked: dict[str, tuple[int, datetime]] = {}

    async def look(self) -> None:
        waiting = await self._ledger.run(aside.waiting)
        ours = {left.id for left, _ in waiting}
        self._asked = {id: one for id, one in self._asked.items() if id in ours}
        busy: set[str] = set()
        for left, notebook in waiting:
            if notebook not in busy and await self._is_due(left, notebook):
                await self._storage.answers()
                await self._start(left, notebook)
                busy.add(notebook)

    async def _is_due(self, left: SetAside, notebook: str) -> bool:
        past = await self._ledger.run(sessions.of_notebook, notebook, PAST)
        if not past or past[0].closed_at is None:
            return False
        mine = [
            one for one in past if one.kind == "save" and one.volume == left.volume and one.asked_at > left.at
        ]
        asked, asked_at = self._asked.get(left.id, (0, None))
        moments = [at for at in (asked_at, mine[0].closed_at if mine else None) if at is not None]
        tries = Tries(max(len(mine), asked), max(moments, default=None))
        return save_due(tries, self._settings.save_again_seconds, self._clock.now())

    async def _start(self, left: SetAside, notebook: str) -> None:
        now = self._clock.now()
        view, last = await self._ledger.run(_about, notebook)
        if view is None or view.workspace.unsaved_on is not None:
            return  # what the notebook itself has not saved comes first
        owner, server = view.owner.hub_name, view.notebook.server_name
        try:
            if (at_hub := await self._hub.server(owner, server)).ready or at_hub.pending is not None:
                return
        except NotFound:
            pass  # the Hub has not heard of it, so that it does not run it
        await self._ledger.run(_order, last, left, now)
        self._asked[left.id] = (self._asked.get(left.id, (0, now))[0] + 1, now)
        told = {"session": last.id}
        log.info("a run that keeps what was left on %s is asked for", left.volume, extra=told)
        try:
            await self._hub.start_server(owner, server, {"run": "save"})
        except NotebooksError as error:
            log.warning("the Hub did not start it: %s", error.sentence(), extra=told)


def _about(ledger: Ledger, notebook: str) -> tuple[NotebookView | None, Session]:
    views = notebooks.views(ledger, notebook=notebook)
    return (views[0] if views else None), sessions.of_notebook(ledger, notebook, 1)[0]


def _order(ledger: Ledger, last: Session, left: SetAside, now: datetime) -> None:
    for one in intents.open_of(ledger, last.id, "save_only"):
        if one.evidence.get("volume") == left.volume:
            return
    intents.ask(ledger, last.id, "save_only", "left_behind", None, now, {"volume": left.volume})
