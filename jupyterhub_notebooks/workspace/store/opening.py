"""From a URL and options to a store."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ...errors import BadInput, ToolMissing
from ...settings import secret
from .base import Store
from .directory import DirectoryStore

#: Options of an ``s3://`` store, and the variables that give their defaults.
S3_OPTIONS: dict[str, tuple[str, ...]] = {
    "endpoint_url": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "key": ("AWS_ACCESS_KEY_ID",),
    "secret": ("AWS_SECRET_ACCESS_KEY",),
    "token": ("AWS_SESSION_TOKEN",),
    "addressing": (),
    "conditional": (),
}
_SECRET = ("key", "secret", "token")


def open_store(
    url: str, options: Mapping[str, str] | None = None, *, create: bool = True, serialized: bool = False
) -> Store:
    """Opens a store; a directory that is not there is made when something is written.

    create: with False, a directory has to exist. serialized: somebody else (the service, by a database row) lets
    only one writer create a key, so that a store without conditional writes will do. Raises BadInput, ConfigError.
    """
    parts = urlsplit(url)
    if parts.query or parts.fragment:
        raise _not_a_store(url)
    if parts.scheme == "file":
        return _directory(url, parts.netloc, unquote(parts.path), create)
    if parts.scheme == "s3":
        return _s3(url, parts.netloc, parts.path, dict(options or {}), serialized)
    raise _not_a_store(url)


def _not_a_store(url: str) -> BadInput:
    return BadInput(
        f"{url!r} is not the address of a store",
        next=["Write file:///an/absolute/path or s3://bucket/prefix"],
        field="store",
    )


def _directory(url: str, host: str, path: str, create: bool) -> Store:
    if host not in ("", "localhost") or not path.startswith("/"):
        raise _not_a_store(url)
    folder = Path(os.path.normpath(path))
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder} is no directory", next=["Name a directory"], field="store")
    if not create and not folder.exists():
        raise BadInput(f"There is no store at {folder}", next=["Check the path"], field="store")
    return DirectoryStore(folder)


def _s3(url: str, bucket: str, path: str, options: dict[str, str], serialized: bool) -> Store:
    prefix = path.strip("/")
    unknown = sorted(set(options) - set(S3_OPTIONS))
    if unknown:
        raise BadInput(
            f"An S3 store has no option {unknown[0]!r}",
            next=[f"Known are {', '.join(S3_OPTIONS)}"],
            field="store",
        )
    if not bucket or "@" in bucket or any(part in (".", "..", "") for part in prefix.split("/") if prefix):
        raise _not_a_store(url)
    values = {name: options.get(name) or _default(names) for name, names in S3_OPTIONS.items()}
    if values["endpoint_url"] and not values["endpoint_url"].startswith(("http://", "https://")):
        raise BadInput(
            f"{values['endpoint_url']!r} is not the address of an S3 server",
            next=["Write https://host or http://host:port"],
            field="endpoint_url",
        )
    for name in _SECRET:
        values[name] = secret(values[name]) if values[name] else ""
    try:
        from .s3 import S3Store
    except ImportError as error:
        raise ToolMissing(
            "Storing in S3 needs the package s3fs",
            str(error),
            ["Run: pip install 'jupyterhub-notebooks[s3]'"],
        ) from None
    return S3Store(url, bucket, prefix, values, serialized=serialized)


def _default(names: tuple[str, ...]) -> str:
    return next((value for name in names if (value := os.environ.get(name))), "")
