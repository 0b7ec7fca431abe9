"""What a crash in the middle of a commit left, settled by asking the store: the object is the commit, the row its index.

Shared by services/agents (at hello and before a commit, for a session that writes) and services/janitor (for
sessions that are over).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from datetime import datetime
from typing import Protocol

from jupyterhub_notebooks.errors import Damaged, NotFound
from jupyterhub_notebooks.ledger import Ledger, Snapshot, snapshots
from jupyterhub_notebooks.workspace.layout import snapshot_key
from jupyterhub_notebooks.workspace.snapshots import SnapshotHead, parse_snapshot

from .keys import keys_of

log = logging.getLogger("settling")

MOST_COUNT = 2**31 - 1


class Reads(Protocol):
    def get(self, key: str) -> bytes:
        """Raises NotFound, StorageAway."""
        ...


def facts_of(raw: bytes, head: SnapshotHead) -> snapshots.Facts:
    """What the index keeps; the object's own word, not the sender's."""
    return snapshots.Facts(
        head.kind,
        hashlib.sha256(raw).hexdigest(),
        head.size_bytes,
        max(0, min(head.files, MOST_COUNT)),
        head.stored_bytes,
    )


async def settled(
    ledger: Ledger, objects: Reads, row: Snapshot, now: datetime, encryption_key: str = ""
) -> None:
    """A reserved row becomes committed where its object stands in the store, and goes where it certainly does not.

    Nobody may be about to write that object. encryption_key: the setting; where a workspace is encrypted and this
    does not open its key, ConfigError or WrongKey is raised and nothing is settled. Raises StorageAway.
    """
    if not await taken_up(ledger, objects, row.session, row.workspace, row.number, now, encryption_key):
        await ledger.run(snapshots.settle, row.workspace, row.number, False, now, by_writer=False)


async def taken_up(
    ledger: Ledger,
    objects: Reads,
    session: str,
    workspace: str,
    number: int,
    now: datetime,
    encryption_key: str = "",
) -> bool:
    """Whether an object of that number stands in the store; if so the ledger has its row afterwards."""
    try:
        raw = await asyncio.to_thread(objects.get, snapshot_key(workspace, number))
    except NotFound:
        return False
    except Damaged as error:  # more bytes than any snapshot has: nothing of it was read
        log.warning("%s", error.sentence(), extra={"session": session})
        raw = b""
    keys = await keys_of(ledger, encryption_key, workspace)
    try:
        facts = facts_of(raw, parse_snapshot(raw, number=number, workspace=workspace, keys=keys))
        readable = True
    except Damaged as error:
        log.warning("%s", error.sentence(), extra={"session": session})
        facts = snapshots.Facts("save", hashlib.sha256(raw).hexdigest(), 0, 0, 0)
        readable = False
    await ledger.run(snapshots.found, session, workspace, number, facts, now, readable=readable)
    return True
