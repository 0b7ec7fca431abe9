"""What a Hub must have for notebooks, looked at while it starts: a wrong one ends with the line to change.

A Hub that asks for a spawner class of ours while it starts is looked at as soon as it has read its whole
configuration; one that came by it another way is looked at before each start. Nothing is changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, NotebooksError
from ..ledger import wait_for_revision
from .shared import shared

if TYPE_CHECKING:
    from .base import NotebookSpawner

CALL = "jupyterhub_notebooks.configure.notebooks(c, …)"
#: What the call adds to each list of c.JupyterHub, by name.
SERVICES = ("notebooks", "agents")
ROLES = ("notebook.user", "notebook.admin", "notebooks-pages")
SCOPES = ("custom:notebooks:use", "custom:notebooks:admin")


def wrong(
    cleanup_servers: bool,
    services: Collection[Mapping[str, Any]],
    roles: Collection[Mapping[str, Any]],
    scopes: Collection[str],
) -> ConfigError | None:
    """The first thing that is wrong with a Hub's configuration."""
    if cleanup_servers:
        return ConfigError(
            "The Hub would stop every notebook when it ends, and its services before them",
            "What they had not saved could not be saved any more",
            [
                f"Write c.JupyterHub.cleanup_servers = False below {CALL}, or remove the line that sets it to True"
            ],
            field="c.JupyterHub.cleanup_servers",
        )
    for name, there, ours in (
        ("services", {item.get("name") for item in services}, SERVICES),
        ("load_roles", {item.get("name") for item in roles}, ROLES),
        ("custom_scopes", set(scopes), SCOPES),
    ):
        lost = [each for each in ours if each not in there]
        if lost:
            return ConfigError(
                f"{' and '.join(lost)} {'is' if len(lost) == 1 else 'are'} not there",
                f"The call of {CALL} is missing, or a line below it replaces what it added",
                [
                    f"Move the line `c.JupyterHub.{name} = …` above that call, or let it add instead of replace"
                ],
                field=f"c.JupyterHub.{name}",
            )
    return None


def at_hub_start(spawner_class: type[NotebookSpawner]) -> None:
    """Looks at a Hub that is starting; anywhere else this does nothing. Ends the process of a wrong one."""
    from jupyterhub.app import JupyterHub

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    hub = JupyterHub._instance if JupyterHub.initialized() else None
    if isinstance(hub, JupyterHub):
        # told once all traits are set, before the Hub stumbles over a role without its service
        hub.observe(lambda change: _look(hub, spawner_class), "spawner_class")
        loop.call_soon(_open_soon, hub, spawner_class)


_warming: set[asyncio.Task[None]] = set()


def of_this_hub() -> ConfigError | None:
    """What is wrong with the Hub of this process."""
    from jupyterhub.app import JupyterHub

    hub = JupyterHub._instance if JupyterHub.initialized() else None
    if not isinstance(hub, JupyterHub):
        return None
    return wrong(hub.cleanup_servers, hub.services, hub.load_roles, hub.custom_scopes)


def _look(hub: Any, spawner_class: type[NotebookSpawner]) -> None:
    problem = of_this_hub()
    if problem is not None and hub.spawner_class is spawner_class:
        _end(hub, problem)


def _open_soon(hub: Any, spawner_class: type[NotebookSpawner]) -> None:
    if hub.spawner_class is not spawner_class:
        return
    _look(hub, spawner_class)
    task = asyncio.get_running_loop().create_task(_open(hub, spawner_class))
    _warming.add(task)
    task.add_done_callback(_warming.discard)


def settings_of(config: Any, spawner_class: type[NotebookSpawner]) -> str:
    """What a spawner of this class will have as ``settings_json``. Some cannot be made before there is a user."""
    return next(
        (str(one["settings_json"]) for one in given(config, spawner_class) if "settings_json" in one), ""
    )


class Part(dict[str, Any]):
    """A part of a configuration. name: as it stands behind ``c.``."""

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.name = name


def given(config: Any, spawner_class: type[NotebookSpawner]) -> list[Mapping[str, Any]]:
    """The parts of a configuration that a class reads, the one that holds first, each a ``Part``."""
    names = (one.__name__ for one in spawner_class.__mro__)
    return [Part(name, config[name]) for name in names if name in config]


async def _open(hub: Any, spawner_class: type[NotebookSpawner]) -> None:
    """Ledger and catalog are opened now, so that the first start does not wait for them."""
    try:
        found = shared(settings_of(hub.config, spawner_class))
        wrong_here = spawner_class.wrong_settings(given(hub.config, spawner_class), found.settings)
        if wrong_here is not None:
            raise wrong_here
        await found.catalog()
        await found.ledger.run(wait_for_revision)
    except NotebooksError as error:
        _end(hub, error)


def _end(hub: Any, error: NotebooksError) -> None:
    hub.log.critical(error.sentence())
    raise SystemExit(error.exit_code)
