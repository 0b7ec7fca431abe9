"""URLs of an S3 that open one object for one method, for a while: AWS Signature Version 4 in the query.

Promises: a PUT carries its length, its sha256 and (where the store knows it) ``if-none-match: *`` as signed headers, so
that nobody who holds the URL can store other bytes or change an object once written. PUTs are signed with an identity
of their own where one is given: one that may write and do nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, urlencode, urlsplit

from ...contract import SignedUrl
from ...errors import ConfigError

LIFETIME_SECONDS = 900
MOST_FRAMES = 100


def put_headers(length: int, sha256: str, *, conditional: bool = True) -> dict[str, str]:
    """What a PUT of these bytes must carry; sha256 as 64 hex digits."""
    return {
        "content-length": str(length),
        **({"if-none-match": "*"} if conditional else {}),
        "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(sha256)).decode(),
    }


class _Identity:
    """An access key, and what follows from its secret on each day."""

    def __init__(self, key: str, secret: str, token: str) -> None:
        self.key, self.token = key, token
        self._secret = secret
        self._known: tuple[str, bytes] = ("", b"")

    def signing_key(self, day: str, region: str) -> bytes:
        known = self._known
        if known[0] != day:
            made = f"AWS4{self._secret}".encode()
            for part in (day, region, "s3", "aws4_request"):
                made = hmac.new(made, part.encode(), hashlib.sha256).digest()
            self._known = known = (day, made)
        return known[1]


@dataclass(frozen=True)
class _Frame:
    """The query without its signature, what is signed before the request's digest, and the key."""

    query: str
    head: str
    key: bytes = field(repr=False)


class S3Signer:
    """The payload is unsigned; its checksum header is signed.

    virtual: the bucket stands in the host name, else in the path. token: of a session's temporary keys.
    put_key, put_secret, put_token: what PUTs are signed with, where that is another identity.
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
        conditional: bool = True,
        put_key: str = "",
        put_secret: str = "",
        put_token: str = "",
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
        self._region = region
        self._reads = _Identity(key, secret, token)
        self._writes = _Identity(put_key, put_secret, put_token) if put_key else self._reads
        self._conditional = conditional
        self._now = now
        self._frames: dict[tuple[str, str, str], _Frame] = {}

    def get(self, key: str) -> SignedUrl:
        return SignedUrl(self._url("GET", key, {}, self._reads, self._now()))

    def put(self, key: str, length: int, sha256: str) -> SignedUrl:
        headers = put_headers(length, sha256, conditional=self._conditional)
        return SignedUrl(self._url("PUT", key, headers, self._writes, self._now()), headers)

    def sign(
        self, method: str, key: str, headers: Mapping[str, str] | None = None, *, at: datetime | None = None
    ) -> SignedUrl:
        """Any request, as a check of the store needs it; never given to a session. at: when it was signed."""
        own = dict(headers or {})
        identity = self._writes if method == "PUT" else self._reads
        return SignedUrl(self._url(method, key, own, identity, at or self._now()), own)

    def plain(self, key: str) -> str:
        """The address without a signature; the bucket's for an empty key."""
        if key:
            return f"{self._endpoint}{quote(f'{self._path}/{key}', safe='/-_.~')}"
        return f"{self._endpoint}{quote(self._path, safe='/-_.~')}"

    def _url(
        self, method: str, key: str, headers: Mapping[str, str], identity: _Identity, moment: datetime
    ) -> str:
        at = moment.strftime("%Y%m%dT%H%M%SZ")
        signed = {"host": self._host, **headers}
        names = ";".join(sorted(signed))
        frame = self._frame(at, names, identity)
        path = quote(f"{self._path}/{key}", safe="/-_.~")
        lines = "".join([f"{name}:{signed[name]}\n" for name in sorted(signed)])
        request = f"{method}\n{path}\n{frame.query}\n{lines}\n{names}\nUNSIGNED-PAYLOAD"
        digest = hashlib.sha256(request.encode()).hexdigest()
        signature = hmac.digest(frame.key, f"{frame.head}\n{digest}".encode(), "sha256").hex()
        return f"{self._endpoint}{path}?{frame.query}&X-Amz-Signature={signature}"

    def _frame(self, at: str, names: str, identity: _Identity) -> _Frame:
        """What all URLs of one second share."""
        known = self._frames.get((at, names, identity.key))
        if known is None:
            scope = f"{at[:8]}/{self._region}/s3/aws4_request"
            fields = {
                "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
                "X-Amz-Credential": f"{identity.key}/{scope}",
                "X-Amz-Date": at,
                "X-Amz-Expires": str(LIFETIME_SECONDS),
                "X-Amz-SignedHeaders": names,
            }
            if identity.token:
                fields["X-Amz-Security-Token"] = identity.token
            query = urlencode(sorted(fields.items()), quote_via=quote, safe="-_.~")
            key = identity.signing_key(at[:8], self._region)
            known = _Frame(query, f"AWS4-HMAC-SHA256\n{at}\n{scope}", key)
            if len(self._frames) > MOST_FRAMES:
                self._frames = {}
            self._frames[(at, names, identity.key)] = known
        return known
