"""Files of one snapshot put into another's listing: what a stopped workspace becomes when a part is brought back.

Promises: no file's bytes are read or written, only pages of the listing; what was not asked for stays as it was; nothing is
committed here, and until somebody commits what ``taken`` answers, nothing has changed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import BadInput, Refusal
from . import fetching, pages
from .browsing import Contents
from .copying import chosen, clean
from .crew import Crew
from .entries import DIRECTORY, FILE, Entry, order, shown, why_not_a_path
from .keys import keys_of
from .pool import Pool
from .ports import Blocks, Snapshots
from .snapshots import SnapshotHead, head_of
from .storing import Storing

_FOLDER_MODE = 0o755


@dataclass(frozen=True)
class Taken:
    """head: what the new snapshot shall say, but for its number, kind, parent and time. present: blocks that were there
    already. files: how many were brought; replaced: how many of them took another's place."""

    head: SnapshotHead
    present: tuple[str, ...]
    files: int
    replaced: int


def taken(
    blocks: Blocks,
    snapshots: Snapshots,
    base: int,
    source: int,
    paths: Sequence[bytes],
    *,
    into: bytes = b"",
    cancelled: Callable[[], bool] = lambda: False,
) -> Taken:
    """Snapshot base with paths (and what lies below them) of snapshot source, at their places or as copies below into.

    Raises NotFound, BadInput, Damaged, StorageAway; Refusal where a file stands in a folder's place or the other way round.
    """
    if into and (wrong := why_not_a_path(into)):
        raise BadInput(f"{shown(into)!r} is no folder in a workspace", f"it is {wrong}", field="into")
    if not paths:
        raise BadInput("No file was named", next=["Name files or folders of the snapshot"], field="paths")
    contents = Contents(blocks, snapshots, source)
    wanted = chosen(contents, [clean(path) for path in paths])
    under = into + b"/" if into else b""
    brought = {
        under + entry.path: entry._replace(path=under + entry.path, hard_link_to=b"") for entry in wanted
    }
    head = head_of(snapshots, base)
    there = {entry.path: entry for entry in pages.read(head.root, fetching.fetcher(blocks, cancelled))}
    folders = _folders(contents, brought, there, under)
    _refuse_in_the_way(brought, there)
    replaced = {path for path in brought if path in there and brought[path].kind != DIRECTORY}
    kept = {
        path: entry._replace(hard_link_to=b"") if entry.hard_link_to in replaced else entry
        for path, entry in there.items()
    }
    after = sorted({**kept, **folders, **brought}.values(), key=lambda entry: order(entry.path))
    listing = pages.build(after, keys_of(blocks))
    storing = Storing(blocks, set(), {}, Crew(0))
    with Pool(cancelled, name="pages") as pool:
        for page in listing.pages:
            pool.submit(2 * page.ref.length, storing.put, page.ref.name, page.plain, done=lambda _: None)
        pool.finish()
    made = dataclasses.replace(
        head,
        root=listing.root,
        size_bytes=sum(entry.size for entry in after),
        files=sum(entry.kind == FILE for entry in after),
        entries=len(after),
        stored_bytes=storing.stored_bytes,
        skipped=0,
    )
    files = sum(entry.kind == FILE for entry in brought.values())
    return Taken(made, tuple(storing.present), files, len(replaced))


def _folders(
    contents: Contents, brought: dict[bytes, Entry], there: dict[bytes, Entry], under: bytes
) -> dict[bytes, Entry]:
    """The folders above what is brought that are missing, as the snapshot has them. Raises Refusal."""
    made: dict[bytes, Entry] = {}
    for path, entry in brought.items():
        parts = path.split(b"/")
        for depth in range(1, len(parts)):
            folder = b"/".join(parts[:depth])
            standing = there.get(folder)
            if standing is not None and standing.kind != DIRECTORY:
                raise _in_the_way(folder)
            if standing is None and folder not in brought and folder not in made:
                made[folder] = _like(contents, folder, under, entry.mtime_ns)
    return made


def _like(contents: Contents, folder: bytes, under: bytes, mtime_ns: int) -> Entry:
    if len(folder) > len(under) and folder.startswith(under):
        return contents.entry(folder[len(under) :])._replace(path=folder)
    return Entry(folder, DIRECTORY, _FOLDER_MODE, mtime_ns)


def _refuse_in_the_way(brought: dict[bytes, Entry], there: dict[bytes, Entry]) -> None:
    for path, entry in brought.items():
        standing = there.get(path)
        if standing is not None and (standing.kind == DIRECTORY) != (entry.kind == DIRECTORY):
            raise _in_the_way(path)


def _in_the_way(path: bytes) -> Refusal:
    return Refusal(
        f"{shown(path)} stands in the way",
        "The newest save has a file where the snapshot has a folder, or the other way round.",
        ["Bring copies back instead"],
        label="in_the_way",
    )
