"""Retention and removal for one workspace: ``python -m jupyterhub_notebooks.services.janitor.removing WORKSPACE``.

Promises: alone with the workspace's objects (commits take the same lock) until it ends, however that is; a row of the
ledger goes before its object; nothing goes while a commit's outcome is open, where ledger and store disagree, or where
anything that stays cannot be read. What it reads was written by a user: it has a process of its own, with bounds on
memory and time.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.errors import Conflict, Damaged, NotebooksError
from jupyterhub_notebooks.ledger import Ledger, Snapshot, notebooks, snapshots, storage
from jupyterhub_notebooks.ledger.locks import Locks
from jupyterhub_notebooks.settings import Settings
from jupyterhub_notebooks.workspace.layout import workspace_prefix
from jupyterhub_notebooks.workspace.measuring import measure
from jupyterhub_notebooks.workspace.pruning import NEXT_WHERE_DAMAGED, carry_out, plan_prune
from jupyterhub_notebooks.workspace.retention import Rule
from jupyterhub_notebooks.workspace.snapshots import head_of
from jupyterhub_notebooks.workspace.store import Store, WorkspaceStore

from .. import retaining, running
from ..keys import keys_of
from .storage import Storage

log = logging.getLogger("janitor.removing")

MOST_MEMORY_BYTES = 3 * 2**30
MOST_SECONDS = 1800
REPAIR = ("Stop it, then run: jupyterhub-notebooks notebook repair USER/NOTEBOOK",)
LONG_AGO = datetime(1970, 1, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Removed:
    """What was done to a workspace. skipped: why nothing was, in words; '' where it was looked at."""

    skipped: str = ""
    snapshots: tuple[int, ...] = ()
    deleted_blocks: int = 0
    deleted_bytes: int = 0
    condemned_blocks: int = 0
    stored_bytes: int = 0


def remove(
    settings: Settings, ledger: Ledger, locks: Locks, store: Store, workspace: str, now: datetime
) -> Removed:
    """One look. Raises Damaged (nothing was removed), Conflict (the lock was lost on the way), StorageAway."""
    if not locks.take(workspace):
        return Removed("it is being saved")
    try:
        return _alone(settings, ledger, locks, store, workspace, now)
    finally:
        locks.give(workspace)


def _alone(
    settings: Settings, ledger: Ledger, locks: Locks, store: Store, workspace: str, now: datetime
) -> Removed:
    rows = snapshots.of_workspace(ledger, workspace, committed=False)
    if any(row.state != "committed" for row in rows):
        return Removed("the outcome of a save is not known yet")
    if not rows:
        return Removed("nothing is saved")
    space = WorkspaceStore(store, workspace_prefix(workspace))
    space.keys = asyncio.run(keys_of(ledger, settings.encryption_key, workspace))
    there = space.numbers()
    gone = sorted({row.number for row in rows} - set(there))
    if gone:
        raise Damaged(
            f"Snapshot {gone[0]} is in the ledger and not in the store",
            "Nothing of this workspace is removed.",
            ["Look for it in a copy of the store"],
        )
    rule = rule_for(ledger, settings, workspace, now)
    named = stays(rows, there) | set(space.names())
    todo = plan_prune(space, now=now, rule=rule, named=named, times=times(rows, there))
    locks.still(workspace)
    storage.going(ledger, workspace, todo.drop, now)
    carry_out(space, todo, now=now, guard=lambda: locks.still(workspace))
    sizes = dict(space.block_sizes())
    found = measure(space, (head_of(space, number) for number in todo.keep), sizes)
    stored = sum(sizes.values())
    measured = {one.number: (one.stored_bytes, one.shared_bytes) for one in found}
    storage.pruned(ledger, workspace, now, stored, measured)
    deleted = sum(todo.delete.values())
    return Removed("", todo.drop, len(todo.delete), deleted, len(todo.condemn), stored)


def rule_for(ledger: Ledger, settings: Settings, workspace: str, now: datetime) -> Rule:
    """The setting's numbers, and over them those of the profile that the notebook last ran with; see retaining.py."""
    notebook = notebooks.workspace(ledger, workspace).notebook
    return retaining.of_notebook(ledger, settings, notebook, now).rule


def stays(rows: list[Snapshot], there: list[int]) -> set[int]:
    """Numbers that stay whatever the rule says: those with a name, and objects above all rows, which a late answer may
    have left."""
    last = max(row.number for row in rows)
    return {row.number for row in rows if row.name} | {number for number in there if number > last}


def times(rows: list[Snapshot], there: list[int]) -> Mapping[int, datetime]:
    """When each was made, by the service's clock. An object whose row went was going already."""
    known = {row.number: row.at for row in rows}
    return {number: known.get(number, LONG_AGO) for number in there}


def next_where_damaged(said: Sequence[str]) -> list[str]:
    """What the page says: the steps that the damage has of its own, and repair of a Hub's notebook in place of that of a
    workspace used alone."""
    return [*(step for step in said if step not in NEXT_WHERE_DAMAGED), *REPAIR]


def main(arguments: list[str]) -> int:
    """Prints what was done as one line of JSON. The environment is the janitor's own."""
    running.log_to_stderr("janitor.removing")
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    signal.alarm(MOST_SECONDS)
    settings = Settings.from_environment()
    ledger = Ledger(settings.ledger)
    locks = Locks(ledger)
    try:
        done = remove(settings, ledger, locks, Storage(settings).whole(), arguments[0], SYSTEM_CLOCK.now())
        _say({"done": dataclasses.asdict(done)})
        return 0
    except Conflict as error:
        _say({"done": dataclasses.asdict(Removed(error.sentence()))})
        return 0
    except NotebooksError as error:
        if error.exit_code == Damaged.exit_code:
            error = Damaged(error.title, error.why, next_where_damaged(error.next))
        _say({"error": error.sentence()})
        return error.exit_code
    except MemoryError:
        _say({"error": f"It needs more than {MOST_MEMORY_BYTES >> 30} GiB of memory to be looked at"})
        return 1
    finally:
        locks.close()
        ledger.close()


def _say(answer: Mapping[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
