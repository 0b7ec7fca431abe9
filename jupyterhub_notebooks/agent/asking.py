"""What an editor may ask of the agent, and how it is done.

| ``do`` | arguments | result |
|---|---|---|
| ``extend`` | ``who`` | as ``contract.Extended``: the end that comes first is moved, within the profile's bound |
| ``save`` | | ``number``, ``at`` of the newest snapshot; waits for the save |
| ``snapshots`` | | ``snapshots``: newest first, as ``contract.SnapshotRow`` |
| ``list`` | ``number``, ``path``, ``after`` | ``entries`` of a folder of a snapshot: ``name``, ``kind``, ``size``; ``more`` |
| ``restore`` | ``number``, ``path``, ``copy`` | ``path``: where it lies now; ``saved``: the snapshot of what was there before |

Promises: nothing outside the workspace is read or written; what a restore replaces is in a snapshot first.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..contract import Answered, Ask, Extend, Extended, Snapshots
from ..errors import BadInput, NotebooksError, Refusal, StorageAway, Unchecked
from .context import Context

if TYPE_CHECKING:
    from ..workspace.browsing import Contents
    from .remote import RemoteBlocks, RemoteSnapshots
    from .saving import PeriodicSaves

MOST_SNAPSHOTS = 100
MOST_ENTRIES = 300
SAVE_SECONDS = 900.0
PATIENCE_SECONDS = 20.0
COPIES = "restored"


class Asking:
    """``answer`` from any thread. Nothing can be done before ``begin``."""

    def __init__(self) -> None:
        self._context: Context | None = None
        self._saves: PeriodicSaves | None = None
        self._looking = threading.Lock()
        self._opened: tuple[int, Contents, RemoteBlocks, RemoteSnapshots] | None = None

    def begin(self, context: Context, saves: PeriodicSaves | None) -> None:
        """The server runs; saves None: this session may not save."""
        self._context, self._saves = context, saves

    def answer(self, ask: Ask) -> Answered:
        """Does it; what goes wrong is in the answer, in words."""
        doing: Mapping[str, Callable[[Context, Mapping[str, Any]], dict[str, Any]]] = {
            "extend": self._extend,
            "save": self._save,
            "snapshots": self._snapshots,
            "list": self._list,
            "restore": self._restore,
        }
        try:
            if ask.do not in doing:
                raise Unchecked(f"This must be one of {', '.join(doing)}", field="do")
            if self._context is None:
                raise Refusal(
                    "The notebook is still starting", "", ["Try again in a moment"], label="starting"
                )
            return Answered(ask.ask, doing[ask.do](self._context, ask.arguments))
        except NotebooksError as error:
            return Answered(ask.ask, {}, error.as_json()["error"], error.http_status)
        except Exception as error:
            from .saving import words

            said = words(self._context, error) if self._context is not None else str(error)
            trouble = NotebooksError("This could not be done", said)
            return Answered(ask.ask, {}, trouble.as_json()["error"], trouble.http_status)

    def _extend(self, context: Context, arguments: Mapping[str, Any]) -> dict[str, Any]:
        who = str(arguments.get("who") or "")[:255]
        made = context.service.post("v1/extend", Extend(0.0, who), Extended)
        context.standing.wake.set()  # the next heartbeat brings the new times to everybody
        return made.to_json()

    def _save(self, context: Context, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if self._saves is None:
            raise Refusal(
                "This session may not save", "Another session of this notebook took over.", label="lease"
            )
        if not self._saves.now(SAVE_SECONDS):
            raise StorageAway("The save has not ended yet", "It goes on by itself.")
        saved = context.standing.saved
        if saved.error:
            raise StorageAway("Not saved", saved.error, ["It is tried again by itself; the files are kept"])
        return {"number": saved.number, "at": saved.at}

    def _snapshots(self, context: Context, arguments: Mapping[str, Any]) -> dict[str, Any]:
        rows = context.service.get("v1/snapshots", Snapshots).snapshots
        return {"snapshots": [one.to_json() for one in rows[:MOST_SNAPSHOTS]], "count": len(rows)}

    def _open(
        self, context: Context, arguments: Mapping[str, Any]
    ) -> tuple[Contents, RemoteBlocks, RemoteSnapshots]:
        """A snapshot to look into; the last one is kept. Called with the lock."""
        from ..workspace.browsing import Contents
        from .remote import Patience

        number = arguments.get("number")
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise Unchecked("This must be the number of a snapshot", field="number")
        if self._opened is None or self._opened[0] != number:
            blocks, snapshots = context.store(Patience(PATIENCE_SECONDS, context.stopped))
            self._opened = (number, Contents(blocks, snapshots, number), blocks, snapshots)
        return self._opened[1:]

    def _list(self, context: Context, arguments: Mapping[str, Any]) -> dict[str, Any]:
        path, after = _path(arguments, "path", empty=True), os.fsencode(str(arguments.get("after") or ""))
        with self._looking:
            contents, _, _ = self._open(context, arguments)
            found = contents.children(path, after=after, most=MOST_ENTRIES + 1)
        entries = [
            {"name": os.fsdecode(one.path.rpartition(b"/")[2]), "kind": one.kind, "size": one.size}
            for one in found[:MOST_ENTRIES]
        ]
        return {"entries": entries, "more": len(found) > MOST_ENTRIES}

    def _restore(self, context: Context, arguments: Mapping[str, Any]) -> dict[str, Any]:
        from ..workspace.copying import copy_paths

        path, copy = _path(arguments, "path"), arguments.get("copy")
        if not isinstance(copy, bool):
            raise Unchecked("This must be true or false", field="copy")
        before = 0 if copy else self._kept(context, path)
        with self._looking:
            _, blocks, snapshots = self._open(context, arguments)
            number = int(arguments["number"])
            folder = f"{COPIES}/snapshot-{number}" if copy else ""
            into = context.volume.files / folder if copy else context.volume.files
            report = copy_paths(
                blocks, snapshots, number, [path], into, replace=True, cancelled=context.stopped
            )
        context.log.say(
            f"{os.fsdecode(path)} was brought back from snapshot {number} to {folder or 'its place'}"
        )
        return {
            "path": "/".join(part for part in (folder, os.fsdecode(path)) if part),
            "files": report.files,
            "size": report.size_bytes,
            "saved": before,
        }

    def _kept(self, context: Context, path: bytes) -> int:
        """Saves what a restore would replace; the snapshot that has it. Raises Refusal where that cannot be."""
        if not os.path.lexists(os.path.join(os.fsencode(context.volume.files), path)):
            return 0
        try:
            return int(self._save(context, {})["number"])
        except NotebooksError as error:
            raise Refusal(
                "Nothing was replaced",
                f"What is there now could not be saved first: {error.sentence()}",
                ["Bring back a copy beside it"],
                label="not_saved",
            ) from None


def _path(arguments: Mapping[str, Any], name: str, *, empty: bool = False) -> bytes:
    """A path of a workspace. Raises Unchecked or BadInput."""
    from ..workspace.copying import clean

    text = arguments.get(name)
    if not isinstance(text, str) or len(text) > 4096 or "\0" in text:
        raise Unchecked("This must be a path", field=name)
    if not text and empty:
        return b""
    if not text:
        raise BadInput("Name a file or folder", field=name)
    return clean(os.fsencode(text))
