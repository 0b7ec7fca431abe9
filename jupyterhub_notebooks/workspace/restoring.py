"""Restoring a whole workspace from one snapshot.

Promises: the mark ``restoring`` is on the disk before the first byte of files is touched and goes after the last is on
the disk, so that a restore that ended half-way is never saved; every block is verified before a byte of it is written;
nothing is written outside the directory. A snapshot whose listing cannot be used is refused before anything is touched.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..contract import Progress
from ..errors import NoSpace, NotebooksError
from ..units import show_size
from . import fetching, ignore, lastseen, pages, scanning
from .entries import DIRECTORY, FILE, Entry, links_of, shown
from .filling import Filling
from .keys import Keys, keys_of
from .lastseen import LastSeen, Stamp
from .placing import Places
from .pool import Pool
from .ports import Blocks, OnProgress, Snapshots
from .replacing import replace
from .snapshots import SnapshotHead, head_of
from .volume import Volume


@dataclass(frozen=True)
class RestoreReport:
    """fetched_bytes: plain bytes of the blocks that were fetched. kept_files: were right already. skipped: (path,
    why) of what could not be restored wholly (attributes that this file system does not keep)."""

    number: int
    size_bytes: int
    files: int
    fetched_bytes: int
    kept_files: int
    skipped: tuple[tuple[str, str], ...]
    seconds: float


def restore(
    volume: Volume,
    blocks: Blocks,
    snapshots: Snapshots,
    number: int,
    *,
    never_saved: Sequence[str] = (),
    progress: OnProgress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> RestoreReport:
    """Makes the volume's files what snapshot ``number`` says. What is left out of saves stays where it is.

    Raises NotFound, Damaged, Cancelled, NoSpace, StorageAway; then ``restoring`` stays, and so does what was there
    before as long as the new files are not all fetched.
    """
    began = time.monotonic()
    with volume.locked():
        head = head_of(snapshots, number)
        entries = list(pages.read(head.root, fetching.fetcher(blocks, cancelled)))
        volume.begin_restore(number)
        one = _Restore(volume, blocks, entries, never_saved, progress, cancelled)
        try:
            one.run()
            _remember(volume, head, entries, never_saved, keys_of(blocks))
        except OSError as error:
            raise _translated(error, volume, one.todo_bytes) from error
        volume.end_restore()
    files = [entry for entry in entries if entry.kind == FILE]
    size = sum(entry.size for entry in files)
    seconds = time.monotonic() - began
    return RestoreReport(number, size, len(files), one.fetched_bytes, one.kept, one.skipped, seconds)


def listing(blocks: Blocks, snapshots: Snapshots, number: int) -> Iterator[Entry]:
    """The entries of a snapshot, in order. Raises NotFound, Damaged, StorageAway, also on the way."""
    head = head_of(snapshots, number)
    return pages.read(head.root, fetching.fetcher(blocks))


class _Restore:
    """One restore, after its listing was read and the mark was made."""

    def __init__(
        self,
        volume: Volume,
        blocks: Blocks,
        entries: list[Entry],
        never_saved: Sequence[str],
        progress: OnProgress | None,
        cancelled: Callable[[], bool],
    ) -> None:
        self.volume, self.blocks, self.entries = volume, blocks, entries
        self.never_saved, self.progress, self.cancelled = never_saved, progress, cancelled
        self.todo_bytes = self.fetched_bytes = self.kept = 0
        self.skipped: tuple[tuple[str, str], ...] = ()

    def run(self) -> None:
        volume = self.volume
        volume.files.mkdir(parents=True, exist_ok=True)
        files = os.fsencode(volume.files)
        fresh = not os.listdir(files)
        leave = ignore.of(files, self.never_saved)
        with Places(files) as places:
            if fresh:
                self._straight(places)
            else:
                self.kept = replace(
                    files, places, self.entries, leave, self.fill, self.cancelled, keys_of(self.blocks)
                )
            for entry in reversed([entry for entry in self.entries if entry.kind == DIRECTORY]):
                places.dress_folder(entry)
            why = "this file system does not keep its attributes"
            self.skipped = tuple((shown(path), why) for path in places.without_attributes)

    def _straight(self, places: Places) -> None:
        """Into an empty directory: everything is written where it belongs."""
        for entry in self.entries:
            if entry.kind == DIRECTORY:
                places.make_folder(entry.path)
        links = links_of(self.entries)
        files = [e for e in self.entries if e.kind == FILE and e.path not in links]
        self.fill(places, [(entry.path, entry) for entry in files])
        for entry in self.entries:
            if entry.path in links:
                places.link(links[entry.path], entry.path)
            elif entry.kind not in (FILE, DIRECTORY):
                places.symlink(entry.path, entry)

    def fill(self, places: Places, wanted: Sequence[tuple[bytes, Entry]]) -> None:
        """Fetches and writes files: (where, what)."""
        self.todo_bytes = sum(entry.size for _, entry in wanted)
        with Pool(self.cancelled, name="restore") as pool:
            filling = Filling(places, self.blocks, pool, self._progress, wanted)
            filling.run()
            self.fetched_bytes = filling.fetched_bytes

    def _progress(self, done: Progress) -> None:
        if self.progress is not None:
            self.progress(done)


def _remember(
    volume: Volume, head: SnapshotHead, entries: list[Entry], never_saved: Sequence[str], keys: Keys
) -> None:
    """All is on the disk: the base is this snapshot, and what lies here is what it says."""
    files = os.fsencode(volume.files)
    scanning.sync(files)
    tick_ns = scanning.tick(files)
    looks = {item.path: item for item in scanning.walk(files, ignore.of(files, never_saved)).found}
    stamps: dict[bytes, Stamp] = {}
    for entry in entries:
        item = looks.get(entry.path)
        if item is not None and (item.size, item.mtime_ns) == (entry.size, entry.mtime_ns):
            stamps[entry.path] = (item.inode, item.ctime_ns)
    leaves = lastseen.leaves_of(pages.build(entries, keys))
    owner = lastseen.owner_of(head.workspace, keys)
    lastseen.write(volume, LastSeen(owner, head.number, tick_ns, entries, stamps, leaves))
    volume.remember(base=head.number)


def _translated(error: OSError, volume: Volume, todo_bytes: int) -> NotebooksError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        about = os.statvfs(volume.files)
        free = about.f_bavail * about.f_frsize
        return NoSpace(
            "The disk is full",
            f"The workspace needs {show_size(todo_bytes)}; {show_size(free)} are free in {volume.files} now.",
            ["Free some space, then restore again"],
        )
    name = os.fsdecode(error.filename) if error.filename else str(volume.files)
    return NotebooksError(
        f"{name!r} cannot be written", error.strerror or str(error), ["Mend this, then restore again"]
    )
