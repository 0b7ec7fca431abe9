"""A stopped notebook whose snapshots are damaged: the rows of what is repaired and of what is removed.

Promises: a row is reserved only while no session is open, and above all that there are; a row goes before its object,
with an audit row; a session that begins meanwhile settles a reserved row by looking at the object.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, delete, func, select, update

from ..errors import Conflict, Refusal
from . import audit
from .database import Ledger
from .snapshots import Facts, add
from .stopped import locked
from .tables import sessions, snapshots, workspaces


def stopped(ledger: Ledger, notebook: str) -> str:
    """The workspace of a notebook that may be repaired now. Raises Refusal where it runs, or has unsaved files."""
    with ledger.write() as connection:
        row, space, running = locked(connection, notebook)
        if running:
            raise Refusal(
                f"{row.title} runs or is being saved", next=["Stop it, then run this again"], label="running"
            )
        if space.unsaved_on is not None:
            raise Refusal(
                f"{row.title} has files that are not saved",
                "They lie on its machine, and may be what is damaged in the store.",
                ["Start it and stop it, then run this again", "Or give them up: notebook start-from-save"],
                label="unsaved",
            )
        return str(row.workspace)


def reserve(ledger: Ledger, notebook: str, workspace: str, number: int, facts: Facts, now: datetime) -> None:
    """The row of the new snapshot. Raises Refusal where the notebook was started, Conflict where something was saved;
    then nothing is written."""
    with ledger.write() as connection:
        _still_stopped(
            connection, notebook, workspace, "Nothing was changed.", "Stop it, then run this again"
        )
        here = snapshots.c.workspace == workspace
        if number <= (connection.execute(select(func.max(snapshots.c.number)).where(here)).scalar() or 0):
            raise Conflict("Something was saved meanwhile", "Nothing was changed.", ["Run this again"])
        latest = select(sessions.c.id).where(sessions.c.notebook == notebook).order_by(sessions.c.id.desc())
        session = connection.execute(latest.limit(1)).scalar()
        add(connection, workspace, number, facts, session or notebook, now)


def _still_stopped(connection: Connection, notebook: str, workspace: str, why: str, then: str) -> None:
    row, _, running = locked(connection, notebook)
    if running or row.workspace != workspace:
        raise Refusal(f"{row.title} was started meanwhile", why, [then], label="running")


def settle(
    ledger: Ledger, notebook: str, workspace: str, number: int, parent: int, now: datetime, *, written: bool
) -> None:
    """The object is there (written) and has the name of parent, or it certainly is not there and the row goes."""
    here = (snapshots.c.workspace == workspace) & (snapshots.c.number == number)
    before = (snapshots.c.workspace == workspace) & (snapshots.c.number == parent)
    with ledger.write() as connection:
        if not written:
            connection.execute(delete(snapshots).where(here, snapshots.c.state == "reserved"))
            return
        name = connection.execute(select(snapshots.c.name).where(before)).scalar()
        connection.execute(update(snapshots).where(here).values(state="committed", name=name))
        evidence = {"from": parent, "number": number}
        audit.add(connection, now, None, [notebook, workspace], "snapshot.repaired", "damaged", evidence)


def whole(ledger: Ledger, workspace: str) -> None:
    """Nothing of the workspace is damaged any more: no page says so from now on, and its old snapshots are looked at next."""
    here = workspaces.c.id == workspace
    with ledger.write() as connection:
        connection.execute(select(workspaces.c.id).where(here).with_for_update())
        connection.execute(update(workspaces).where(here).values(prune_problem=None, pruned_at=None))


def going(
    ledger: Ledger,
    notebook: str,
    workspace: str,
    numbers: Collection[int],
    now: datetime,
) -> None:
    """Drops the rows of damaged snapshots whose objects are removed next.

    Raises Refusal where the notebook was started; then no row goes.
    """
    here = snapshots.c.workspace == workspace
    with ledger.write() as connection:
        _still_stopped(connection, notebook, workspace, "Nothing was removed.", "Run this again")
        chosen = here & snapshots.c.number.in_(list(numbers))
        named = connection.execute(select(snapshots).where(chosen, snapshots.c.name.is_not(None))).all()
        connection.execute(delete(snapshots).where(chosen))
        evidence = {"numbers": sorted(numbers), "names": [one.name for one in named]}
        audit.add(connection, now, None, [notebook, workspace], "snapshot.removed", "damaged", evidence)
