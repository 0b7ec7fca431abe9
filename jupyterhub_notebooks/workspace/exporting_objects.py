"""A snapshot, or a part of one, as plain objects in S3: one per file, under the file's own path.

Promises: written only into an empty place, or into one where the same export was cut off, which then goes on; each
block is read once; each object appears whole. What objects cannot hold (modes, links, empty folders, attributes, names
that are no text) stands in MANIFEST, which is written last as complete. FORMAT.md has its fields.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..clock import to_text
from ..contract import Progress
from ..errors import Damaged, NotFound, Refusal
from . import fetching
from .browsing import Contents, read_file
from .copying import chosen
from .entries import DIRECTORY, FILE, SYMLINK, Entry, links_of, shown
from .pool import Pool
from .ports import Blocks, Cancelled, OnProgress, Snapshots

MANIFEST = "notebooks-export.json"
MAGIC = "jupyterhub-notebooks export"
#: A key of S3 has at most 1,024 bytes, the prefix among them.
MOST_KEY_BYTES = 900
_PLAIN_FILE, _PLAIN_FOLDER = 0o644, 0o755


class Place(Protocol):
    """Where the objects go: store.plain_objects.PlainObjects."""

    url: str

    def get(self, key: str) -> bytes: ...

    def list(self, prefix: str) -> Iterator[tuple[str, int]]: ...

    def put_plain(self, key: str, body: bytes, about: dict[str, str]) -> None: ...

    def put_parts(self, key: str, parts: Iterator[bytes], about: dict[str, str]) -> None: ...


@dataclass(frozen=True)
class ObjectsReport:
    """there: files that an export before this one had written. renamed: (path, key) of names no key can have."""

    number: int
    files: int
    entries: int
    size_bytes: int
    there: int
    renamed: tuple[tuple[str, str], ...]


def export_objects(
    blocks: Blocks,
    snapshots: Snapshots,
    number: int,
    place: Place,
    *,
    part_bytes: Callable[[int], int],
    paths: Sequence[bytes] = (),
    progress: OnProgress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> ObjectsReport:
    """Writes the objects. part_bytes: of how large parts an object of a size is made. paths: only these and what
    lies below them.

    Raises Refusal where something else lies at place, BadInput, NotFound, Damaged, StorageAway, Denied, Cancelled.
    """
    contents = Contents(blocks, snapshots, number)
    entries = chosen(contents, paths) if paths else list(contents.below())
    keys = keys_for(entries)
    about = {
        "magic": MAGIC,
        "format": 1,
        "workspace": contents.head.workspace,
        "snapshot": number,
        "at": to_text(contents.head.at),
        "paths": sorted(shown(path) for path in paths),
    }
    there = _there(place, about)
    place.put_plain(MANIFEST, _json({**about, "complete": False, "entries": []}), {})
    files = [entry for entry in entries if entry.kind == FILE]
    todo = [entry for entry in files if there.get(keys[entry.path]) != entry.size]
    one = _Export(blocks, place, keys, part_bytes, progress, cancelled, files, todo)
    one.run(todo)
    place.put_plain(MANIFEST, _json({**about, "complete": True, "entries": notes(entries, keys)}), {})
    renamed = tuple((shown(path), key) for path, key in keys.items() if key.encode() != path)
    size = sum(entry.size for entry in files)
    return ObjectsReport(number, len(files), len(entries), size, len(files) - len(todo), renamed)


def keys_for(entries: Sequence[Entry]) -> dict[bytes, str]:
    """The key of each file: its path, or where no key can be that, one like it; each once."""
    keys: dict[bytes, str] = {}
    taken = {MANIFEST}
    odd = []
    for entry in entries:
        if entry.kind != FILE:
            continue
        try:
            key = entry.path.decode()
        except UnicodeDecodeError:
            key = ""
        if key and key not in taken and len(entry.path) <= MOST_KEY_BYTES and key.isprintable():
            keys[entry.path] = key
            taken.add(key)
        else:
            odd.append(entry.path)
    for path in odd:
        text = "".join(char if char.isprintable() else "_" for char in path.decode("utf-8", "replace"))
        like = text.encode()[:MOST_KEY_BYTES].decode("utf-8", "ignore").rstrip("/")
        number = 1
        while (key := f"{like}.{number}") in taken:
            number += 1
        keys[path] = key
        taken.add(key)
    return keys


def notes(entries: Sequence[Entry], keys: dict[bytes, str]) -> list[dict[str, Any]]:
    """What the objects do not say, for those entries that have any of it."""
    full = {entry.path.rpartition(b"/")[0] for entry in entries}
    links = links_of(entries)
    found = []
    for entry in entries:
        more: dict[str, Any] = {}
        plain = _PLAIN_FOLDER if entry.kind == DIRECTORY else _PLAIN_FILE
        if entry.kind == SYMLINK:
            more["target"] = shown(entry.target)
            if shown(entry.target).encode() != entry.target:
                more["target_base64"] = _base64(entry.target)
        elif entry.mode != plain:
            more["mode"] = f"{entry.mode:04o}"
        if entry.kind == DIRECTORY and entry.path not in full:
            more["empty"] = True
        if entry.path in links:
            more["same_as"] = shown(links[entry.path])
        if entry.kind == FILE and keys[entry.path].encode() != entry.path:
            more["key"] = keys[entry.path]
        if entry.xattrs:
            more["xattrs_base64"] = {shown(name): _base64(value) for name, value in entry.xattrs}
        if more:
            if shown(entry.path).encode() != entry.path:
                more["path_base64"] = _base64(entry.path)
            found.append({"path": shown(entry.path), "kind": entry.kind, **more})
    return found


def _there(place: Place, about: dict[str, Any]) -> dict[str, int]:
    """Sizes by key of what this very export wrote before it was cut off. Raises Refusal where other things lie there."""
    there = dict(place.list(""))
    if not there:
        return {}
    try:
        before = json.loads(place.get(MANIFEST))
        same = all(before.get(name) == value for name, value in about.items())
        if same and before.get("complete") is False:
            return there
    except (NotFound, ValueError, AttributeError):
        pass  # whatever else it is, it is not ours to write into
    raise Refusal(
        f"{place.url} is not empty",
        f"It has {next(iter(there))!r}; a snapshot is written into an empty place.",
        ["Name another prefix"],
        label="not_empty",
    )


class _Export:
    def __init__(
        self,
        blocks: Blocks,
        place: Place,
        keys: dict[bytes, str],
        part_bytes: Callable[[int], int],
        progress: OnProgress | None,
        cancelled: Callable[[], bool],
        files: Sequence[Entry],
        todo: Sequence[Entry],
    ) -> None:
        self._blocks, self._place, self._keys, self._part_bytes = blocks, place, keys, part_bytes
        self._progress, self._cancelled = progress, cancelled
        size, left = sum(entry.size for entry in files), sum(entry.size for entry in todo)
        self._done = Progress(size - left, size, len(files) - len(todo), len(files))

    def run(self, todo: Sequence[Entry]) -> None:
        bundles: dict[bytes, list[Entry]] = {}
        alone = []
        for entry in todo:
            if len(entry.pieces) == 1 and entry.pieces[0].block:
                bundles.setdefault(entry.pieces[0].block, []).append(entry)
            else:
                alone.append(entry)
        self._blocks.expect([name.hex() for name in bundles])
        with Pool(self._cancelled, name="export") as pool:
            for name, inside in bundles.items():
                length = inside[0].pieces[0].block_length
                pool.submit(2 * length, self._bundle, name, inside, done=self._step)
            for entry in alone:
                cost = min(entry.size, 2 * self._part_bytes(entry.size)) + 2**16
                pool.submit(cost, self._large, entry, done=self._step)
            pool.finish()

    def _bundle(self, name: bytes, inside: list[Entry]) -> tuple[int, int]:
        """The files whose bytes are a run of one block."""
        plain = memoryview(fetching.get(self._blocks, name, inside[0].pieces[0].block_length))
        for entry in inside:
            if self._cancelled():
                raise Cancelled("It was stopped before it was done")
            piece = entry.pieces[0]
            if piece.length != entry.size or piece.offset + piece.length > len(plain):
                raise Damaged("The listing of a snapshot cannot be used", f"{shown(entry.path)} is in parts")
            body = bytes(plain[piece.offset : piece.offset + piece.length])
            self._place.put_plain(self._keys[entry.path], body, _about(entry))
        return len(inside), sum(entry.size for entry in inside)

    def _large(self, entry: Entry) -> tuple[int, int]:
        """A file of several pieces or of none."""
        key, part = self._keys[entry.path], self._part_bytes(entry.size)
        if entry.size <= part:
            self._place.put_plain(key, b"".join(read_file(self._blocks, entry)), _about(entry))
        else:
            self._place.put_parts(key, self._parts(entry, part), _about(entry))
        return 1, entry.size

    def _parts(self, entry: Entry, part: int) -> Iterator[bytes]:
        """A file's bytes in parts of just that many bytes, the last apart."""
        held = bytearray()
        for data in read_file(self._blocks, entry):
            if self._cancelled():
                raise Cancelled("It was stopped before it was done")
            held += data
            while len(held) >= part:
                yield bytes(memoryview(held)[:part])
                del held[:part]
        if held:
            yield bytes(held)

    def _step(self, done: tuple[int, int]) -> None:
        files, size = done
        was = self._done
        self._done = Progress(was.done_bytes + size, was.total_bytes, was.done_files + files, was.total_files)
        if self._progress is not None:
            self._progress(self._done)


def _about(entry: Entry) -> dict[str, str]:
    """When the file was changed, as rclone has it: seconds since 1970."""
    seconds, rest = divmod(abs(entry.mtime_ns), 10**9)
    return {"mtime": f"{'-' * (entry.mtime_ns < 0)}{seconds}.{rest:09d}"}


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _json(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, indent=1, ensure_ascii=False).encode()
