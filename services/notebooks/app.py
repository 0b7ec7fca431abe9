"""services/notebooks as one Tornado application: its addresses, and its life from settings to the last request."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.services.auth import HubOAuth
from tornado.web import Application, RequestHandler, StaticFileHandler

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.errors import NotFound
from jupyterhub_notebooks.hubapi import HubApi
from jupyterhub_notebooks.ledger import Ledger, wait_for_revision
from jupyterhub_notebooks.profiles.catalog import CatalogFile
from jupyterhub_notebooks.services import running
from jupyterhub_notebooks.settings import Settings, secret

from . import routes
from .context import Context
from .handling import Handler
from .login_back import LoginBackHandler
from .people import People
from .rendering import STATIC, Pages

AUTH_REMEMBERED_SECONDS = 60


class Static(StaticFileHandler):
    """Our own styles and scripts; anybody may have them."""

    def set_default_headers(self) -> None:
        self.set_header("X-Content-Type-Options", "nosniff")


class Healthy(RequestHandler):
    """GET health: whether this process serves; says nothing else and asks nobody."""

    def get(self) -> None:
        self.write({"ok": True})


class Nothing(Handler):
    """Any other address."""

    async def prepare(self) -> None:
        await super().prepare()
        if not self._finished:
            raise NotFound("There is no such page", "Its address may be misspelt")


def make_app(context: Context) -> Application:
    """The application of a context."""
    rooms: dict[str, Any] = {"context": context, "people": People(context), "pages": Pages(context)}
    prefix = context.prefix
    paged = [*routes.of_pages(), *routes.of_api()]
    made: list[Any] = [(prefix + path, handler, {**rooms, **more}) for path, handler, more in paged]
    made += [
        (prefix + "oauth_callback", LoginBackHandler, rooms),
        (prefix + "health", Healthy),
        (prefix + r"static/(.*)", Static, {"path": str(STATIC)}),
        (r".*", Nothing, rooms),
    ]
    return Application(
        made,
        cookie_secret=_cookie_secret(context.settings),
        hub_host=context.hub_host,
        log_function=lambda handler: None,
    )


def _cookie_secret(settings: Settings) -> bytes:
    """The same after a restart, so that nobody has to log in again for it."""
    return hashlib.sha256(b"cookies of services/notebooks\0" + secret(settings.signing_key).encode()).digest()


@contextlib.asynccontextmanager
async def service(settings: Settings, environment: Mapping[str, str] = os.environ) -> AsyncIterator[None]:
    """The service while it runs. Raises ConfigError, DatabaseAway or PortTaken."""
    ledger = Ledger(settings.ledger)
    hub = HubApi(
        running.needed(environment, "JUPYTERHUB_API_URL"), running.needed(environment, "JUPYTERHUB_API_TOKEN")
    )
    HubOAuth.instance().cache_max_age = AUTH_REMEMBERED_SECONDS
    context = Context(
        settings,
        ledger,
        hub,
        CatalogFile(settings.profiles),
        SYSTEM_CLOCK,
        environment.get("JUPYTERHUB_BASE_URL", "/"),
        running.needed(environment, "JUPYTERHUB_SERVICE_PREFIX"),
        environment.get("JUPYTERHUB_HOST", ""),
    )
    await ledger.run(wait_for_revision)
    url = running.needed(environment, "JUPYTERHUB_SERVICE_URL")
    parts = urlsplit(url)
    server = await running.listen(
        make_app(context), f"{parts.scheme}://{parts.netloc}/", setting="JUPYTERHUB_SERVICE_URL"
    )
    try:
        yield
    finally:
        server.stop()
        await context.background.close()
        hub.close()
        ledger.close()
