"""The virtualenv of a workspace: made, mended and found again at every start, in milliseconds.

Promises: one per minor version of Python, ``.venv-3.11``; what a user put or installed there is never replaced, only
files with our mark, broken ones and what is missing; a folder of that name that is the user's own is left alone.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from .interpreter import Interpreter, interpreter_in
from .venv_files import LAYOUT, MARK, PTH, File, Wanted, moved, read_config, wanted

#: Where Debian and Fedora keep the wheels that ensurepip has elsewhere (sysconfig's WHEEL_PKG_DIR).
DISTRIBUTION_WHEELS = "/usr/share/python-wheels"


@dataclass(frozen=True)
class Made:
    """The virtualenv, whether it is new, and sentences about what was mended and what the user should know."""

    path: Path
    fresh: bool
    mended: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def make(workspace: Path, python: Interpreter, beside: Collection[str] = ()) -> Made:
    """The workspace's virtualenv for python, whole. beside: minor versions of the image's other Pythons. Raises OSError where the disk does not let it be."""
    venv, theirs = _place(workspace, python)
    others = sorted(path.name for path in workspace.glob(".venv-*") if path != venv and _is_ours(path))
    others = [name for name in others if name.removeprefix(".venv-") not in beside]
    fresh = not _exists(venv)
    plan = wanted(str(venv), python, pip_wheel=_pip_wheel(python), has_ipython=_has(python, "IPython"))
    recorded = read_config(_text(venv / "pyvenv.cfg"))
    changed = [] if fresh else _changes(venv, recorded, read_config(plan.config), workspace)
    mended = [*changed, *_fill(venv, plan, expected=bool(changed) or _is_older(recorded))]
    notes = [theirs] if theirs else []
    if fresh and others:
        kept = ", ".join(others)
        notes.append(
            f"This notebook now runs Python {python.minor} with a fresh environment. What was installed before is"
            f" kept in {kept}: install again what you need"
        )
    return Made(venv, fresh, () if fresh else tuple(mended), tuple(notes))


def _place(workspace: Path, python: Interpreter) -> tuple[Path, str]:
    """Where it belongs, and a sentence where the user has something of their own in that place."""
    plain = workspace / f".venv-{python.minor}"
    for number in range(1, 100):
        venv = plain if number == 1 else plain.with_name(f"{plain.name}-{number}")
        if not _exists(venv) or _is_ours(venv) or _is_rest(venv):
            note = f"{plain.name} is not ours and was left alone: the environment is {venv.name}"
            return venv, "" if number == 1 else note
    raise FileExistsError(f"{plain} and 98 more like it are taken")


def _exists(path: Path) -> bool:
    return os.path.lexists(path)


def _is_ours(venv: Path) -> bool:
    return MARK in _text(venv / "pyvenv.cfg") or bool(
        venv.is_dir() and not venv.is_symlink() and any(venv.glob(f"lib/python*/site-packages/{PTH}"))
    )


def _is_rest(venv: Path) -> bool:
    """Whether it is what is left of a virtualenv of ours: a folder that no other program can use as one."""
    if venv.is_symlink() or not venv.is_dir():
        return False
    return "home" not in read_config(_text(venv / "pyvenv.cfg")) and (
        not any(venv.iterdir())
        or any(MARK in _text(venv / "bin" / name) for name in ("activate", "pip", "pip3"))
    )


def _is_older(recorded: dict[str, str]) -> bool:
    return recorded.get("notebooks-layout", LAYOUT) != LAYOUT


def _changes(venv: Path, was: dict[str, str], now: dict[str, str], workspace: Path) -> list[str]:
    """Mends what another path or another base Python left wrong; a sentence for each."""
    said = []
    before = was.get("notebooks-path") or _activated_path(venv)
    if before and before != now["notebooks-path"]:
        _move(venv, before, workspace)
        said.append(f"The workspace lies at another path than before: the paths in {venv.name} were changed")
    if "home" in was and (was["home"], was.get("version")) != (now["home"], now["version"]):
        version = was.get("version", "")
        kind = now["version"] if version == now["version"] else f"{now['version']} instead of {version}"
        said.append(f"This notebook runs another Python than before ({kind}): {venv.name} leads to it now")
    return said


def _activated_path(venv: Path) -> str | None:
    for line in _text(venv / "bin/activate").splitlines():
        if line.startswith("VIRTUAL_ENV='") and line.endswith("'"):
            return line.removeprefix("VIRTUAL_ENV='").removesuffix("'").replace("'\\''", "'")
    return None


def _move(venv: Path, before: str, workspace: Path) -> None:
    """Mends what has the old path in it: heads of scripts, lines of .pth files (packages under development)."""
    for script in _files_in(venv / "bin"):
        with script.open("rb") as file:
            if file.read(2) != b"#!":
                continue
        text = script.read_bytes()
        if (new := moved(text, before, str(venv))) != text:
            _replace(script, new, stat.S_IMODE(script.stat().st_mode))
    old_workspace = os.path.dirname(before).encode()
    for pth in venv.glob("lib/python*/site-packages/*.pth"):
        text = pth.read_bytes()
        lines = [
            bytes(workspace) + line[len(old_workspace) :] if line.startswith(old_workspace + b"/") else line
            for line in text.split(b"\n")
        ]
        if (new := b"\n".join(lines)) != text:
            _replace(pth, new, stat.S_IMODE(pth.stat().st_mode))


def _files_in(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*") if path.is_file() and not path.is_symlink()]


def _fill(venv: Path, plan: Wanted, *, expected: bool) -> list[str]:
    """Makes what is missing or broken; a sentence for each. expected: what has our mark differs for a known reason."""
    said: list[str] = []
    for folder in ("", "bin", *{os.path.dirname(name) for name in plan.files}):
        _folder(venv / folder)
    config = venv / "pyvenv.cfg"
    had = _text(config)
    if had != plan.config and not _config_is_good(had, plan.config):
        _replace(config, plan.config.encode(), 0o644)
        if not (expected and MARK in had):
            said.append(_said(venv, "pyvenv.cfg", had))
    for name, target in plan.links.items():
        link = venv / name
        if not link.is_symlink() or os.readlink(link) != target:
            was = _exists(link)
            _aside(link)
            link.symlink_to(target)
            if was and expected:
                continue
            said.append(f"{venv.name}/{name} {'led elsewhere' if was else 'was missing'} and was made anew")
    if os.name == "posix" and not _exists(venv / "lib64"):
        (venv / "lib64").symlink_to("lib")
    for name, file in plan.files.items():
        path = venv / name
        had = _text(path)
        if not _stays(path, had, file):
            _aside(path, only_folders=True)
            _replace(path, file.text.encode(), file.mode)
            if not (expected and MARK in had):
                said.append(_said(venv, name, had))
    return said


def _config_is_good(had: str, ours: str) -> bool:
    """Whether a pyvenv.cfg that another program wrote over ours still says the same."""
    has, wants = read_config(had), read_config(ours)
    return MARK not in had and all(
        has.get(key, "").lower() == wants[key] for key in ("home", "include-system-site-packages")
    )


def _stays(path: Path, had: str, file: File) -> bool:
    """Whether what is there is right, or is somebody else's and works."""
    if path.is_symlink() or not path.is_file():
        return False
    runs = file.mode == 0o644 or os.access(path, os.X_OK)
    if had == file.text:
        return runs
    if MARK in had or not had.strip():
        return False
    if file.mode == 0o644:
        return True
    python = interpreter_in(had.encode())
    return runs and python is not None


def _said(venv: Path, name: str, had: str) -> str:
    return f"{venv.name}/{name} was {'damaged' if had else 'missing'} and was made anew"


def _folder(path: Path) -> None:
    if not path.is_dir():
        _aside(path)
        path.mkdir(parents=True)


def _aside(path: Path, only_folders: bool = False) -> None:
    """Frees a name: a link goes, anything else is kept under another name."""
    if path.is_symlink():
        path.unlink()
    elif path.is_dir() or (not only_folders and path.exists()):
        number = next(n for n in range(1, 1000) if not _exists(path.with_name(f"{path.name}.kept-{n}")))
        path.rename(path.with_name(f"{path.name}.kept-{number}"))


def _replace(path: Path, content: bytes, mode: int) -> None:
    """The whole content or the old one, never a part of it."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(content)
    beside.chmod(mode)
    beside.replace(path)


def _text(path: Path) -> str:
    """What path holds, "" where it cannot be read as a text of ours."""
    try:
        with path.open("rb") as file:
            return file.read(65536).decode("utf-8", "replace")
    except OSError:
        return ""


def _has(python: Interpreter, package: str) -> bool:
    return any(os.path.isdir(os.path.join(folder, package)) for folder in python.packages)


def _pip_wheel(python: Interpreter) -> str | None:
    """pip as Python itself brings it, for an environment without one (uv makes such)."""
    if _has(python, "pip"):
        return None
    standard = os.path.join(
        os.path.dirname(os.path.dirname(python.executable)), "lib", f"python{python.minor}"
    )
    folders = (Path(standard, "ensurepip", "_bundled"), Path(DISTRIBUTION_WHEELS))
    bundled = [wheel for folder in folders for wheel in sorted(folder.glob("pip-*.whl"), reverse=True)]
    return str(bundled[0]) if bundled else None
