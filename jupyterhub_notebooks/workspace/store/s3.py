"""Any S3 as a store, through s3fs.

Promises: every write carries a signed SHA-256 of its bytes, so that no torn body is ever stored; nothing but the loop
here tries again, always with the same bytes; the outcome of an exclusive creation is known, also where answers were
lost. No copy, no multipart, no look-then-write where the store can decide.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import s3fs
from fsspec.asyn import sync

from ...errors import ConfigError, Damaged, NotFound, StorageAway
from ...retrying import retry
from .. import layout
from .direct import Direct, TooMany, usable
from .s3_errors import Exists, translated
from .signing import S3Signer

T = TypeVar("T")

#: How long a store that has answered before may be away before a call gives up; and one that never answered.
PATIENCE_SECONDS = 60.0
FIRST_SECONDS = 4.0
#: A connection on which nothing comes for so long is given up.
READ_SECONDS = 20
_CONDITIONAL = ("if-none-match", "none")


class S3Store:
    """Objects below ``prefix`` of a bucket."""

    def __init__(
        self, url: str, bucket: str, prefix: str, options: Mapping[str, str], *, serialized: bool = False
    ) -> None:
        self.url = url
        self._bucket = bucket
        self._prefix = prefix + "/" if prefix else ""
        self._conditional = options.get("conditional") or _CONDITIONAL[0]
        self.patience_seconds = PATIENCE_SECONDS
        self._answered = False
        if self._conditional not in _CONDITIONAL:
            raise ConfigError(
                f"{self._conditional!r} is no way of exclusive creation",
                next=[f"Write one of {', '.join(_CONDITIONAL)}"],
                field="store_options.conditional",
            )
        if self._conditional == "none" and not serialized:
            raise ConfigError(
                "A store without conditional writes cannot be written by this command",
                "Two writers could each believe that they had saved; only a Hub's service can serialize them.",
                ["Use another store"],
                field="store_options.conditional",
            )
        self._fs = s3fs.S3FileSystem(**_arguments(options))
        self._fs.retries = 1
        self._direct = _direct(bucket, prefix, options) if usable(options) else None

    def get(self, key: str, most_bytes: int | None = None) -> bytes:
        return bytes(self._got(key, layout.most_bytes_of(key) if most_bytes is None else most_bytes))

    def get_into(self, key: str, room: memoryview) -> bytes | memoryview:
        """As ``get``; the bytes are the beginning of room where they come the short way and fit."""
        return self._got(key, layout.most_bytes_of(key), room)

    def _got(self, key: str, most: int, room: memoryview | None = None) -> bytes | memoryview:
        direct = self._direct
        try:
            if direct is not None:
                return self._call(lambda: direct.get(key, most, room), key)
            body: bytes = self._call(lambda: sync(self._fs.loop, self._get, key, most), key)
            return body
        except TooMany:
            raise layout.too_large(key, most) from None

    async def _get(self, key: str, most_bytes: int) -> bytes:
        answer = await self._fs._call_s3("get_object", **self._at(key))
        async with answer["Body"] as stream:
            if answer["ContentLength"] > most_bytes:
                raise TooMany
            body: bytes = await stream.read()
        if len(body) != answer["ContentLength"]:
            raise StorageAway("The store's answer was cut off", f"{len(body)} bytes of {key} came")
        return body

    def put(self, key: str, body: bytes) -> bool:
        if self._conditional == "none" and self.exists(key):
            return False
        direct = self._direct
        if direct is None:
            return self._create(key, body)
        try:
            self._call(lambda: direct.put(key, body), key)
        except Exists:
            return False
        return True

    def put_new(self, key: str, body: bytes) -> bool:
        if self._conditional == "none":
            there = self._look(key, len(body))
            return there == body if there is not None else self._create(key, body)
        while True:
            if self._create(key, body):
                return True
            there = self._look(key, len(body))
            if there is not None:
                return there == body

    def _look(self, key: str, most_bytes: int) -> bytes | bool | None:
        """The object's bytes, True where there are more, None where it is not there."""
        try:
            return self.get(key, most_bytes)
        except Damaged:
            return True
        except NotFound:
            return None

    def _create(self, key: str, body: bytes) -> bool:
        """One exclusive PUT, repeated until its outcome is known. False: an object is there, perhaps this one."""
        condition = {"IfNoneMatch": "*"} if self._conditional != "none" else {}
        try:
            self._put(key, body, condition)
        except Exists:
            return False
        return True

    def replace(self, key: str, body: bytes) -> None:
        self._put(key, body, {})

    def _put(self, key: str, body: bytes, condition: Mapping[str, str]) -> None:
        check = base64.b64encode(hashlib.sha256(body).digest()).decode()

        def act() -> object:
            return self._fs.call_s3(
                "put_object", Body=body, ChecksumSHA256=check, **condition, **self._at(key)
            )

        self._call(act, key)

    def exists(self, key: str) -> bool:
        try:
            self.size(key)
        except NotFound:
            return False
        return True

    def size(self, key: str) -> int:
        answer = self._call(lambda: self._fs.call_s3("head_object", **self._at(key)), key)
        return int(answer["ContentLength"])

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        whole = self._prefix + prefix
        more: dict[str, str] = {}
        while True:
            asked = {"Bucket": self._bucket, "Prefix": whole, **more}
            answer = self._call(partial(self._fs.call_s3, "list_objects_v2", **asked), prefix)
            for item in answer.get("Contents", ()):
                yield item["Key"][len(self._prefix) :], int(item["Size"])
            if not answer.get("IsTruncated"):
                return
            more = {"ContinuationToken": answer["NextContinuationToken"]}

    def delete(self, key: str) -> None:
        try:
            self._call(lambda: self._fs.call_s3("delete_object", **self._at(key)), key)
        except NotFound:
            return

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}

    def _call(self, act: Callable[[], T], key: str) -> T:
        """act with errors translated, repeated while the store is away."""

        def once() -> T:
            try:
                result = act()
            except TooMany:
                self._answered = True
                raise
            except Exception as error:
                said = translated(error, key, self._bucket, self.url)
                self._answered = self._answered or not isinstance(said, StorageAway)
                raise said from error
            self._answered = True
            return result

        seconds = self.patience_seconds if self._answered else min(FIRST_SECONDS, self.patience_seconds)
        return retry(once, on=(StorageAway,), for_seconds=seconds, most_seconds=5.0)


def _direct(bucket: str, prefix: str, options: Mapping[str, str]) -> Direct:
    """The short way for what there are many of: blocks."""
    signer = S3Signer(
        endpoint_url=options["endpoint_url"],
        region=options.get("region") or "us-east-1",
        key=options["key"],
        secret=options["secret"],
        token=options.get("token") or "",
        bucket=bucket,
        prefix=prefix,
        now=lambda: datetime.now(UTC),
        virtual=options.get("addressing") == "virtual",
        conditional=(options.get("conditional") or _CONDITIONAL[0]) != "none",
    )
    return Direct(options["endpoint_url"], signer, options.get("ca_file") or "")


def _arguments(options: Mapping[str, str]) -> dict[str, Any]:
    """What s3fs gets: signature 4, no hidden retries, checksums only where we ask for them."""
    config = {
        "signature_version": "s3v4",
        "s3": {
            "addressing_style": options.get("addressing")
            or ("path" if options.get("endpoint_url") else "auto")
        },
        "max_pool_connections": 32,
        "connect_timeout": 5,
        "read_timeout": READ_SECONDS,
        "retries": {"max_attempts": 0},
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
    }
    return {
        "key": options.get("key") or None,
        "secret": options.get("secret") or None,
        "token": options.get("token") or None,
        "endpoint_url": options.get("endpoint_url") or None,
        "client_kwargs": {
            "region_name": options.get("region") or "us-east-1",
            **({"verify": options["ca_file"]} if options.get("ca_file") else {}),
        },
        "config_kwargs": config,
        "use_listings_cache": False,
        "skip_instance_cache": True,
    }
