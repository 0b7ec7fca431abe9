"""Gets the programs that the engine is measured against: restic, rclone, s5cmd and the AWS command line.

Promises: pinned versions, built from Go modules or installed from PyPI into the tests' cache, outside the checkout;
what is there already is used. Run by itself it prints where each is: ``python -m tests.tools.peers``.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import prepare

RESTIC = ("github.com/restic/restic", "v0.18.1", "./cmd/restic")
S5CMD = ("github.com/peak/s5cmd/v2", "v2.3.0", ".")
AWS = "awscli==1.46.3"


def restic() -> str:
    """restic's program. Raises prepare.Missing."""
    return _from_module("restic", *RESTIC)


def s5cmd() -> str:
    """s5cmd's program. Raises prepare.Missing."""
    return _from_module("s5cmd", *S5CMD)


def aws() -> str:
    """The AWS command line, in a virtual environment of its own. Raises prepare.Missing."""
    folder = prepare.cache() / AWS.replace("==", "-")
    program = folder / "bin" / "aws"
    if not program.exists():
        prepare.say(f"Installing {AWS} from PyPI")
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        _run([str(folder / "bin" / "pip"), "install", "-q", "--no-input", AWS])
    return str(program)


def _from_module(name: str, module: str, version: str, package: str) -> str:
    """A Go program built in its own module, so that exactly its authors' versions of everything are used."""
    program = prepare.cache() / f"{name}-{version}"
    with open(prepare.cache() / f"{name}.lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not program.exists():
            _build(program, module, version, package)
    return str(program)


def _build(program: Path, module: str, version: str, package: str) -> None:
    with tempfile.TemporaryDirectory(prefix=f"{program.name}-", dir=prepare.cache()) as made:
        go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
        if go is None:
            raise prepare.Missing(f"{module} is built with Go, which is not here. Install Go 1.25 or newer")
        own = {
            **os.environ,
            "CGO_ENABLED": "0",
            "GOTOOLCHAIN": "local",
            "GOFLAGS": "-modcacherw -buildvcs=false -mod=mod",
            "GOPATH": f"{made}/path",
            "GOCACHE": f"{made}/cache",
        }
        prepare.say(f"Building {module}@{version} with {go}, once")
        told = _run([go, "mod", "download", "-json", f"{module}@{version}"], own, made)
        source = json.loads(told)["Dir"]
        _run([go, "build", "-o", f"{made}/program", package], own, source)
        os.replace(f"{made}/program", program)


def _run(command: list[str], environment: dict[str, str] | None = None, folder: str | None = None) -> str:
    done = subprocess.run(
        command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines() or [f"status {done.returncode}"]
        raise prepare.Missing(f"{' '.join(command[:3])}: {said[-1]}")
    return done.stdout


PROGRAMS: dict[str, tuple[Callable[[], str], str]] = {
    "restic": (restic, "version"),
    "rclone": (prepare.rclone, "version"),
    "s5cmd": (s5cmd, "version"),
    "aws": (aws, "--version"),
}


def version(name: str) -> str:
    """What a program says of its version, one line."""
    get, word = PROGRAMS[name]
    return subprocess.run([get(), word], capture_output=True, text=True, check=True).stdout.splitlines()[0]


def main() -> int:
    """Gets all of them."""
    for name, (get, _) in PROGRAMS.items():
        prepare.say(f"{name}: {get()} ({version(name)})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
