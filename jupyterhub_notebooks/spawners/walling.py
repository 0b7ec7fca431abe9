"""Raises the walls of a notebook (walls.py) on a Docker engine, before its container is made."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..ledger import Session
from ..profiles.choosing import Launch
from . import walls

if TYPE_CHECKING:
    from .docker import DockerNotebookSpawner

READY_SECONDS, LOOK_SECONDS = 60.0, 0.1
LINES = 20


def told(spawner: DockerNotebookSpawner, session: Session | None) -> Mapping[str, Any] | None:
    """What a session's walls are made from; None: its profile has no rule for the network."""
    if session is None or not walls.holds(session):
        return None
    hub = spawner.hub_connect_url or spawner.hub.api_url
    return walls.given(
        spawner.settings, Launch.from_json(session.launch), (hub, spawner.settings.reachable_url)
    )


async def raise_walls(spawner: DockerNotebookSpawner, session: Session, launch: Launch) -> None:
    """Returns once the rules are set, at once where there are none. Raises NotStarted, and what the engine answers."""
    given, contact = told(spawner, session), spawner.settings.contact
    if given is None:
        return
    image = spawner.egress_image
    await spawner.fetch_image(session, image)
    if walls.LABEL not in (await _config(spawner, image)).get("Labels", {}):
        raise walls.without_walls(image, contact)
    if walls.is_root(str((await _config(spawner, spawner.image)).get("User") or "")):
        raise walls.as_root(spawner.image, contact)
    host = spawner.given("extra_host_config")
    more = {name: host[name] for name in walls.OF_NETWORK if name in host}
    made = await spawner.docker(
        "create_container",
        **walls.container(spawner.client, image, session, launch, spawner.network_name, given, more),
    )
    await spawner.docker("start", made["Id"])
    end = time.monotonic() + READY_SECONDS
    while True:
        said = (await spawner.docker("logs", made["Id"], tail=LINES)).decode("utf-8", "replace").splitlines()
        if walls.READY in said:
            return
        found = await spawner.docker("inspect_container", made["Id"])
        if not found["State"]["Running"] or time.monotonic() > end:
            raise walls.not_set(said[-1] if said else "", contact)
        await asyncio.sleep(LOOK_SECONDS)


async def network_is_gone(spawner: DockerNotebookSpawner, found: Mapping[str, Any]) -> bool:
    """Whether a notebook's container is in a network that somebody else held, who has ended: then nothing reaches it, nor
    it anything, for good. found: what the engine says of the notebook's container."""
    held, _, holder = str(found["HostConfig"].get("NetworkMode", "")).partition(":")
    if held != "container":
        return False
    there = await spawner.quietly("inspect_container", holder)
    return there is None or not there["State"]["Running"]


async def _config(spawner: DockerNotebookSpawner, image: str) -> dict[str, Any]:
    found = await spawner.docker("inspect_image", image)
    config = dict(found.get("Config") or {})
    return {**config, "Labels": config.get("Labels") or {}}
