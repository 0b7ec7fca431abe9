"""One number for how everything below some folders looks: names, inodes, times and sizes. No content is read.

Promises: two looks give the same number where nothing moved, and in practice only there; also from another process, as which
this file runs by itself (standard input: what to look at; standard output: the number), so that two processors can look.
"""

from __future__ import annotations

import marshal
import os
import sys
from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b

#: Of one path: inode, ctime and mtime in ns, size of a file or 0, links, device of a directory or 0. Its hash is kept.
Look = tuple[int, int, int, int, int, int]
_BITS = 2**64 - 1


def of_folder(folder: bytes, names: Sequence[bytes], looks: Sequence[int]) -> int:
    """The number of what lies in one folder, in the order in which the system lists it. looks: hashes of each Look."""
    place = int.from_bytes(blake2b(folder + b"\0\0" + b"\0".join(names), digest_size=8).digest(), "big")
    return hash((place, *looks)) & _BITS


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
        names: list[bytes] = []
        looks: list[int] = []
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
                names.append(name)
                look: Look = (at.st_ino, at.st_ctime_ns, at.st_mtime_ns, size, at.st_nlink, device)
                looks.append(hash(look))
        mark += of_folder(folder, names, looks)
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
