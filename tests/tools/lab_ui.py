"""The JupyterLab extension's sources and what was built of them: whether the two belong together.

``python -m tests.tools.lab_ui`` says so and ends with 1 where they do not; ``--write`` records that what lies there was
just built of these sources (``make lab`` does that after building).
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

LAB = Path(__file__).parents[2] / "jupyterhub_notebooks" / "lab"
UI = LAB / "ui"
BUILT = LAB / "share" / "jupyter" / "labextensions" / "jupyterhub-notebooks"
RECORD = UI / "built.sha256"
#: What of the sources decides what is built.
SOURCES = ("package.json", "package-lock.json", "tsconfig.json", "src/**/*", "style/**/*")


def digest(root: Path, patterns: tuple[str, ...]) -> str:
    """Over names and bytes of the files, in the order of their names."""
    found = sorted({path for one in patterns for path in root.glob(one) if path.is_file()})
    sums = hashlib.sha256()
    for path in found:
        body = hashlib.sha256(path.read_bytes()).hexdigest()
        sums.update(f"{path.relative_to(root).as_posix()} {body}\n".encode())
    return sums.hexdigest()


def record() -> str:
    """Two lines: of the sources, and of what was built."""
    return f"sources {digest(UI, SOURCES)}\nbuilt {digest(BUILT, ('**/*',))}\n"


def main() -> int:
    if sys.argv[1:] == ["--write"]:
        RECORD.write_text(record())
        return 0
    if RECORD.exists() and RECORD.read_text() == record():
        print("JupyterLab's extension was built of these sources.")
        return 0
    print("JupyterLab's extension was built of other sources. Run: make lab", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
