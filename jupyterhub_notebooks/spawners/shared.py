"""What all spawners of one Hub process share: the settings, one ledger with its thread, one catalog."""

from __future__ import annotations

import asyncio

from ..errors import ConfigError
from ..ledger import Ledger
from ..profiles.catalog import Catalog, CatalogFile
from ..settings import Settings


class Shared:
    """Opened at the first use and kept until the Hub ends."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ledger = Ledger(settings.ledger)
        self.versions_kept: set[tuple[str, str]] = set()
        self._file: CatalogFile | None = None
        self._reading = asyncio.Lock()

    async def catalog(self) -> Catalog:
        """The profiles in force. Raises WrongProfiles where the file never was whole."""
        async with self._reading:
            if self._file is None:
                self._file = await asyncio.to_thread(CatalogFile, self.settings.profiles)
            return await asyncio.to_thread(self._file.current)


_shared: dict[str, Shared] = {}


def shared(settings_json: str) -> Shared:
    """The one of these settings. Raises ConfigError where they are missing or wrong."""
    if not settings_json:
        raise ConfigError(
            "This Hub has no settings of notebooks",
            "The spawner is configured and the call that sets it up is missing",
            ["Call jupyterhub_notebooks.configure.notebooks(c, …) in jupyterhub_config.py"],
            field="c.NotebookSpawner.settings_json",
        )
    if settings_json not in _shared:
        _shared[settings_json] = Shared(Settings.from_json(settings_json))
    return _shared[settings_json]
