"""The two trees that workspace.py saves: a real virtualenv of at least 50,000 files, and large files.

Promises: the same packages and the same bytes at every run, as far as PyPI gives them; ``change`` alters one in a hundred
files (of the large ones: of their 8 MiB slices), the same ones for every tool.
"""

from __future__ import annotations

import compileall
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

SLICE = 8 * 2**20
LEAST_FILES = 50_000
#: A data scientist's environment, and one package of very many small files.
PACKAGES = (
    "numpy pandas scipy scikit-learn matplotlib sympy jupyterlab django botocore plotly ansible networkx"
    " statsmodels bokeh nltk"
)


class Changed(NamedTuple):
    """files: how many; bytes: of the changed files up to 8 MiB, and of the changed slices of larger ones."""

    files: int
    bytes: int


def virtualenv(folder: Path) -> Path:
    """``folder/venv``; made once, by pip, with its byte code."""
    tree = folder / "venv"
    if not (tree / ".complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(tree)], check=True)
        pip = [str(tree / "bin" / "pip"), "install", "-q", "--no-input", "--disable-pip-version-check"]
        subprocess.run([*pip, *PACKAGES.split()], check=True)
        compileall.compile_dir(str(tree / "lib"), quiet=2, workers=0)
        (tree / ".complete").write_text("the packages are installed\n")
    files, _ = sizes(tree)
    if files < LEAST_FILES:
        raise SystemExit(f"The virtualenv has {files:,} files, fewer than {LEAST_FILES:,}")
    return tree


def large(folder: Path) -> Path:
    """``folder/large``: 2.2 GB in 24 files, half of it random, half like tables and logs."""
    tree = folder / "large"
    if not (tree / ".complete").exists():
        tree.mkdir(parents=True, exist_ok=True)
        chance = random.Random(5)
        words = [chance.randbytes(4).hex() for _ in range(5000)]
        text = " ".join(f"{chance.choice(words)},{chance.random():.6f}" for _ in range(400_000)).encode()
        for number, mib in enumerate([300, 200, 150, 100, 100, 80, 40, 40, 16, 16, 10, 10]):
            _write(tree / f"weights-{number:02d}.bin", mib, lambda _, size: chance.randbytes(size))
            _write(tree / f"table-{number:02d}.csv", mib, lambda at, size: _rows(text, at, size))
        (tree / ".complete").write_text("all files are written\n")
    return tree


def _write(path: Path, mib: int, part: object) -> None:
    with open(path, "wb") as file:
        for at in range(mib):
            file.write(part(at, 2**20))  # type: ignore[operator]


def _rows(text: bytes, at: int, size: int) -> bytes:
    """Text that does not repeat from slice to slice: each MiB begins elsewhere and carries its number."""
    begin = at * 7919 % (len(text) - size)
    return (b"row %12d " % at + text[begin : begin + size])[:size]


TREES = {"venv": virtualenv, "large": large}


def sizes(tree: Path) -> tuple[int, int]:
    """Regular files and their bytes."""
    files = size = 0
    for root, _, names in os.walk(tree):
        for name in names:
            path = os.path.join(root, name)
            if not os.path.islink(path):
                files += 1
                size += os.path.getsize(path)
    return files, size


def read(tree: Path) -> None:
    """Every file once, so that no tool is the first to fetch it from the disk."""
    for root, _, names in os.walk(tree):
        for name in names:
            path = os.path.join(root, name)
            if not os.path.islink(path):
                with open(path, "rb") as file:
                    while file.read(2**20):
                        pass


def change(tree: Path, seed: int) -> Changed:
    """One in a hundred of the files up to 8 MiB gets other bytes and one more line; of the slices of larger ones, one in a
    hundred gets 4 KiB of other bytes."""
    chance = random.Random(seed)
    small: list[str] = []
    slices: list[tuple[str, int]] = []
    for root, folders, names in os.walk(tree):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(root, name)
            if os.path.islink(path) or os.stat(path).st_nlink > 1:
                continue
            size = os.path.getsize(path)
            if size <= SLICE:
                small.append(path)
            else:
                slices += [(path, number) for number in range(-(-size // SLICE))]
    total = 0
    for path in chance.sample(small, len(small) // 100):
        data = Path(path).read_bytes()
        Path(path).write_bytes(data[: len(data) // 2] + b"\n# changed %d\n" % seed + data[len(data) // 2 :])
        total += os.path.getsize(path)
    chosen = chance.sample(slices, -(-len(slices) // 100)) if slices else []
    for path, number in chosen:
        with open(path, "r+b") as file:
            at = min(number * SLICE + 1000, os.path.getsize(path) - 1)
            file.seek(at)
            other = bytes(255 - byte for byte in file.read(4096))  # of a tree that an earlier run changed too
            file.seek(at)
            file.write(other)
        total += min(SLICE, os.path.getsize(path) - number * SLICE)
    return Changed(len(small) // 100 + len(chosen), total)
