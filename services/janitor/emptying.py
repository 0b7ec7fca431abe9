"""The trash: a notebook whose time there is over is emptied, and what was emptied is erased, its rows last.

Promises: nothing is touched of a notebook that can still be put back; an erasing that was cut off goes on at the next look.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
from datetime import timedelta
from pathlib import Path

from jupyterhub_notebooks.clock import Clock
from jupyterhub_notebooks.errors import NotebooksError, Refusal
from jupyterhub_notebooks.ledger import Ledger, moving, trashing
from jupyterhub_notebooks.names import is_id
from jupyterhub_notebooks.settings import Settings
from jupyterhub_notebooks.workspace import WorkspaceStore, workspace_prefix

from .storage import Storage

log = logging.getLogger("janitor.trash")

#: How Settings.volumes begins where notebooks have their files in volumes of a Docker engine, or in claims of a Kubernetes:
#: who keeps them, and the program that removes them. Only spawners know either.
REMOVE = {
    "docker:": ("Docker", (sys.executable, "-m", "jupyterhub_notebooks.spawners.removing")),
    "kubernetes:": ("The cluster", (sys.executable, "-m", "jupyterhub_notebooks.spawners.removing_claims")),
}
REMOVE_SECONDS = 120.0


class Emptier:
    """``look`` once. Raises StorageAway while the store does not answer, DatabaseAway."""

    def __init__(self, settings: Settings, ledger: Ledger, storage: Storage, clock: Clock) -> None:
        self._settings, self._ledger, self._storage, self._clock = settings, ledger, storage, clock

    async def look(self) -> None:
        now = self._clock.now()
        for id in await self._ledger.run(trashing.due, now - timedelta(days=self._settings.trash_days)):
            try:
                await self._ledger.run(trashing.empty, id, None, now, "expired")
                log.info(
                    "notebook %s was in the trash for %s days and is emptied", id, self._settings.trash_days
                )
            except Refusal as error:
                log.info("notebook %s stays: %s", id, error.sentence())
        left = await self._ledger.run(trashing.left)
        if left:
            await self._storage.answers()
        for one in left:
            try:
                await self._erase(one)
            except (NotebooksError, OSError) as error:
                log.warning("notebook %s is not erased yet: %s", one.notebook, error)

    async def _erase(self, one: trashing.Emptied) -> None:
        for workspace in one.workspaces:
            space = WorkspaceStore(self._storage.whole(), workspace_prefix(workspace))
            await asyncio.to_thread(space.erase)
        if _keeper(self._settings.volumes) in REMOVE:
            await remove_elsewhere(self._settings.volumes, one.notebook)
        elif self._settings.volumes:
            await asyncio.to_thread(remove_volumes, Path(self._settings.volumes), one.notebook)
        for workspace in one.workspaces:
            await self._ledger.run(moving.forget, workspace)
        log.info("notebook %s is erased", one.notebook)


def remove_volumes(folder: Path, notebook: str) -> None:
    """Removes the files of a notebook on this machine, also of volumes that were left behind. Raises OSError."""
    assert is_id(notebook)
    for path in folder.glob(f"{notebook}*") if folder.is_dir() else ():
        name, _, number = path.name.partition(".")
        if name == notebook and (number or "0").isdecimal() and path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)


def _keeper(volumes: str) -> str:
    prefix, colon, _ = volumes.partition(":")
    return prefix + colon


async def remove_elsewhere(volumes: str, notebook: str) -> None:
    """Removes the volumes of a notebook from the engine that DOCKER_HOST names, or the claims from the cluster of
    KUBECONFIG or of this pod, there from the namespace that ``volumes`` names. Raises NotebooksError."""
    assert is_id(notebook)
    prefix = _keeper(volumes)
    keeper, program = REMOVE[prefix]
    namespace = volumes.removeprefix(prefix)
    process = await asyncio.create_subprocess_exec(
        *program,
        notebook,
        *([namespace] if namespace else []),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(REMOVE_SECONDS):
            _, said = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise NotebooksError(f"{keeper} does not answer", "Its volumes are not removed yet") from None
    if process.returncode:
        why = said.decode("utf-8", "replace").strip().splitlines()
        raise NotebooksError("Its volumes are not removed yet", why[-1] if why else "")
