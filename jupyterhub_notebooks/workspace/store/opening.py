"""From a URL and options to a store."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ...errors import BadInput, ConfigError, ToolMissing
from ...settings import secret
from .base import Store
from .directory import DirectoryStore
from .signing import S3Signer

#: Options of an ``s3://`` store, and the variables that give their defaults.
S3_OPTIONS: dict[str, tuple[str, ...]] = {
    "endpoint_url": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "key": ("AWS_ACCESS_KEY_ID",),
    "secret": ("AWS_SECRET_ACCESS_KEY",),
    "token": ("AWS_SESSION_TOKEN",),
    "addressing": (),
    "conditional": (),
    "put_key": (),
    "put_secret": (),
    "put_token": (),
    "ca_file": ("AWS_CA_BUNDLE",),
}
_SECRET = ("key", "secret", "token", "put_key", "put_secret", "put_token")


@dataclass(frozen=True)
class S3Place:
    """Where an ``s3://`` store lies and how it is reached; options with defaults filled in and secrets read."""

    bucket: str
    prefix: str
    options: Mapping[str, str] = field(repr=False)

    @property
    def endpoint(self) -> str:
        """The server's address without the bucket."""
        return self.options["endpoint_url"] or f"https://s3.{self.region}.amazonaws.com"

    @property
    def region(self) -> str:
        return self.options["region"] or "us-east-1"

    @property
    def conditional(self) -> bool:
        """Whether objects are created with a condition that the store judges."""
        return self.options["conditional"] != "none"

    def authority(self) -> str | None:
        """The certificates of an own authority as text, None where the system's are enough. Raises ConfigError."""
        path = self.options["ca_file"]
        return read_authority(path) if path else None

    def signer(self, now: Callable[[], datetime]) -> S3Signer:
        """What signs URLs for it. Raises ConfigError where the keys are missing."""
        for name in ("key", "secret"):
            if not self.options[name]:
                raise ConfigError("This option of the store is missing", field=f"store_options.{name}")
        names = ("key", "secret", "token", "put_key", "put_secret", "put_token")
        return S3Signer(
            endpoint_url=self.endpoint,
            region=self.region,
            bucket=self.bucket,
            prefix=self.prefix,
            now=now,
            virtual=self.options["addressing"] == "virtual",
            conditional=self.conditional,
            **{name: self.options[name] for name in names},
        )


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
        return _s3(url, options or {}, serialized)
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


def s3_place(url: str, options: Mapping[str, str]) -> S3Place:
    """Where that store lies. Raises BadInput, ConfigError; a message names an option, never a secret's value."""
    unknown = sorted(set(options) - set(S3_OPTIONS))
    if unknown:
        raise BadInput(
            f"An S3 store has no option {unknown[0]!r}",
            next=[f"Known are {', '.join(S3_OPTIONS)}"],
            field="store",
        )
    parts = urlsplit(url)
    bucket, prefix = parts.netloc, parts.path.strip("/")
    if (
        parts.query
        or parts.fragment
        or not bucket
        or "@" in bucket
        or any(part in (".", "..", "") for part in prefix.split("/") if prefix)
    ):
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
    if bool(values["put_key"]) != bool(values["put_secret"]):
        missing = "put_secret" if values["put_key"] else "put_key"
        raise ConfigError("This option of the store is missing", field=f"store_options.{missing}")
    if values["ca_file"]:
        read_authority(values["ca_file"])
    return S3Place(bucket, prefix, values)


def read_authority(path: str) -> str:
    """The certificates in a file, as text. Raises ConfigError for what holds none."""
    where = "store_options.ca_file"
    try:
        text = Path(path).read_text(encoding="ascii")
        ssl.create_default_context().load_verify_locations(cadata=text)
    except OSError as error:
        if isinstance(error, ssl.SSLError):
            raise ConfigError(f"{path} holds no certificate", error.reason or "", field=where) from None
        raise ConfigError(f"{path} cannot be read", error.strerror or str(error), field=where) from None
    except ValueError:
        raise ConfigError(
            f"{path} holds no certificate", "It is not a file in PEM form", field=where
        ) from None
    return text


def _s3(url: str, options: Mapping[str, str], serialized: bool) -> Store:
    place = s3_place(url, options)
    try:
        from .s3 import S3Store
    except ImportError as error:
        raise ToolMissing(
            "Storing in S3 needs the package s3fs",
            str(error),
            ["Run: pip install 'jupyterhub-notebooks[s3]'"],
        ) from None
    return S3Store(url, place.bucket, place.prefix, place.options, serialized=serialized)


def _default(names: tuple[str, ...]) -> str:
    return next((value for name in names if (value := os.environ.get(name))), "")
