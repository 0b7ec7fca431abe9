"""A place in S3 for objects with names of any kind: what an export writes for programs that know nothing of us.

Promises: an object appears whole or not at all, also one that is sent in parts; every part carries a signed SHA-256;
what was begun in parts and came to nothing is taken back. Keys are not checked here.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from ...errors import BadInput, NotebooksError
from .opening import s3_place
from .s3 import S3Store

#: Larger objects are sent in parts of this many bytes, or in larger ones where there would be too many parts.
PART_BYTES = 16 * 2**20
_MOST_PARTS = 9_000


def part_bytes(size: int) -> int:
    """How large the parts of an object of that size are."""
    return max(PART_BYTES, -(-size // _MOST_PARTS))


class PlainObjects(S3Store):
    """Objects below the prefix of ``s3://bucket/prefix``. Thread-safe."""

    def __init__(self, url: str, options: Mapping[str, str]) -> None:
        """Raises BadInput, ConfigError."""
        if not url.startswith("s3://"):
            raise BadInput(f"{url!r} is not in S3", next=["Write s3://bucket/prefix"], field="target")
        place = s3_place(url, options)
        super().__init__(url, place.bucket, place.prefix, place.options, serialized=True)

    def put_plain(self, key: str, body: bytes, about: Mapping[str, str]) -> None:
        """One object, whatever is there. about: kept beside it as ``x-amz-meta-NAME``."""
        more = {"Body": body, "ChecksumSHA256": _sum(body), "Metadata": dict(about)}
        self._call(lambda: self._fs.call_s3("put_object", **more, **self._at(key)), key)

    def put_parts(self, key: str, parts: Iterable[bytes], about: Mapping[str, str]) -> None:
        """One object of several parts of at least 5 MiB each, but for the last. What parts raises is raised on."""
        more = {"ChecksumAlgorithm": "SHA256", "Metadata": dict(about)}
        begun = self._call(lambda: self._fs.call_s3("create_multipart_upload", **more, **self._at(key)), key)
        at = {**self._at(key), "UploadId": begun["UploadId"]}
        try:
            done = [self._part(key, at, number, body) for number, body in enumerate(parts, 1)]
            whole = {"Parts": done}
            self._call(
                lambda: self._fs.call_s3("complete_multipart_upload", MultipartUpload=whole, **at), key
            )
        except BaseException:
            with suppress(NotebooksError):
                self._call(lambda: self._fs.call_s3("abort_multipart_upload", **at), key)
            raise

    def _part(self, key: str, at: Mapping[str, str], number: int, body: bytes) -> dict[str, Any]:
        check = _sum(body)
        more = {"PartNumber": number, "Body": body, "ChecksumSHA256": check}
        answer = self._call(lambda: self._fs.call_s3("upload_part", **more, **at), key)
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": check}


def _sum(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()
