"""Which Python runs the server, and where its packages lie: what a workspace's virtualenv is built on."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_ASK = (
    "import os, sys, json; "
    "print(json.dumps([sys._base_executable, '.'.join(map(str, sys.version_info[:3])), sys.prefix, sys.path]))"
)


@dataclass(frozen=True)
class Interpreter:
    """executable: the base interpreter, outside any virtualenv. prefix: of the environment that runs the
    server. packages: its folders of packages, in the order of sys.path."""

    executable: str
    version: str
    prefix: str
    packages: tuple[str, ...]

    @property
    def minor(self) -> str:
        """``3.11``."""
        return ".".join(self.version.split(".")[:2])


def of(executable: str, version: str, prefix: str, path: Sequence[str]) -> Interpreter:
    """From what an interpreter says of itself."""
    folders = [
        entry
        for entry in path
        if os.path.basename(entry) in ("site-packages", "dist-packages")
        and not entry.startswith(os.path.expanduser("~/.local/"))
    ]
    return Interpreter(executable, version, prefix, tuple(dict.fromkeys(folders)))


def own() -> Interpreter:
    """The Python of this process."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    executable = getattr(sys, "_base_executable", "") or sys.executable
    return of(executable, version, sys.prefix, sys.path)


#: Where images have the environments of further Pythons, each with ipykernel: /opt/python-3.12/bin/python.
FURTHER = Path("/opt")


def further(first: Interpreter, folder: Path = FURTHER) -> list[Interpreter]:
    """The image's Pythons beside the one that runs the server, one of each minor version, the newest first."""
    found = {first.minor: first}
    for python in folder.glob("python-*/bin/python"):
        one = _asked(str(python))
        if one is not None and any(Path(place, "ipykernel").is_dir() for place in one.packages):
            found.setdefault(one.minor, one)
    others = [one for one in found.values() if one is not first]
    return sorted(others, key=lambda one: [int(part) for part in one.minor.split(".")], reverse=True)


def of_command(command: Sequence[str], search_path: str | None) -> Interpreter:
    """The Python that command runs on: its own, that of its ``#!`` line, else the one of this process."""
    python = python_of(command, search_path)
    if python is None or _same(python, sys.executable):
        return own()
    return _asked(python) or own()


def _asked(python: str) -> Interpreter | None:
    """What an interpreter says of itself; None where it does not run."""
    import json
    import subprocess

    try:
        said = subprocess.run([python, "-c", _ASK], capture_output=True, timeout=20, check=True).stdout
        executable, version, prefix, path = json.loads(said)
        return of(str(executable), str(version), str(prefix), [str(entry) for entry in path])
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def python_of(command: Sequence[str], search_path: str | None) -> str | None:
    """The path of the Python that command starts with, None where it starts with something else."""
    if not command:
        return None
    program = command[0]
    if os.sep not in program:
        folders = (search_path or os.defpath).split(os.pathsep)
        found = (os.path.join(folder, program) for folder in folders if folder)
        program = next((path for path in found if os.access(path, os.X_OK)), program)
    if _is_python(program):
        return program
    try:
        with open(program, "rb") as file:
            head = file.read(4096)
    except OSError:
        return None
    return interpreter_in(head)


def interpreter_in(head: bytes) -> str | None:
    """The Python in a script's first lines: ``#!/path/python``, or ``#!/bin/sh`` with an exec line for long paths."""
    if not head.startswith(b"#!"):
        return None
    lines = head.decode("utf-8", "replace").splitlines()
    first = lines[0][2:].strip()
    if _is_python(first):
        return first
    if first == "/bin/sh" and len(lines) > 1 and lines[1].startswith("'''exec'"):
        quoted = lines[1].removeprefix("'''exec'").strip()
        path = quoted[1:].split('"')[0] if quoted.startswith('"') else quoted.split(" ")[0]
        return path if _is_python(path) else None
    return None


def _is_python(path: str) -> bool:
    return os.path.basename(path).startswith("python") and os.access(path, os.X_OK)


def _same(one: str, other: str) -> bool:
    """Whether both are the interpreter of one environment (links within one bin folder are)."""
    one_at, other_at = Path(one).absolute(), Path(other).absolute()
    return os.path.realpath(one_at.parent) == os.path.realpath(other_at.parent) and os.path.realpath(
        one_at
    ) == os.path.realpath(other_at)
