"""A snapshot that a person makes the newest again while the notebook is stopped: its row, reserved and settled like any.

Promises: no session is open and nothing is unsaved when the row is reserved, and the number is the next one; a session that
begins meanwhile settles the row by looking at the object, as it does with every reserved one.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import delete, func, select, update

from ..errors import Conflict, Refusal
from . import audit
from .database import Ledger
from .snapshots import Facts, add
from .stopped import locked
from .tables import sessions, snapshots


def reserve(ledger: Ledger, notebook: str, number: int, facts: Facts, now: datetime) -> None:
    """The row of the new snapshot ``number``. Raises Refusal or Conflict; then nothing is written."""
    with ledger.write() as connection:
        row, space, running = locked(connection, notebook)
        if running:
            raise Refusal(
                f"{row.title} is running",
                "Everything is restored while nothing writes the files.",
                ["Stop it, then restore everything", "Restore single files now"],
                label="running",
            )
        if space.unsaved_on is not None:
            raise Refusal(
                f"{row.title} has files that are not saved",
                "The present state is kept only where it is saved first.",
                ["Save now, then restore everything"],
                label="unsaved",
            )
        here = snapshots.c.workspace == row.workspace
        last = connection.execute(select(func.max(snapshots.c.number)).where(here)).scalar() or 0
        if number != last + 1:
            raise Conflict("Something was saved meanwhile", "Nothing was changed.", ["Look again"])
        session = connection.execute(
            select(sessions.c.id)
            .where(sessions.c.notebook == notebook)
            .order_by(sessions.c.id.desc())
            .limit(1)
        ).scalar()
        add(connection, row.workspace, number, replace(facts, kind="save"), session or notebook, now)


def settle(
    ledger: Ledger,
    notebook: str,
    workspace: str,
    number: int,
    source: int,
    actor: str,
    now: datetime,
    *,
    written: bool,
) -> None:
    """The object is there (written), or certainly is not and the row goes."""
    here = (snapshots.c.workspace == workspace) & (snapshots.c.number == number)
    with ledger.write() as connection:
        if not written:
            connection.execute(delete(snapshots).where(here, snapshots.c.state == "reserved"))
            return
        connection.execute(update(snapshots).where(here).values(state="committed"))
        evidence = {"from": source, "number": number}
        audit.add(connection, now, actor, [notebook, workspace], "snapshot.restored", "asked", evidence)


def name(
    ledger: Ledger, notebook: str, workspace: str, number: int, text: str, actor: str, now: datetime
) -> None:
    """The name of a snapshot, '' for none, as the store has it."""
    with ledger.write() as connection:
        connection.execute(
            update(snapshots)
            .where(snapshots.c.workspace == workspace, snapshots.c.number == number)
            .values(name=text or None)
        )
        evidence = {"number": number, "name": text}
        audit.add(connection, now, actor, [notebook, workspace], "snapshot.named", "asked", evidence)


def adopt(ledger: Ledger, notebook: str, workspace: str, facts: Facts, session: str, at: datetime) -> None:
    """The first snapshot of a notebook that was made with the files of another one."""
    with ledger.write() as connection:
        add(connection, workspace, 1, replace(facts, kind="save"), session or notebook, at, "committed")
