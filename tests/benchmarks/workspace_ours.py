"""Our engine as a running process for workspace.py: one JSON request a line in, one JSON answer a line out.

Promises: seconds are those of the engine's own call, as in a running agent; the process's start is not among them.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jupyterhub_notebooks.names import new_id
from jupyterhub_notebooks.workspace import Volume, WorkspaceStore, open_store, restore, save
from jupyterhub_notebooks.workspace.restoring import settle_restore


class Ours:
    """One workspace. setup: url, options, key (hex or None), state (folder)."""

    def __init__(self, setup: dict[str, Any]) -> None:
        now = datetime.now(UTC)
        self._space = WorkspaceStore(open_store(setup["url"], setup["options"]))
        key = bytes.fromhex(setup["key"]) if setup["key"] else None
        facts = self._space.unlock(key)
        if facts is None:
            facts = self._space.create(new_id(now, os.urandom), lease="objects", now=now)
        self._id = facts.id
        self._state = Path(setup["state"])
        self._leased = False

    def save(self, tree: str) -> dict[str, Any]:
        if not self._leased:
            self._space.take_lease("benchmark", datetime.now(UTC))
            self._leased = True
        volume = Volume(Path(tree), self._state)
        began, cpu = time.monotonic(), _processor_seconds()
        report = save(
            volume,
            self._space,
            self._space,
            number=max(self._space.numbers(), default=0) + 1,
            parent=volume.base,
            workspace_id=self._id,
            now=datetime.now(UTC),
            created_by="benchmark",
        )
        seconds = time.monotonic() - began
        cpu = _processor_seconds() - cpu
        return {
            "seconds": seconds,
            "cpu_seconds": cpu,
            "number": report.number,
            "stored_bytes": report.stored_bytes,
        }

    def restore(self, into: str) -> dict[str, Any]:
        volume = Volume(Path(into), self._state)
        began, cpu = time.monotonic(), _processor_seconds()
        number = max(self._space.numbers())
        restore(volume, self._space, self._space, number, wait_for_disk=False)
        seconds, cpu = time.monotonic() - began, _processor_seconds() - cpu
        settle_restore(volume)
        return {"seconds": seconds, "cpu_seconds": cpu, "disk_seconds": time.monotonic() - began - seconds}


def _processor_seconds() -> float:
    """Of this process and of those that it started and that ended."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def main() -> None:
    ours = Ours(json.loads(sys.stdin.readline()))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(getattr(ours, asked["do"])(asked["path"])), flush=True)


if __name__ == "__main__":
    main()
