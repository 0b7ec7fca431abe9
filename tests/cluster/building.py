"""Builds the programs of the tests' cluster from pinned Go modules, once: the second caller finds them.

Promises: they lie outside the checkout (tests/tools/prepare.cache) under a name made of their sources, so that a change
of these builds anew and removes the one before; nothing of a build's caches, gigabytes, stays; two callers build once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.tools import prepare

SOURCES = Path(__file__).parent / "kubernetes"
VERSION = "v1.34.4"
PAUSE = Path(__file__).parent / "pause.c"


def program(folder: Path | None = None) -> Path:
    """The one program that is every part of Kubernetes; built in minutes where it is not there. Raises prepare.Missing."""
    return _once(
        "kubernetes", [SOURCES / name for name in ("go.mod", "go.sum", "main.go")], _kubernetes, folder
    )


def pause() -> Path:
    """The program that holds a pod's namespaces open. Raises prepare.Missing."""
    return _once("pause", [PAUSE], _pause, None)


def _once(name, sources, build, folder) -> Path:
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
    folder = folder or prepare.cache()
    made = folder / f"{name}-{digest}"
    with open(folder / f"{name}.lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not made.exists():
            began = time.monotonic()
            with tempfile.TemporaryDirectory(prefix=f"{name}-build-", dir=folder) as work:
                built = build(Path(work))
                for before in folder.glob(f"{name}-????????????"):
                    before.unlink()
                os.replace(built, made)
            prepare.say(
                f"Built {made} in {time.monotonic() - began:.0f} s ({made.stat().st_size / 1e6:.0f} MB)"
            )
    return made


def _kubernetes(work: Path) -> Path:
    go = prepare._system_go() or prepare._wheel_go(work)
    prepare.say(f"Building Kubernetes {VERSION} with {go}, once; that takes minutes and 7 GB meanwhile")
    built = work / "kubernetes"
    own = {
        **os.environ,
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
        "GOFLAGS": f"-modcacherw -buildvcs=false {os.environ.get('GOFLAGS', '')}".strip(),
        "GOPATH": os.environ.get("NOTEBOOKS_TEST_GOPATH") or str(work / "path"),
        "GOCACHE": str(work / "cache"),
    }
    link = f"-s -w -X k8s.io/component-base/version.gitVersion={VERSION}"
    command = [go, "build", "-C", str(SOURCES), "-trimpath", "-ldflags", link, "-o", str(built), "."]
    prepare._run(command, "Kubernetes was not built", own)
    return built


def _pause(work: Path) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        prepare.install_with_apt("a C compiler", "gcc libc6-dev")
        compiler = shutil.which("gcc") or "gcc"
    built = work / "pause"
    prepare._run(
        [compiler, "-Os", "-static", "-o", str(built), str(PAUSE)], "pause was not built", dict(os.environ)
    )
    return built


def main() -> int:
    try:
        subprocess.run([program(), "kubectl", "version", "--client"], check=True)
        prepare.say(str(pause()))
    except prepare.Missing as missing:
        print(missing, file=sys.stderr)
        return 11
    return 0


if __name__ == "__main__":
    sys.exit(main())
