"""A notebook that gets another workspace with the same snapshots, such as an encrypted one.

Promises: the notebook has its old workspace until ``finish``, which changes all rows at once and only where nothing was
saved or started meanwhile; what a move that was cut off left is found by the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from ..errors import Conflict, Refusal
from . import audit, egress
from .database import Ledger
from .tables import leases, notebooks, sessions, snapshots, workspace_keys, workspaces


@dataclass(frozen=True)
class Move:
    """old: the workspace that the notebook has. new: the one that it gets, begun before or now."""

    notebook: str
    old: str
    new: str


def begin(ledger: Ledger, notebook: str, fresh: str) -> Move:
    """The move of a notebook to a workspace of its own, ``fresh`` unless one was begun before.

    Raises Refusal where the notebook runs or has files that are not saved.
    """
    with ledger.write() as connection:
        old = _still(connection, notebook)
        space = connection.execute(select(workspaces).where(workspaces.c.id == old)).one()
        if space.unsaved_on is not None:
            raise Refusal(
                "This notebook has files that are not saved",
                "They lie on its machine, and belong to its present workspace.",
                ["Start it and stop it, then try again"],
                label="unsaved",
            )
        begun = connection.execute(
            select(workspaces.c.id)
            .join(workspace_keys, workspace_keys.c.workspace == workspaces.c.id)
            .where(workspaces.c.notebook == notebook, workspaces.c.id != old)
        ).scalar()
        if begun is None:
            values = {
                "id": fresh,
                "notebook": notebook,
                "store": space.store,
                "limit_bytes": space.limit_bytes,
            }
            connection.execute(insert(workspaces).values(**values))
        return Move(notebook, old, begun or fresh)


def finish(
    ledger: Ledger, move: Move, copied: Mapping[int, tuple[str, int]], cause: str, now: datetime
) -> None:
    """The notebook has the new workspace from here on. copied: sha256 and stored bytes of each snapshot in it.

    Raises Refusal where it was started, Conflict where something was saved meanwhile; then nothing is changed.
    """
    with ledger.write() as connection:
        if _still(connection, move.notebook) != move.old:
            raise Conflict("This notebook has another workspace now", next=["Look again"])
        rows = connection.execute(select(snapshots).where(snapshots.c.workspace == move.old)).all()
        if {row.number for row in rows} != set(copied) or any(row.state != "committed" for row in rows):
            raise Conflict(
                "Something was saved or removed while this went on",
                "The copy lacks it; nothing was changed.",
                ["Run the command again: it goes on"],
            )
        for row in rows:
            sha256, stored_bytes = copied[row.number]
            values = {**row._mapping, "workspace": move.new, "sha256": sha256, "stored_bytes": stored_bytes}
            not_measured = {"measured_bytes": None, "shared_bytes": None}
            connection.execute(insert(snapshots).values(**{**values, **not_measured}))
        connection.execute(
            update(notebooks).where(notebooks.c.id == move.notebook).values(workspace=move.new)
        )
        egress.carry(connection, move.old, move.new)
        subjects = [move.notebook, move.old, move.new]
        audit.add(connection, now, None, subjects, "workspace.moved", cause, {"snapshots": len(rows)})


def left(ledger: Ledger, notebook: str) -> list[str]:
    """Workspaces without a key that the notebook had before: what is stored of them can go."""
    with ledger.read() as connection:
        query = (
            select(workspaces.c.id)
            .join(notebooks, notebooks.c.id == workspaces.c.notebook)
            .outerjoin(workspace_keys, workspace_keys.c.workspace == workspaces.c.id)
            .where(
                workspaces.c.notebook == notebook,
                workspaces.c.id != notebooks.c.workspace,
                workspace_keys.c.workspace.is_(None),
            )
        )
        return [str(id) for id in connection.execute(query).scalars()]


def forget(ledger: Ledger, workspace: str) -> None:
    """The rows of a workspace whose objects are gone."""
    with ledger.write() as connection:
        connection.execute(delete(leases).where(leases.c.workspace == workspace))
        connection.execute(delete(snapshots).where(snapshots.c.workspace == workspace))
        connection.execute(delete(workspaces).where(workspaces.c.id == workspace))


def _still(connection: Connection, notebook: str) -> str:
    """The notebook's workspace; no session begins until the transaction ends. Raises Refusal."""
    row = connection.execute(select(notebooks).where(notebooks.c.id == notebook).with_for_update()).one()
    running = select(sessions.c.id).where(sessions.c.notebook == notebook, sessions.c.closed_at.is_(None))
    if connection.execute(running).first() is not None:
        raise Refusal(
            f"{row.title} runs or is being saved", next=["Stop it, then run this again"], label="running"
        )
    return str(row.workspace)
