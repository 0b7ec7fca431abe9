"""URLs that open one object for one method, for a while: the directory store's own form, and S3's.

A signer is given store keys made from kind and hash, never text of a user. A PUT carries its length, its
sha256 and ``if-none-match: *`` as signed headers, so that nobody who holds the URL can store other bytes
or change an object once written.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol
from urllib.parse import urlencode

from jupyterhub_notebooks.contract import SignedUrl
from jupyterhub_notebooks.workspace.store.signing import LIFETIME_SECONDS, S3Signer, put_headers

__all__ = ["LIFETIME_SECONDS", "DirectorySigner", "S3Signer", "Signer", "put_headers"]

BELOW = "workspaces/"  # where all that is signed lies; the directory store's URLs leave it out


class Signer(Protocol):
    """Signs for keys below the store's root, such as ``workspaces/ID/blocks/ab/HEX``."""

    def get(self, key: str) -> SignedUrl: ...

    def put(self, key: str, length: int, sha256: str) -> SignedUrl: ...


class DirectorySigner:
    """The directory store's form: ``BASE/WORKSPACE/…?expires=&length=&sha256=&signature=``, HMAC-SHA256.

    base: address under which this service serves the store's bytes, as a notebook reaches it.
    """

    def __init__(self, base: str, key: str, now: Callable[[], datetime]) -> None:
        self._base = base.rstrip("/")
        self._key = key.encode()
        self._now = now

    def get(self, key: str) -> SignedUrl:
        return SignedUrl(self._url("GET", key, None, None))

    def put(self, key: str, length: int, sha256: str) -> SignedUrl:
        return SignedUrl(self._url("PUT", key, length, sha256), put_headers(length, sha256))

    def _url(self, method: str, key: str, length: int | None, sha256: str | None) -> str:
        expires = int(self._now().timestamp()) + LIFETIME_SECONDS
        query = {"expires": str(expires)}
        if length is not None and sha256 is not None:
            query |= {"length": str(length), "sha256": sha256}
        query["signature"] = self.signature(method, key, query)
        return f"{self._base}/{key.removeprefix(BELOW)}?{urlencode(query)}"

    def signature(self, method: str, key: str, query: Mapping[str, str]) -> str:
        """Over method, key and the query's other fields; a PUT's if-none-match is always ``*``."""
        fields = [method, key, *(query.get(name, "") for name in ("expires", "length", "sha256"))]
        fields.append("*" if method == "PUT" else "")
        return hmac.new(self._key, "\n".join(fields).encode(), hashlib.sha256).hexdigest()

    def holds(self, method: str, key: str, query: Mapping[str, str]) -> bool:
        """Whether this service signed exactly that and its time is not over."""
        expected = self.signature(method, key, query)
        if not hmac.compare_digest(expected.encode(), query.get("signature", "").encode()):
            return False
        return int(query["expires"]) >= self._now().timestamp()
