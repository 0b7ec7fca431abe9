"""One process of a crew: makes and reads small files below a directory, as its owner asks (crew.py).

Imports little, as every crew starts several of it. Promises: no path leads through a symbolic link when it writes; it
writes nothing once its owner is gone; it keeps open what its owner gave it, so that a lock is held as long as it lives.
"""

from __future__ import annotations

import gc
import marshal
import mmap
import os
import signal
import socket
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from blake3 import blake3

from ..errors import Damaged
from .attributes import xattrs_of
from .blocks import MOST_PLAIN
from .entries import DIRECTORY, Entry
from .placing import Places

_LENGTH = struct.Struct(">I")

#: Where a file is written, mode, time in ns, and where in the slot its bytes are: offset and length.
Write = tuple[bytes, int, int, int, int]
#: A file that is read, with size, inode, mtime and ctime in ns as they were seen.
Look = tuple[bytes, int, int, int, int]

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Hand:
    """memory: what owner and hands share. owner: the process id of the owner."""

    def __init__(self, memory: memoryview, owner: int) -> None:
        self._memory, self._owner = memory, owner
        self._places: dict[bytes, Places] = {}

    def answer(self, what: str, *details: Any) -> tuple[Any, ...]:
        try:
            return "done", getattr(self, what)(*details)
        except OSError as error:
            return "os", error.errno or 0, os.fsencode(error.filename or b"")
        except Damaged as error:
            return "damaged", error.title, error.why, list(error.next)

    def write(self, root: bytes, offset: int, files: Sequence[Write]) -> list[int]:
        stamps = self._below(root).plain(self._here(offset, files))
        return [stamp for _, stamp in stamps]

    def make_folders(self, root: bytes, folders: Iterable[bytes]) -> None:
        places = self._below(root)
        for path in folders:
            self._with_owner()
            places.make_folder(path)

    def dress_folders(self, root: bytes, folders: Iterable[tuple[bytes, int, int]]) -> None:
        places = self._below(root)
        for path, mode, mtime_ns in folders:
            self._with_owner()
            places.dress_folder(Entry(path, DIRECTORY, mode, mtime_ns))

    def _below(self, root: bytes) -> Places:
        if root not in self._places:
            self._places[root] = Places(root)
        return self._places[root]

    def _with_owner(self) -> None:
        """Ends where the owner ended."""
        if os.getppid() != self._owner:
            os._exit(1)

    def _here(self, offset: int, files: Sequence[Write]) -> Iterator[tuple[bytes, int, int, memoryview]]:
        memory = self._memory[offset : offset + MOST_PLAIN]
        for path, mode, mtime_ns, at, length in files:
            self._with_owner()
            yield path, mode, mtime_ns, memory[at : at + length]

    def read(
        self, root: bytes, offset: int, naming: bytes, files: Iterable[Look]
    ) -> tuple[list[bytes | None], dict[int, tuple[tuple[bytes, bytes], ...]]]:
        memory = self._memory[offset : offset + MOST_PLAIN]
        ids: list[bytes | None] = []
        attributes = {}
        at, handle, folder = 0, -1, None
        try:
            for path, *look in files:
                parent, _, name = path.rpartition(b"/")
                if parent != folder:
                    if handle >= 0:
                        os.close(handle)
                    handle, folder = -1, None
                    try:
                        handle, folder = os.open(os.path.join(root, parent), _FOLDER), parent
                    except OSError:
                        ids.append(None)
                        continue
                room = memory[at : at + look[0] + 1]
                found = _read(handle, name, look, room, naming) if len(room) > look[0] else None
                if found is None:
                    ids.append(None)
                    continue
                if found[1]:
                    attributes[len(ids)] = found[1]
                ids.append(found[0])
                at += look[0]
        finally:
            if handle >= 0:
                os.close(handle)
        return ids, attributes


def _read(
    folder: int, name: bytes, look: Sequence[int], room: memoryview, naming: bytes
) -> tuple[bytes, tuple[tuple[bytes, bytes], ...]] | None:
    """Reads a file into room, which is one byte longer; its content id and attributes. None where it is not what was
    seen, or cannot be read: its owner finds out which."""
    size, inode, mtime_ns, ctime_ns = look
    try:
        handle = os.open(name, _READ, dir_fd=folder)
    except OSError:
        return None
    try:
        got = os.preadv(handle, [room], 0)
        about = os.fstat(handle)
        if got != size or (about.st_size, about.st_ino, about.st_mtime_ns, about.st_ctime_ns) != (
            size,
            inode,
            mtime_ns,
            ctime_ns,
        ):
            return None
        data = room[:size]
        content = blake3(data, key=naming).digest() if naming else blake3(data).digest()
        return content, xattrs_of(handle)
    except OSError:
        return None
    finally:
        os.close(handle)


def send(line: socket.socket, what: Any) -> None:
    """One message."""
    body = marshal.dumps(what)
    line.sendall(_LENGTH.pack(len(body)) + body)


def receive(line: socket.socket) -> Any:
    """The next message. Raises EOFError where the other side is gone."""
    (length,) = _LENGTH.unpack(_exactly(line, _LENGTH.size))
    return marshal.loads(_exactly(line, length))


def _exactly(line: socket.socket, length: int) -> bytearray:
    data = bytearray(length)
    view = memoryview(data)
    while view:
        got = line.recv_into(view)
        if not got:
            raise EOFError
        view = view[got:]
    return data


def main() -> None:
    """line, memory and owner are the arguments: two descriptors and a process id."""
    for ends in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ends, signal.SIG_IGN)  # the owner decides, and ends it
    line, shared, owner = (int(word) for word in sys.argv[1:4])
    os.umask(0)
    gc.disable()  # what it is asked and answers has no cycles
    size = os.fstat(shared).st_size
    hand = Hand(memoryview(mmap.mmap(shared, size)), owner)
    os.close(shared)
    with socket.socket(fileno=line) as asked:
        while True:
            try:
                send(asked, hand.answer(*receive(asked)))
            except (EOFError, OSError):  # the owner is gone
                return


if __name__ == "__main__":
    main()
