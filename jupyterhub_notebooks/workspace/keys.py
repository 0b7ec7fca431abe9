"""How a workspace names, seals and signs what it stores (FORMAT.md, Keys where a workspace is encrypted).

Promises: a key is 32 random bytes that stay in memory and stand in no text of this object; what ``unseal`` and
``unwrap`` return was sealed with that very key for that very place. The cipher's library is loaded at its first use.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from blake3 import blake3

from ..errors import BadInput, Damaged, ToolMissing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CIPHER = "aes-256-gcm"
KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
_ID = "jupyterhub-notebooks 2026 workspace key id 1"
_NAMES = "jupyterhub-notebooks 2026 workspace names 1"
_BLOCKS = "jupyterhub-notebooks 2026 workspace blocks 1"
_SNAPSHOTS = "jupyterhub-notebooks 2026 workspace snapshots 1"
_WRAPPING = "jupyterhub-notebooks 2026 workspace key wrapping 1"


class WrongKey(Damaged):
    """What is stored is encrypted, and the key that opens it is not here."""

    reason = "key"
    exit_code = 5
    http_status = 409


class Unsealed(Exception):
    """Sealed bytes do not open: another key, another place, or changed bytes."""


class Keys:
    """One workspace's key and what follows from it; ``OPEN`` is that of a workspace that is not encrypted.

    id: what workspace.json and snapshots call the key, None where there is none.
    """

    def __init__(self, key: bytes | None = None) -> None:
        if key is not None and len(key) != KEY_BYTES:
            raise ValueError(f"a key of {len(key)} bytes")
        self._key = key
        self.id = key_id(key) if key is not None else None
        self._naming = _derived(_NAMES, key) if key is not None else None
        self._snapshots = _derived(_SNAPSHOTS, key) if key is not None else None
        self.empty = self.hash_of(b"")

    def __repr__(self) -> str:
        return f"Keys({self.id})"

    def __reduce__(self) -> str:
        raise TypeError("a key is not written down")

    def hash_of(self, data: bytes | bytearray | memoryview) -> bytes:
        """The 32 bytes that name data: in two encrypted workspaces, two names."""
        if self._naming is None:
            return blake3(data).digest()
        return blake3(data, key=self._naming).digest()

    @property
    def naming(self) -> bytes:
        """What contents are named with, empty where the workspace is not encrypted; for a process that names them
        beside this one."""
        return self._naming or b""

    def check_of(self, data: bytes) -> str:
        """The hex digits that vouch for a snapshot object."""
        if self._snapshots is None:
            return blake3(data).hexdigest()
        return blake3(data, key=self._snapshots).hexdigest()

    def seal(self, name: bytes, header: bytes, body: bytes | bytearray | memoryview) -> bytes:
        """The sealed body of block name; header is bound to it."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher(name).encrypt(nonce, body, header + name)

    def unseal(self, name: bytes, header: bytes, body: bytes | memoryview) -> bytes:
        """What ``seal`` was given. Raises Unsealed."""
        return _opened(self._cipher(name), body, header + name)

    def _cipher(self, name: bytes) -> AESGCM:
        if self._key is None:
            raise ValueError("this workspace has no key")
        return cipher(_derived(_BLOCKS, self._key + name))


OPEN = Keys()


class HasKeys(Protocol):
    """Blocks or snapshots of a workspace that may be encrypted."""

    keys: Keys


def keys_of(holder: object) -> Keys:
    """The keys of blocks or snapshots; ``OPEN`` where they have none."""
    keys = getattr(holder, "keys", OPEN)
    assert isinstance(keys, Keys)
    return keys


def key_id(key: bytes) -> str:
    """32 hex digits that tell keys apart and say nothing of them."""
    return _derived(_ID, key)[:16].hex()


def new_key() -> bytes:
    """A new workspace key."""
    return os.urandom(KEY_BYTES)


def key_of_text(text: str, field: str) -> bytes:
    """A key as a person keeps it: 64 hex digits. Raises BadInput that names the field, never the value."""
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise BadInput(
            "This is not a key",
            "A key is 64 hexadecimal digits.",
            ["Make one with: jupyterhub-notebooks key make FILE"],
            field=field,
        )
    return key


def keys_of_hex(text: str | None) -> Keys:
    """The keys of a workspace whose key travelled as 64 hex digits; ``OPEN`` for None. Raises BadInput."""
    return Keys(key_of_text(text, "secret_key")) if text is not None else OPEN


def wrap(key: bytes, wrapping_key: bytes, workspace_id: str) -> bytes:
    """A workspace's key as it is kept outside: sealed with wrapping_key, bound to its workspace."""
    nonce = os.urandom(NONCE_BYTES)
    sealing = cipher(_derived(_WRAPPING, wrapping_key))
    return nonce + sealing.encrypt(nonce, key, workspace_id.encode())


def unwrap(wrapped: bytes, wrapping_key: bytes, workspace_id: str) -> bytes:
    """What ``wrap`` was given. Raises WrongKey."""
    try:
        return _opened(cipher(_derived(_WRAPPING, wrapping_key)), wrapped, workspace_id.encode())
    except Unsealed:
        raise WrongKey(
            "The key of this workspace cannot be opened",
            "It was wrapped with another key than the one that is set.",
            ["Set the key file with which it was wrapped (encryption_key)"],
            field="encryption_key",
        ) from None


def needed(key: str | None) -> WrongKey:
    """The error where a workspace is encrypted with key and none, or another one, was given."""
    return WrongKey(
        "This workspace is encrypted",
        f"Its key is {key}, and that is not here. Nothing was read.",
        ["Give the file with its key"],
        field="key",
    )


def cipher(key: bytes) -> AESGCM:
    """AES-256-GCM with key."""
    return _library()(key)


@lru_cache(maxsize=1)
def _library() -> type[AESGCM]:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise ToolMissing(
            "Encrypted workspaces need the package cryptography",
            str(error),
            ["Run: pip install cryptography"],
        ) from None
    return AESGCM


def _opened(opening: AESGCM, sealed: bytes | memoryview, bound: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag

    if len(sealed) < NONCE_BYTES + TAG_BYTES:
        raise Unsealed
    try:
        return opening.decrypt(bytes(sealed[:NONCE_BYTES]), memoryview(sealed)[NONCE_BYTES:], bound)
    except InvalidTag:
        raise Unsealed from None


def _derived(context: str, material: bytes) -> bytes:
    return blake3(material, derive_key_context=context).digest()
