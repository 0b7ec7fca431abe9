"""Storing what a save read: small files in bundles, large ones in slices, each content once.

Promises: every method may run in several threads; a block is put at most once a save, and not at all where the base
is known to have it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import NamedTuple

from .blocks import MOST_PLAIN, encode
from .comparing import FILE_BYTES
from .crew import Crew, HandGone
from .entries import FILE, Entry, Piece
from .keys import Keys, keys_of
from .pool import away
from .ports import Blocks
from .reading import Gone, Grown, Part, Unreadable, Whole, part, whole
from .scanning import Found

#: So many files are worth a hand's while.
_LEAST_FOR_HAND = 8


class Read(NamedTuple):
    """What became of one small file. entry is None where it is gone (why empty), could not be read (why), or
    has grown (grown)."""

    asked: Found
    found: Found
    entry: Entry | None
    why: str = ""
    settled: bool = True
    grown: bool = False


class Storing:
    """One save's way to the blocks."""

    def __init__(
        self,
        blocks: Blocks,
        known: Iterable[bytes],
        contents: dict[bytes, tuple[Piece, ...]],
        crew: Crew,
    ) -> None:
        self._blocks, self._crew = blocks, crew
        self.keys = keys_of(blocks)
        self._lock = threading.Lock()
        self._there = set(known)
        self._contents = contents
        self.present: list[str] = []
        self.stored_bytes = 0
        self.new_blocks = 0

    def all_read(self) -> None:
        """No file is read any more: where contents lie need not be known."""
        self._contents = {}

    def put(self, name: bytes, plain: bytes | bytearray) -> None:
        """Stores a block unless it is there."""
        if self._is_new(name):
            self._store(name, encode(plain, self.keys, name))

    def _is_new(self, name: bytes) -> bool:
        """Whether this is the first to be stored under name, and whoever asked stores it."""
        with self._lock:
            if name in self._there:
                return False
            self._there.add(name)
            return True

    def _store(self, name: bytes, body: bytes) -> None:
        written = away(lambda: self._blocks.put(name.hex(), body))
        with self._lock:
            if written:
                self.new_blocks += 1
                self.stored_bytes += len(body)
            else:
                self.present.append(name.hex())

    def slice(self, files: bytes, path: bytes, offset: int, length: int) -> tuple[Part, Piece | None]:
        """Reads and stores one slice; the piece is None where the file ended before it. Raises Gone, Unreadable."""
        try:
            read = part(files, path, offset, length)
        except OSError as error:
            raise Unreadable(error) from None
        data = read.data
        if not data:
            return read._replace(data=b""), None
        if not data[:64].strip(b"\0") and data.count(0) == len(data):
            return read._replace(data=b""), Piece(b"", 0, 0, len(data))
        name = self.keys.hash_of(data)
        self.put(name, data)
        return read._replace(data=b""), Piece(name, len(data), 0, len(data))

    def bundle(self, files: bytes, batch: list[Found]) -> list[Read]:
        """Reads small files and stores those with new content in one bundle (more where they grew)."""
        if self._crew.hands and len(batch) >= _LEAST_FOR_HAND:
            try:
                return self._by_hand(files, batch)
            except HandGone:
                if self._crew.over:
                    return []
        return self._here(files, batch)

    def _by_hand(self, files: bytes, batch: list[Found]) -> list[Read]:
        """What ``bundle`` promises; what a hand could not read as it was seen is read here."""
        looks = [(item.path, item.size, item.inode, item.mtime_ns, item.ctime_ns) for item in batch]
        body, name, length = b"", b"", 0
        places: dict[bytes, tuple[int, int]] = {}
        with self._crew.slot() as slot:
            ids, attributes = self._crew.read(files, slot, self.keys.naming, looks)
            parts: list[tuple[int, int]] = []
            at = 0
            for item, content in zip(batch, ids, strict=True):
                if content is None:
                    continue
                if item.size and content not in self._contents and content not in places:
                    places[content] = (length, item.size)
                    parts.append((at, at + item.size))
                    length += item.size
                at += item.size
            if length:
                whole = slot.view[:length]
                plain = whole if length == at else b"".join([slot.view[a:b] for a, b in parts])
                name = self.keys.hash_of(plain)
                if self._is_new(name):
                    body = encode(plain, self.keys, name)
        if body:
            self._store(name, body)
        pieces: dict[bytes, tuple[Piece, ...]] = {
            content: (Piece(name, length, *place),) for content, place in places.items()
        }
        with self._lock:
            self._contents.update(pieces)
        rest = [item for item, content in zip(batch, ids, strict=True) if content is None]
        results = self._here(files, rest) if rest else []
        for number, (item, content) in enumerate(zip(batch, ids, strict=True)):
            if content is not None:
                results.append(self._result(item, item, content, pieces, attributes.get(number, ())))
        return results

    def _here(self, files: bytes, batch: list[Found]) -> list[Read]:
        results: list[Read] = []
        filling = _Bundle(self.keys)
        for asked in batch:
            try:
                read = whole(files, asked, FILE_BYTES)
            except Gone:
                results.append(Read(asked, asked, None))
                continue
            except Grown as grown:
                results.append(Read(asked, grown.found, None, grown=True))
                continue
            except OSError as error:
                results.append(Read(asked, asked, None, str(Unreadable(error))))
                continue
            if len(filling.data) + len(read.data) > MOST_PLAIN:
                results += self._full(filling)
                filling = _Bundle(self.keys)
            filling.add(asked, read, self._contents)
        return results + self._full(filling)

    def _full(self, filling: _Bundle) -> list[Read]:
        pieces: dict[bytes, tuple[Piece, ...]] = {}
        if filling.data:
            name = self.keys.hash_of(filling.data)
            length = len(filling.data)
            self.put(name, filling.data)
            for content, (offset, size) in filling.places.items():
                pieces[content] = (Piece(name, length, offset, size),)
            with self._lock:
                self._contents.update(pieces)
        return [
            self._result(asked, read.found, content, pieces, read.xattrs, read.settled)
            for asked, read, content in filling.members
        ]

    def _result(
        self,
        asked: Found,
        found: Found,
        content: bytes,
        pieces: dict[bytes, tuple[Piece, ...]],
        xattrs: tuple[tuple[bytes, bytes], ...] = (),
        settled: bool = True,
    ) -> Read:
        size = found.size
        at = pieces.get(content) or self._contents.get(content, ()) if size else ()
        sparse = 0 < found.stored_bytes < size
        entry = Entry(
            found.path, FILE, found.mode, found.mtime_ns, size, content, at, b"", b"", xattrs, sparse
        )
        return Read(asked, found, entry, "", settled)


class _Bundle:
    """A bundle being filled: its bytes, where each content lies in them, and the files that want to know."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self.data = bytearray()
        self.places: dict[bytes, tuple[int, int]] = {}
        self.members: list[tuple[Found, Whole, bytes]] = []

    def add(self, asked: Found, read: Whole, known: dict[bytes, tuple[Piece, ...]]) -> None:
        data = read.data
        content = self._keys.hash_of(data)
        self.members.append((asked, read._replace(data=b""), content))
        if data and content not in known and content not in self.places:
            self.places[content] = (len(self.data), len(data))
            self.data += data
