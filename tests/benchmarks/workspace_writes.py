"""How the size of one write decides how fast a large file is made: why a restore writes in pieces.

    python -m tests.benchmarks.workspace_writes [--bytes 2200000000] [--rounds 3] [--folder DIR]

Before each file, memory is touched that is then free, as before the restores of ``workspace``. A virtual machine that
gives long runs of free memory back to its host (free page reporting) waits for the host again where one write takes such
a run; a machine that does not shows no difference.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from jupyterhub_notebooks.workspace.writing import AT_ONCE

from .workspace import touch_memory

_SIZES = (16 * 2**10, 64 * 2**10, 128 * 2**10, 2**20, 8 * 2**20)


def _seconds(path: Path, size: int, at_once: int) -> tuple[float, float]:
    """(seconds, seconds of processor) until size bytes are written, at_once of them in one call."""
    data = memoryview(os.urandom(_SIZES[-1]))
    touch_memory()
    began, used = time.monotonic(), time.process_time()
    with path.open("xb", buffering=0) as file:
        for _ in range(size // len(data)):
            for at in range(0, len(data), at_once):
                file.write(data[at : at + at_once])
    took = time.monotonic() - began, time.process_time() - used
    path.unlink()
    os.sync()
    return took


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bytes", type=int, default=2_200_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    took: dict[int, list[tuple[float, float]]] = {size: [] for size in _SIZES}
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        for number in range(asked.rounds):
            for size in _SIZES:
                took[size].append(_seconds(Path(folder) / f"{size}-{number}", asked.bytes, size))
    least = statistics.median(seconds for seconds, _ in took[AT_ONCE])
    for size, all_of in took.items():
        seconds, processor = (statistics.median(column) for column in zip(*all_of, strict=True))
        ours = "  as a restore writes" if size == AT_ONCE else ""
        print(
            f"{size // 1024:6,} KiB: {seconds:6.2f} s ({processor:.2f} s of processor), {seconds / least:.2f}{ours}"
        )


if __name__ == "__main__":
    main()
