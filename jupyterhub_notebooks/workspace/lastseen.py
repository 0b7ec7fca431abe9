"""What this machine last saw of a workspace: the listing it saved or restored, with inode and ctime of each file.

Promises: a cache only. Missing, torn, of another workspace or format: ``load`` answers None, and the next save reads
every file again.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import msgpack
import zstandard

from ..errors import Damaged
from .blocks import hash_of
from .entries import Entry
from .keys import Keys
from .pages import Listing, PageRef, entries_of
from .stamps import UNSETTLED, Stamp, parts, stamp_of
from .volume import Volume

_MAGIC = "notebooks last seen"
_FORMAT = 1
NAME = "scan"
_MOST_BYTES = 2**31 - 1


class LastSeen(NamedTuple):
    """workspace: ``owner_of`` it. number: the snapshot whose listing entries is. tick_ns: the file system's time when it was looked at.
    leaves: the plaintexts of the pages of exactly these entries."""

    workspace: str
    number: int
    tick_ns: int
    entries: Sequence[Entry]
    stamps: Mapping[bytes, Stamp]
    leaves: Sequence[bytes]


def owner_of(workspace_id: str, keys: Keys) -> str:
    """A workspace as it is stored: with another key, the same contents lie in other blocks."""
    return workspace_id if keys.id is None else f"{workspace_id}/{keys.id}"


def leaves_of(listing: Listing) -> list[bytes]:
    """The plaintexts of a listing's leaves."""
    return [page.plain for page in listing.pages if page.ref.level == 0]


def write(volume: Volume, seen: LastSeen) -> None:
    """Keeps it. Not synced: a torn one is recognized."""
    body = bytearray()
    for part in _packed(seen):
        body += part
    body += hash_of(body)
    try:
        volume.write(NAME, body, durable=False, needed=False)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        with suppress(OSError):  # without it the next save reads everything again
            (volume.state / NAME).unlink()


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
    for part in (0, 1):
        yield into.compress(packer.pack_array_header(len(seen.entries)))
        for at in range(0, len(seen.entries), 4096):
            stamps = [seen.stamps.get(entry.path, UNSETTLED) for entry in seen.entries[at : at + 4096]]
            yield into.compress(b"".join([packer.pack(parts(stamp)[part]) for stamp in stamps]))
    yield into.flush()


def load(volume: Volume, workspace: str | None = None) -> LastSeen | None:
    """What was kept, of that workspace where one is named."""
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
        fields = (unpacker.unpack() for _ in range(unpacker.read_array_header()))
        magic, version, owner, number, tick_ns, leaves, inodes, ctimes = fields
        if (magic, version) != (_MAGIC, _FORMAT) or (workspace is not None and owner != workspace):
            return None
        refs = [PageRef(b"", 0, 0, b"", 0, 0, 0)] * len(leaves)
        entries = list(entries_of(refs, leaves))
        stamps = {
            entry.path: stamp_of(inode, ctime)
            for entry, inode, ctime in zip(entries, inodes, ctimes, strict=True)
            if ctime
        }
    except (zstandard.ZstdError, msgpack.UnpackException, ValueError, TypeError, Damaged):
        return None
    return LastSeen(owner, number, tick_ns, entries, stamps, leaves)
