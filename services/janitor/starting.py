"""Starts that wait until a run that only saves is over: asked for in the middle of one, carried out right after it.

The wish is an intent (``start``) of the notebook's last session that worked; its evidence are the names that the Hub is
asked with. The run in the way is ended as soon as it may be, so that nobody waits for the next look at all sessions.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from jupyterhub_notebooks.clock import Clock
from jupyterhub_notebooks.errors import HubAway, NotebooksError, NotFound
from jupyterhub_notebooks.hubapi import HubApi
from jupyterhub_notebooks.ledger import Intent, Ledger, NotebookView, Session, intents, notebooks, sessions

from .deciding import over_at_hub

log = logging.getLogger("janitor.starting")

#: A wish that could not be met for so long is met no more: nobody waits for it.
FORGOTTEN = timedelta(hours=1)


class Starter:
    """``look`` once. Raises HubAway or DatabaseAway; what could not be done stays to be done."""

    def __init__(self, ledger: Ledger, hub: HubApi, clock: Clock) -> None:
        self._ledger, self._hub, self._clock = ledger, hub, clock

    async def look(self) -> None:
        for wish in await self._ledger.run(_wishes):
            try:
                await self._one(wish)
            except HubAway:
                raise
            except NotebooksError as error:
                log.warning("it was not started: %s", error.sentence(), extra={"session": wish.session})
                await self._ledger.run(intents.done, wish.id, self._clock.now())

    async def _one(self, wish: Intent) -> None:
        now = self._clock.now()
        view, open_one = await self._ledger.run(_about, wish)
        if (
            view is None
            or (open_one is not None and open_one.kind == "work")
            or now - wish.asked_at > FORGOTTEN
        ):
            await self._ledger.run(intents.done, wish.id, now)
            return
        owner, server = view.owner.hub_name, view.notebook.server_name
        if open_one is not None:
            if open_one.ready_at is not None and open_one.stop_asked_at is None:
                log.info(
                    "its user wants to start: the run that saves is ended", extra={"session": open_one.id}
                )
                await self._ledger.run(_ask_stop, open_one.id, now)
                await self._hub.stop_server(owner, server)
            return
        try:
            at_hub = await self._hub.server(owner, server)
        except NotFound:
            at_hub = None
        if at_hub is not None and at_hub.pending is not None:
            return
        last = await self._ledger.run(_last, view.notebook.id)
        if over_at_hub(last, at_hub):
            await self._hub.stop_server(owner, server)
            return
        names = {name: value for name, value in wish.evidence.items() if isinstance(value, str)}
        await self._hub.start_server(owner, server, names, view.notebook.title)
        await self._ledger.run(intents.done, wish.id, now)
        log.info("it is saved, and started as its user asked", extra={"session": wish.session})


def _wishes(ledger: Ledger) -> list[Intent]:
    return [one for one in intents.open_everywhere(ledger) if one.do == "start"]


def _about(ledger: Ledger, wish: Intent) -> tuple[NotebookView | None, Session | None]:
    """The notebook, None where it is in the trash or gone; its open session."""
    notebook = sessions.get(ledger, wish.session).notebook
    views = notebooks.views(ledger, notebook=notebook)
    return (views[0] if views else None), sessions.open_of_notebook(ledger, notebook)


def _last(ledger: Ledger, notebook: str) -> Session | None:
    found = sessions.of_notebook(ledger, notebook, 1)
    return found[0] if found else None


def _ask_stop(ledger: Ledger, session: str, now: datetime) -> None:
    intents.ask(ledger, session, "stop", "saved", None, now)
    sessions.stop_asked(ledger, session, now)
