"""What a store promises; every store passes the same contract class (tests/contracts/stores.py)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ..layout import number_of


class Store(Protocol):
    """Objects by key below one root. Keys are relative, made of ``a-z 0-9 - . /`` by layout.py.

    Thread-safe. Every method may raise StorageAway (trying again may help) or Denied. What was written is durable
    when the call returns, and seen by every later get and list.
    """

    url: str

    def get(self, key: str, most_bytes: int | None = None) -> bytes:
        """All bytes. Raises NotFound; Damaged where there are more than most_bytes (default: ``layout.most_bytes_of`` it),
        without having read them."""
        ...

    def put(self, key: str, body: bytes) -> bool:
        """For objects that have one content only (blocks). True: written now; False: was there, and stays."""
        ...

    def put_new(self, key: str, body: bytes) -> bool:
        """Exclusive creation, of a body that nobody else writes (a nonce in it). True: the object is this body,
        also where an answer was lost and the call is repeated; False: another one is there, and stays."""
        ...

    def replace(self, key: str, body: bytes) -> None:
        """Writes whatever is there; whole or not at all."""
        ...

    def exists(self, key: str) -> bool: ...

    def size(self, key: str) -> int:
        """Bytes stored. Raises NotFound."""
        ...

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        """(key, size) of all objects whose key begins with prefix (a folder and a slash, or ""), sorted by key."""
        ...

    def delete(self, key: str) -> None:
        """No error where it is not there."""
        ...


def numbers_below(store: Store, prefix: str, folder: str) -> list[int]:
    """The numbers of the objects in a folder below prefix, sorted."""
    found = (number_of(key) for key, _ in store.list(f"{prefix}{folder}/"))
    return sorted(number for number in found if number is not None)
