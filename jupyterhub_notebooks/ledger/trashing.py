"""What happens to a notebook in the trash: it is emptied, by its owner or when its time is over, and then erased.

Promises: nothing is emptied outside the trash or while a session is open; ``emptied_at`` stands before a byte goes, and the
rows of its workspaces go after the last one, so that an erasing that was cut off is found again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from ..errors import Refusal
from . import audit
from .database import Ledger
from .tables import notebooks, sessions, workspaces


@dataclass(frozen=True)
class Emptied:
    """A notebook whose files are still there. volumes: where its sessions had them."""

    notebook: str
    workspaces: tuple[str, ...]
    volumes: tuple[str, ...]


def empty(ledger: Ledger, id: str, actor: str | None, now: datetime, cause: str = "asked") -> bool:
    """The notebook is gone for its user and its name is free. Whether this call did it.

    Raises Refusal where it is not in the trash, or is still being saved.
    """
    with ledger.write() as connection:
        row = connection.execute(select(notebooks).where(notebooks.c.id == id).with_for_update()).one()
        if row.emptied_at is not None:
            return False
        if row.trashed_at is None:
            raise Refusal(
                f"{row.title} is not in the trash",
                "",
                ["Move it to the trash first"],
                label="not_in_the_trash",
            )
        running = select(sessions.c.id).where(sessions.c.notebook == id, sessions.c.closed_at.is_(None))
        if connection.execute(running).first() is not None:
            raise Refusal(
                f"{row.title} is still being saved",
                "",
                ["Try again when it has stopped"],
                label="still_saving",
            )
        connection.execute(update(notebooks).where(notebooks.c.id == id).values(emptied_at=now))
        audit.add(connection, now, actor, [id, row.workspace], "notebook.emptied", cause, {})
    return True


def due(ledger: Ledger, before: datetime) -> list[str]:
    """Notebooks that have been in the trash since before then, and that no session uses."""
    running = select(sessions.c.id).where(
        sessions.c.notebook == notebooks.c.id, sessions.c.closed_at.is_(None)
    )
    query = select(notebooks.c.id).where(
        notebooks.c.trashed_at < before, notebooks.c.emptied_at.is_(None), ~running.exists()
    )
    with ledger.read() as connection:
        return [str(id) for id in connection.execute(query.order_by(notebooks.c.id)).scalars()]


def left(ledger: Ledger) -> list[Emptied]:
    """Emptied notebooks whose workspaces still have rows: their bytes are to be erased, then ``moving.forget``."""
    query = (
        select(notebooks.c.id, workspaces.c.id.label("workspace"))
        .join(workspaces, workspaces.c.notebook == notebooks.c.id)
        .where(notebooks.c.emptied_at.is_not(None))
        .order_by(notebooks.c.id)
    )
    with ledger.read() as connection:
        found: dict[str, list[str]] = {}
        for row in connection.execute(query):
            found.setdefault(row.id, []).append(row.workspace)
        volumes = {
            id: tuple(
                sorted(
                    connection.execute(
                        select(sessions.c.volume)
                        .where(sessions.c.notebook == id, sessions.c.volume.is_not(None))
                        .distinct()
                    ).scalars()
                )
            )
            for id in found
        }
    return [Emptied(id, tuple(spaces), volumes[id]) for id, spaces in found.items()]
