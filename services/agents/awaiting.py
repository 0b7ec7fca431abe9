"""The store while nobody could reach it yet: the service starts without it and goes on when it answers.

Promises: a store that says nothing delays the start by at most FIRST_SECONDS; one that answers at the start and cannot
be used ends it with the remedy; until the store was opened, whoever asks for an object is told
that storage is away; it is opened in the background, tried again for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Callable
from typing import cast

from jupyterhub_notebooks.errors import NotebooksError, StorageAway
from jupyterhub_notebooks.retrying import delays
from jupyterhub_notebooks.workspace.store import Store

from .storage import Mounted, Objects

log = logging.getLogger("agents.store")

#: Opens the store in a thread, and calls what it is given once the store has answered.
OpenIt = Callable[[Callable[[], None]], Objects]

#: How long a start waits for the store's first answer; after it, as long as the look at the store takes.
FIRST_SECONDS = 20.0
AGAIN_SECONDS = 5.0
#: A store that answers and cannot be used is looked at again less often: somebody has to mend it.
REFUSED_AGAIN_SECONDS = 30.0


class Awaited:
    """``Objects`` that may not be there yet."""

    def __init__(self) -> None:
        self._objects: Objects | None = None
        self._why = StorageAway("Storage does not answer", "It has not answered since this service started.")

    def opened(self, objects: Objects) -> None:
        self._objects = objects

    def away(self, error: NotebooksError) -> None:
        """Why it is not there: what everybody is told who asks."""
        if isinstance(error, StorageAway):
            self._why = error
        else:
            self._why = StorageAway(error.title, error.why, error.next, field=error.field)

    def now(self) -> Objects:
        """Raises StorageAway while it was not opened."""
        if self._objects is None:
            why = self._why
            raise StorageAway(why.title, why.why, why.next, field=why.field)
        return self._objects

    def whole(self) -> Store:
        """All that the store can do."""
        objects = self.now()
        return objects.whole() if isinstance(objects, Mounted) else cast(Store, objects)

    def get(self, key: str) -> bytes:
        return self.now().get(key)

    def put_new(self, key: str, body: bytes) -> bool:
        return self.now().put_new(key, body)


@contextlib.asynccontextmanager
async def awaited(open_it: OpenIt, first_seconds: float = FIRST_SECONDS) -> AsyncIterator[Objects]:
    """The store, opened now or as soon as it answers. Raises what open_it raises now, but for StorageAway."""
    store, answered = Awaited(), threading.Event()
    first = asyncio.ensure_future(asyncio.to_thread(open_it, answered.set))
    await asyncio.wait([first], timeout=first_seconds)
    if answered.is_set():
        await asyncio.wait([first])
    if first.done():
        try:
            store.opened(first.result())
        except StorageAway as error:
            store.away(error)
            log.warning("started without the store: %s", error.sentence())
        else:
            yield store
            return
    else:
        log.warning("started without the store: it has not answered for %.0f s", first_seconds)
    opening = asyncio.create_task(_open(store, first, open_it))
    try:
        yield store
    finally:
        opening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await opening


async def _open(store: Awaited, attempt: asyncio.Future[Objects], open_it: OpenIt) -> None:
    """Until it is open."""
    waits, said = delays(0.5, AGAIN_SECONDS), ""
    while True:
        try:
            store.opened(await asyncio.shield(attempt))
            log.warning("the store answers; it is used from now on")
            return
        except StorageAway as error:
            store.away(error)
            wait = next(waits)
        except NotebooksError as error:
            store.away(error)
            wait = REFUSED_AGAIN_SECONDS
            if said != error.sentence():
                said = error.sentence()
                log.critical(said)
        await asyncio.sleep(wait)
        attempt = asyncio.ensure_future(asyncio.to_thread(open_it, _nothing))


def _nothing() -> None:
    """Nobody waits for the first answer any more."""
