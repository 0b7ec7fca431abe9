"""URLs that open one object for one method, for a while: the directory store's own form, and S3's.

A signer is given store keys made from kind and hash, never text of a user. A PUT carries its length, its
sha256 and ``if-none-match: *`` as signed headers, so that nobody who holds the URL can store other bytes
or change an object once written.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol
from urllib.parse import quote, urlencode, urlsplit

from jupyterhub_notebooks.contract import SignedUrl
from jupyterhub_notebooks.errors import ConfigError

LIFETIME_SECONDS = 900
BELOW = "workspaces/"  # where all that is signed lies; the directory store's URLs leave it out


class Signer(Protocol):
    """Signs for keys below the store's root, such as ``workspaces/ID/blocks/ab/HEX``."""

    def get(self, key: str) -> SignedUrl: ...

    def put(self, key: str, length: int, sha256: str) -> SignedUrl: ...


def put_headers(length: int, sha256: str) -> dict[str, str]:
    """What a PUT of these bytes must carry; sha256 as 64 hex digits."""
    return {
        "content-length": str(length),
        "if-none-match": "*",
        "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(sha256)).decode(),
    }


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


class S3Signer:
    """AWS Signature Version 4 in the query, payload unsigned (its checksum header is signed).

    virtual: the bucket stands in the host name, else in the path. token: of a session's temporary keys.
    """

    def __init__(
        self,
        *,
        endpoint_url: str,
        region: str,
        key: str,
        secret: str,
        bucket: str,
        prefix: str,
        now: Callable[[], datetime],
        token: str = "",
        virtual: bool = False,
    ) -> None:
        parts = urlsplit(endpoint_url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ConfigError(
                f"{endpoint_url!r} is not the address of an S3 server",
                next=["Write http:// or https://, a host and a port"],
                field="store_options.endpoint_url",
            )
        self._host = f"{bucket}.{parts.netloc}" if virtual else parts.netloc
        self._endpoint = f"{parts.scheme}://{self._host}"
        path = (parts.path.strip("/"), "" if virtual else bucket, prefix.strip("/"))
        self._path = "/".join(["", *(part for part in path if part)])
        self._token = token
        self._region = region
        self._id = key
        self._secret = secret
        self._now = now
        self._day = ""
        self._day_key = b""

    def get(self, key: str) -> SignedUrl:
        return SignedUrl(self._url("GET", key, {}))

    def put(self, key: str, length: int, sha256: str) -> SignedUrl:
        headers = put_headers(length, sha256)
        return SignedUrl(self._url("PUT", key, headers), headers)

    def _url(self, method: str, key: str, headers: Mapping[str, str]) -> str:
        at = self._now().strftime("%Y%m%dT%H%M%SZ")
        scope = f"{at[:8]}/{self._region}/s3/aws4_request"
        signed = {"host": self._host, **headers}
        names = ";".join(sorted(signed))
        fields = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self._id}/{scope}",
            "X-Amz-Date": at,
            "X-Amz-Expires": str(LIFETIME_SECONDS),
            "X-Amz-SignedHeaders": names,
        }
        if self._token:
            fields["X-Amz-Security-Token"] = self._token
        query = urlencode(sorted(fields.items()), quote_via=quote, safe="-_.~")
        path = quote(f"{self._path}/{key}", safe="/-_.~")
        lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
        request = f"{method}\n{path}\n{query}\n{lines}\n{names}\nUNSIGNED-PAYLOAD"
        digest = hashlib.sha256(request.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{digest}"
        signature = hmac.new(self._key_of(at[:8]), to_sign.encode(), hashlib.sha256).hexdigest()
        return f"{self._endpoint}{path}?{query}&X-Amz-Signature={signature}"

    def _key_of(self, day: str) -> bytes:
        if day != self._day:
            key = f"AWS4{self._secret}".encode()
            for part in (day, self._region, "s3", "aws4_request"):
                key = hmac.new(key, part.encode(), hashlib.sha256).digest()
            self._day, self._day_key = day, key
        return self._day_key
