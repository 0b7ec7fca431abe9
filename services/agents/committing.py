"""Commits, and what a crash in the middle of one left: the object is the commit, the row its index.

One commit of a workspace at a time: session, lease and number are checked and the row reserved, the object
is created exclusively, the row settled. Whatever part fails, the same commit again ends the same way.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from typing import TYPE_CHECKING

from jupyterhub_notebooks.clock import to_text
from jupyterhub_notebooks.contract import Commit, Committed
from jupyterhub_notebooks.errors import Conflict, Damaged, Unchecked
from jupyterhub_notebooks.ledger import Session, snapshots
from jupyterhub_notebooks.workspace.keys import OPEN, Keys
from jupyterhub_notebooks.workspace.snapshots import MOST_BYTES, SnapshotHead, parse_snapshot

from .. import settling
from ..keys import keys_of
from ..settling import facts_of
from . import reading
from .storage import snapshot_key, spare

if TYPE_CHECKING:
    from .app import Agents

log = logging.getLogger("agents.commits")


async def commit(agents: Agents, session: Session, body: Commit) -> Committed:
    """Commits a snapshot, once. Raises Unchecked, Denied, Conflict, StorageAway."""
    keys = await keys_of(agents.ledger, agents.settings.encryption_key, session.workspace)
    raw, head = decoded(body, session.workspace, keys)
    facts = facts_of(raw, head)
    async with agents.alone(session.workspace):
        await settle(agents, session, but=facts.sha256)
        row = await agents.ledger.run(
            snapshots.reserve,
            session.id,
            session.workspace,
            body.number,
            body.lease,
            facts,
            agents.clock.now(),
        )
        if row.state != "committed":
            if missing := await _gone(agents, session, body):
                return Committed(0, missing=missing)
            key = snapshot_key(session.workspace, body.number)
            if not await asyncio.to_thread(agents.objects.put_new, key, raw):
                await settle(agents, session)
                raise Conflict(
                    f"Snapshot {body.number} is there already",
                    "Another save of this workspace took its number.",
                    field="number",
                )
            await agents.ledger.run(
                snapshots.settle, session.workspace, body.number, True, agents.clock.now()
            )
            log.info("snapshot %s committed", body.number, extra={"session": session.id})
    agents.allowance.committed(session.workspace)
    return Committed(body.number, to_text(row.at))


async def _gone(agents: Agents, session: Session, body: Commit) -> tuple[str, ...]:
    """Takes the blocks that the save found there off the lists of what is to be removed; those that are gone, with
    the number free again."""
    missing = await asyncio.to_thread(spare, agents.objects, session.workspace, reading.blocks(body.present))
    if missing:
        await agents.ledger.run(
            snapshots.settle, session.workspace, body.number, False, agents.clock.now(), by_writer=False
        )
    return missing


def decoded(body: Commit, workspace: str, keys: Keys = OPEN) -> tuple[bytes, SnapshotHead]:
    """The object's bytes and what they say. Raises Unchecked where that is not what the commit says."""
    number = reading.number(body.number, "number")
    try:
        raw = base64.b64decode(body.body, validate=True)
    except ValueError:
        raise Unchecked("This is not base64", field="body") from None
    if len(raw) > MOST_BYTES:
        raise Unchecked(f"A snapshot has at most {MOST_BYTES:,} bytes", field="body")
    try:
        head = parse_snapshot(raw, number=number, workspace=workspace, keys=keys)
    except Damaged as error:
        raise Unchecked(error.title, error.why, field="body") from None
    if head.kind != body.kind:
        raise Unchecked(f"The snapshot is of kind {head.kind}", field="kind")
    if head.lease not in (None, body.lease):
        raise Unchecked(f"The snapshot was made under lease {head.lease}", field="lease")
    return raw, head


async def settle(agents: Agents, session: Session, *, but: str = "", look_further: bool = False) -> None:
    """Asks the store about each reserved row of the session's workspace; call it under its lock.

    but: sha256 of an object that is about to be written. look_further: also takes up snapshots that stand
    in the store above every row (a late answer, or a ledger put back from an older copy).
    """
    ledger, objects, key = agents.ledger, agents.objects, agents.settings.encryption_key
    rows = await ledger.run(snapshots.of_workspace, session.workspace, committed=False)
    for row in rows:
        if row.state == "reserved" and row.sha256 != but:
            await settling.settled(ledger, objects, row, agents.clock.now(), key)
    while look_further:
        number = await ledger.run(snapshots.next_number, session.workspace)
        look_further = await settling.taken_up(
            ledger, objects, session.id, session.workspace, number, agents.clock.now(), key
        )
