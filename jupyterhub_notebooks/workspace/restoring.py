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
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import overload

from ..contract import Progress
from ..errors import AlreadyRunning, NoSpace, NotebooksError
from ..units import show_size
from . import bounds, fetching, ignore, lastseen, pages, scanning
from .crew import Crew, HandGone
from .entries import DIRECTORY, FILE, Entry, links_of, shown
from .filling import Filling
from .keys import keys_of
from .lastseen import LastSeen
from .memory import careful
from .placing import Places
from .pool import Pool, aside, ask_aside, ask_now_and_then, away, result_of, threads
from .ports import Blocks, OnProgress, Snapshots
from .replacing import MOVED_ASIDE, replace
from .scanning import Found
from .snapshots import SnapshotHead, head_of
from .stamps import Stamp, stamp_of
from .volume import Volume

_MOST_BYTES = 64 * 2**20
#: More directories than these are made by hands.
_LEAST_FOLDERS = 100


@dataclass(frozen=True)
class RestoreReport:
    """fetched_bytes: plain bytes of the blocks that were fetched. kept_files: were right already. skipped: (path,
    why) of what could not be restored wholly (attributes that this file system does not keep). moved: what is left out of
    saves and stood in the way, as (path, where it lies now)."""

    number: int
    size_bytes: int
    files: int
    fetched_bytes: int
    kept_files: int
    skipped: tuple[tuple[str, str], ...]
    seconds: float
    moved: tuple[tuple[str, str], ...] = ()


def restore(
    volume: Volume,
    blocks: Blocks,
    snapshots: Snapshots,
    number: int,
    *,
    never_saved: Sequence[str] = (),
    progress: OnProgress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    wait_for_disk: bool = True,
) -> RestoreReport:
    """Makes the volume's files what snapshot ``number`` says. What is left out of saves stays where it is: by the setting, by
    the files' own rules as they are and as they were before, or by the snapshot's. What stands in the way is moved beside.

    wait_for_disk: False returns when all files can be used, and the caller then calls ``settle_restore``; until that
    is done, or a save begins, a machine that ends restores again at its next start.

    Raises NotFound, Damaged, Refusal, Cancelled, NoSpace, StorageAway. In a directory in use nothing is changed before all new
    files are fetched: until then it is afterwards as it was, and may be saved; from then on ``restoring`` stays.
    """
    began = time.monotonic()
    with volume.locked() as lock, careful():
        head = ask_aside(lambda: head_of(snapshots, number), cancelled)
        with Crew(head.files, inherit=lock) as crew:
            entries, leaves = _listing(head, fetching.fetcher(blocks, cancelled))
            one = _Restore(volume, blocks, number, entries, never_saved, progress, cancelled, crew)

            def keep() -> None:
                owner = lastseen.owner_of(head.workspace, keys_of(blocks))
                tick_ns = scanning.tick(os.fsencode(volume.files))
                stamps = lastseen.stamps_of(entries, one.stamps)
                one.stamps.clear()
                lastseen.write(volume, LastSeen(owner, number, tick_ns, entries, stamps, leaves))

            try:
                one.run(sync=wait_for_disk, written=keep)
                if wait_for_disk:
                    ask_aside(lambda: scanning.sync(os.fsencode(volume.files)), cancelled)
                    volume.remember(base=number)
                else:
                    volume.restore_written(number, base=number)
            except OSError as error:
                raise _translated(error, volume, one.todo_bytes) from error
            finally:
                with suppress(OSError):
                    volume.forget_fetching()
        if wait_for_disk:
            volume.end_restore()
    files = [entry for entry in entries if entry.kind == FILE]
    size = sum(entry.size for entry in files)
    seconds = time.monotonic() - began
    return RestoreReport(
        number, size, len(files), one.fetched_bytes, one.kept, one.skipped, seconds, one.moved
    )


def settle_restore(volume: Volume) -> None:
    """Waits until what a restore wrote is on the disk, and takes its mark away; nothing where that was done.

    May run beside everything else: a save or restore that runs then sees to the mark itself.
    """
    nonce = volume.unsynced
    if nonce is None:
        return
    scanning.sync(os.fsencode(volume.files))
    scanning.sync(os.fsencode(volume.state))
    with suppress(AlreadyRunning), volume.locked():
        if volume.unsynced == nonce:
            volume.end_restore()


def _listing(head: SnapshotHead, fetch: pages.Fetch) -> tuple[list[Entry], list[bytes]]:
    """The entries of a snapshot and the plaintexts of the pages they stand on. Raises Damaged also where they are more than
    what the snapshot says of itself."""
    fetch = bounds.bounded(fetch, head)
    refs = pages.leaves_of(head.root, fetch)
    leaves: list[bytes] = []

    def kept() -> Iterator[bytes]:
        for plain in fetch([(ref.name, ref.length) for ref in refs]):
            leaves.append(plain)
            yield plain

    return bounds.whole(pages.entries_of(refs, kept()), head), leaves


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
        number: int,
        entries: list[Entry],
        never_saved: Sequence[str],
        progress: OnProgress | None,
        cancelled: Callable[[], bool],
        crew: Crew,
    ) -> None:
        self.volume, self.blocks, self.number = volume, blocks, number
        self.entries, self.crew = entries, crew
        self.never_saved, self.progress, self.cancelled = never_saved, progress, cancelled
        self.todo_bytes = self.fetched_bytes = self.kept = 0
        self.skipped: tuple[tuple[str, str], ...] = ()
        self.moved: tuple[tuple[str, str], ...] = ()
        self.stamps: dict[bytes, Stamp] = {}

    def run(self, sync: bool, written: Callable[[], None]) -> None:
        """sync: others may be writing what is there, also through memory maps. written: called when nothing is left to do but
        modes and times of directories, once, and beside that where it can be."""
        volume = self.volume
        volume.files.mkdir(parents=True, exist_ok=True)
        files = os.fsencode(volume.files)
        with Places(files, threads() + 1) as places:
            if os.listdir(files):
                self._over(files, places, sync)
            else:
                volume.begin_restore(self.number)
                self._straight(places)
            self._dress(places, written)
            why = "this file system does not keep its attributes"
            self.skipped = tuple((shown(path), why) for path in places.without_attributes)

    def _over(self, files: bytes, places: Places, sync: bool) -> None:
        """Into a directory in use."""
        volume = self.volume
        settled_ns: int | None = None
        if sync:  # in this order, as before a save
            settled_ns = scanning.tick(files) - scanning.SETTLED_NS
            ask_aside(lambda: scanning.sync(files), self.cancelled)
        written: set[bytes] = set()

        def fill(places: Places, wanted: Sequence[tuple[bytes, Entry]]) -> None:
            written.update(entry.path for _, entry in wanted)
            self.fill(places, wanted)

        goes_on = volume.restoring is not None
        rules = self._rules(files)
        if not goes_on:
            volume.sync_restored()
        volume.begin_restore(self.number, rules, fetching=not goes_on)
        leave = ignore.Ignore((), *rules)

        def begin() -> None:
            own = [one for one in rules if one != (MOVED_ASIDE,)]
            volume.begin_restore(self.number, [*own, (MOVED_ASIDE,)])

        replaced = replace(
            files, places, self.entries, leave, fill, begin, self.cancelled, keys_of(self.blocks)
        )
        self.kept = replaced.right
        self.moved = tuple((shown(path), shown(to)) for path, to in replaced.moved)

        def settled(item: Found) -> bool:
            if settled_ns is None or item.ctime_ns <= settled_ns or item.path in written:
                return True
            touched = replaced.touched.get(item.path)
            if touched is None or touched.changed_ns > settled_ns:
                return False
            return touched.stamp == stamp_of(
                item.inode, item.ctime_ns
            )  # no change but ours since it was compared

        self.stamps = _stamps(files, self.entries, leave, settled, self.cancelled)

    def _rules(self, files: bytes) -> list[tuple[str, ...]]:
        """Every list of rules that may say of something here that it is in no snapshot, each once: those of a restore that
        was cut off, of the setting, of the files as they are now, and of the snapshot."""
        here = ignore.read(files)
        lists = [
            *self.volume.restore_rules,
            tuple(self.never_saved),
            tuple(ignore.lines_of(here)),
            tuple(ignore.lines_of(self._own_rules(here))),
        ]
        return [one for one in dict.fromkeys(lists) if one]

    def _own_rules(self, here: bytes) -> bytes:
        """The snapshot's own file of rules, as far as it counts; here is the one on the disk."""
        of_rules = (e for e in self.entries if e.path == ignore.FILE_NAME and e.kind == FILE)
        entry = next(of_rules, None)
        if entry is None or (len(here) == entry.size and keys_of(self.blocks).hash_of(here) == entry.content):
            return b""
        body = b""
        for piece in entry.pieces:
            if len(body) >= ignore.MOST_BYTES:
                break
            if not piece.block:
                body += bytes(min(piece.length, ignore.MOST_BYTES))
                continue
            plain = ask_aside(
                partial(fetching.get, self.blocks, piece.block, piece.block_length), self.cancelled
            )
            body += plain[piece.offset : piece.offset + piece.length]
        return body

    def _dress(self, places: Places, beside: Callable[[], None]) -> None:
        """Directories get their modes and times; those that keep their owner out come last, the deepest first."""
        folders = [entry for entry in self.entries if entry.kind == DIRECTORY]
        if self.crew.hands and len(folders) > _LEAST_FOLDERS:
            plain = [e for e in folders if e.mode & 0o700 == 0o700 and not e.xattrs]
            rows = [(e.path, e.mode, e.mtime_ns) for e in plain]
            dressing = aside(lambda: self.crew.dress_folders(places.root, rows))
            beside()
            with suppress(HandGone):
                result_of(dressing, self.cancelled)
                done = {entry.path for entry in plain}
                folders = [entry for entry in folders if entry.path not in done]
        else:
            beside()
        for entry in ask_now_and_then(reversed(folders), self.cancelled):
            places.dress_folder(entry)

    def _straight(self, places: Places) -> None:
        """Into an empty directory: everything is written where it belongs."""

        def folders() -> None:
            paths = [entry.path for entry in self.entries if entry.kind == DIRECTORY]
            if self.crew.hands and len(paths) > _LEAST_FOLDERS:
                with suppress(HandGone):
                    share = -(-len(paths) // self.crew.hands)
                    for first in paths[share::share]:  # what the first of each share lies in
                        for at in range(first.count(b"/")):
                            places.make_folder(b"/".join(first.split(b"/")[: at + 1]))
                    away(lambda: self.crew.make_folders(places.root, paths))
                    return
            for path in ask_now_and_then(paths, self.cancelled):
                places.make_folder(path)

        links = links_of(self.entries)
        files = [e for e in self.entries if e.kind == FILE and e.path not in links]
        self.fill(places, _AtTheirPaths(files), folders)
        others = [e for e in self.entries if e.kind not in (FILE, DIRECTORY) or e.path in links]
        for entry in ask_now_and_then(others, self.cancelled):
            if entry.path in links:
                places.link(links[entry.path], entry.path)
            else:
                places.symlink(entry.path, entry)
        for path in {*links, *links.values()}:  # a further name moves the time of change
            self.stamps.pop(path, None)
            about = places.look(path)
            if about is not None:
                self.stamps[path] = stamp_of(about.st_ino, about.st_ctime_ns)

    def fill(
        self,
        places: Places,
        wanted: Sequence[tuple[bytes, Entry]],
        before: Callable[[], None] = lambda: None,
    ) -> None:
        """Fetches and writes files: (where, what); before makes their folders."""
        self.todo_bytes = sum(entry.size for _, entry in wanted)
        with Pool(self.cancelled, name="restore", most_bytes=_MOST_BYTES) as pool:
            filling = Filling(places, self.blocks, pool, self._progress, wanted, self.crew)
            filling.run(before)
            self.fetched_bytes, self.stamps = filling.fetched_bytes, filling.stamps

    def _progress(self, done: Progress) -> None:
        if self.progress is not None:
            self.progress(done)


class _AtTheirPaths(Sequence[tuple[bytes, Entry]]):
    """Each file with its own path, made when it is asked for: of very many files the pairs alone would be much memory."""

    def __init__(self, files: Sequence[Entry]) -> None:
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    @overload
    def __getitem__(self, at: int) -> tuple[bytes, Entry]: ...
    @overload
    def __getitem__(self, at: slice) -> list[tuple[bytes, Entry]]: ...
    def __getitem__(self, at: int | slice) -> tuple[bytes, Entry] | list[tuple[bytes, Entry]]:
        if isinstance(at, slice):
            return [(entry.path, entry) for entry in self._files[at]]
        return self._files[at].path, self._files[at]

    def __iter__(self) -> Iterator[tuple[bytes, Entry]]:
        return ((entry.path, entry) for entry in self._files)


def _stamps(
    files: bytes,
    entries: Sequence[Entry],
    leave: ignore.Ignore,
    settled: Callable[[Found], bool],
    cancelled: Callable[[], bool],
) -> dict[bytes, Stamp]:
    """How the files lie here now, of those that are what the snapshot says."""
    looks = {item.path: item for item in scanning.walk(files, leave, cancelled).found}
    stamps: dict[bytes, Stamp] = {}
    for entry in entries:
        item = looks.get(entry.path)
        same = item is not None and (item.size, item.mtime_ns) == (entry.size, entry.mtime_ns)
        if item is not None and same and settled(item):
            stamps[entry.path] = stamp_of(item.inode, item.ctime_ns)
    return stamps


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
