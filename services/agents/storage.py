"""The store as this service uses it: a few objects read and written whole, by keys that are built here.

A directory store is used only while it names its Hub: a disk that is not mounted any more is away, not empty.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol, cast
from urllib.parse import unquote, urlsplit

from jupyterhub_notebooks.clock import SYSTEM_CLOCK, Clock
from jupyterhub_notebooks.errors import NoSpace, NotFound, StorageAway
from jupyterhub_notebooks.settings import Settings, secret
from jupyterhub_notebooks.workspace.layout import (
    ROOT_KEY,
    StoreFacts,
    block_key,
    snapshot_key,
    workspace_prefix,
)
from jupyterhub_notebooks.workspace.ports import MissingBlocks
from jupyterhub_notebooks.workspace.store import (
    Store,
    WorkspaceStore,
    claim_root,
    keep_validated,
    open_store,
    validating,
)
from jupyterhub_notebooks.workspace.store.opening import s3_place

from .signing import DirectorySigner, Signer

__all__ = [
    "Objects",
    "authority_of",
    "block_key",
    "open_objects",
    "root_of",
    "signer_of",
    "snapshot_key",
    "spare",
]


log = logging.getLogger("agents.store")

#: How long a request tries a store again. Agents try again themselves, and wait 30 s for an answer: they shall hear
#: that it is storage that does not answer.
PATIENCE_SECONDS = 8.0


class Objects(Protocol):
    """What is asked of a store. Every method may be called from several threads at once."""

    def get(self, key: str) -> bytes:
        """Raises NotFound, StorageAway."""
        ...

    def put_new(self, key: str, body: bytes) -> bool:
        """True: the object is there now with exactly these bytes. False: it is there with others."""
        ...


class Mounted:
    """A directory store whose folder must be there."""

    def __init__(self, objects: Store, root: Path) -> None:
        self._objects, self._root = objects, root

    def whole(self) -> Store:
        """All that the store can do, looked at now."""
        check_mounted(self._root)
        return self._objects

    def get(self, key: str) -> bytes:
        try:
            return self._objects.get(key)
        except NotFound:
            check_mounted(self._root)
            raise

    def put_new(self, key: str, body: bytes) -> bool:
        check_mounted(self._root)
        return self._objects.put_new(key, body)


def check_mounted(root: Path) -> None:
    """Raises StorageAway where the directory is not the store that was claimed at the start."""
    if not os.path.isfile(root / ROOT_KEY):
        raise StorageAway(
            "The store is not there",
            f"{root} has no {ROOT_KEY}; its disk may not be mounted.",
            ["Mount it again"],
            field="store",
        )


def open_objects(
    settings: Settings,
    hub_id: str,
    now: datetime,
    answered: Callable[[], None] = lambda: None,
    clock: Clock = SYSTEM_CLOCK,
) -> Objects:
    """The store of these settings, claimed for this Hub and looked at. Raises BadInput, ConfigError, StorageAway.

    answered: called once the store has said something.
    """
    store = open_store(settings.store, settings.store_options, serialized=True)
    if hasattr(store, "patience_seconds"):
        store.patience_seconds = PATIENCE_SECONDS
    facts = claim_root(store, hub_id, now)
    answered()
    look_at(store, facts, settings, clock)
    root = root_of(settings)
    return store if root is None else Mounted(store, root)


def spare(objects: Objects, workspace: str, names: Sequence[str]) -> tuple[str, ...]:
    """Takes blocks off the workspace's lists of what is to be removed; answers those that are gone already."""
    if not names:
        return ()
    store: Store = objects.whole() if hasattr(objects, "whole") else cast(Store, objects)
    try:
        WorkspaceStore(store, workspace_prefix(workspace)).spare(names)
    except MissingBlocks as error:
        return error.names
    return ()


def look_at(store: Store, facts: StoreFacts, settings: Settings, clock: Clock) -> None:
    """The checks of ``store validate``: all at the first start and when the way to the store changed, else the quick ones.

    Raises ConfigError where the store does not keep what saving relies on. A full store, or one that does not answer, is
    judged at the next start where it was good before.
    """
    url, options = settings.store, settings.store_options
    before = facts.validated
    first = before is None or before.get("reached") != validating.reached(url, options)
    only: tuple[int, ...] | None
    if root_of(settings) is None:
        only = None if first else validating.AT_EVERY_START
    else:
        only = validating.OF_A_DIRECTORY if first else validating.AT_EVERY_START
    try:
        found = validating.validate(url, options, clock.now, only, _tell)
    except (NoSpace, StorageAway) as error:
        if first:
            raise
        log.warning("the store was not looked at: %s", error.sentence())  # what is saved can still be read
        return
    found.insist()
    if first:
        keep_validated(store, found.to_keep())


def _tell(result: validating.Result) -> None:
    """A line of the log: what passed is said quietly."""
    level = {"failed": logging.ERROR, "handled": logging.WARNING}.get(result.outcome, logging.DEBUG)
    log.log(level, "store validate %s", result.line())


def root_of(settings: Settings) -> Path | None:
    """The directory of a directory store; None where objects lie elsewhere."""
    parts = urlsplit(settings.store)
    return Path(os.path.normpath(unquote(parts.path))) if parts.scheme == "file" else None


def signer_of(settings: Settings, clock: Clock) -> Signer:
    """The signer for the store of these settings. Raises ConfigError."""
    if root_of(settings) is not None:
        base = f"{settings.reachable_url.rstrip('/')}/v1/store"
        return DirectorySigner(base, secret(settings.signing_key), clock.now)
    return s3_place(settings.store, settings.store_options).signer(clock.now)


def authority_of(settings: Settings) -> str:
    """The certificates that an agent must trust to reach the store, as text; empty where the system's are enough."""
    if root_of(settings) is not None:
        return ""
    return s3_place(settings.store, settings.store_options).authority() or ""
