"""Repairing the workspace of a Hub's notebook (``notebook repair``), with its rows in the ledger.

Promises: only while the notebook is stopped, and alone with its workspace's objects; a row of the ledger is written before
its object and goes before it, so that the Hub lists what there is; each change has an audit row.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ..clock import SYSTEM_CLOCK, to_text
from ..errors import Conflict, Damaged
from ..ledger import Ledger, notebooks, snapshots, workspace_keys
from ..ledger import repairing as rows
from ..ledger.locks import Locks
from ..ledger.snapshots import Facts
from ..settings import Settings, secret
from ..workspace import (
    CommitFacts,
    Store,
    WorkspaceStore,
    founding,
    open_store,
    parse_snapshot,
    workspace_prefix,
)
from ..workspace.fetching import certain
from ..workspace.keys import OPEN, Keys, WrongKey, key_of_text, unwrap
from ..workspace.layout import WorkspaceFacts
from ..workspace.repairing import RepairReport, repair
from .progress_bar import Bar
from .workspace_care import after_repair
from .workspace_opening import CREATED_BY


def repaired(
    settings: Settings,
    base: Ledger,
    which: str,
    number: int | None,
    *,
    remove_damaged: bool,
    yes: bool,
    as_json: bool,
) -> RepairReport:
    """One repair. Raises Refusal where the notebook runs or has unsaved files, and what ``repair`` raises."""
    store = open_store(settings.store, settings.store_options, create=False, serialized=True)
    notebook = notebooks.resolve(base, which)
    workspace = rows.stopped(base, notebook.id)
    with _alone(base, workspace) as locks:
        space = Indexed(store, base, notebook.id, workspace, locks)
        space.keys = _keys(base, settings, workspace)
        _found_again(space, workspace)
        with Bar("Repairing", as_json) as bar:
            report = repair(
                space,
                now=SYSTEM_CLOCK.now(),
                created_by=CREATED_BY,
                of=number,
                after=snapshots.next_number(base, workspace) - 1,
                progress=bar.show,
                cancelled=bar.cancelled,
            )
        report = after_repair(
            space, report, remove_damaged=remove_damaged, yes=yes, as_json=as_json, going=space.going
        )
        if not report.left:
            rows.whole(base, workspace)
    return report


def _found_again(space: WorkspaceStore, workspace: str) -> None:
    """Has workspace.json say what the ledger says, where it is lost or damaged, or says something else than the snapshots.

    Raises Damaged where a newer version wrote it, or where the snapshots say something else than the ledger; WrongKey
    where it, or they, are encrypted with a key that the ledger lacks. Then nothing is written.
    """
    try:
        there = certain(space.facts)
    except WrongKey:
        raise
    except Damaged:
        there = None
    if there is not None and there.key is not None and space.keys.id is None:
        raise _without_key(f"Its key is {there.key}.")
    if there is not None and (there.id, there.lease, there.key) == (workspace, "service", space.keys.id):
        return
    try:
        told = founding.told_by_snapshots(space)
    except WrongKey as error:
        raise (_without_key(error.why) if space.keys.id is None else error) from error
    agrees = told is not None and (told.id, told.key) == (workspace, space.keys.id)
    if not agrees and (told is not None or (there is not None and space.numbers())):
        raise Damaged(
            "workspace.json does not say what the ledger says, and no snapshot does",
            "Nothing was changed.",
            ["Look for them in a copy of the store, or put back a copy of the ledger"],
        )
    now = to_text(SYSTEM_CLOCK.now())
    founding.refound(space, WorkspaceFacts(workspace, "service", now, CREATED_BY, space.keys.id))
    was = "was lost or damaged" if there is None else "said something else than the ledger"
    print(f"workspace.json {was}. It is written again, as the ledger says.", file=sys.stderr)


def _without_key(why: str) -> WrongKey:
    return WrongKey(
        "This workspace is encrypted, and its key is not in the ledger",
        f"{why} Nothing was changed.".lstrip(),
        ["Put back a copy of the ledger that has it"],
    )


class Indexed(WorkspaceStore):
    """The workspace of a stopped notebook: snapshots are what its rows and objects are together."""

    def __init__(self, store: Store, ledger: Ledger, notebook: str, workspace: str, locks: Locks) -> None:
        super().__init__(store, workspace_prefix(workspace))
        self._ledger, self._notebook, self._id, self._locks = ledger, notebook, workspace, locks

    def numbers(self) -> list[int]:
        """Those in the store, and those that the ledger says were committed there."""
        rows = snapshots.of_workspace(self._ledger, self._id)
        return sorted({*super().numbers(), *(row.number for row in rows)})

    def commit(self, number: int, body: bytes, facts: CommitFacts) -> None:
        """Raises Refusal where the notebook was started, Conflict where the number is taken or the lock was lost."""
        self._locks.still(self._id)
        now = SYSTEM_CLOCK.now()
        parent = parse_snapshot(body, number=number, keys=self.keys).parent or 0
        sha256 = hashlib.sha256(body).hexdigest()
        told = Facts(facts.kind, sha256, facts.size_bytes, facts.files, facts.stored_bytes)
        rows.reserve(self._ledger, self._notebook, self._id, number, told, now)
        try:
            self.spare(facts.present)
            self.put_snapshot(number, body)
        except Conflict:
            rows.settle(self._ledger, self._notebook, self._id, number, parent, now, written=False)
            raise
        rows.settle(self._ledger, self._notebook, self._id, number, parent, now, written=True)

    def going(self, report: RepairReport) -> None:
        """The rows of what is removed next. Raises Refusal, Conflict; then none goes."""
        self._locks.still(self._id)
        now = SYSTEM_CLOCK.now()
        rows.going(self._ledger, self._notebook, self._id, report.removable, now)


@contextmanager
def _alone(base: Ledger, workspace: str) -> Iterator[Locks]:
    """Commits and removal wait or are refused meanwhile. Raises Conflict where one is under way."""
    locks = Locks(base)
    try:
        if not locks.take(workspace):
            raise Conflict("It is being saved or cleaned up just now", next=["Try again in a minute"])
        yield locks
    finally:
        locks.close()


def _keys(base: Ledger, settings: Settings, workspace: str) -> Keys:
    """The ledger's word, as with every service. Raises ConfigError, WrongKey."""
    row = workspace_keys.of_workspace(base, workspace)
    if row is None:
        return OPEN
    wrapping = key_of_text(secret(settings.encryption_key), "encryption_key")
    return Keys(unwrap(row.wrapped, wrapping, workspace))
