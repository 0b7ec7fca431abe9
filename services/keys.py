"""The keys of encrypted workspaces: made at a first hello, opened for one workspace at a time, kept nowhere.

Promises: a key leaves this module for its own workspace only; whether a workspace is encrypted is the ledger's word,
so that nobody with the bucket can turn it off; the file with the wrapping key is read anew each time.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Protocol

from jupyterhub_notebooks import __version__
from jupyterhub_notebooks.errors import ConfigError, Damaged, NotFound
from jupyterhub_notebooks.ledger import Ledger, snapshots, workspace_keys
from jupyterhub_notebooks.ledger.workspace_keys import WorkspaceKey
from jupyterhub_notebooks.settings import secret
from jupyterhub_notebooks.workspace.keys import (
    OPEN,
    Keys,
    WrongKey,
    key_id,
    key_of_text,
    new_key,
    unwrap,
    wrap,
)
from jupyterhub_notebooks.workspace.layout import (
    WorkspaceFacts,
    parse_workspace_json,
    snapshot_key,
    workspace_json,
    workspace_key,
)
from jupyterhub_notebooks.workspace.snapshots import key_id_of

_REPAIR = "Once the notebook is stopped, run: jupyterhub-notebooks notebook repair USER/NOTEBOOK"


class Objects(Protocol):
    """What is asked of a store."""

    def get(self, key: str) -> bytes: ...

    def put_new(self, key: str, body: bytes) -> bool: ...


def wrapping_key(reference: str) -> bytes:
    """The key that wraps the workspaces' keys; reference: the setting ``encryption_key``.

    Raises ConfigError, BadInput; the value stands in neither.
    """
    if not reference:
        raise ConfigError(
            "This workspace is encrypted, and no key is set",
            "It was made while encryption was on.",
            ["Set encryption_key to the file that was set then"],
            field="encryption_key",
        )
    return key_of_text(secret(reference), "encryption_key")


async def ensure_workspace(
    ledger: Ledger, objects: Objects, reference: str, workspace: str, now: datetime
) -> bytes | None:
    """workspace.json, once and for good (commits go through this service); the key, None where there is none.

    A new workspace is encrypted where reference (the setting ``encryption_key``) names a key; one that is there stays
    as it was made.
    """
    row = await ledger.run(workspace_keys.of_workspace, workspace)
    at = workspace_key(workspace)
    try:
        facts = _parsed(await asyncio.to_thread(objects.get, at))
    except NotFound:
        kept = await ledger.run(snapshots.next_number, workspace) > 1
        if row is None and kept:
            await _refuse_encrypted(ledger, objects, workspace)
        elif row is None and reference:
            row = await _made(ledger, reference, workspace, now)
        named = row.key_id if row is not None else None
        by = f"jupyterhub-notebooks {__version__}"
        body = workspace_json(workspace, lease="service", now=now, created_by=by, key=named)
        await asyncio.to_thread(objects.put_new, at, body)
        facts = parse_workspace_json(await asyncio.to_thread(objects.get, at))
    if row is None and facts.key is not None:
        raise _not_in_ledger(facts.key)
    if row is not None and facts.key != row.key_id:
        raise Damaged(
            "This workspace is stored with another key than its own",
            "workspace.json does not say what the ledger says; somebody changed it.",
            [_REPAIR],
        )
    return _opened(row, reference) if row is not None else None


async def _refuse_encrypted(ledger: Ledger, objects: Objects, workspace: str) -> None:
    """Raises WrongKey where the newest snapshot that can be read is encrypted: nothing may say that its workspace is not."""
    for row in await ledger.run(snapshots.of_workspace, workspace):
        try:
            body = await asyncio.to_thread(objects.get, snapshot_key(workspace, row.number))
            named = key_id_of(body)
        except (NotFound, Damaged):
            continue
        if named is None:
            return
        raise _not_in_ledger(named)


def _not_in_ledger(named: str) -> WrongKey:
    return WrongKey(
        "This workspace is encrypted, and its key is not in the ledger",
        f"Its key is {named}.",
        ["Put back a copy of the ledger that has it"],
    )


def _parsed(body: bytes) -> WorkspaceFacts:
    try:
        return parse_workspace_json(body)
    except Damaged as error:
        raise Damaged(error.title, error.why, [*error.next, _REPAIR]) from error


async def keys_of(ledger: Ledger, reference: str, workspace: str) -> Keys:
    """What snapshots of a workspace are checked with. Raises ConfigError, WrongKey."""
    key = await key_of(ledger, reference, workspace)
    return Keys(key) if key is not None else OPEN


async def key_of(ledger: Ledger, reference: str, workspace: str) -> bytes | None:
    """A workspace's key for a process of ours that reads it; None where it has none. Raises ConfigError, WrongKey."""
    row = await ledger.run(workspace_keys.of_workspace, workspace)
    return _opened(row, reference) if row is not None else None


async def make_key(ledger: Ledger, reference: str, workspace: str, now: datetime) -> bytes | None:
    """The key of a workspace that is made now; None where reference (the setting ``encryption_key``) names none."""
    return _opened(await _made(ledger, reference, workspace, now), reference) if reference else None


async def _made(ledger: Ledger, reference: str, workspace: str, now: datetime) -> WorkspaceKey:
    key = new_key()
    wrapped = wrap(key, wrapping_key(reference), workspace)
    return await ledger.run(workspace_keys.ensure, workspace, key_id(key), wrapped, now)


def _opened(row: WorkspaceKey, reference: str) -> bytes:
    key = unwrap(row.wrapped, wrapping_key(reference), row.workspace)
    if key_id(key) != row.key_id:
        raise Damaged(
            "The key of this workspace is not the one that the ledger names", field="workspace_keys"
        )
    return key
