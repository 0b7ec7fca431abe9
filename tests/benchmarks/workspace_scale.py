"""Workspaces at the edges, and how gentle a save is: time and peak memory of our engine.

    python -m tests.benchmarks.workspace_scale [--only files,sparse,bytes,gentle] [--folder DIR] [--gigabytes 20]

``files``: 200,000 files in one directory. ``sparse``: one file of 10 GB with 3 MB in it. ``bytes``: 20 GB, compressible, in files of
512 MB. Each is saved, saved again and restored, against versitygw on 127.0.0.1. ``gentle``: what processes that use all
processors lose to a first save beside them that yields as the periodic ones of an agent do.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from .. import s3
from .workspace_peers import Ours, Place

_COUNT = "import sys,time\nn=0\nwhile True:\n    for _ in range(200000): n+=1\n    print(n,flush=True)"


def many_files(folder: Path) -> None:
    chance = random.Random(3)
    (folder / "all").mkdir(parents=True)
    for number in range(200_000):
        (folder / "all" / f"sample-{number:06d}.json").write_bytes(chance.randbytes(chance.randint(20, 900)))


def sparse(folder: Path) -> None:
    folder.mkdir()
    with open(folder / "disk.img", "wb") as file:
        file.truncate(10 * 10**9)
        for place in (0, 5 * 10**9, 10**10 - 2**20):
            file.seek(place)
            file.write(os.urandom(2**20))


def many_bytes(folder: Path, gigabytes: int) -> None:
    folder.mkdir()
    chance = random.Random(4)
    text = b" ".join(b"%d,%d" % (chance.randrange(1000), number) for number in range(700_000))[: 8 * 2**20]
    for number in range(gigabytes * 2):
        with open(folder / f"part-{number:03d}.csv", "wb") as file:
            for at in range(64):
                file.write(b"%16d" % (number * 64 + at) + text[16:])


def measured(name: str, make: Callable[[Path], None], base: Path, server: s3.S3) -> None:
    """Prints one line a step."""
    tree = base / name
    make(tree)
    os.sync()
    place = base / f"{name}-place"
    place.mkdir()
    ours = Ours(Place(server, place, name, encrypted=False))
    try:
        for title in ("first save", "no-change save"):
            took = ours.save(tree)
            print(
                f"{name:<7} {title:<15} {took.seconds:8.2f} s, peak {took.peak_bytes / 1e6:.0f} MB",
                flush=True,
            )
        took = ours.restore(base / f"{name}-back")
        said = f"then {took.disk_seconds:.2f} s until on the disk"
        print(
            f"{name:<7} {'restore':<15} {took.seconds:8.2f} s, peak {took.peak_bytes / 1e6:.0f} MB, {said}",
            flush=True,
        )
        used = sum(
            path.stat().st_blocks * 512 for path in (base / f"{name}-back").rglob("*") if path.is_file()
        )
        print(f"{name:<7} the restored files take {used / 1e6:,.0f} MB on the disk", flush=True)
    finally:
        ours.close()
        for folder in (tree, place, base / f"{name}-back", server.folder / s3.BUCKET / name):
            shutil.rmtree(folder, ignore_errors=True)


def gentle(base: Path, server: s3.S3) -> None:
    """Counts what busy processes do in the same time, with and without a save beside them, three times each."""
    tree = base / "gentle"
    tree.mkdir()
    chance = random.Random(6)
    for number in range(20_000):
        path = tree / f"d{number % 200}" / f"f{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(chance.randbytes(4000) + b"text " * 1000)
    os.sync()
    counting = [
        subprocess.Popen([sys.executable, "-c", _COUNT], stdout=subprocess.PIPE)
        for _ in range(os.cpu_count() or 1)
    ]
    try:
        alone, beside, saves = [], [], []
        for number in range(3):
            alone.append(_rate(counting, 10.0))
            place = base / f"gentle-{number}"
            place.mkdir()
            began = time.monotonic()
            command = [
                sys.executable,
                "-m",
                "tests.benchmarks.workspace_gently",
                str(tree),
                str(place / "state"),
            ]
            with subprocess.Popen(
                [*command, f"s3://{s3.BUCKET}/gentle-{number}"], env=_environment(server)
            ) as saving:
                beside.append(_rate(counting, 10.0))
                while saving.poll() is None:
                    _rate(counting, 1.0)
            saves.append(time.monotonic() - began)
        lost = 1 - statistics.median(beside) / statistics.median(alone)
        print(
            f"gentle  {len(counting)} processes that use all processors lose {100 * lost:.1f} % beside a first save of 20,000"
            f" files, which then takes {statistics.median(saves):.1f} s (alone {[round(one) for one in alone]},"
            f" beside {[round(one) for one in beside]} rounds a second)",
            flush=True,
        )
    finally:
        for process in counting:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        shutil.rmtree(tree)


def _environment(server: s3.S3) -> dict[str, str]:
    own = {"AWS_ACCESS_KEY_ID": server.key, "AWS_SECRET_ACCESS_KEY": server.secret}
    return {**os.environ, **own, "AWS_ENDPOINT_URL_S3": server.endpoint}


def _rate(counting: list[subprocess.Popen[bytes]], seconds: float) -> float:
    """Thousands of steps a second of all together."""
    first = [_now(process) for process in counting]
    time.sleep(seconds)
    last = [_now(process) for process in counting]
    return sum((b[0] - a[0]) / (b[1] - a[1]) for a, b in zip(first, last, strict=True)) / 1000


def _now(process: subprocess.Popen[bytes]) -> tuple[int, float]:
    """The newest count of a process; older ones that wait in its pipe are passed over."""
    assert process.stdout is not None
    handle = process.stdout.fileno()
    os.set_blocking(handle, False)
    data = b""
    while not data.endswith(b"\n"):
        try:
            data += os.read(handle, 2**20)
        except BlockingIOError:
            time.sleep(0.002)
    while True:
        try:
            data += os.read(handle, 2**20)
        except BlockingIOError:
            break
    return int(data.split(b"\n")[-2]), time.monotonic()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="files,sparse,bytes,gentle")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    parser.add_argument("--gigabytes", type=int, default=20)
    asked = parser.parse_args()
    makers: dict[str, Callable[[Path], None]] = {
        "files": many_files,
        "sparse": sparse,
        "bytes": lambda folder: many_bytes(folder, asked.gigabytes),
    }
    asked.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=asked.folder) as made, s3.running(Path(made) / "s3") as server:
        for name in asked.only.split(","):
            if name == "gentle":
                gentle(Path(made), server)
            else:
                measured(name, makers[name], Path(made), server)


if __name__ == "__main__":
    main()
