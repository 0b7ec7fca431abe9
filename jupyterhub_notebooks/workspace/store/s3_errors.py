"""The one place where an S3 client's errors become ours; decided by HTTP status and code, never by text."""

from __future__ import annotations

from ...errors import BadInput, ConfigError, Denied, NoSpace, NotebooksError, NotFound, StorageAway

_NO_BUCKET = ("NoSuchBucket", "InvalidBucketName")
_TORN = (
    "BadDigest",
    "IncompleteBody",
    "XAmzContentChecksumMismatch",
    "XAmzContentSHA256Mismatch",
    "RequestTimeout",
)
_FULL = ("QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "EntityTooLarge")
_CREDENTIALS = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "TokenRetrievalError",
)


class Exists(NotebooksError):
    """412: an object with this key is there. It may be the one that a lost answer was about."""

    http_status = 412


def translated(error: Exception, key: str, bucket: str, url: str) -> NotebooksError:
    """What error means."""
    if isinstance(error, NotebooksError):
        return error
    status, code = _status(error)
    if code in _NO_BUCKET:
        return BadInput(
            f"There is no bucket {bucket!r}", next=["Check the address of the store"], field="store"
        )
    if status == 404 or (status is None and isinstance(error, FileNotFoundError)):
        return NotFound(f"The store has no {key}")
    if status == 412:
        return Exists(f"The store has {key} already")
    if status in (401, 403):
        return Denied(
            f"The store refuses access to {url}",
            f"It answered {code or status}.",
            ["Check the access key, its secret, and what they may do"],
        )
    if status == 507 or code in _FULL:
        return NoSpace("The store is full", f"It answered {code or status}.", ["Free some space there"])
    if status is not None and status < 500 and status not in (408, 409, 429) and code not in _TORN:
        return ConfigError(
            f"The store refused a request about {key}",
            f"It answered {status} {code}.",
            ["Check region, addressing and endpoint of the store"],
            field="store",
        )
    if status == 501:
        return ConfigError(
            "The store cannot do what is asked of it",
            f"It answered {status} {code}.",
            ["Use a store with conditional writes (If-None-Match)"],
            field="store",
        )
    if type(error).__name__ in _CREDENTIALS:
        return Denied(
            "There is no key for the store", next=["Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"]
        )
    checked = type(error).__name__ == "SSLError" and type(error.__context__).__name__.endswith(
        "CertificateError"
    )
    if checked or type(error).__name__ == "SSLCertVerificationError":
        return ConfigError(
            "The store's certificate is not trusted",
            f"{url} is reached over TLS, and no known authority signed its certificate for this address.",
            ["Name a file with the certificate of its authority in the store's option ca_file"],
            field="store_options.ca_file",
        )
    what = f"It answered {status} {code}." if status else f"{type(error).__name__}: {error}"
    return StorageAway(f"The store {url} does not answer", what[:300], ["Check its address, then try again"])


def _status(error: BaseException) -> tuple[int | None, str]:
    """HTTP status and code of the answer that error is about; s3fs keeps it as the cause."""
    seen: BaseException | None = error
    while seen is not None:
        response = getattr(seen, "response", None)
        if isinstance(response, dict) and "ResponseMetadata" in response:
            status = response["ResponseMetadata"].get("HTTPStatusCode")
            return status, str(response.get("Error", {}).get("Code", ""))
        seen = seen.__cause__
    return None, ""
