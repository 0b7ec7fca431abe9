"""One save, prune or restore in a process of its own, which says on its standard output which phase begins.

Each phase is announced before its first act, so that the last line that came out of a killed process is the phase in
which it died. Run by killing.py: ``python -m tests.workspace.killed JSON``.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import zstandard

from jupyterhub_notebooks.workspace import (
    Rule,
    Volume,
    WorkspaceStore,
    crew,
    filling,
    open_store,
    prune,
    restore,
    restoring,
    save,
    storing,
)
from jupyterhub_notebooks.workspace.placing import Places

#: In the order in which they come; ``restore-used`` restores into a directory that holds other files. Where hands dress the
#: directories, that is done beside remembering.
PHASES: dict[str, tuple[str, ...]] = {
    "save": (
        "leasing",
        "looking",
        "storing",
        "paging",
        "committing",
        "committed",
        "remembering",
        "releasing",
    ),
    "restore": ("listing", "marking", "fetching", "placing", "remembering", "dressing", "ending"),
    "restore-used": (
        "listing",
        "marking",
        "comparing",
        "fetching",
        "placing",
        "remembering",
        "dressing",
        "ending",
    ),
    "prune": ("leasing", "reading", "deleting", "dropping", "condemning", "forgetting"),
}


class Marks:
    """Says a phase once, when it begins; one that is over does not begin again."""

    def __init__(self, phases: tuple[str, ...]) -> None:
        self._phases, self._at = phases, -1
        self._lock = threading.Lock()

    def __call__(self, phase: str) -> None:
        with self._lock:
            if phase in self._phases and self._phases.index(phase) > self._at:
                self._at = self._phases.index(phase)
                os.write(1, f"{phase} {time.monotonic_ns()}\n".encode())

    def again(self) -> None:
        """The whole operation begins anew."""
        self._at = -1

    def before(self, owner: type, name: str, phase: str | Callable[..., str]) -> None:
        """Says the phase whenever that method is called."""
        real = getattr(owner, name)

        def told(*arguments: Any, **more: Any) -> Any:
            self(phase if isinstance(phase, str) else phase(*arguments, **more))
            return real(*arguments, **more)

        setattr(owner, name, told)


def _page(stored: bytes) -> bool:
    """Whether a block that is not encrypted holds a page."""
    plain = zstandard.decompress(stored[10:]) if stored[5] == 1 else stored[10:]
    return plain[:4] == b"NBPG"


def _watch_save(mark: Marks) -> None:
    mark.before(WorkspaceStore, "put", lambda _self, _name, body: "paging" if _page(body) else "storing")
    mark.before(WorkspaceStore, "still_held", "committing")
    mark.before(Volume, "write", lambda _self, name, *_, **__: "remembering" if name == "scan" else "")
    mark.before(crew.Crew, "read", "storing")
    real = WorkspaceStore.put_snapshot

    def committed(self: WorkspaceStore, number: int, body: bytes) -> None:
        real(self, number, body)
        mark("committed")

    WorkspaceStore.put_snapshot = committed  # type: ignore[method-assign]


def _watch_restore(mark: Marks) -> None:
    mark.before(WorkspaceStore, "get", lambda _self, what: "listing" if isinstance(what, int) else "")
    mark.before(Volume, "begin_restore", "marking")
    mark.before(Places, "remove_all", "comparing")
    mark.before(WorkspaceStore, "expect", "")
    mark.before(Places, "write", "fetching")
    mark.before(Places, "whole", "fetching")
    mark.before(Places, "plain", "fetching")
    mark.before(crew.Crew, "write", "fetching")
    mark.before(Places, "move", "placing")
    mark.before(Places, "symlink", "placing")
    mark.before(Places, "dress_folder", "dressing")
    mark.before(crew.Crew, "dress_folders", "dressing")
    mark.before(Volume, "write", lambda _self, name, *_, **__: "remembering" if name == "scan" else "")
    mark.before(Volume, "end_restore", "ending")


def _watch_prune(mark: Marks) -> None:
    mark.before(WorkspaceStore, "numbers", "reading")
    mark.before(WorkspaceStore, "remove_block", "deleting")
    mark.before(WorkspaceStore, "remove_snapshot", "dropping")
    mark.before(WorkspaceStore, "condemn", "condemning")
    mark.before(WorkspaceStore, "forget_condemned", "forgetting")


def main(asked: dict[str, Any]) -> None:
    """asked: do, url, options, folder, number, parent, workspace, now; hands: as if so few files were worth them."""
    if asked["hands"]:
        for module in (filling, storing):
            module._LEAST_FOR_HAND = 1
        crew.LEAST_FILES = 1
        restoring._LEAST_FOLDERS = 0
    mark = Marks(PHASES[asked["do"]])
    space = WorkspaceStore(open_store(asked["url"], asked["options"]))
    folder, now = Path(asked["folder"]), datetime.fromisoformat(asked["now"])
    volume = Volume(folder / "files", folder / "state")
    space.numbers()  # the way to the store is open before the first phase
    os.write(1, b"ready 0\n")
    if asked["do"] in ("save", "prune"):
        mark("leasing")
        space.break_lease("the next", now)
        space.take_lease("killed", now)
    if asked["do"] == "save":
        _watch_save(mark)
        mark("looking")
        known = {"number": asked["number"], "parent": volume.base, "workspace_id": asked["workspace"]}
        save(volume, space, space, now=now, created_by="a test", **known)
        mark("releasing")
        space.release_lease(now)
    elif asked["do"] == "prune":
        _watch_prune(mark)
        for _ in range(2):  # the second, a day later, deletes what the first condemned
            mark.again()
            prune(space, now=now, rule=Rule(0, 2, 0), guard=space.still_held)
            now += timedelta(hours=25)
    else:
        _watch_restore(mark)
        mark("listing")
        restore(volume, space, space, asked["number"])


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
