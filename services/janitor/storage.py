"""The store as the janitor sees it: read only but for removal, and whether it answers. A disk that is not mounted is away, not empty."""

from __future__ import annotations

import asyncio

from jupyterhub_notebooks.errors import NotFound, StorageAway
from jupyterhub_notebooks.settings import Settings
from jupyterhub_notebooks.workspace.layout import ROOT_KEY
from jupyterhub_notebooks.workspace.store import Store, open_store

#: A look asks again soon; other work waits for it.
PATIENCE_SECONDS = 2.0


class Storage:
    """Opened at the first use. Every method may be called from several threads at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store: Store | None = None

    def get(self, key: str) -> bytes:
        """Raises NotFound, StorageAway."""
        if self._store is None:
            self._store = open_store(self._settings.store, self._settings.store_options, serialized=True)
            if hasattr(self._store, "patience_seconds"):
                self._store.patience_seconds = PATIENCE_SECONDS
        try:
            return self._store.get(key)
        except NotFound:
            if key == ROOT_KEY:
                raise StorageAway(
                    "The store is not there",
                    f"It has no {ROOT_KEY}; its disk may not be mounted.",
                    ["Mount it again"],
                    field="store",
                ) from None
            self.get(ROOT_KEY)
            raise

    def whole(self) -> Store:
        """All that the store can do, looked at now. Raises StorageAway."""
        self.get(ROOT_KEY)
        assert self._store is not None
        return self._store

    async def answers(self) -> None:
        """Returns where the store can be read. Raises StorageAway."""
        await asyncio.to_thread(self.get, ROOT_KEY)
