"""Keys of a store, and the JSON objects beside blocks and snapshots (FORMAT.md, Keys and the sections after).

Promises: keys are built from hashes, numbers and ids that are checked here, never from anything a user typed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..clock import to_text
from ..errors import Damaged
from ..names import is_id
from .blocks import MOST_STORED
from .keys import CIPHER, OPEN, Keys, Unsealed
from .snapshots import canonical, parse_object

ROOT_KEY = "notebooks-store.json"
WORKSPACE_KEY = "workspace.json"
MOST_JSON = 65535
MOST_CONDEMNED = 8 * 2**20
#: Of what lies beside workspaces: objects of a check of the store, what a manifest of an export names.
_MOST_OTHER = 64 * 2**20
_FOLDERS = {"snapshots": MOST_JSON, "leases": MOST_JSON, "names": MOST_JSON, "condemned": MOST_CONDEMNED}
_HEX64 = re.compile(r"[0-9a-f]{64}")
_KEY_ID = re.compile(r"[0-9a-f]{32}")
_NUMBER = re.compile(r"[0-9]{10}")
WORKSPACE_MAGIC = "jupyterhub-notebooks workspace"
_LEASE = "jupyterhub-notebooks lease"
_CONDEMNED = "jupyterhub-notebooks condemned"
_NAME = "jupyterhub-notebooks name"
_STORE = "jupyterhub-notebooks store"


def workspace_prefix(workspace_id: str) -> str:
    """``workspaces/ID``, without a slash at the end."""
    if not is_id(workspace_id):
        raise ValueError(f"{workspace_id!r} is no workspace id")
    return f"workspaces/{workspace_id}"


def block_key(workspace_id: str, name: str) -> str:
    """Below the root of a store: where block ``name`` (64 hex) of that workspace lies."""
    return f"{workspace_prefix(workspace_id)}/{block_path(name)}"


def snapshot_key(workspace_id: str, number: int) -> str:
    """Below the root of a store: where that snapshot lies."""
    return f"{workspace_prefix(workspace_id)}/{numbered('snapshots', number)}"


def workspace_key(workspace_id: str) -> str:
    """Below the root of a store: where workspace.json lies."""
    return f"{workspace_prefix(workspace_id)}/{WORKSPACE_KEY}"


def block_path(name: str) -> str:
    """``blocks/ab/HEX64`` below a workspace's prefix."""
    if not _HEX64.fullmatch(name):
        raise ValueError(f"{name[:80]!r} is no name of a block")
    return f"blocks/{name[:2]}/{name}"


def numbered(folder: str, number: int) -> str:
    """``folder/NNNNNNNNNN`` below a workspace's prefix."""
    if not 0 < number < 10**10:
        raise ValueError(f"{number} cannot be a number of {folder}")
    return f"{folder}/{number:010d}"


def next_key(folder: str, number: int) -> str:
    """The key of a new object. Raises Damaged where somebody used up the numbers."""
    if number >= 10**10:
        raise Damaged(
            f"There is no number left in {folder}",
            f"Somebody wrote {folder}/{10**10 - 1}, which no program does by itself.",
            ["Look at that object, and delete it where it is not yours"],
        )
    return numbered(folder, number)


def number_of(key: str) -> int | None:
    """The number at the end of a key, None where there is none."""
    last = key.rpartition("/")[2]
    return int(last) if _NUMBER.fullmatch(last) and int(last) else None


def most_bytes_of(key: str) -> int:
    """More than the object of that key can have is never read."""
    folder, _, last = key.rpartition("/")
    if last in (WORKSPACE_KEY, ROOT_KEY):
        return MOST_JSON
    above, _, folder = folder.rpartition("/")
    if above.rpartition("/")[2] == "blocks":
        return MOST_STORED
    return _FOLDERS.get(folder, _MOST_OTHER)


def too_large(key: str, most_bytes: int) -> Damaged:
    """The error about an object with more bytes than any of its kind."""
    return Damaged(
        f"{key} is damaged",
        f"It has more than {most_bytes} bytes, more than any such object.",
        ["Run `jupyterhub-notebooks workspace check` to see what it touches"],
    )


def block_of(key: str) -> str | None:
    """The block that a key below a workspace's prefix names, None where it names none."""
    parts = key.split("/")
    good = (
        len(parts) == 3 and parts[0] == "blocks" and _HEX64.fullmatch(parts[2]) and parts[2][:2] == parts[1]
    )
    return parts[2] if good else None


@dataclass(frozen=True)
class WorkspaceFacts:
    """What workspace.json says that a program acts on. lease: ``service`` or ``objects``. key: id of the key with
    which it is encrypted, None where it is not."""

    id: str
    lease: str
    created: str = ""
    created_by: str = ""
    key: str | None = None


def workspace_json(
    workspace_id: str, *, lease: str, now: datetime, created_by: str, key: str | None = None
) -> bytes:
    """The bytes of a new workspace's workspace.json. key: id of the key with which it is encrypted."""
    if not is_id(workspace_id) or lease not in ("service", "objects"):
        raise ValueError(f"{workspace_id!r}, {lease!r}")
    return canonical(
        {
            "magic": WORKSPACE_MAGIC,
            "format": 1,
            "id": workspace_id,
            "hash": "blake3",
            "codec": "zstd",
            "slices": {"rule": "fixed", "bytes": 8 * 2**20},
            "bundles": {"file_bytes": 2**20, "block_bytes": 4 * 2**20},
            "pages": {"one_in": 512, "most_rows": 4096, "most_bytes": 2**20},
            "encryption": {"cipher": CIPHER, "key": key} if key is not None else None,
            "lease": lease,
            "created": to_text(now),
            "created_by": created_by,
        }
    )


def parse_workspace_json(body: bytes) -> WorkspaceFacts:
    """Raises Damaged for what this program cannot use, naming it."""
    fields = parse_object(body, WORKSPACE_MAGIC, MOST_JSON, WORKSPACE_KEY)
    key = _key(fields.get("encryption"))
    for name, known in (("hash", "blake3"), ("codec", "zstd")):
        if fields.get(name) != known:
            raise Damaged(
                f"This workspace has {name} {repr(fields.get(name))[:80]}", "This program cannot read that"
            )
    if not is_id(str(fields.get("id"))) or fields.get("lease") not in ("service", "objects"):
        raise Damaged(f"{WORKSPACE_KEY} is damaged", "its id or lease is none that can be")
    created, by = str(fields.get("created", "")), str(fields.get("created_by", ""))
    return WorkspaceFacts(fields["id"], fields["lease"], created[:40], by[:200], key)


def _key(encryption: Any) -> str | None:
    if encryption is None:
        return None
    known = isinstance(encryption, dict) and encryption.get("cipher") == CIPHER
    key = encryption.get("key") if known else None
    if not isinstance(key, str) or not _KEY_ID.fullmatch(key):
        raise Damaged(
            f"This workspace has encryption {str(encryption)[:80]!r}", "This program cannot read that"
        )
    return key


@dataclass(frozen=True)
class LeaseObject:
    """A lease as an object: number, who holds it (text), since when."""

    number: int
    holder: str
    at: str


def lease_json(number: int, holder: str, now: datetime, nonce: bytes) -> bytes:
    """The bytes of ``leases/N``."""
    fields = {"magic": _LEASE, "format": 1, "number": number, "holder": holder[:200]}
    return canonical({**fields, "at": to_text(now), "nonce": nonce.hex()})


def lease_end_json(number: int, cause: str, by: str, now: datetime, nonce: bytes) -> bytes:
    """The bytes of ``leases/N-ended``; cause is ``released`` or ``broken``."""
    fields = {"magic": _LEASE, "format": 1, "number": number, "cause": cause, "by": by[:200]}
    return canonical({**fields, "at": to_text(now), "nonce": nonce.hex()})


def parse_lease(body: bytes) -> LeaseObject:
    """Raises Damaged."""
    fields = parse_object(body, _LEASE, MOST_JSON, "A lease")
    number = fields.get("number")
    if type(number) is not int:
        raise Damaged("A lease is damaged", "its number is no number")
    return LeaseObject(number, str(fields.get("holder", ""))[:200], str(fields.get("at", ""))[:40])


def condemned_json(number: int, blocks: Sequence[str], now: datetime) -> bytes:
    """The bytes of ``condemned/N``."""
    fields = {"magic": _CONDEMNED, "format": 1, "number": number, "at": to_text(now)}
    return canonical({**fields, "blocks": sorted(blocks)})


def parse_condemned(body: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields as they are, and the blocks they name. Raises Damaged."""
    fields = parse_object(body, _CONDEMNED, MOST_CONDEMNED, "A list of condemned blocks")
    blocks = fields.get("blocks")
    if not isinstance(blocks, list) or not all(isinstance(b, str) and _HEX64.fullmatch(b) for b in blocks):
        raise Damaged("A list of condemned blocks is damaged", "it has names that are none")
    return fields, tuple(blocks)


def name_json(number: int, name: str, now: datetime, keys: Keys = OPEN) -> bytes:
    """The bytes of ``names/N``; where the workspace is encrypted, so is the name."""
    fields: dict[str, Any] = {"magic": _NAME, "format": 1, "number": number, "at": to_text(now)}
    if keys.id is None:
        return canonical({**fields, "name": name[:200]})
    return canonical({**fields, "sealed": keys.seal(_place(number, keys), b"", name[:200].encode()).hex()})


def parse_name(body: bytes, number: int, keys: Keys = OPEN) -> str:
    """Raises Damaged."""
    fields = parse_object(body, _NAME, MOST_JSON, f"The name of snapshot {number}")
    name = fields.get("name")
    try:
        if keys.id is not None:
            name = keys.unseal(_place(number, keys), b"", bytes.fromhex(str(fields.get("sealed")))).decode()
    except (Unsealed, ValueError):
        name = None
    if not isinstance(name, str) or not name:
        raise Damaged(f"The name of snapshot {number} is damaged", "it cannot be read")
    return name[:200]


def _place(number: int, keys: Keys) -> bytes:
    return keys.hash_of(f"the name of snapshot {number}".encode())


@dataclass(frozen=True)
class StoreFacts:
    """What notebooks-store.json says: the id of the Hub whose store this is, when it was made."""

    hub: str
    created: str
    validated: dict[str, Any] | None = None


def store_json(hub_id: str, now: datetime, created_by: str) -> bytes:
    """The bytes of a new store's notebooks-store.json."""
    fields = {"magic": _STORE, "format": 1, "hub": hub_id, "created": to_text(now)}
    return canonical({**fields, "created_by": created_by, "validated": None})


def parse_store_json(body: bytes) -> StoreFacts:
    """Raises Damaged."""
    fields = parse_object(body, _STORE, MOST_JSON, ROOT_KEY)
    hub, validated = fields.get("hub"), fields.get("validated")
    if not isinstance(hub, str) or not hub:
        raise Damaged(f"{ROOT_KEY} is damaged", "it names no Hub")
    return StoreFacts(
        hub, str(fields.get("created", ""))[:40], validated if isinstance(validated, dict) else None
    )
