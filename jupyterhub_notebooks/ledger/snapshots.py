"""The index of what was saved. The object in the store is the commit, the row its index.

``reserve`` checks session, lease and number under the workspace's row lock; then the service writes the
object; then ``settle`` marks the row. A reserved row whose outcome is unknown is settled by reading the
object.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from ..errors import Conflict, Denied
from . import aside, audit
from .database import Ledger, now_of
from .rows import Snapshot, made
from .tables import leases, sessions, snapshots, workspaces


@dataclass(frozen=True)
class Facts:
    """What a commit says of its snapshot; sha256 is of the object's bytes, sizes are bytes."""

    kind: str
    sha256: str
    size_bytes: int
    files: int
    stored_bytes: int


def reserve(
    ledger: Ledger, session: str, workspace: str, number: int, lease: int, facts: Facts, now: datetime
) -> Snapshot:
    """The reserved row, or the committed one where this very commit arrived before.

    Raises Denied where the session is closed, Conflict where the lease is lost or the number is not next.
    """
    with ledger.write() as connection:
        _lock(connection, workspace)
        open_one = connection.execute(
            select(sessions.c.id).where(
                sessions.c.id == session,
                sessions.c.workspace == workspace,
                sessions.c.closed_at.is_(None),
            )
        ).first()
        if open_one is None:
            raise Denied("The session is over", "Its token writes nothing any more.")
        held = connection.execute(select(leases).where(leases.c.workspace == workspace)).first()
        if (
            held is None
            or held.session != session
            or held.number != lease
            or held.ends_at < now_of(connection)
        ):
            raise Conflict(
                "Another session writes this workspace now",
                "The files stay on the volume and can become a recovery snapshot.",
                field="lease",
            )
        there = connection.execute(
            select(snapshots).where(snapshots.c.workspace == workspace, snapshots.c.number == number)
        ).first()
        if there is not None and there.session == session and there.sha256 == facts.sha256:
            return made(Snapshot, there)
        last = connection.execute(
            select(func.max(snapshots.c.number)).where(snapshots.c.workspace == workspace)
        ).scalar()
        if number != (last or 0) + 1:
            raise Conflict(f"The next snapshot is {(last or 0) + 1}, not {number}", field="number")
        add(connection, workspace, number, facts, session, now)
        return made(
            Snapshot,
            connection.execute(
                select(snapshots).where(snapshots.c.workspace == workspace, snapshots.c.number == number)
            ).one(),
        )


def add(
    connection: Connection,
    workspace: str,
    number: int,
    facts: Facts,
    session: str,
    at: datetime,
    state: str = "reserved",
) -> None:
    """A snapshot's row, in the caller's transaction."""
    row = {"workspace": workspace, "number": number, "state": state, "session": session, "at": at}
    connection.execute(insert(snapshots).values(**row, **dataclasses.asdict(facts)))


def _lock(connection: Connection, workspace: str) -> None:
    """One at a time changes the index of this workspace."""
    connection.execute(select(workspaces.c.id).where(workspaces.c.id == workspace).with_for_update())


def settle(
    ledger: Ledger, workspace: str, number: int, committed: bool, now: datetime, *, by_writer: bool = True
) -> None:
    """The object is there (committed) or certainly is not (the row goes).

    by_writer: its writer commits it just now, so that nothing is unsaved any more. Settled by anybody else,
    ``unsaved_on`` stays: files newer than this snapshot may lie there.
    """
    here = (snapshots.c.workspace == workspace) & (snapshots.c.number == number)
    with ledger.write() as connection:
        _lock(connection, workspace)
        row = connection.execute(select(snapshots).where(here)).first()
        if row is None or row.state == "committed":
            return
        if not committed:
            connection.execute(delete(snapshots).where(here))
            return
        connection.execute(update(snapshots).where(here).values(state="committed"))
        if row.kind == "save" and by_writer:
            connection.execute(
                update(workspaces)
                .where(workspaces.c.id == workspace)
                .values(unsaved_on=None, unsaved_files=0, unsaved_bytes=0)
            )
        if row.kind == "recovery":
            aside.settle_in(connection, workspace, row.session, number, now)
        evidence = {"number": number, "size_bytes": row.size_bytes, "files": row.files}
        audit.add(connection, now, None, [workspace, row.session], "snapshot.committed", row.kind, evidence)


def found(
    ledger: Ledger,
    session: str,
    workspace: str,
    number: int,
    facts: Facts,
    now: datetime,
    *,
    readable: bool = True,
) -> None:
    """A row for an object that stands in the store: the object is the commit, the row its index.

    A reserved row of other bytes gives way; a committed one stays as it is. readable=False: the row stays
    reserved, so that its number is never used again and nothing takes it for a save.
    """
    here = (snapshots.c.workspace == workspace) & (snapshots.c.number == number)
    with ledger.write() as connection:
        _lock(connection, workspace)
        row = connection.execute(select(snapshots).where(here)).first()
        if row is None or (row.state == "reserved" and row.sha256 != facts.sha256):
            connection.execute(delete(snapshots).where(here))
            add(connection, workspace, number, facts, session, now)
    if readable:
        settle(ledger, workspace, number, True, now, by_writer=False)


def of_workspace(ledger: Ledger, workspace: str, *, committed: bool = True) -> list[Snapshot]:
    """Newest first; with committed=False also the reserved ones."""
    query = select(snapshots).where(snapshots.c.workspace == workspace)
    if committed:
        query = query.where(snapshots.c.state == "committed")
    with ledger.read() as connection:
        rows = connection.execute(query.order_by(snapshots.c.number.desc()))
        return [made(Snapshot, row) for row in rows]


def newest(ledger: Ledger, workspace: str, most: int, before: int | None = None) -> list[Snapshot]:
    """At most so many committed ones, newest first. before: only those with a smaller number."""
    query = select(snapshots).where(snapshots.c.workspace == workspace, snapshots.c.state == "committed")
    if before is not None:
        query = query.where(snapshots.c.number < before)
    with ledger.read() as connection:
        rows = connection.execute(query.order_by(snapshots.c.number.desc()).limit(most))
        return [made(Snapshot, row) for row in rows]


def totals(ledger: Ledger, workspace: str) -> tuple[int, int]:
    """(how many committed ones, the bytes that they added to the store)."""
    query = select(func.count(), func.coalesce(func.sum(snapshots.c.stored_bytes), 0)).where(
        snapshots.c.workspace == workspace, snapshots.c.state == "committed"
    )
    with ledger.read() as connection:
        number, stored = connection.execute(query).one()
    return int(number), int(stored)


def by_session(ledger: Ledger, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """By session, (how many committed ones it made, the bytes that they added); those that made none are not in it."""
    query = (
        select(snapshots.c.session, func.count(), func.coalesce(func.sum(snapshots.c.stored_bytes), 0))
        .where(snapshots.c.session.in_(list(ids)), snapshots.c.state == "committed")
        .group_by(snapshots.c.session)
    )
    with ledger.read() as connection:
        return {session: (int(number), int(stored)) for session, number, stored in connection.execute(query)}


def reserved(ledger: Ledger, before: datetime) -> list[Snapshot]:
    """Rows of all workspaces that wait to be settled since before then, in sessions that are closed or, as of a notebook
    that never ran, in none."""
    over = sessions.c.id.is_(None) | (sessions.c.closed_at < before)
    query = (
        select(snapshots)
        .outerjoin(sessions, sessions.c.id == snapshots.c.session)
        .where(snapshots.c.state == "reserved", snapshots.c.at < before, over)
    )
    with ledger.read() as connection:
        return [made(Snapshot, row) for row in connection.execute(query.order_by(snapshots.c.at))]


def head(ledger: Ledger, workspace: str) -> Snapshot | None:
    """The newest of kind save."""
    return next((row for row in of_workspace(ledger, workspace) if row.kind == "save"), None)


def next_number(ledger: Ledger, workspace: str) -> int:
    """One more than the highest number, reserved ones included."""
    with ledger.read() as connection:
        last = connection.execute(
            select(func.max(snapshots.c.number)).where(snapshots.c.workspace == workspace)
        ).scalar()
    return (last or 0) + 1
