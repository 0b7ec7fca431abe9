"""What this machine last saw of a workspace: the listing it saved or restored, with inode and ctime of each file.

Promises: a cache only. Missing, torn, of another workspace or format: ``load`` answers None, and the next save reads
every file again. Entries are made of the pages as they are asked for, so that few are in memory at once.
"""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import msgpack
import zstandard
from blake3 import blake3

from ..errors import Damaged
from .blocks import hash_of
from .entries import Entry
from .keys import Keys
from .pages import Listing, PageRef, entries_of
from .stamps import UNSETTLED, Stamp, Stamps
from .volume import Volume

_MAGIC = "notebooks last seen"
_FORMAT = 1
NAME = "scan"
_MOST_BYTES = 2**31 - 1


class Unusable(Exception):
    """What was kept is not what a save or restore writes, which shows on the way only."""


class LastSeen(NamedTuple):
    """workspace: ``owner_of`` it. number: the snapshot whose listing entries is. tick_ns: the file system's time when it was looked at.
    stamps: of each entry. leaves: the plaintexts of the pages of exactly these entries."""

    workspace: str
    number: int
    tick_ns: int
    entries: Collection[Entry]
    stamps: Stamps
    leaves: Sequence[bytes]

    def each(self) -> Iterator[tuple[Entry, Stamp]]:
        """Entries with their stamps, in order. Raises Unusable."""
        try:
            yield from zip(self.entries, self.stamps, strict=True)
        except (Damaged, ValueError, TypeError) as error:
            raise Unusable from error


class _Entries(Collection[Entry]):
    """The entries on pages, made anew for each who asks. Raises Damaged then."""

    def __init__(self, leaves: Sequence[bytes], count: int) -> None:
        self._leaves, self._count = leaves, count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Entry]:
        return entries_of([PageRef(b"", 0, 0, b"", 0, 0, 0)] * len(self._leaves), self._leaves)

    def __contains__(self, entry: object) -> bool:
        return any(entry == one for one in self)


def stamps_of(entries: Iterable[Entry], stamps: Mapping[bytes, Stamp]) -> Stamps:
    """The stamps of entries, by path; those that have none have to be read again."""
    found = Stamps()
    for entry in entries:
        found.append(stamps.get(entry.path, UNSETTLED))
    return found


def owner_of(workspace_id: str, keys: Keys) -> str:
    """A workspace as it is stored: with another key, the same contents lie in other blocks."""
    return workspace_id if keys.id is None else f"{workspace_id}/{keys.id}"


def leaves_of(listing: Listing) -> list[bytes]:
    """The plaintexts of a listing's leaves."""
    return [page.plain for page in listing.pages if page.ref.level == 0]


def write(volume: Volume, seen: LastSeen) -> None:
    """Keeps it. Not synced: a torn one is recognized."""
    try:
        volume.write(NAME, lambda: _sealed(_packed(seen)), durable=False, needed=False)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        forget(volume)


def forget(volume: Volume) -> None:
    """Without it the next save reads everything again."""
    with suppress(OSError):
        (volume.state / NAME).unlink()


def _sealed(body: Iterable[bytes]) -> Iterator[bytes]:
    """The parts of body, and last the hash of all of them."""
    hashing = blake3()
    for part in body:
        hashing.update(part)
        yield part
    yield hashing.digest()


def _packed(seen: LastSeen) -> Iterator[bytes]:
    """The list of magic, format, workspace, number, tick, leaves, inodes and ctimes, compressed as it is made."""
    into = zstandard.ZstdCompressor(level=1).compressobj()
    packer = msgpack.Packer(autoreset=True)
    yield into.compress(packer.pack_array_header(8))
    for field in (_MAGIC, _FORMAT, seen.workspace, seen.number, seen.tick_ns):
        yield into.compress(packer.pack(field))
    yield into.compress(packer.pack_array_header(len(seen.leaves)))
    for leaf in seen.leaves:
        yield into.compress(packer.pack(leaf))
    for numbers in (seen.stamps.inodes, seen.stamps.ctimes):
        yield into.compress(packer.pack_array_header(len(numbers)))
        for at in range(0, len(numbers), 4096):
            yield into.compress(b"".join(map(packer.pack, numbers[at : at + 4096])))
    yield into.flush()


def load(volume: Volume, workspace: str | None = None) -> LastSeen | None:
    """What was kept, of that workspace where one is named; that its entries can be used is known once they are made."""
    try:
        raw = memoryview((volume.state / NAME).read_bytes())
    except OSError:
        return None
    body, check = raw[:-32], raw[-32:]
    if hash_of(body) != check:
        return None
    try:
        reader = zstandard.ZstdDecompressor().stream_reader(body)
        unpacker = msgpack.Unpacker(reader, max_buffer_size=_MOST_BYTES)
        if unpacker.read_array_header() != 8:
            return None
        magic, version, owner, number, tick_ns, leaves = (unpacker.unpack() for _ in range(6))
        if (magic, version) != (_MAGIC, _FORMAT) or (workspace is not None and owner != workspace):
            return None
        stamps = Stamps(unpacker.unpack(), unpacker.unpack())
        entries = _Entries(leaves, len(stamps))
    except (zstandard.ZstdError, msgpack.UnpackException, ValueError, TypeError, OverflowError):
        return None
    return LastSeen(owner, number, tick_ns, entries, stamps, leaves)
