"""The snapshot object (FORMAT.md, Snapshot): composed canonically, parsed with everything bounded."""

from __future__ import annotations

import hmac
import json
import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ..clock import from_text, to_text
from ..errors import Damaged
from .blocks import MOST_PLAIN
from .keys import OPEN, Keys, keys_of, needed
from .pages import MOST_LEVEL, PageRef

MAGIC = "jupyterhub-notebooks snapshot"
FORMAT = 1
MOST_BYTES = 65535
KINDS = ("save", "recovery")
_HEX64 = re.compile(r"[0-9a-f]{64}")
_KEY_ID = re.compile(r"[0-9a-f]{32}")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_MOST = 2**62
#: In one JSON object; 8 MiB of names of blocks are fewer.
_MOST_VALUES = 200_000
_MOST_DEPTH = 50
_FIRST_YEAR, _LAST_YEAR = 1970, 9000


@dataclass(frozen=True)
class SnapshotHead:
    """What a snapshot object says. root: its listing, None where the workspace was empty.

    check: 64 hex digits that no other snapshot has.
    """

    workspace: str
    number: int
    kind: str
    parent: int | None
    lease: int | None
    at: datetime
    created_by: str
    size_bytes: int
    files: int
    entries: int
    stored_bytes: int
    skipped: int
    root: PageRef | None
    check: str = ""


def compose_snapshot(head: SnapshotHead, nonce: bytes, keys: Keys = OPEN) -> bytes:
    """The object's bytes; nonce is 16 random bytes."""
    listing = None
    if head.root is not None:
        listing = {"page": head.root.name.hex(), "length": head.root.length, "level": head.root.level}
    fields: dict[str, Any] = {
        "magic": MAGIC,
        "format": FORMAT,
        "workspace": head.workspace,
        "number": head.number,
        "kind": head.kind,
        "parent": head.parent,
        "lease": head.lease,
        "at": to_text(head.at),
        "created_by": head.created_by,
        "nonce": nonce.hex(),
        "size_bytes": head.size_bytes,
        "files": head.files,
        "entries": head.entries,
        "stored_bytes": head.stored_bytes,
        "skipped": head.skipped,
        "listing": listing,
        "encryption": keys.id,
    }
    return canonical({**fields, "check": keys.check_of(canonical(fields))})


def canonical(fields: dict[str, Any]) -> bytes:
    """JSON with sorted keys, without spaces, in ASCII."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


class Gets(Protocol):
    """Where snapshot objects are read."""

    def get(self, number: int, /) -> bytes: ...


def head_of(snapshots: Gets, number: int, workspace: str | None = None) -> SnapshotHead:
    """What a snapshot says, read with the keys of snapshots. Raises NotFound, Damaged, WrongKey, StorageAway."""
    body = snapshots.get(number)
    return parse_snapshot(body, number=number, workspace=workspace, keys=keys_of(snapshots))


def parse_snapshot(
    body: bytes, *, number: int | None = None, workspace: str | None = None, keys: Keys = OPEN
) -> SnapshotHead:
    """What body says, where it is a whole snapshot (of that number and workspace). Raises Damaged, and WrongKey
    where it is encrypted with another key than keys."""
    fields = parse_object(body, MAGIC, MOST_BYTES, what(number))
    check = fields.pop("check", None)
    sealed = _sealed(fields, number)
    if sealed is None and keys.id is not None:
        raise _odd(number, "it is not encrypted, and its workspace is")
    if sealed != keys.id:
        raise needed(sealed)
    if not isinstance(check, str) or not _HEX64.fullmatch(check):
        raise _odd(number, "its check is none that can be")
    try:
        expected = keys.check_of(canonical(fields))
    except (ValueError, RecursionError):
        raise _odd(number, "it has a value that no snapshot has") from None
    if not hmac.compare_digest(expected, check):
        raise _odd(number, "its content is not what its own check says")
    kind, parent, lease = fields.get("kind"), fields.get("parent"), fields.get("lease")
    if kind not in KINDS:
        raise _odd(number, f"its kind {repr(kind)[:80]} is not one that this program knows")
    own = _int(fields, "number", number)
    if own < 1 or (number is not None and own != number):
        raise _odd(number, f"it calls itself number {own}")
    space = fields.get("workspace")
    if not isinstance(space, str) or (workspace is not None and space != workspace):
        raise _odd(number, "it belongs to another workspace")
    for name, value in (("parent", parent), ("lease", lease)):
        if value is not None and (type(value) is not int or not 0 <= value < _MOST):
            raise _odd(number, f"its {name} is no number")
    at = _time(fields.get("at"), number)
    counts = {
        name: _int(fields, name, number)
        for name in ("size_bytes", "files", "entries", "stored_bytes", "skipped")
    }
    created_by = str(fields.get("created_by", ""))[:200]
    root = _root(fields.get("listing"), number, counts)
    return SnapshotHead(space, own, kind, parent, lease, at, created_by, root=root, check=check, **counts)


def key_id_of(body: bytes) -> str | None:
    """Which key a snapshot says that it is encrypted with, unchecked; None for none. Raises Damaged."""
    return _sealed(parse_object(body, MAGIC, MOST_BYTES, what(None)), None)


def _sealed(fields: dict[str, Any], number: int | None) -> str | None:
    sealed = fields.get("encryption")
    if sealed is None or (isinstance(sealed, str) and _KEY_ID.fullmatch(sealed)):
        return sealed
    raise _odd(number, "it names a key that cannot be")


def _root(listing: Any, number: int | None, counts: dict[str, int]) -> PageRef | None:
    if listing is None:
        return None
    if not isinstance(listing, dict):
        raise _odd(number, "its listing has another shape")
    page, length, level = listing.get("page"), listing.get("length"), listing.get("level")
    if not isinstance(page, str) or not isinstance(length, int) or not isinstance(level, int):
        raise _odd(number, "its listing has another shape")
    if not _HEX64.fullmatch(page) or not 0 < length <= MOST_PLAIN or not 0 <= level <= MOST_LEVEL:
        raise _odd(number, "its listing cannot be")
    below = (counts["entries"], counts["files"], counts["size_bytes"])
    return PageRef(bytes.fromhex(page), length, level, b"", *below)


def _int(fields: dict[str, Any], name: str, number: int | None) -> int:
    value = fields.get(name)
    if type(value) is not int or not 0 <= value < _MOST:
        raise _odd(number, f"its {name} is no number")
    return value


def _time(text: Any, number: int | None) -> datetime:
    at = time_of(text)
    if at is None:
        raise _odd(number, "its time is no time")
    return at


def time_of(text: Any) -> datetime | None:
    """The time of an object, far enough from the first and the last year that it can be shown in any zone and counted with;
    None for anything else."""
    try:
        at = from_text(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return at if at is not None and _FIRST_YEAR <= at.year <= _LAST_YEAR else None


def parse_object(body: bytes, magic: str, most_bytes: int, what: str) -> dict[str, Any]:
    """The fields of one of our JSON objects, of a format that we read: all of them can be written as JSON again, and
    every text as UTF-8, whatever calls it. Raises Damaged."""
    if len(body) > most_bytes:
        raise Damaged(f"{what} is damaged", f"it has {len(body)} bytes, more than any")
    if body.count(b",") + body.count(b"[") + body.count(b"{") > _MOST_VALUES:
        raise Damaged(f"{what} is damaged", "it has more values than any")
    try:
        text = body.decode()
        fields = json.loads(text, parse_constant=_finite, parse_float=_finite)
        if _SURROGATE.search(text):
            json.dumps(fields, ensure_ascii=False).encode()
        if body.count(b"[") + body.count(b"{") > _MOST_DEPTH:
            _not_deep(fields)
    except (ValueError, RecursionError):
        raise Damaged(f"{what} is damaged", "it is no JSON, or was cut off") from None
    if not isinstance(fields, dict) or fields.get("magic") != magic:
        raise Damaged(f"{what} is damaged", "it is something else")
    if fields.get("format") != FORMAT:
        raise Damaged(
            f"{what} is of format {repr(fields.get('format'))[:80]}",
            f"This program reads formats up to {FORMAT}",
            ["Use a newer version of jupyterhub-notebooks"],
        )
    return fields


def _finite(text: str) -> float:
    """Raises ValueError for what JSON has no number for."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _not_deep(value: Any) -> None:
    """Raises ValueError where lists and objects lie in each other deeper than any of ours."""
    level = [value]
    for _ in range(_MOST_DEPTH):
        below = (one.values() if isinstance(one, dict) else one for one in level)
        level = [inner for outer in below for inner in outer if isinstance(inner, (dict, list))]
        if not level:
            return
    raise ValueError("too deep")


def of_newer_format(body: bytes, magic: str) -> bool:
    """Whether a newer version of this program says that it wrote one of our JSON objects."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return False
    known = isinstance(fields, dict) and fields.get("magic") == magic
    return known and type(fields.get("format")) is int and fields["format"] > FORMAT


def what(number: int | None) -> str:
    """How an error names a snapshot."""
    return "A snapshot" if number is None else f"Snapshot {number}"


def _odd(number: int | None, why: str) -> Damaged:
    return Damaged(f"{what(number)} is damaged", why, ["Take an earlier snapshot"])
