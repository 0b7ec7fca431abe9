"""Making the best of damage: a new snapshot without what is lost, and the names of what that is.

Promises: nothing that can be read is changed before the new snapshot is committed; a file is in it only where all its
bytes were read and verified; a file whose bytes lie whole in another snapshot is taken from there; what is lost is named
with the newest snapshot that has an older version. Nothing is taken for damaged after one bad read. A damaged block is
removed only where its own bytes show that nothing can be made of it, so that a later save can store it again. Damaged
snapshots are removed only where that is asked for, and none that a newer version wrote; nor is an older state put above
such a one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from ..errors import Damaged, NotFound, Refusal
from . import bounds, fetching
from .blocks import beyond_use, encode
from .checking import Problem, check
from .entries import FILE
from .keys import WrongKey, keys_of
from .mending import Lost, Mending
from .pages import build
from .ports import Blocks, CommitFacts, OnProgress, Snapshots
from .snapshots import MAGIC, SnapshotHead, compose_snapshot, head_of, of_newer_format


class Repairable(Blocks, Snapshots, Protocol):
    """What a repair asks of a store; ``store.WorkspaceStore`` has it all."""

    def get(self, what: str | int, /) -> bytes: ...

    def remove_block(self, name: str) -> None: ...

    def remove_snapshot(self, number: int) -> None: ...


@dataclass(frozen=True)
class RepairReport:
    """number: the new snapshot, 0 where ``of`` was sound. unreadable: snapshots whose object cannot be used. damaged:
    the others that have damage, ``of`` among them; problems: what that is, and what it costs. mended_files: taken from
    other snapshots' blocks. removed_*: what was damaged and is gone from the store.

    removable: damaged or unreadable, still there, and not the highest number or of a newer version.
    """

    of: int
    number: int
    kind: str
    files: int
    size_bytes: int
    lost: tuple[Lost, ...]
    mended_files: int
    unreadable: tuple[int, ...]
    removed_blocks: int
    removed_snapshots: tuple[int, ...] = ()
    damaged: tuple[int, ...] = ()
    problems: tuple[Problem, ...] = ()
    removable: tuple[int, ...] = ()

    @property
    def left(self) -> tuple[int, ...]:
        """Snapshots that are still there and cannot be restored whole."""
        return tuple(sorted({*self.unreadable, *self.damaged} - {*self.removed_snapshots}))


def repair(
    space: Repairable,
    *,
    now: datetime,
    created_by: str,
    of: int | None = None,
    lease: int | None = None,
    after: int = 0,
    remove_damaged: bool = False,
    progress: OnProgress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> RepairReport:
    """Reads everything, finds the damaged snapshots, and commits what is left of one as the next: a save where that is
    the head, else a recovery snapshot. That one is ``of``; without it the head where that is damaged, else the highest
    number where only that is. A highest number that cannot be read is followed by a copy of the head.

    after: numbers up to this one were used. remove_damaged: then remove the damaged ones too (``removed_of``). Raises
    NotFound, Damaged (where ``of`` itself cannot be read), Refusal (where a newer version wrote a snapshot above the
    head, but for a recovery of ``of``), Conflict, StorageAway, Cancelled.
    """
    heads, unreadable, head = _readable(space, of)
    found = check(space, space, progress=progress, cancelled=cancelled).errors
    damaged = sorted({number for problem in found for number in problem.snapshots} & heads.keys())
    last = max([*heads, *unreadable])
    number = of or _worst(heads, damaged, head, last)
    kind = "save" if number == head else "recovery"
    one, made = Mending(space, heads, number, progress, cancelled), 0
    named = {bytes.fromhex(problem.block) for problem in found if problem.block}
    facts = _Facts(max(last, after) + 1, kind, lease, now, created_by)
    if number in damaged:
        one.read()
        made = _commit(space, heads[number], facts, one, {*one.broken_blocks, *named})
    elif of is None and last in unreadable:
        made = _copy(space, heads[number], facts)
    removed = _remove_blocks(
        space, (one.broken_blocks | named) - {piece.block for entry in one.good for piece in entry.pieces}
    )
    newest = fetching.certain_head(space, made or number)
    bad = [each for each in sorted({*unreadable, *damaged}) if each != (made or last)]
    report = RepairReport(
        number,
        made,
        kind,
        newest.files,
        newest.size_bytes,
        tuple(one.lost),
        one.mended,
        tuple(unreadable),
        removed,
        damaged=tuple(damaged),
        problems=tuple(problem for problem in found if {*problem.snapshots} & {*damaged}),
        removable=tuple(each for each in bad if not _newer(space, each)),
    )
    return removed_of(space, report) if remove_damaged else report


def removed_of(space: Repairable, report: RepairReport) -> RepairReport:
    """Removes what the report says can be; the report after that. Raises StorageAway."""
    for number in report.removable:
        space.remove_snapshot(number)
    return replace(report, removed_snapshots=report.removable, removable=())


def _readable(space: Repairable, of: int | None) -> tuple[dict[int, SnapshotHead], list[int], int]:
    """What can be read, what cannot, and the head, 0 for none. Raises NotFound or Damaged where there is nothing to repair."""
    heads, unreadable = _heads(space)
    head = max((number for number, head in heads.items() if head.kind == "save"), default=0)
    if of is not None and of in unreadable:
        head_of(space, of)
    if of is None or of == head:
        _not_above_newer(space, [number for number in unreadable if number > head])
    if unreadable and not heads:
        raise Damaged(
            "None of the snapshots can be read",
            "There is nothing that a repair could go by.",
            [
                "Save a directory that still has the files: that becomes the next snapshot",
                "Then run this again",
            ],
        )
    if not heads or (of is not None and of not in heads):
        raise NotFound("There is no snapshot that can be repaired", next=["Run: workspace check"])
    return heads, unreadable, head


def _not_above_newer(space: Repairable, unreadable: Sequence[int]) -> None:
    """Raises Refusal where the newest state is a newer version's: what this one would make the newest is older."""
    newer = [number for number in unreadable if _newer(space, number)]
    if newer:
        raise Refusal(
            f"Snapshot {newer[-1]} was made by a newer version of this program",
            "An older state would become the newest. Nothing was changed.",
            ["Repair it with a newer version of jupyterhub-notebooks"],
            label="newer_version",
        )


def _worst(heads: dict[int, SnapshotHead], damaged: Sequence[int], head: int, last: int) -> int:
    """Which snapshot is repaired where none was named."""
    if last in damaged and head not in damaged:
        return last
    return head or max(heads)


def _heads(space: Snapshots) -> tuple[dict[int, SnapshotHead], list[int]]:
    """What can be read, and what cannot. Raises WrongKey where that is all that is wrong."""
    heads: dict[int, SnapshotHead] = {}
    unreadable, needs_key = [], None
    for number in space.numbers():
        try:
            heads[number] = fetching.certain_head(space, number)
        except WrongKey as error:
            needs_key = error
            unreadable.append(number)
        except (Damaged, NotFound):
            unreadable.append(number)
    if needs_key is not None and not heads:
        raise needs_key
    return heads, unreadable


def _newer(space: Repairable, number: int) -> bool:
    """Whether a newer version of this program says that it wrote that snapshot."""
    try:
        return of_newer_format(space.get(number), MAGIC)
    except (NotFound, Damaged):
        return False


@dataclass(frozen=True)
class _Facts:
    """What a new snapshot says of itself."""

    number: int
    kind: str
    lease: int | None
    at: datetime
    created_by: str


def _commit(
    space: Repairable, old: SnapshotHead, facts: _Facts, left: Mending, broken: Collection[bytes]
) -> int:
    """Writes pages that are not there, or are there broken, then the snapshot."""
    keys, good = keys_of(space), left.good
    listing = build(good, keys)
    files = [entry for entry in good if entry.kind == FILE]
    size = sum(entry.size for entry in files)
    bounds.refuse_larger(listing, good, size, "Take files out of it with: workspace restore --path")
    stored, present = 0, []
    for page in listing.pages:
        body = encode(page.plain, keys, page.ref.name)
        if page.ref.name in broken:
            _remove_blocks(space, {page.ref.name})
        if space.put(page.ref.name.hex(), body):
            stored += len(body)
        else:
            present.append(page.ref.name.hex())
    head = replace(
        old,
        size_bytes=size,
        files=len(files),
        entries=len(good),
        stored_bytes=stored,
        skipped=len(left.lost),
        root=listing.root,
    )
    return _put(space, old.number, head, facts, tuple(present))


def _copy(space: Repairable, old: SnapshotHead, facts: _Facts) -> int:
    """The same state under the next number."""
    return _put(space, old.number, replace(old, stored_bytes=0), facts, ())


def _put(space: Repairable, parent: int, head: SnapshotHead, facts: _Facts, present: tuple[str, ...]) -> int:
    head = replace(
        head,
        number=facts.number,
        kind=facts.kind,
        parent=parent,
        lease=facts.lease,
        at=facts.at,
        created_by=facts.created_by,
        check="",
    )
    body = compose_snapshot(head, os.urandom(16), keys_of(space))
    told = CommitFacts(facts.kind, head.size_bytes, head.files, head.stored_bytes, present)
    space.commit(facts.number, body, told)
    return facts.number


def _remove_blocks(space: Repairable, names: set[bytes]) -> int:
    """Removes those of which nothing can be made; a save can store them again under their names."""
    removed = 0
    for name in sorted(names):
        if _hopeless(space, name):
            space.remove_block(name.hex())
            removed += 1
    return removed


def _hopeless(space: Repairable, name: bytes) -> bool:
    """Whether the stored bytes are there, however often they are read, and are never what their name says.

    What a listing says of them counts for nothing here: whoever wrote it may have lied.
    """
    for _ in range(fetching.READS):
        try:
            stored = space.get(name.hex())
        except (NotFound, Damaged):  # larger than any block of this format: it may be of a later one
            return False
        if not beyond_use(name, stored, keys_of(space)):
            return False
    return True
