"""What every handler of this service shares, and the background work that it owns."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jupyterhub_notebooks.clock import Clock
from jupyterhub_notebooks.errors import ConfigError, NotebooksError
from jupyterhub_notebooks.hubapi import HubApi
from jupyterhub_notebooks.ledger import Ledger
from jupyterhub_notebooks.profiles.catalog import Catalog, CatalogFile
from jupyterhub_notebooks.profiles.choosing import Abilities
from jupyterhub_notebooks.settings import Settings

log = logging.getLogger(__name__)


class Background:
    """Requests to the Hub that outlive the page that asked for them: each has a name and one owner, this."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def begin(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Starts work; what it raises is logged unless somebody awaits it before it ends."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, NotebooksError):
            log.warning("%s: %s", task.get_name(), error.sentence())
        elif error is not None:
            log.error("%s ended unexpectedly", task.get_name(), exc_info=error)

    async def close(self) -> None:
        """Cancels and awaits all of it."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class Context:
    """base_url: the Hub's, such as ``/``. prefix: ours, such as ``/services/notebooks/``. hub_host: '' or https://host."""

    settings: Settings
    ledger: Ledger
    hub: HubApi
    catalog_file: CatalogFile
    clock: Clock
    base_url: str
    prefix: str
    hub_host: str = ""
    background: Background = field(default_factory=Background)
    #: ``reading.Reader``, made at its first use.
    reader: object = None

    def __post_init__(self) -> None:
        self.abilities = replace(
            Abilities.from_json(self.settings.abilities), limits_time=self.settings.enforcement == "stop"
        )
        self.zone = zone_of(self.settings.time_zone)

    @property
    def catalog(self) -> Catalog:
        """The profiles in force now."""
        return self.catalog_file.current()

    def now(self) -> datetime:
        return self.clock.now()


def zone_of(name: str) -> tzinfo:
    """Raises ConfigError for a zone that this machine does not know."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigError(
            f"There is no time zone {name!r}", next=["Write one such as Europe/Berlin"], field="time_zone"
        ) from None
