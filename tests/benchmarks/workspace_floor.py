"""What the kernel alone takes to make a tree's files: no restore on this machine and file system can be faster.

    python -m tests.benchmarks.workspace_floor TREE [--processes 2] [--rounds 3] [--folder DIR]

A small C program makes TREE's directories, and then, in so many processes at once, its files: open, write (bytes of a
buffer, nothing is read, fetched, unpacked or checked), times, close. Needs a C compiler (`cc`).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* standard input: lines of "size mode path"; argument 1: where */
int main(int count, char **words) {
    static char buffer[1 << 16]; /* longer writes can be slower: workspace_writes */
    char *line = NULL; size_t room = 0; ssize_t got;
    memset(buffer, 'x', sizeof buffer);
    if (count < 2 || chdir(words[1])) return 2;
    struct timespec times[2] = {{1700000000, 1}, {1700000000, 1}};
    umask(0);
    while ((got = getline(&line, &room, stdin)) > 0) {
        line[got - 1] = 0;
        char *rest; long long size = strtoll(line, &rest, 10); int mode = strtol(rest, &rest, 10);
        int file = open(rest + 1, O_WRONLY | O_CREAT | O_EXCL, mode);
        if (file < 0) return 3;
        while (size > 0) {
            ssize_t put = write(file, buffer, size < (long long)sizeof buffer ? size : (long long)sizeof buffer);
            if (put <= 0) return 4;
            size -= put;
        }
        if (futimens(file, times) || close(file)) return 5;
    }
    return 0;
}
"""


def listing(tree: Path) -> tuple[list[str], list[str]]:
    """(directories, lines for the program), in the order of the tree; links are left out."""
    folders, lines = [], []
    for at, names, files in os.walk(tree):
        here = Path(at).relative_to(tree)
        folders += [str(here / name) for name in names if not (Path(at) / name).is_symlink()]
        for name in files:
            about = os.lstat(os.path.join(at, name))
            if (
                "\n" not in name
                and os.path.isfile(os.path.join(at, name))
                and not os.path.islink(os.path.join(at, name))
            ):
                lines.append(f"{about.st_size} {about.st_mode & 0o777} {here / name}")
    return folders, lines


def once(program: Path, folders: list[str], lines: list[str], processes: int, base: Path) -> float:
    """Seconds from the first directory to the end of the last process."""
    where = Path(tempfile.mkdtemp(prefix="floor-", dir=base))
    share = -(-len(lines) // processes)
    parts = []
    for number in range(processes):
        part = base / f"part-{number}"
        part.write_text("\n".join(lines[number * share : (number + 1) * share]) + "\n")
        parts.append(part)
    os.sync()
    began = time.monotonic()
    for folder in folders:
        os.mkdir(where / folder)
    running = [subprocess.Popen([program, where], stdin=part.open("rb")) for part in parts]
    codes = [one.wait() for one in running]
    took = time.monotonic() - began
    if any(codes):
        sys.exit(f"the program ended with {codes}")
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tree", type=Path)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    asked = parser.parse_args()
    folders, lines = listing(asked.tree)
    with tempfile.TemporaryDirectory(prefix="floor-", dir=asked.folder) as made:
        base = Path(made)
        (base / "make.c").write_text(SOURCE)
        program = base / "make"
        subprocess.run(["cc", "-O2", "-o", program, base / "make.c"], check=True)
        took = [once(program, folders, lines, asked.processes, base) for _ in range(asked.rounds)]
    print(
        f"{len(lines)} files, {asked.processes} processes: median {statistics.median(took):.2f} s of "
        f"{', '.join(f'{one:.2f}' for one in took)}"
    )


if __name__ == "__main__":
    main()
