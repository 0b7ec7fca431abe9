"""What this machine last saw of a workspace: the listing it saved or restored, with inode and ctime of each file.

Promises: a cache only. Missing, torn, of another workspace or format: ``load`` answers None, and the next save reads
every file again.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import msgpack
import zstandard

from ..errors import Damaged
from .blocks import hash_of
from .entries import Entry
from .keys import Keys
from .pages import Listing, PageRef, entries_of
from .volume import Volume

_MAGIC = "notebooks last seen"
_FORMAT = 1
NAME = "scan"
_MOST_BYTES = 8 * 2**30

#: inode and ctime in ns; (0, 0) where the file has to be read again
Stamp = tuple[int, int]
UNSETTLED: Stamp = (0, 0)


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
    stamps = [seen.stamps.get(entry.path, UNSETTLED) for entry in seen.entries]
    fields = [
        _MAGIC,
        _FORMAT,
        seen.workspace,
        seen.number,
        seen.tick_ns,
        list(seen.leaves),
        [inode for inode, _ in stamps],
        [ctime for _, ctime in stamps],
    ]
    body = zstandard.ZstdCompressor(level=1).compress(msgpack.packb(fields))
    try:
        volume.write(NAME, body + hash_of(body), durable=False, needed=False)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        with suppress(OSError):  # without it the next save reads everything again
            (volume.state / NAME).unlink()


def load(volume: Volume, workspace: str | None = None) -> LastSeen | None:
    """What was kept, of that workspace where one is named."""
    try:
        raw = (volume.state / NAME).read_bytes()
    except OSError:
        return None
    body, check = raw[:-32], raw[-32:]
    if hash_of(body) != check:
        return None
    try:
        plain = zstandard.ZstdDecompressor().decompress(body, max_output_size=_MOST_BYTES)
        magic, version, owner, number, tick_ns, leaves, inodes, ctimes = msgpack.unpackb(plain)
        if (magic, version) != (_MAGIC, _FORMAT) or (workspace is not None and owner != workspace):
            return None
        refs = [PageRef(b"", 0, 0, b"", 0, 0, 0)] * len(leaves)
        entries = list(entries_of(refs, leaves))
        stamps = {
            entry.path: (inode, ctime)
            for entry, inode, ctime in zip(entries, inodes, ctimes, strict=True)
            if ctime
        }
    except (zstandard.ZstdError, ValueError, TypeError, Damaged):
        return None
    return LastSeen(owner, number, tick_ns, entries, stamps, leaves)
