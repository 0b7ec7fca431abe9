"""A process of its own that reads one workspace in the store: ``python -m …looking``, one question, one answer, then it ends.

What it reads was written by a user. So it has a limit of memory and of processor time, and nothing that it meets there can
stop or grow the service that asked. The question is one line of JSON on standard input (it holds secrets, which are then on
no command line); the answer is one line of JSON on standard output, followed by bytes where a file is asked for.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import os
import resource
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO

from jupyterhub_notebooks import __version__
from jupyterhub_notebooks.clock import from_text
from jupyterhub_notebooks.errors import BadInput, Damaged, NotebooksError
from jupyterhub_notebooks.workspace import (
    Contents,
    WorkspaceStore,
    differences,
    export_zip,
    open_store,
    read_file,
    workspace_prefix,
)
from jupyterhub_notebooks.workspace.copying import clean
from jupyterhub_notebooks.workspace.duplicating import duplicate
from jupyterhub_notebooks.workspace.entries import DIRECTORY, FILE, Entry, shown
from jupyterhub_notebooks.workspace.fills import of_listing
from jupyterhub_notebooks.workspace.snapshots import compose_snapshot, head_of
from jupyterhub_notebooks.workspace.taking import taken

MEMORY_BYTES = 3 * 2**30
LOOK_CPU_SECONDS = 120
MOST_CHANGES = 5000
PIECE = 2**20
#: What takes as long as there are bytes.
LONG = ("file", "zip", "duplicate")

Question = dict[str, Any]


def text(path: bytes) -> str:
    """A path as JSON carries it; bytes that are no text become lone surrogates."""
    return os.fsdecode(path)


def main(question: BinaryIO, answer: BinaryIO) -> int:
    """Reads the question, writes the answer; the exit status is 0 where the answer is whole."""
    asked: Question = json.loads(question.readline())
    limit(asked["op"])
    try:
        OPS[asked["op"]](asked, answer)
    except NotebooksError as error:
        say(answer, error.as_json() | {"kind": type(error).__name__})
        return 3
    except MemoryError:
        trouble = Damaged(
            "This snapshot is too large to be looked into", "It needs more memory than is allowed"
        )
        say(answer, trouble.as_json() | {"kind": "Damaged"})
        return 3
    return 0


def limit(op: str) -> None:
    """The process ends itself where it would take more."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if op not in LONG:
        resource.setrlimit(resource.RLIMIT_CPU, (LOOK_CPU_SECONDS, LOOK_CPU_SECONDS))


def say(answer: BinaryIO, value: Any) -> None:
    answer.write(json.dumps(value).encode() + b"\n")
    answer.flush()


def space_of(asked: Question, workspace: str = "workspace", key: str = "key") -> WorkspaceStore:
    store = open_store(asked["store"], asked["options"], serialized=True)
    space = WorkspaceStore(store, workspace_prefix(asked[workspace]))
    space.unlock(bytes.fromhex(asked[key]) if asked.get(key) else None)
    return space


def raw(path: str) -> bytes:
    """The bytes of a path as JSON carries it. Raises BadInput."""
    try:
        return os.fsencode(path)
    except UnicodeEncodeError:
        raise BadInput(
            "This is no path", "It holds a letter that no file's name can hold", field="path"
        ) from None


def _path(asked: Question) -> bytes:
    return clean(raw(asked["path"])) if asked.get("path") else b""


def folder(asked: Question, answer: BinaryIO) -> None:
    """What lies in a folder of a snapshot, from behind the name ``after`` on."""
    space, path, most = space_of(asked), _path(asked), int(asked["most"])
    contents = Contents(space, space, asked["number"])
    found = contents.children(path, after=raw(asked.get("after", "")), most=most + 1)
    rows = [_row(one) for one in found[:most]]
    more = rows[-1]["name"] if len(found) > most else None
    say(answer, {"ok": {"entries": rows, "next": more, "path": text(path)}})


def fills(asked: Question, answer: BinaryIO) -> None:
    """What fills a snapshot: caches, environments, outputs with what is safe to delete, and its largest folders."""
    space = space_of(asked)
    entries = list(Contents(space, space, asked["number"]).below())
    found = of_listing(entries)
    largest: dict[bytes, list[int]] = {}
    for entry in entries:
        if entry.kind == FILE:
            top = largest.setdefault(entry.path.partition(b"/")[0], [0, 0])
            top[0], top[1] = top[0] + entry.size, top[1] + 1
    lines = [one for one in found.fills if one.kind != "large" or "/" in one.path]  # the others are tops
    tops = sorted(largest.items(), key=lambda one: -one[1][0])[: int(asked["most"])]
    say(
        answer,
        {
            "ok": {
                "size_bytes": found.size_bytes,
                "files": found.files,
                "fills": [dataclasses.asdict(one) for one in lines[: int(asked["most"])]],
                "tops": [
                    {"path": text(path), "name": shown(path), "size_bytes": size, "files": number}
                    for path, (size, number) in tops
                ],
            }
        },
    )


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "path": text(entry.path),
        "name": text(entry.path.rpartition(b"/")[2]),
        "kind": entry.kind,
        "size_bytes": entry.size if entry.kind == FILE else 0,
        "mode": entry.mode,
        "mtime": datetime.fromtimestamp(_bounded(entry.mtime_ns), UTC).isoformat(),
        "target": text(entry.target) if entry.target else None,
    }


def _bounded(time_ns: int) -> float:
    return min(max(time_ns / 10**9, 0.0), 4102444800.0)


def diff(asked: Question, answer: BinaryIO) -> None:
    """What differs between two snapshots, without what is never shown; counts of all, at most ``most`` rows."""
    space, most = space_of(asked), min(int(asked["most"]), MOST_CHANGES)
    counts = {"added": 0, "removed": 0, "changed": 0, "attributes": 0}
    rows: list[dict[str, Any]] = []
    added_bytes = 0
    if asked["first"] is None:
        pairs: Iterator[tuple[bytes, str, Entry | None, Entry | None]] = (
            (entry.path, "added", None, entry) for entry in Contents(space, space, asked["second"]).below()
        )
    else:
        pairs = iter(differences(space, space, asked["first"], asked["second"]))
    for path, what, before, after in pairs:
        here = after or before
        if here is not None and here.kind == DIRECTORY and what != "removed":
            continue
        counts[what] += 1
        added_bytes += after.size if after is not None and after.kind == FILE and what != "attributes" else 0
        if len(rows) < most:
            one: dict[str, Any] = {"path": text(path), "what": what, "kind": here.kind if here else ""}
            one |= {
                "before_bytes": before.size if before else None,
                "size_bytes": after.size if after else None,
            }
            rows.append(one)
    say(answer, {"ok": {"counts": counts, "added_bytes": added_bytes, "changes": rows}})


def file(asked: Question, answer: BinaryIO) -> None:
    """A file's bytes, after a line that says its size."""
    space = space_of(asked)
    entry = Contents(space, space, asked["number"]).entry(_path(asked))
    if entry.kind == DIRECTORY:
        raise BadInput(f"{shown(entry.path)} is a folder", "", ["Download it as a zip"], field="path")
    pieces = read_file(space, entry, length=asked.get("length"))
    name = text(entry.path.rpartition(b"/")[2])
    say(answer, {"ok": {"size_bytes": entry.size, "name": name}})
    for piece in pieces:
        for at in range(0, len(piece), PIECE):
            answer.write(piece[at : at + PIECE])
    answer.flush()


def zipped(asked: Question, answer: BinaryIO) -> None:
    """A part of a snapshot, or all of it, as a zip. Nothing is said before it is known that it can be made."""
    space = space_of(asked)
    contents = Contents(space, space, asked["number"])
    paths = [raw(one) for one in asked["paths"]]
    for path in paths:
        contents.entry(clean(path))
    say(answer, {"ok": {}})
    export_zip(space, space, asked["number"], answer, paths=paths)
    answer.flush()


def check_paths(asked: Question, answer: BinaryIO) -> None:
    """What is at each of the paths, before it is asked to be restored."""
    space = space_of(asked)
    contents = Contents(space, space, asked["number"])
    rows = [_row(contents.entry(clean(raw(one)))) for one in asked["paths"]]
    say(answer, {"ok": {"entries": rows}})


def name(asked: Question, answer: BinaryIO) -> None:
    """Gives a snapshot a name in the store, or takes it away; that is what keeps it."""
    space = space_of(asked)
    head_of(space, asked["number"])
    space.name(asked["number"], asked["name"], from_text(asked["now"]))
    say(answer, {"ok": {}})


def compose(asked: Question, answer: BinaryIO) -> None:
    """The object of a new snapshot that says what an older one says. Nothing is written."""
    space = space_of(asked)
    source = head_of(space, asked["source"], asked["workspace"])
    made = dataclasses.replace(
        source,
        number=asked["number"],
        kind="save",
        parent=asked["parent"],
        lease=None,
        at=from_text(asked["now"]),
        created_by=f"jupyterhub-notebooks {__version__}",
        stored_bytes=0,
    )
    body = compose_snapshot(made, os.urandom(16), space.keys)
    say(
        answer,
        {"ok": _facts(body, made.size_bytes, made.files, 0) | {"body": base64.b64encode(body).decode()}},
    )


def take(asked: Question, answer: BinaryIO) -> None:
    """The object of a snapshot that is the newest with files of another one; its pages are stored, itself is not."""
    space = space_of(asked)
    paths = [raw(one) for one in asked["paths"]]
    found = taken(space, space, asked["base"], asked["source"], paths, into=raw(asked["into"]))
    space.spare(found.present)
    made = dataclasses.replace(
        found.head,
        number=asked["number"],
        kind="save",
        parent=asked["base"],
        lease=None,
        at=from_text(asked["now"]),
        created_by=f"jupyterhub-notebooks {__version__}",
    )
    body = compose_snapshot(made, os.urandom(16), space.keys)
    facts = _facts(body, made.size_bytes, made.files, made.stored_bytes)
    say(answer, {"ok": facts | {"body": base64.b64encode(body).decode()}})


def _facts(body: bytes, size_bytes: int, files: int, stored_bytes: int) -> dict[str, Any]:
    facts: dict[str, Any] = {"kind": "save", "sha256": hashlib.sha256(body).hexdigest()}
    return facts | {"size_bytes": size_bytes, "files": files, "stored_bytes": stored_bytes}


def put(asked: Question, answer: BinaryIO) -> None:
    """Creates a snapshot's object, whose row is reserved."""
    space_of(asked).put_snapshot(asked["number"], base64.b64decode(asked["body"]))
    say(answer, {"ok": {}})


def copy(asked: Question, answer: BinaryIO) -> None:
    """A new workspace whose first snapshot is one of another; lines of progress, then what it says."""
    old = space_of(asked)
    store = open_store(asked["store"], asked["options"], serialized=True)
    place = WorkspaceStore(store, workspace_prefix(asked["into"]))
    place.unlock(bytes.fromhex(asked["into_key"]) if asked.get("into_key") else None)
    place.create(asked["into"], lease="service", now=from_text(asked["now"]))

    def tell(progress: Any) -> None:
        say(answer, {"done_bytes": progress.done_bytes, "total_bytes": progress.total_bytes})

    made = duplicate(old, old, place, asked["number"], workspace_id=asked["into"], progress=tell)
    body = place.get(made.number)
    say(answer, {"ok": _facts(body, made.size_bytes, made.files, made.stored_bytes)})


def erase(asked: Question, answer: BinaryIO) -> None:
    """Removes a workspace that nobody has: what a copy that did not end left."""
    store = open_store(asked["store"], asked["options"], serialized=True)
    WorkspaceStore(store, workspace_prefix(asked["into"])).erase()
    say(answer, {"ok": {}})


OPS: dict[str, Callable[[Question, BinaryIO], None]] = {
    "folder": folder,
    "fills": fills,
    "diff": diff,
    "file": file,
    "zip": zipped,
    "paths": check_paths,
    "name": name,
    "compose": compose,
    "take": take,
    "put": put,
    "duplicate": copy,
    "erase": erase,
}

__all__ = ["OPS", "main"]

if __name__ == "__main__":
    try:
        sys.exit(main(sys.stdin.buffer, sys.stdout.buffer))
    except BrokenPipeError:
        os._exit(0)  # whoever asked has gone
