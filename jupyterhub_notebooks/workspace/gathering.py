"""What a save has gathered so far: the entry of each path, and how it lay there.

Promises: very many take little room: paths are looked up only where somebody asks for some. Of a path, what was added
last counts.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Container, Iterator, Sequence

from .attributes import xattrs_of
from .entries import DIRECTORY, SYMLINK, Entry, order
from .scanning import Found
from .stamps import UNSETTLED, Stamp, Stamps


class Gathering:
    """One save's."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._stamps = Stamps()

    def add(self, entry: Entry, stamp: Stamp = UNSETTLED) -> None:
        """In any order."""
        self._entries.append(entry)
        self._stamps.append(stamp)

    def __iter__(self) -> Iterator[tuple[Entry, Stamp]]:
        return zip(self._entries, self._stamps, strict=True)

    def keep_unreadable(
        self, unread: Collection[bytes], blind: Sequence[bytes], base: Sequence[Entry]
    ) -> None:
        """What could not be read (unread), or lies below what could not be looked into (blind), stays as base has it."""
        if not unread and not blind:
            return
        there = {entry.path for entry in self._entries}
        folders = tuple(path + b"/" for path in blind)
        wanted = set(unread)
        firsts: dict[bytes, bytes] = {}
        for entry in base:
            if (entry.path in wanted or entry.path.startswith(folders)) and entry.path not in there:
                first = firsts.setdefault(entry.hard_link_to or entry.path, entry.path)
                self.add(entry._replace(hard_link_to=first if first != entry.path else b""))

    def find(self, paths: Container[bytes]) -> dict[bytes, int]:
        """Where (for ``at``) those of paths are that are here."""
        return {entry.path: at for at, entry in enumerate(self._entries) if entry.path in paths}

    def at(self, place: int) -> tuple[Entry, Stamp]:
        return self._entries[place], self._stamps[place]

    def taken(self) -> tuple[list[Entry], Stamps]:
        """All of it in the order of a listing; nothing is left here."""
        entries: list[Entry] = []
        stamps = Stamps()
        for at in sorted(range(len(self._entries)), key=lambda at: order(self._entries[at].path)):
            if entries and entries[-1].path == self._entries[at].path:
                entries.pop()
                stamps.pop()
            entries.append(self._entries[at])
            stamps.append(self._stamps[at])
        self._entries, self._stamps = [], Stamps()
        return entries, stamps


def no_files(files: bytes, found: Sequence[Found]) -> Iterator[Entry]:
    """Of what was found, directories and symbolic links."""
    for item in found:
        if item.kind == DIRECTORY:
            xattrs = xattrs_of(os.path.join(files, item.path))
            yield Entry(item.path, DIRECTORY, item.mode, item.mtime_ns, xattrs=xattrs)
        elif item.kind == SYMLINK:
            try:
                target = os.readlink(os.path.join(files, item.path))
            except OSError:
                continue
            yield Entry(item.path, SYMLINK, 0o777, item.mtime_ns, target=target)
