"""The service put together: one janitor for one ledger, which looks every few seconds until it is ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from jupyterhub_notebooks.clock import SYSTEM_CLOCK, Clock
from jupyterhub_notebooks.errors import DatabaseAway, NotebooksError
from jupyterhub_notebooks.hubapi import HubApi
from jupyterhub_notebooks.ledger import Ledger, alone, wait_for_revision
from jupyterhub_notebooks.settings import Settings

from ..running import needed
from .emptying import Emptier
from .pruning import Pruner
from .reconciling import Reconciler
from .recovering import Recoverer
from .rescuing import Rescuer
from .starting import Starter
from .storage import Storage

log = logging.getLogger("janitor")

ANOTHER_SECONDS = 1.0
#: Between two looks for starts that somebody waits for.
QUICK_SECONDS = 1.0

Look = Callable[[], Awaitable[None]]


class Janitor:
    """``run`` never ends by itself. Each look does what it can; what it cannot do now is done at a later one."""

    def __init__(self, settings: Settings, ledger: Ledger, hub: HubApi, clock: Clock = SYSTEM_CLOCK) -> None:
        self._settings, self._ledger, self._clock = settings, ledger, clock
        storage = Storage(settings)
        self._looks = (
            ("sessions", Reconciler(settings, ledger, hub, storage, clock).look),
            ("files that are not saved", Rescuer(settings, ledger, hub, storage, clock).look),
            ("volumes that were left behind", Recoverer(settings, ledger, hub, storage, clock).look),
        )
        self._quick = (("starts that wait for a save", Starter(ledger, hub, clock).look),)
        self._slow = (
            ("old snapshots", Pruner(settings, ledger, storage, clock).look),
            ("the trash", Emptier(settings, ledger, storage, clock).look),
        )
        self._away: dict[str, str] = {}

    async def run(self) -> None:
        """Waits until no other janitor is at work, then looks at everything, again and again."""
        said = False
        while True:
            with contextlib.ExitStack() as held:
                try:
                    mine = await asyncio.to_thread(
                        held.enter_context, alone.only_one(self._ledger, "janitor")
                    )
                    if mine:
                        await self._work()
                    if not said:
                        log.warning("another janitor is at work; this one waits")
                        said = True
                except DatabaseAway as error:
                    self._tell("the ledger", error)
            await asyncio.sleep(ANOTHER_SECONDS)

    async def _work(self) -> None:
        every = self._settings.janitor_interval_seconds
        # Someone may wait for the second; the third may take long.
        async with asyncio.TaskGroup() as all_of_them:
            all_of_them.create_task(self._again(self._looks, every))
            all_of_them.create_task(self._again(self._quick, min(every, QUICK_SECONDS)))
            all_of_them.create_task(self._again(self._slow, every))

    async def _again(self, looks: tuple[tuple[str, Look], ...], every_seconds: float) -> None:
        while True:
            for what, look in looks:
                try:
                    await look()
                    self._away.pop(what, None)
                except NotebooksError as error:
                    self._tell(what, error)
                except Exception:  # whatever it was, the next look begins anew
                    log.exception("the look at %s ended with an error", what)
            await asyncio.sleep(every_seconds)

    def _tell(self, what: str, error: NotebooksError) -> None:
        """Once for each new trouble, not at every look."""
        if self._away.get(what) != error.sentence():
            log.warning("%s: %s", what, error.sentence())
        self._away[what] = error.sentence()


@contextlib.asynccontextmanager
async def service(settings: Settings, environment: Mapping[str, str] = os.environ) -> AsyncIterator[None]:
    """The service while it runs. Raises ConfigError or DatabaseAway."""
    ledger = Ledger(settings.ledger)
    hub = HubApi(needed(environment, "JUPYTERHUB_API_URL"), needed(environment, "JUPYTERHUB_API_TOKEN"))
    try:
        await ledger.run(wait_for_revision)
        working = asyncio.create_task(Janitor(settings, ledger, hub).run())
        try:
            yield
        finally:
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await working
    finally:
        hub.close()
        ledger.close()
