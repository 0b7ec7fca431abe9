"""The first step of an accepted start: the session's id, token and row, before anything of it runs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..ledger import Notebook, Session, egress
from ..names import new_id
from ..profiles.choosing import Launch
from ..profiles.egress import rule_of
from . import opening

if TYPE_CHECKING:
    from .base import NotebookSpawner


async def begin(
    spawner: NotebookSpawner, launch: Launch, asked: Mapping[str, Any], token: str, now: datetime
) -> tuple[Notebook, Session]:
    """Notebook and session, in the ledger. Raises Conflict where another session is open."""
    kept = (launch.profile, launch.version)
    content = None
    if kept not in spawner.shared.versions_kept:
        catalog = await spawner.shared.catalog()
        if catalog.versions.get(launch.profile) == launch.version:
            content = catalog.content_of(catalog.profiles[launch.profile])
    accepted = opening.Opening(
        place=spawner.place,
        launch=launch,
        content=content,
        remember=opening.remembered(asked) if asked else None,
        session=new_id(now, os.urandom),
        token_hash=hashlib.sha256(token.encode()).hexdigest(),
        actor=_actor(spawner),
    )
    made = await spawner.ledger.run(opening.begin, accepted, spawner.volume_of, now)
    rule = rule_of(launch) if launch.run != "save" else None
    if rule is not None:
        await spawner.ledger.run(egress.bind, made[1].workspace, made[1].id, rule, now)
    if content is not None:
        spawner.shared.versions_kept.add(kept)
    return made


def _actor(spawner: NotebookSpawner) -> str | None:
    """The Hub name of who asked for this start, where it is another user than the owner."""
    who = getattr(spawner.handler, "current_user", None)
    if isinstance(who, type(spawner.user)) and who.name != spawner.user.name:
        return str(who.name)
    return None
