"""Volumes whose unsaved files a notebook was started without, until their files are kept as recovery snapshots.

Promises: the choice is one transaction, made only while nothing runs and something is unsaved; from then on the notebook has
another volume, and what lies on the old one can become a recovery snapshot and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select, update

from ..errors import NotFound, Refusal
from ..names import new_id
from . import audit
from .database import Ledger
from .rows import SetAside, Snapshot, made
from .stopped import locked
from .tables import notebooks, sessions, set_aside, snapshots, workspaces


def volume_key(notebook: str, number: int) -> str:
    """By what a backend names a notebook's volume; number: how many it was given before."""
    return f"{notebook}.{number}" if number else notebook


def leave(ledger: Ledger, notebook: str, actor: str, now: datetime) -> SetAside:
    """The unsaved files stay where they are; the next start begins with the last save, on another volume.

    Raises Refusal where something runs, everything is saved, or nothing ever was.
    """
    with ledger.write() as connection:
        row, space, running = locked(connection, notebook)
        if running:
            raise Refusal(
                f"{row.title} is running or being saved",
                "Its files are in use.",
                ["Wait until it is stopped, then start it"],
                label="running",
            )
        if space.unsaved_on is None:
            raise Refusal(
                f"Everything in {row.title} is saved", "", ["Start it as usual"], label="nothing_to_leave"
            )
        head = _head(connection, row.workspace)
        if head is None:
            raise Refusal(
                f"{row.title} was never saved",
                "There is no save to start from; all of its files are on the volume.",
                ["Start it as usual", "Wait until the volume is there again"],
                label="never_saved",
            )
        values = {
            "id": new_id(now, os.urandom),
            "workspace": row.workspace,
            "volume": space.unsaved_on,
            "session": _writer(connection, notebook, space.unsaved_on),
            "at": now,
            "actor": actor,
            "head": head,
            "files": space.unsaved_files,
            "size_bytes": space.unsaved_bytes,
        }
        connection.execute(insert(set_aside).values(**values))
        connection.execute(
            update(workspaces)
            .where(workspaces.c.id == row.workspace)
            .values(unsaved_on=None, unsaved_files=0, unsaved_bytes=0)
        )
        connection.execute(
            update(notebooks)
            .where(notebooks.c.id == notebook)
            .values(volume_number=notebooks.c.volume_number + 1)
        )
        evidence = {name: values[name] for name in ("volume", "session", "head", "files", "size_bytes")}
        audit.add(connection, now, actor, [notebook, row.workspace], "volume.set_aside", "asked", evidence)
        return _one(connection, str(values["id"]))


def _head(connection: Connection, workspace: str) -> int | None:
    """The newest save's number."""
    query = select(snapshots.c.number).where(
        snapshots.c.workspace == workspace, snapshots.c.kind == "save", snapshots.c.state == "committed"
    )
    number: int | None = connection.execute(query.order_by(snapshots.c.number.desc()).limit(1)).scalar()
    return number


def _writer(connection: Connection, notebook: str, volume: str) -> str | None:
    """The last session that worked on the volume."""
    query = select(sessions.c.id).where(
        sessions.c.notebook == notebook,
        sessions.c.volume == volume,
        sessions.c.kind == "work",
        sessions.c.ready_at.is_not(None),
    )
    found: str | None = connection.execute(query.order_by(sessions.c.id.desc()).limit(1)).scalar()
    return found


def _one(connection: Connection, id: str) -> SetAside:
    return made(SetAside, connection.execute(select(set_aside).where(set_aside.c.id == id)).one())


def of_workspace(ledger: Ledger, workspace: str) -> list[SetAside]:
    """Newest first."""
    query = select(set_aside).where(set_aside.c.workspace == workspace).order_by(set_aside.c.id.desc())
    with ledger.read() as connection:
        return [made(SetAside, row) for row in connection.execute(query)]


def waiting(ledger: Ledger) -> list[tuple[SetAside, str]]:
    """(volume, notebook) of those whose files are not kept yet, outside the trash."""
    query = (
        select(set_aside, notebooks.c.id.label("notebook"))
        .join(notebooks, notebooks.c.workspace == set_aside.c.workspace)
        .where(
            set_aside.c.settled_at.is_(None),
            notebooks.c.trashed_at.is_(None),
            notebooks.c.emptied_at.is_(None),
        )
        .order_by(set_aside.c.id)
    )
    with ledger.read() as connection:
        return [(made(SetAside, row), row.notebook) for row in connection.execute(query)]


def is_waiting(ledger: Ledger, workspace: str, volume: str | None) -> bool:
    """Whether that volume's files may only become a recovery snapshot."""
    with ledger.read() as connection:
        return connection.execute(_open_of(workspace, volume or "")).first() is not None


def _open_of(workspace: str, volume: str) -> Select[Any]:
    return select(set_aside).where(
        set_aside.c.workspace == workspace, set_aside.c.volume == volume, set_aside.c.settled_at.is_(None)
    )


def settle_in(
    connection: Connection, workspace: str, session: str | None, number: int | None, now: datetime
) -> None:
    """In the transaction of a commit or of a session's end: what session's volume held is kept as snapshot number, or
    nothing on it was unsaved. Nothing happens for other volumes."""
    volume = connection.execute(select(sessions.c.volume).where(sessions.c.id == session)).scalar()
    for row in connection.execute(_open_of(workspace, volume or "")).all():
        connection.execute(
            update(set_aside).where(set_aside.c.id == row.id).values(settled_at=now, snapshot=number)
        )
        evidence = {"volume": row.volume, "snapshot": number, "session": row.session}
        audit.add(connection, now, None, [workspace, session or ""], "volume.recovered", "found", evidence)


def settle(ledger: Ledger, workspace: str, session: str, now: datetime) -> None:
    """The volume of a session that ended well held nothing that was not saved."""
    with ledger.write() as connection:
        settle_in(connection, workspace, session, None, now)


def dismiss(
    ledger: Ledger,
    notebook: str,
    workspace: str,
    number: int,
    actor: str,
    now: datetime,
    *,
    dismissed: bool = True,
) -> Snapshot:
    """A person is done with a recovery snapshot, or takes that back. Raises NotFound, Refusal."""
    here = (snapshots.c.workspace == workspace) & (snapshots.c.number == number)
    with ledger.write() as connection:
        row = connection.execute(
            select(snapshots).where(here, snapshots.c.state == "committed").with_for_update()
        ).first()
        if row is None:
            raise NotFound(f"There is no snapshot {number}", next=["See them all in its list"])
        if row.kind != "recovery":
            raise Refusal(
                f"Snapshot {number} is an ordinary save",
                "Only recovery snapshots ask for something.",
                label="not_a_recovery",
            )
        if (row.dismissed_at is not None) != dismissed:
            values = {"dismissed_at": now, "dismissed_by": actor}
            connection.execute(
                update(snapshots)
                .where(here)
                .values(**(values if dismissed else {"dismissed_at": None, "dismissed_by": None}))
            )
            evidence = {"number": number, "dismissed": dismissed}
            audit.add(connection, now, actor, [notebook, workspace], "snapshot.dismissed", "asked", evidence)
        return made(Snapshot, connection.execute(select(snapshots).where(here)).one())


@dataclass(frozen=True)
class Recovered:
    """A recovery snapshot with where it comes from. aside: the volume that was left behind, None where a start found
    files that the newest save did not have. writer: whose files they are; found: the session that kept them."""

    snapshot: Snapshot
    found: str
    aside: SetAside | None = None


def asking(ledger: Ledger, workspaces: Sequence[str]) -> dict[str, int]:
    """By workspace, how many recovery snapshots nobody has dismissed; those with none are left out."""
    query = (
        select(snapshots.c.workspace, func.count())
        .where(
            snapshots.c.workspace.in_(workspaces),
            snapshots.c.kind == "recovery",
            snapshots.c.state == "committed",
            snapshots.c.dismissed_at.is_(None),
        )
        .group_by(snapshots.c.workspace)
    )
    with ledger.read() as connection:
        return {workspace: number for workspace, number in connection.execute(query).all()}


def recovered(ledger: Ledger, workspace: str) -> list[Recovered]:
    """The recovery snapshots of a workspace, newest first, dismissed ones too."""
    by_number = {one.snapshot: one for one in of_workspace(ledger, workspace) if one.snapshot is not None}
    query = select(snapshots).where(
        snapshots.c.workspace == workspace, snapshots.c.kind == "recovery", snapshots.c.state == "committed"
    )
    with ledger.read() as connection:
        rows = [made(Snapshot, row) for row in connection.execute(query.order_by(snapshots.c.number.desc()))]
    return [Recovered(row, row.session, by_number.get(row.number)) for row in rows]
