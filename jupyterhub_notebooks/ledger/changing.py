"""What a person changes of a notebook, each with its row in the audit that says what was before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from ..errors import Conflict
from . import audit
from .database import Ledger
from .tables import notebooks, sessions, users


def rename(ledger: Ledger, id: str, title: str, actor: str, now: datetime) -> str:
    """Changes the name that is shown; the address stays. Answers the name before. Raises Conflict."""
    with ledger.write() as connection:
        row = connection.execute(select(notebooks).where(notebooks.c.id == id).with_for_update()).one()
        connection.execute(select(users.c.id).where(users.c.id == row.user).with_for_update())
        before: str = row.title
        if before == title:
            return before
        _free(connection, row.user, id, title)
        connection.execute(update(notebooks).where(notebooks.c.id == id).values(title=title))
        evidence = {"title": title, "before": before}
        audit.add(connection, now, actor, [id], "notebook.renamed", "asked", evidence)
        return before


def _free(connection: Connection, user: str, id: str, title: str) -> None:
    query = select(notebooks).where(
        notebooks.c.user == user, notebooks.c.id != id, notebooks.c.emptied_at.is_(None)
    )
    for other in connection.execute(query):
        if other.title.casefold() == title.casefold():
            why = "It is in the trash" if other.trashed_at else "It is in your list"
            raise Conflict(
                f"You already have a notebook {other.title}", why, ["Choose another name"], field="name"
            )


def choose(
    ledger: Ledger,
    id: str,
    profile: str,
    options: Mapping[str, Any],
    actor: str,
    now: datetime,
    project: str | None = None,
) -> dict[str, Any]:
    """What the next start takes. Answers what it was, as ``{"profile", "project", **options}``."""
    with ledger.write() as connection:
        row = connection.execute(select(notebooks).where(notebooks.c.id == id).with_for_update()).one()
        before = {"profile": row.profile, "project": row.project, **row.options}
        kept = row.project if project is None else project
        after = {"profile": profile, "project": kept, **options}
        values = {"profile": profile, "options": dict(options), "project": kept}
        connection.execute(update(notebooks).where(notebooks.c.id == id).values(**values))
        evidence = {"before": before, "after": after}
        audit.add(connection, now, actor, [id], "notebook.changed", "asked", evidence)
        return before


def dismiss(ledger: Ledger, session: str, dismissed: bool, actor: str, now: datetime) -> None:
    """The error that a session ended with was read (or is to be shown again)."""
    with ledger.write() as connection:
        connection.execute(
            update(sessions).where(sessions.c.id == session).values(dismissed_at=now if dismissed else None)
        )
        evidence = {"dismissed": dismissed}
        audit.add(connection, now, actor, [session], "session.dismissed", "asked", evidence)
