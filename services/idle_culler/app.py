"""services/idle_culler as a process: from the settings to the last stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.hubapi import HubApi
from jupyterhub_notebooks.ledger import Ledger, wait_for_revision
from jupyterhub_notebooks.settings import Settings

from ..running import needed
from .culling import Culler


@contextlib.asynccontextmanager
async def service(settings: Settings, environment: Mapping[str, str] = os.environ) -> AsyncIterator[None]:
    """Runs it. At the end no stop is begun any more; those that were are the Hub's and go on."""
    url, token = needed(environment, "JUPYTERHUB_API_URL"), needed(environment, "JUPYTERHUB_API_TOKEN")
    ledger = Ledger(settings.ledger)
    hub = HubApi(url, token, at_once=settings.culler_at_once)
    try:
        await ledger.run(wait_for_revision)
        culler = Culler(settings, ledger, hub, SYSTEM_CLOCK)
        looking = asyncio.create_task(culler.run(), name="idle_culler")
        try:
            yield
        finally:
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await looking
            await culler.close()
    finally:
        hub.close()
        ledger.close()
