"""One number for how everything below some folders looks: names, inodes, times and sizes. No content is read.

Promises: two looks give the same number where nothing moved, and in practice only there; also from another process, as which
this file runs by itself (standard input: what to look at; standard output: the number), so that two processors can look.
"""

from __future__ import annotations

import marshal
import os
import sys
from collections.abc import Collection, Iterable
from hashlib import blake2b

#: Of one path: inode, ctime and mtime in ns, size of a file or 0, links, device of a directory or 0. Its hash is kept.
Look = tuple[int, int, int, int, int, int]
_BITS = 2**64 - 1
_AT_ONCE = 4096


class Folder:
    """What lies in one folder, in the order in which the system lists it: few of the names are in memory at once."""

    def __init__(self, path: bytes) -> None:
        self._place = blake2b(path + b"\0", digest_size=8)
        self._looks = 0
        self._next_names: list[bytes] = []
        self._next_looks: list[int] = []

    def add(self, name: bytes, look: int) -> None:
        """look: the hash of a Look."""
        self._next_names.append(name)
        self._next_looks.append(look)
        if len(self._next_names) == _AT_ONCE:
            self._fold()

    def number(self) -> int:
        """Nothing is added after it."""
        self._fold()
        return hash((int.from_bytes(self._place.digest(), "big"), self._looks)) & _BITS

    def _fold(self) -> None:
        self._place.update(b"\0" + b"\0".join(self._next_names))
        self._looks = hash((self._looks, *self._next_looks))
        self._next_names, self._next_looks = [], []


def together(marks: Iterable[int]) -> int:
    """The number of several folders, in any order."""
    return sum(marks) & _BITS


def below(
    files: bytes, folders: Iterable[bytes], left_out: Collection[bytes], but: Collection[bytes] = ()
) -> int:
    """The number of folders (relative to files, b"" for all) and what lies below them, but for left_out and for what
    lies in the folders but. Raises OSError."""
    mark = 0
    waiting = list(folders)
    while waiting:
        folder = waiting.pop()
        inside_it = Folder(folder)
        with os.scandir(os.path.join(files, folder) if folder else files) as inside:
            prefix = folder + b"/" if folder else b""
            for item in inside:
                name = item.name
                if left_out and prefix + name in left_out:
                    continue
                at = item.stat(follow_symlinks=False)
                size = device = 0
                if item.is_dir(follow_symlinks=False):
                    device = at.st_dev
                    if not but or prefix + name not in but:
                        waiting.append(prefix + name)
                elif item.is_file(follow_symlinks=False):
                    size = at.st_size
                look: Look = (at.st_ino, at.st_ctime_ns, at.st_mtime_ns, size, at.st_nlink, device)
                inside_it.add(name, hash(look))
        mark += inside_it.number()
    return mark & _BITS


def main() -> None:
    """Answers for (files, folders, left_out); ends with 1 where something cannot be looked at."""
    files, folders, left_out = marshal.loads(sys.stdin.buffer.read())
    try:
        mark = below(files, folders, left_out)
    except OSError:
        sys.exit(1)
    sys.stdout.buffer.write(marshal.dumps(mark))


if __name__ == "__main__":
    main()
