"""Saving a workspace: what changed since the base goes to the store, then one commit.

Promises: until ``Snapshots.commit`` returns, the newest snapshot is the one before; nothing is saved while a restore
is unfinished; what cannot be read is reported and keeps the version that was saved last; a file whose content did not
hold still is read again next time.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from ..contract import Progress
from ..errors import BadInput, Damaged, Denied, NotFound, Refusal
from . import bounds, glancing, ignore, lastseen, scanning
from .comparing import (
    FILE_BYTES,
    Plan,
    nothing_differs,
    plan,
    worth_joining,
)
from .crew import Crew
from .entries import FILE, Entry, Piece, shown
from .fetching import fetcher
from .gathering import Gathering, no_files
from .intake import Intake
from .keys import WrongKey, keys_of
from .lastseen import LastSeen
from .looking import Pending as Pending
from .looking import changes as changes
from .looking import in_order
from .memory import careful
from .pages import Listing, build, read
from .pool import Pool, ask_aside
from .ports import Blocks, CommitFacts, MissingBlocks, OnProgress, Snapshots
from .reading import Gone, Unreadable, look
from .scanning import Found
from .snapshots import SnapshotHead, compose_snapshot, head_of, parse_snapshot
from .storing import Storing
from .volume import Volume

AlwaysRead = Callable[[], set[tuple[int, int]]]
_COMMIT_TRIES = 3


@dataclass(frozen=True)
class SaveReport:
    """number: 0 when nothing differed from the base, and nothing was committed. changed_files: read because they
    changed. stored_bytes, new_blocks: what the store grew by. skipped: (path, why)."""

    number: int
    kind: str
    size_bytes: int
    files: int
    changed_files: int
    stored_bytes: int
    new_blocks: int
    skipped: tuple[tuple[str, str], ...]
    seconds: float


def save(
    volume: Volume,
    blocks: Blocks,
    snapshots: Snapshots,
    *,
    number: int,
    parent: int | None,
    workspace_id: str,
    kind: str = "save",
    never_saved: Sequence[str] = (),
    progress: OnProgress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    now: datetime,
    created_by: str,
    always_read: AlwaysRead | None = None,
) -> SaveReport:
    """Saves volume as snapshot ``number``, made from ``parent`` (0 or None: from none).

    Raises Refusal while a restore is unfinished, where a save would not follow from the volume's base, or where there is more
    than a restore takes; Cancelled; Conflict where another was first; StorageAway; Damaged.
    """
    began = time.monotonic()
    if keys_of(blocks).id != keys_of(snapshots).id:
        raise ValueError("blocks and snapshots of one workspace have different keys")
    if not volume.files.is_dir():
        raise BadInput(f"There is no directory {volume.files}", next=["Name the directory to be saved"])
    with volume.locked(), careful():
        _refuse_unfinished(volume)
        volume.sync_restored()
        was = volume.base
        base = volume.settle(snapshots)
        if base != was and base is not None:  # the commit before this one had arrived after all
            number, parent = max(number, base + 1), base
        if kind == "save":
            _refuse_another_base(base, parent)
        looks = partial(glancing.unchanged, volume, snapshots, workspace_id, never_saved, always_read)
        glance = ask_aside(looks, cancelled)
        if glance is not None:
            seconds = time.monotonic() - began
            return SaveReport(0, kind, glance.size_bytes, glance.files, 0, 0, 0, (), seconds)
        distrust: frozenset[bytes] = frozenset()
        for attempt in range(_COMMIT_TRIES):
            one = _Save(
                volume,
                blocks,
                snapshots,
                workspace_id,
                never_saved,
                cancelled,
                progress,
                always_read,
                distrust,
            )
            try:
                return one.run(number, parent or None, kind, now, created_by, began)
            except (MissingBlocks, lastseen.Unusable) as error:
                if attempt == _COMMIT_TRIES - 1:
                    raise
                distrust |= _doubted(volume, error)
    raise AssertionError("the last try returns or raises")


def _doubted(volume: Volume, error: MissingBlocks | lastseen.Unusable) -> set[bytes]:
    """What a save that is tried again relies on no more."""
    if isinstance(error, MissingBlocks):
        return {bytes.fromhex(name) for name in error.names}
    lastseen.forget(volume)
    return set()


def _refuse_another_base(base: int | None, parent: int | None) -> None:
    if (parent or None) != (base or None):
        raise Refusal(
            "This volume's files do not come from the snapshot that a save would follow",
            f"They come from {base or 'an unknown one'}, the save would follow {parent or 'none'}.",
            ["Save them as a recovery snapshot"],
            label="base",
        )


def _refuse_unfinished(volume: Volume) -> None:
    if volume.restoring is not None:
        raise Refusal(
            "This workspace was not restored completely",
            "Saving it now would put a part of it over the whole.",
            ["Restore it again, then save"],
            label="restoring",
        )


class _Save:
    """One attempt. Everything but the work handed to threads happens in the caller's thread."""

    def __init__(
        self,
        volume: Volume,
        blocks: Blocks,
        snapshots: Snapshots,
        workspace_id: str,
        never_saved: Sequence[str],
        cancelled: Callable[[], bool],
        progress: OnProgress | None,
        always_read: AlwaysRead | None,
        distrust: Collection[bytes],
    ) -> None:
        self.volume, self.blocks, self.snapshots = volume, blocks, snapshots
        self.workspace_id, self.never_saved = workspace_id, never_saved
        self.cancelled, self.progress, self.always_read = cancelled, progress, always_read
        self.distrust = distrust
        self.gone = frozenset(distrust)  # of them, those that are not in the store
        self.newest = 0
        self.keys = keys_of(blocks)
        self.owner = lastseen.owner_of(workspace_id, self.keys)
        self.files = os.fsencode(volume.files)
        self.gathered = Gathering()
        self.skipped: list[tuple[bytes, str]] = []
        self.moved = False  # whether any file was not what the walk saw
        self.done = Progress()

    def run(
        self, number: int, parent: int | None, kind: str, now: datetime, created_by: str, began: float
    ) -> SaveReport:
        head = ask_aside(self._base, self.cancelled)
        tick_ns = scanning.tick(self.files, os.fsencode(self.volume.state / "lock"))
        scanning.sync(self.files)
        leave = ignore.of(self.files, self.never_saved)
        self.skipped += [(ignore.FILE_NAME, f"{why}: {line}") for line, why in leave.problems]
        try:
            seen = scanning.walk(self.files, leave, self.cancelled)
        except OSError as error:
            why = error.strerror or str(error)
            raise Denied(f"The directory {self.volume.files} cannot be read", why) from None
        self.skipped += seen.skipped
        marked = glancing.marked(seen, tick_ns)
        found = in_order(seen.found)
        seen.found.clear()
        others = list(no_files(self.files, found))
        doubtful = head is not None and (kind == "recovery" or head.number != self.newest)
        todo, base, leaves = self._compared(found, head, doubtful)
        changed = sum(item.path not in todo.recheck for item in todo.read)
        self.gathered = todo.kept
        for entry in others:
            self.gathered.add(entry)
        storing = self._store(todo, base or (), leaves)
        storing.all_read()
        whole = [entry for entry in base or () if self._is_there(entry)] if self.gone else base or ()
        self.gathered.keep_unreadable({path for path, _ in self.skipped}, seen.blind, whole)
        after, stamps = self.gathered.taken()
        size = sum(entry.size for entry in after)
        files = sum(entry.kind == FILE for entry in after)
        unchanged = base is not None and not self.gone and nothing_differs(base, after)
        if unchanged and base is not None:
            after, number = base, 0
        else:
            base, leaves = None, []  # two listings in memory are enough
            listing = build(after, self.keys)
            bounds.refuse_larger(listing, after, size)
            leaves = lastseen.leaves_of(listing)
            self._commit(storing, listing, number, parent, kind, now, created_by, (size, files, len(after)))
        at = number or (self.volume.base or 0)
        lastseen.write(self.volume, LastSeen(self.owner, at, tick_ns, after, stamps, leaves))
        if number:
            self.volume.remember(base=number)
            self.volume.reserve()
        if not self.skipped:
            marked = None if self.moved else marked
            glancing.keep(self.volume, self.owner, at, marked, self.never_saved, (size, files))
        skipped = tuple((shown(path), why) for path, why in self.skipped)
        seconds = time.monotonic() - began
        return SaveReport(
            number, kind, size, files, changed, storing.stored_bytes, storing.new_blocks, skipped, seconds
        )

    def _base(self) -> SnapshotHead | None:
        """The base; None where its blocks may be gone."""
        number, numbers = self.volume.base, self.snapshots.numbers()
        self.newest = max(numbers, default=0)
        if not number or number not in numbers:
            return None
        try:
            return head_of(self.snapshots, number, self.workspace_id)
        except WrongKey:
            raise
        except (Damaged, NotFound):
            return None

    def _compared(
        self, found: list[Found], head: SnapshotHead | None, doubtful: bool
    ) -> tuple[Plan, list[Entry] | None, Sequence[bytes]]:
        """What is to be done, the listing of the base (None where its blocks may be gone) and its pages. Lets go of found.
        doubtful: blocks of the base may be gone all the same. Raises Unusable."""
        always_read = self.always_read() if self.always_read else frozenset()
        last = lastseen.load(self.volume, self.owner) if head else None
        if head and last is not None and last.number == head.number:
            todo = plan(found, last, always_read)
            if doubtful:
                self._ask(todo.before, last.leaves)
            return self._trusted(todo), todo.before, last.leaves
        base: list[Entry] | None = None
        try:
            base = list(read(head.root, fetcher(self.blocks, self.cancelled))) if head else None
        except WrongKey:
            raise
        except (Damaged, NotFound):
            pass  # as where there is none
        todo = self._trusted(plan(found, None, always_read))
        leaves = lastseen.leaves_of(build(base or (), self.keys))
        if doubtful:
            self._ask(base or (), leaves)
        return todo, base, leaves

    def _ask(self, entries: Iterable[Entry], leaves: Sequence[bytes]) -> None:
        """Since the base was made another snapshot was, perhaps by a repair, which removes what is damaged: blocks of the
        base that are gone are not relied on."""
        names = {piece.block for entry in entries for piece in entry.pieces if piece.block}
        names.update(self.keys.hash_of(leaf) for leaf in leaves)
        asked = sorted(name.hex() for name in names)
        gone = ask_aside(partial(self.blocks.not_there, asked), self.cancelled)
        self.gone |= {bytes.fromhex(name) for name in gone}
        self.distrust = {*self.distrust, *self.gone}

    def _is_there(self, entry: Entry) -> bool:
        return not any(piece.block in self.gone for piece in entry.pieces)

    def _trusted(self, todo: Plan) -> Plan:
        """The plan, with files whose blocks are gone or worth joining to be read as well."""
        again = set(self.distrust)
        if todo.read:
            again |= worth_joining(todo.kept)
        if not again:
            return todo
        kept = Gathering()
        more: list[Found] = []
        for entry, stamp in todo.kept:
            if not any(piece.block in again for piece in entry.pieces):
                kept.add(entry, stamp)
                continue
            try:
                more.append(look(self.files, entry.path))
            except Gone:
                self.moved = True
            except OSError as error:
                self.skipped.append((entry.path, str(Unreadable(error))))
        self.distrust = again
        files = in_order([*todo.read, *more])
        return todo._replace(kept=kept, read=files, recheck=todo.recheck | {item.path for item in more})

    def _store(self, todo: Plan, base: Sequence[Entry], leaves: Sequence[bytes]) -> Storing:
        """Reads what is to be read, and stores it; leaves are the pages of base."""
        contents: dict[bytes, tuple[Piece, ...]] = {}
        known: set[bytes] = set()
        for entry in base if todo.read else ():
            if entry.pieces and not any(piece.block in self.distrust for piece in entry.pieces):
                contents[entry.content] = entry.pieces
                known.update(piece.block for piece in entry.pieces)
        known.update({self.keys.hash_of(leaf) for leaf in leaves} - set(self.distrust))
        crew = Crew(sum(item.size <= FILE_BYTES for item in todo.read))
        storing = Storing(self.blocks, known, contents, crew)
        self._total(todo.read)
        with crew:
            intake = Intake(self.files, storing, self.gathered, todo.links, self.cancelled, self._step)
            intake.take(todo.read)
            intake.take_names()
        self.skipped += intake.skipped
        self.moved |= intake.moved
        return storing

    def _commit(
        self,
        storing: Storing,
        listing: Listing,
        number: int,
        parent: int | None,
        kind: str,
        now: datetime,
        created_by: str,
        counts: tuple[int, int, int],
    ) -> None:
        with Pool(self.cancelled, name="save-pages") as pool:
            for page in listing.pages:
                pool.submit(2 * page.ref.length, storing.put, page.ref.name, page.plain, done=lambda _: None)
            pool.finish()
        size, files, entries = counts
        head = SnapshotHead(
            self.workspace_id,
            number,
            kind,
            parent,
            self.volume.lease,
            now,
            created_by,
            size,
            files,
            entries,
            storing.stored_bytes,
            len(self.skipped),
            listing.root,
        )
        body = compose_snapshot(head, os.urandom(16), self.keys)
        check = parse_snapshot(body, number=number, workspace=self.workspace_id, keys=self.keys).check
        self.volume.remember(pending=(number, check))
        facts = CommitFacts(kind, size, files, storing.stored_bytes, tuple(storing.present))
        self.snapshots.commit(number, body, facts)

    def _total(self, files: Sequence[Found]) -> None:
        self.done = Progress(0, sum(item.size for item in files), 0, len(files))
        self._step(0)

    def _step(self, done_bytes: int, done_files: int = 0) -> None:
        was = self.done
        self.done = dataclasses.replace(
            was,
            done_bytes=min(was.done_bytes + done_bytes, was.total_bytes),
            done_files=was.done_files + done_files,
        )
        if self.progress is not None:
            self.progress(self.done)
