"""What workspaces take in the store, and which of their snapshots go.

Promises: a row goes before its object does, so that nothing lists what is going; a snapshot with a name, the newest save
and the highest number never go; every removal is in the audit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, or_, select, update

from ..errors import Conflict
from . import audit
from .database import Ledger
from .rows import Workspace, made
from .tables import notebooks, snapshots, workspaces


@dataclass(frozen=True)
class UserSpace:
    """Bytes. size: newest snapshots of the notebooks outside the trash, what the user sees. trash: of those in it.

    stored: what all of them take in the store. Where nobody looked yet, that is what their saves added; unmeasured says of
    how many notebooks.
    """

    size_bytes: int = 0
    trash_bytes: int = 0
    stored_bytes: int = 0
    notebooks: int = 0
    unmeasured: int = 0


def to_prune(ledger: Ledger, before: datetime, most: int) -> list[Workspace]:
    """Workspaces that have snapshots from before and were not pruned since, the longest waiting first."""
    old = (snapshots.c.workspace == workspaces.c.id) & (snapshots.c.at < before)
    has = select(snapshots.c.number).where(old).exists()
    query = (
        select(workspaces)
        .join(notebooks, notebooks.c.workspace == workspaces.c.id)
        .where(notebooks.c.emptied_at.is_(None), has)
        .where(or_(workspaces.c.pruned_at.is_(None), workspaces.c.pruned_at < before))
        .order_by(workspaces.c.pruned_at.is_not(None), workspaces.c.pruned_at, workspaces.c.id)
        .limit(most)
    )
    with ledger.read() as connection:
        return [made(Workspace, row) for row in connection.execute(query)]


def going(ledger: Ledger, workspace: str, numbers: Collection[int], now: datetime) -> tuple[int, ...]:
    """Drops the rows of snapshots whose objects are removed next; answers those dropped.

    Raises Conflict where one of them may not go: it got a name, or a commit is under way. Then no row goes.
    """
    with ledger.write() as connection:
        _lock(connection, workspace)
        rows = connection.execute(select(snapshots).where(snapshots.c.workspace == workspace)).all()
        last = max((row.number for row in rows), default=0)
        head = max((row.number for row in rows if row.kind == "save"), default=0)
        mine = [row for row in rows if row.number in numbers]
        for row in mine:
            if row.name or row.state != "committed" or row.number in (last, head):
                raise Conflict(
                    f"Snapshot {row.number} stays", "It was named or is the newest.", field="number"
                )
        dropped = tuple(sorted(row.number for row in mine))
        if dropped:
            connection.execute(
                delete(snapshots).where(snapshots.c.workspace == workspace, snapshots.c.number.in_(dropped))
            )
            evidence = {"numbers": list(dropped)}
            audit.add(connection, now, None, [workspace], "snapshot.removed", "retention", evidence)
        return dropped


def pruned(
    ledger: Ledger,
    workspace: str,
    now: datetime,
    stored_bytes: int | None = None,
    measured: Mapping[int, tuple[int, int]] | None = None,
    problem: str | None = None,
) -> None:
    """The workspace was looked at: what it takes in the store, and by number what snapshots need of it and share with earlier
    ones.

    problem: what is damaged, so that nothing of it was removed; it is told until a look finds it whole.
    """
    values: dict[str, object] = {"pruned_at": now}
    if stored_bytes is not None or problem:
        values["prune_problem"] = problem
    if stored_bytes is not None:
        values["stored_bytes"] = stored_bytes
    with ledger.write() as connection:
        _lock(connection, workspace)
        connection.execute(update(workspaces).where(workspaces.c.id == workspace).values(**values))
        for number, (needed, shared) in (measured or {}).items():
            here = (snapshots.c.workspace == workspace) & (snapshots.c.number == number)
            sizes = {"measured_bytes": needed, "shared_bytes": shared}
            connection.execute(update(snapshots).where(here).values(**sizes))


def of_user(ledger: Ledger, user: str) -> UserSpace:
    """What a user's notebooks take, those in the trash apart."""
    newest = (
        select(snapshots.c.workspace, func.max(snapshots.c.number).label("number"))
        .where(snapshots.c.kind == "save", snapshots.c.state == "committed")
        .group_by(snapshots.c.workspace)
        .subquery()
    )
    added = (
        select(snapshots.c.workspace, func.sum(snapshots.c.stored_bytes).label("bytes"))
        .where(snapshots.c.state == "committed")
        .group_by(snapshots.c.workspace)
        .subquery()
    )
    query = (
        select(notebooks.c.trashed_at, workspaces.c.stored_bytes, added.c.bytes, snapshots.c.size_bytes)
        .select_from(notebooks.join(workspaces, workspaces.c.id == notebooks.c.workspace))
        .outerjoin(newest, newest.c.workspace == workspaces.c.id)
        .outerjoin(added, added.c.workspace == workspaces.c.id)
        .outerjoin(
            snapshots, (snapshots.c.workspace == newest.c.workspace) & (snapshots.c.number == newest.c.number)
        )
        .where(notebooks.c.user == user, notebooks.c.emptied_at.is_(None))
    )
    with ledger.read() as connection:
        rows = connection.execute(query).all()
    live = [row for row in rows if row.trashed_at is None]
    return UserSpace(
        sum(row.size_bytes or 0 for row in live),
        sum(row.size_bytes or 0 for row in rows if row.trashed_at is not None),
        sum(int(row.stored_bytes if row.stored_bytes is not None else row.bytes or 0) for row in rows),
        len(live),
        sum(row.stored_bytes is None and bool(row.bytes) for row in rows),
    )


def _lock(connection: Connection, workspace: str) -> None:
    """One at a time changes the index of this workspace."""
    connection.execute(select(workspaces.c.id).where(workspaces.c.id == workspace).with_for_update())
