"""Getting blocks, verified, several at once and in the order asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from ..errors import Damaged, NotFound
from .blocks import decode
from .keys import WrongKey, keys_of
from .pages import Fetch
from .pool import away, in_order
from .ports import Blocks, Snapshots
from .snapshots import SnapshotHead, head_of

#: So often is read what is not whole, before anything is said or done for its being damaged.
READS = 3

T = TypeVar("T")


def certain(read: Callable[[], T]) -> T:
    """What read answers, asked again where that is damaged: one bad answer of a store is no damage in it.

    Raises Damaged where it always is, and WrongKey at once.
    """
    for _ in range(READS - 1):
        try:
            return read()
        except WrongKey:
            raise
        except Damaged:
            continue
    return read()


def certain_head(snapshots: Snapshots, number: int) -> SnapshotHead:
    """What a snapshot says of itself; ``certain``. Raises as ``head_of``."""
    return certain(lambda: head_of(snapshots, number))


def certain_block(blocks: Blocks, name: bytes, length: int) -> bytes:
    """The plaintext of a block; ``certain``. Raises as ``get``."""
    return certain(lambda: get(blocks, name, length))


def get(blocks: Blocks, name: bytes, length: int) -> bytes:
    """The plaintext of a block. Raises Damaged where it is missing or not what its name says."""
    return decode(name, stored(blocks, name), length, keys_of(blocks))


def stored(blocks: Blocks, name: bytes) -> bytes:
    """The stored bytes of a block, unchecked. Raises Damaged where it is missing."""
    return _present(lambda: blocks.get(name.hex()), name)


def stored_in(blocks: Blocks, name: bytes, room: memoryview) -> bytes | memoryview:
    """As ``stored``; the beginning of room where blocks can do that and they fit."""
    into: Callable[[str, memoryview], bytes | memoryview] | None = getattr(blocks, "get_into", None)
    if into is None:
        return stored(blocks, name)
    return _present(lambda: into(name.hex(), room), name)


def _present(get: Callable[[], T], name: bytes) -> T:
    try:
        return away(get)
    except NotFound:
        raise missing(name) from None


def missing(name: bytes) -> Damaged:
    """The error about a block that a snapshot names and the store does not have."""
    return Damaged(
        f"Block {name.hex()[:12]} is not in the store",
        "it is missing, and a snapshot names it",
        ["Run `jupyterhub-notebooks workspace check` to see which files and snapshots it touches"],
    )


def fetcher(blocks: Blocks, cancelled: Callable[[], bool] = lambda: False) -> Fetch:
    """Pages as ``pages.read`` wants them: at most a few dozen ahead of the reader."""

    def fetch(wanted: Sequence[tuple[bytes, int]]) -> Iterator[bytes]:
        if len(wanted) > 1:
            blocks.expect([name.hex() for name, _ in wanted])
        return in_order(lambda one: get(blocks, *one), wanted, cancelled)

    return fetch
