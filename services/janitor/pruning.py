"""Old snapshots go by their rule, workspace after workspace, each in a process of its own (removing.py)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from datetime import timedelta
from typing import Any

from jupyterhub_notebooks.clock import Clock
from jupyterhub_notebooks.errors import Damaged, StorageAway
from jupyterhub_notebooks.ledger import Ledger, storage
from jupyterhub_notebooks.settings import VARIABLE, Settings
from jupyterhub_notebooks.units import count, show_size

from .storage import Storage

log = logging.getLogger("janitor.pruning")

AT_ONCE = 50
COMMAND = (sys.executable, "-m", "jupyterhub_notebooks.services.janitor.removing")
_AWAY = StorageAway.exit_code


class Pruner:
    """``look`` prunes what is due, one after the other. Raises StorageAway while the store does not answer, DatabaseAway."""

    def __init__(self, settings: Settings, ledger: Ledger, store: Storage, clock: Clock) -> None:
        self._settings, self._ledger, self._store, self._clock = settings, ledger, store, clock

    async def look(self) -> None:
        before = self._clock.now() - timedelta(seconds=self._settings.prune_interval_seconds)
        due = await self._ledger.run(storage.to_prune, before, AT_ONCE)
        if due:
            await self._store.answers()
        for one in due:
            await self.prune(one.id)

    async def prune(self, workspace: str) -> dict[str, Any]:
        """What removing.py answered. A workspace that cannot be looked at waits for its next turn. Raises StorageAway."""
        environment = {**os.environ, VARIABLE: self._settings.to_json(), "MALLOC_ARENA_MAX": "2"}
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            workspace,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            said, _ = await process.communicate()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        answer = _read(said)
        if process.returncode == _AWAY:
            raise StorageAway("Old snapshots are not removed now", str(answer.get("error", "")))
        done = answer.get("done")
        if done is None or done["skipped"]:
            why = answer.get("error") or (done or {}).get("skipped") or f"it ended with {process.returncode}"
            level = logging.WARNING if done is None else logging.INFO
            log.log(level, "nothing of workspace %s was removed: %s", workspace, why)
            problem = why if process.returncode == Damaged.exit_code else None
            await self._ledger.run(storage.pruned, workspace, self._clock.now(), problem=problem)
        elif done["snapshots"] or done["deleted_blocks"]:
            gone = count(len(done["snapshots"]), "snapshot")
            blocks = f"{count(done['deleted_blocks'], 'block')} with {show_size(done['deleted_bytes'])}"
            log.info("workspace %s: removed %s and %s", workspace, gone, blocks)
        return answer


def _read(said: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(said.decode().splitlines()[-1])
    except (ValueError, IndexError):
        return {}
    return answer if isinstance(answer, dict) else {}
