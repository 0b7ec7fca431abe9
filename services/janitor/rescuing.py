"""Runs that only save: what could not be saved when a notebook ended is saved as soon as storage answers.

Each is an ordinary start that the Hub is asked for, under an order in the ledger; reconciling.py ends it once it
runs. What does not work is tried again, each time after twice as long.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

from jupyterhub_notebooks.clock import Clock
from jupyterhub_notebooks.errors import NotebooksError
from jupyterhub_notebooks.hubapi import HubApi
from jupyterhub_notebooks.ledger import Ledger, NotebookView, Session, intents, notebooks, sessions
from jupyterhub_notebooks.settings import Settings

from .deciding import save_due, tries_of
from .storage import Storage

log = logging.getLogger("janitor.saving")

AT_ONCE = 5
PAST = 50


class Rescuer:
    """``look`` once. Raises StorageAway while the store does not answer, DatabaseAway."""

    def __init__(
        self, settings: Settings, ledger: Ledger, hub: HubApi, storage: Storage, clock: Clock
    ) -> None:
        self._settings, self._ledger, self._hub = settings, ledger, hub
        self._storage, self._clock = storage, clock
        self._asked: dict[str, tuple[int, datetime]] = {}

    async def look(self) -> None:
        unsaved = await self._ledger.run(notebooks.unsaved)
        ours = {view.notebook.id for view in unsaved}
        self._asked = {notebook: one for notebook, one in self._asked.items() if notebook in ours}
        due = [view for view in unsaved if await self._is_due(view)]
        if not due:
            return
        await self._storage.answers()
        running = sum(view.saving is not None for view in unsaved)
        await asyncio.gather(*(self._start(view) for view in due[: max(0, AT_ONCE - running)]))

    async def _is_due(self, view: NotebookView) -> bool:
        past, ordered_at = await self._ledger.run(_past, view.notebook.id)
        if not past or past[0].closed_at is None:
            return False  # what runs saves
        asked, asked_at = self._asked.get(view.notebook.id, (0, None))
        tries = tries_of(past, asked, asked_at, ordered_at)
        return save_due(tries, self._settings.save_again_seconds, self._clock.now())

    async def _start(self, view: NotebookView) -> None:
        notebook, now = view.notebook, self._clock.now()
        past, _ = await self._ledger.run(_past, notebook.id)
        await self._ledger.run(_order, past[0], now)
        told = {"session": past[0].id}
        log.info("its files are not saved yet: a run that saves them is asked for", extra=told)
        self._asked[notebook.id] = (self._asked.get(notebook.id, (0, now))[0] + 1, now)
        try:
            await self._hub.start_server(view.owner.hub_name, notebook.server_name, {"run": "save"})
        except NotebooksError as error:
            log.warning("the Hub did not start it: %s", error.sentence(), extra=told)


def _past(ledger: Ledger, notebook: str) -> tuple[list[Session], datetime | None]:
    """The last sessions of a notebook, newest first, and when a person last asked for its files to be saved."""
    found = sessions.of_notebook(ledger, notebook, PAST)
    orders = intents.open_of(ledger, found[0].id, "save_only") if found else []
    return found, max((one.asked_at for one in orders if one.actor is not None), default=None)


def _order(ledger: Ledger, last: Session, now: datetime) -> None:
    if not intents.open_of(ledger, last.id, "save_only"):
        intents.ask(ledger, last.id, "save_only", "not_saved", None, now)
