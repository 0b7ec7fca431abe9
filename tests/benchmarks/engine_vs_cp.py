"""How long a save, a look, a small save and a restore take, beside ``cp -a`` of the same tree on the same disk.

    python -m tests.benchmarks.engine_vs_cp [--files 20000] [--runs 3] [--folder DIR] [--s3]

Prints medians of several runs, in turns, so that a busy moment of the machine touches all alike. Not part of the suite.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from jupyterhub_notebooks.names import new_id
from jupyterhub_notebooks.units import show_size
from jupyterhub_notebooks.workspace import Volume, WorkspaceStore, changes, open_store, restore, save

from ..s3 import running


def make_tree(folder: Path, files: int) -> int:
    """A tree like a workspace with a virtualenv: many small texts, some libraries, a few data files. Its bytes."""
    chance = random.Random(7)
    words = [chance.randbytes(3).hex() for _ in range(4000)]
    total = 0
    for number in range(files):
        path = folder / f"package-{number % 200:03d}" / f"part-{number % 7}" / f"module_{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = " ".join(chance.choices(words, k=chance.choice([20, 200, 2000]))).encode()
        path.write_bytes(text)
        total += len(text)
    for number in range(max(1, files // 2000)):
        data = chance.randbytes(8 * 2**20) + bytes(4 * 2**20)
        (folder / f"library-{number}.so").write_bytes(data)
        total += len(data)
    return total


class Run:
    """One round in fresh folders."""

    def __init__(self, tree: Path, folder: Path, store: str, options: dict[str, str]) -> None:
        now = datetime.now(UTC)
        self.id = new_id(now, os.urandom)
        self.space = WorkspaceStore(open_store(f"{store}/{self.id}", options))
        self.space.create(self.id, lease="objects", now=now)
        self.space.take_lease("benchmark", now)
        self.volume = Volume(tree, folder / "state")
        self.folder = folder

    def save(self) -> None:
        save(
            self.volume,
            self.space,
            self.space,
            number=max(self.space.numbers(), default=0) + 1,
            parent=self.volume.base,
            workspace_id=self.id,
            now=datetime.now(UTC),
            created_by="benchmark",
        )

    def change_and_save(self) -> None:
        for number in range(10):
            path = self.volume.files / f"package-{number:03d}" / f"part-{number % 7}" / f"module_{number}.py"
            path.write_bytes(os.urandom(500))
        self.save()

    def look(self) -> None:
        changes(self.volume)

    def restore(self) -> None:
        back = Volume(self.folder / "back", self.folder / "back-state")
        restore(back, self.space, self.space, 1)

    def cp(self) -> None:
        subprocess.run(["cp", "-a", self.volume.files, self.folder / "copy"], check=True)


STEPS: dict[str, Callable[[Run], None]] = {
    "first save": Run.save,
    "look for changes": Run.look,
    "save of 10 files": Run.change_and_save,
    "restore": Run.restore,
    "cp -a": Run.cp,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--s3", action="store_true", help="versitygw on 127.0.0.1 instead of a directory")
    asked = parser.parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in STEPS}
    with contextlib.ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=asked.folder)))
        tree = base / "tree"
        size = make_tree(tree, asked.files)
        store, options = (base / "store").as_uri(), {}
        if asked.s3:
            server = stack.enter_context(running(base / "s3"))
            store, options = server.url, dict(server.options)
        for number in range(asked.runs):
            folder = base / f"run-{number}"
            folder.mkdir()
            run = Run(tree, folder, store, options)
            for name, step in STEPS.items():
                began = time.monotonic()
                step(run)
                seconds[name].append(time.monotonic() - began)
            shutil.rmtree(folder)
    print(
        f"{asked.files} files, {show_size(size)}, {'S3' if asked.s3 else 'a directory'}, median of {asked.runs}"
    )
    for name, taken in seconds.items():
        print(f"{name:<18} {statistics.median(taken):7.2f} s   ({', '.join(f'{one:.2f}' for one in taken)})")


if __name__ == "__main__":
    main()
