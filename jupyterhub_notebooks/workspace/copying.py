"""Parts of a snapshot brought back: into a directory in use, or as copies elsewhere.

Promises: each file appears whole or not at all (written aside, then renamed), whatever ends the work; nothing that the
paths do not name is touched; nothing is written through a symbolic link or outside the directory; the directory does
not become the snapshot's: what a volume knows of itself is not changed.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..contract import Progress
from ..errors import BadInput, Damaged, NoSpace, NotebooksError, NotFound, Refusal
from ..units import show_size
from . import bounds
from .browsing import Contents
from .crew import Crew
from .entries import DIRECTORY, FILE, SYMLINK, Entry, links_of, order, shown, why_not_a_path
from .filling import Filling
from .ignore import ASIDE
from .placing import Places
from .pool import Pool, ask_aside, ask_now_and_then, threads
from .ports import Blocks, OnProgress, Snapshots

_SHOWN = 3


@dataclass(frozen=True)
class CopyReport:
    """skipped: (path, why) of what was not brought back wholly."""

    number: int
    size_bytes: int
    files: int
    entries: int
    replaced_files: int
    skipped: tuple[tuple[str, str], ...]
    seconds: float


def chosen(contents: Contents, paths: Iterable[bytes]) -> list[Entry]:
    """The entries at and below paths, in order, each once. Raises NotFound, BadInput, Damaged."""
    found: dict[bytes, Entry] = {}
    for path in paths:
        entry = contents.entry(clean(path))
        _above(contents, entry)
        found[entry.path] = entry
        if entry.kind == DIRECTORY:
            below = bounds.whole(contents.below(entry.path), contents.head)
            found |= {inside.path: inside for inside in below}
    return sorted(found.values(), key=lambda entry: order(entry.path))


def clean(path: bytes) -> bytes:
    """A path that a person typed as listings have it. Raises BadInput."""
    parts = [part for part in path.split(b"/") if part not in (b"", b".")]
    if path.startswith(b"/") or (wrong := why_not_a_path(b"/".join(parts))):
        why = "it is absolute" if path.startswith(b"/") else f"it is {wrong}"
        raise BadInput(
            f"{shown(path)!r} is no path in a workspace",
            why,
            ["Name it as `workspace list --snapshot` shows it"],
            field="path",
        )
    return b"/".join(parts)


def copy_paths(
    blocks: Blocks,
    snapshots: Snapshots,
    number: int,
    paths: Sequence[bytes],
    into: Path,
    *,
    replace: bool = False,
    progress: OnProgress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> CopyReport:
    """Brings paths, and what lies below them, back to the same places below into.

    What the snapshot lacks stays. Raises Refusal where a file is in the way and replace is False, NotFound, BadInput,
    Damaged, NoSpace, StorageAway, Cancelled; then files that were there are as they were, or as in the snapshot.
    """
    began = time.monotonic()
    contents = ask_aside(lambda: Contents(blocks, snapshots, number), cancelled)
    entries = ask_aside(lambda: chosen(contents, paths), cancelled)
    ways = ask_aside(lambda: _ways(contents, entries), cancelled)
    try:
        into.mkdir(parents=True, exist_ok=True)
        with Places(os.fsencode(into), threads() + 1) as places:
            there = _in_the_way(places, entries)
            if there and not replace:
                raise _refused(into, there)
            copy = _Copy(blocks, places, entries, progress, cancelled)
            copy.run(ways)
            without = places.without_attributes
    except OSError as error:
        raise _said(error, into, entries) from error
    return _report(number, entries, len(there), without, began)


def copy_all(
    blocks: Blocks,
    snapshots: Snapshots,
    number: int,
    into: Path,
    *,
    progress: OnProgress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> CopyReport:
    """A whole snapshot as the new directory into, which appears when it is complete.

    Raises Refusal where into is there and not empty; and as ``copy_paths``.
    """
    began = time.monotonic()
    if into.exists() and not (into.is_dir() and not any(into.iterdir())):
        raise Refusal(
            f"{into} is not empty",
            "A whole snapshot is written into a new directory.",
            ["Name another directory", "Or name single files with --path"],
            label="not_empty",
        )
    contents = ask_aside(lambda: Contents(blocks, snapshots, number), cancelled)
    entries = ask_aside(lambda: bounds.whole(contents.below(), contents.head), cancelled)
    aside = into.absolute().parent / f".{into.name}.{secrets.token_hex(8)}.new"
    try:
        aside.mkdir(parents=True)
        try:
            with Places(os.fsencode(aside), threads() + 1) as places:
                _Copy(blocks, places, entries, progress, cancelled).run({})
                without = places.without_attributes
            aside.chmod(0o755)
            os.rename(aside, into)
        finally:
            if aside.exists():
                shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise _said(error, into, entries) from error
    return _report(number, entries, 0, without, began)


class _Copy:
    """One run: contents aside, then everything into place."""

    def __init__(
        self,
        blocks: Blocks,
        places: Places,
        entries: Sequence[Entry],
        progress: OnProgress | None,
        cancelled: Callable[[], bool],
    ) -> None:
        self._blocks, self._places, self._entries = blocks, places, entries
        self._progress, self._cancelled = progress, cancelled
        self._aside = ASIDE + b"/" + secrets.token_hex(8).encode()

    def run(self, ways: dict[bytes, Entry]) -> None:
        """ways: directories above, made like the snapshot's where they are missing."""
        places = self._places
        links = links_of(self._entries)
        wanted = [
            (self._at(number), entry)
            for number, entry in enumerate(self._entries)
            if entry.kind == FILE and entry.path not in links
        ]
        places.make_folder(ASIDE)
        places.make_folder(self._aside)
        try:
            with Crew(len(wanted)) as crew, Pool(self._cancelled, name="copy") as pool:
                Filling(places, self._blocks, pool, self._tell, wanted, crew).run()
            made = [entry for path, entry in ways.items() if places.look(path) is None]
            for entry in made:
                places.make_folder(entry.path)
            for number, entry in ask_now_and_then(enumerate(self._entries), self._cancelled):
                self._put(number, entry, links)
            folders = [entry for entry in self._entries if entry.kind == DIRECTORY]
            for entry in ask_now_and_then(reversed([*made, *folders]), self._cancelled):
                places.dress_folder(entry)
        finally:
            places.forget()
            places.remove_all(self._aside)
            places.forget()
            places.remove(ASIDE, is_folder=True)

    def _tell(self, done: Progress) -> None:
        if self._progress is not None:
            self._progress(done)

    def _at(self, number: int) -> bytes:
        return self._aside + b"/%d" % number

    def _put(self, number: int, entry: Entry, links: dict[bytes, bytes]) -> None:
        places, path = self._places, entry.path
        about = places.look(path)
        if about is not None and stat.S_ISDIR(about.st_mode) != (entry.kind == DIRECTORY):
            places.forget()
            places.move(path, _free(places, path))
        if entry.kind == DIRECTORY:
            places.make_folder(path)
            return
        if path in links:
            places.link(links[path], self._at(number))
        elif entry.kind == SYMLINK:
            places.symlink(self._at(number), entry)
        places.move(self._at(number), path)


def _above(contents: Contents, entry: Entry) -> list[Entry]:
    """The directories above an entry, from the top down. Raises Damaged where one is none."""
    parts = entry.path.split(b"/")
    try:
        above = [contents.entry(b"/".join(parts[:depth])) for depth in range(1, len(parts))]
    except NotFound:
        above = []
    if len(above) < len(parts) - 1 or any(folder.kind != DIRECTORY for folder in above):
        raise Damaged(
            "The listing of a snapshot cannot be used", f"{shown(entry.path)} lies in no directory of it"
        )
    return above


def _ways(contents: Contents, entries: Sequence[Entry]) -> dict[bytes, Entry]:
    """The directories above entries that are not among them, from the top down."""
    chosen = {entry.path for entry in entries}
    ways: dict[bytes, Entry] = {}
    for entry in entries:
        parent = entry.path.rpartition(b"/")[0]
        if parent and parent not in chosen and parent not in ways:
            ways |= {folder.path: folder for folder in _above(contents, entry) if folder.path not in chosen}
    return dict(sorted(ways.items(), key=lambda item: order(item[0])))


def _in_the_way(places: Places, entries: Sequence[Entry]) -> list[bytes]:
    """What would be replaced or moved aside."""
    there = []
    for entry in entries:
        about = places.look(entry.path)
        if about is not None and not (stat.S_ISDIR(about.st_mode) and entry.kind == DIRECTORY):
            there.append(entry.path)
    return there


def _free(places: Places, path: bytes) -> bytes:
    number = 1
    while places.look(path + b".before-restore-%d" % number) is not None:
        number += 1
    return path + b".before-restore-%d" % number


def _refused(into: Path, there: Sequence[bytes]) -> Refusal:
    names = ", ".join(shown(path) for path in there[:_SHOWN])
    more = f" and {len(there) - _SHOWN:,} more" if len(there) > _SHOWN else ""
    return Refusal(
        f"{into} has {names}{more} already",
        "They would be replaced.",
        ["Add --replace", "Or bring copies to another directory with --to"],
        label="not_empty",
    )


def _report(
    number: int, entries: Sequence[Entry], replaced: int, without: Sequence[bytes], began: float
) -> CopyReport:
    files = [entry for entry in entries if entry.kind == FILE]
    why = "this file system does not keep its attributes"
    skipped = tuple((shown(path), why) for path in without)
    size = sum(entry.size for entry in files)
    return CopyReport(number, size, len(files), len(entries), replaced, skipped, time.monotonic() - began)


def _said(error: OSError, into: Path, entries: Sequence[Entry]) -> NotebooksError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        size = sum(entry.size for entry in entries if entry.kind == FILE)
        return NoSpace("The disk is full", f"{show_size(size)} were to be written to {into}.")
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return Damaged(
            f"{into} cannot take this",
            "A directory of the path is a symbolic link or a file there, and nothing is written through those.",
            ["Bring copies to another directory with --to"],
        )
    name = os.fsdecode(error.filename) if error.filename else str(into)
    return NotebooksError(f"{name!r} cannot be written", error.strerror or str(error))
