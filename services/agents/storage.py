"""The store as this service uses it: a few objects read and written whole, by keys that are built here."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from jupyterhub_notebooks import __version__
from jupyterhub_notebooks.clock import Clock
from jupyterhub_notebooks.errors import ConfigError
from jupyterhub_notebooks.settings import Settings, secret
from jupyterhub_notebooks.workspace.layout import block_key, snapshot_key, workspace_json, workspace_key

from . import directory
from .refusals import IsThere
from .signing import DirectorySigner, S3Signer, Signer

__all__ = [
    "Objects",
    "block_key",
    "ensure_workspace",
    "read",
    "root_of",
    "signer_of",
    "snapshot_key",
    "write_new",
]


class Objects(Protocol):
    """What is asked of a store. Every method may be called from several threads at once."""

    def get(self, key: str) -> bytes:
        """Raises NotFound, StorageAway."""
        ...

    def put_new(self, key: str, body: bytes) -> bool:
        """True: the object is there now with exactly these bytes. False: it is there with others."""
        ...


def read(objects: Objects, key: str) -> bytes:
    return objects.get(key)


def write_new(objects: Objects, key: str, body: bytes) -> bool:
    return objects.put_new(key, body)


async def ensure_workspace(objects: Objects, workspace: str, now: datetime) -> None:
    """workspace.json, once and for good: commits go through this service."""
    body = workspace_json(
        workspace, lease="service", now=now, created_by=f"jupyterhub-notebooks {__version__}"
    )
    await asyncio.to_thread(objects.put_new, workspace_key(workspace), body)


def root_of(settings: Settings) -> Path | None:
    """The directory of a directory store; None where objects lie elsewhere."""
    parts = urlsplit(settings.store)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def signer_of(settings: Settings, clock: Clock) -> Signer:
    """The signer for the store of these settings. Raises ConfigError."""
    if root_of(settings) is not None:
        base = f"{settings.reachable_url.rstrip('/')}/v1/store"
        return DirectorySigner(base, secret(settings.signing_key), clock.now)
    parts, options = urlsplit(settings.store), settings.store_options
    region = options.get("region") or "us-east-1"
    return S3Signer(
        endpoint_url=options.get("endpoint_url") or f"https://s3.{region}.amazonaws.com",
        region=region,
        key=secret(options.get("key", "")),
        secret=secret(options.get("secret", "")),
        bucket=parts.netloc,
        prefix=parts.path,
        now=clock.now,
    )


class DirectoryObjects:
    """The directory store, for the few objects that this service writes itself."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def get(self, key: str) -> bytes:
        return directory.read(self._root, key)[0]

    def put_new(self, key: str, body: bytes) -> bool:
        incoming = directory.Incoming(self._root, key, len(body), hashlib.sha256(body).hexdigest())
        try:
            incoming.open()
            incoming.add(body)
            incoming.keep()
        except IsThere:
            return self.get(key) == body
        return True


def open_objects(settings: Settings, hub_id: str, now: datetime) -> Objects:
    """The store of these settings. Raises ConfigError."""
    root = root_of(settings)
    if root is None:
        raise ConfigError("This store is not a directory", field="store")
    root.mkdir(parents=True, exist_ok=True)
    return DirectoryObjects(root)
