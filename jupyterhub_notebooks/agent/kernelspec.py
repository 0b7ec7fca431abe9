"""The kernels of a workspace: ``python3`` runs the virtualenv of the server's Python and is shown first, ``python3.12`` that of
a further Python of the image; never in place of a user's own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from .interpreter import Interpreter
from .venv_files import MARK

FOLDER = ".local/share/jupyter/kernels/python3"
NAME = "Python 3 (ipykernel)"
LOGOS = ("logo-32x32.png", "logo-64x64.png", "logo-svg.svg")


def spec(python: str, name: str = NAME) -> dict[str, Any]:
    """What kernel.json says; python: the path of the virtualenv's. name: what people choose it by."""
    return {
        "argv": [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": name,
        "language": "python",
        "metadata": {"debugger": True, "notebooks": MARK},
        "kernel_protocol_version": "5.5",
    }


def mended(text: str, python: str, name: str = NAME) -> str | None:
    """kernel.json as it should be; None where text is right or the user's own.

    What a user added to ours stays, another Python that they chose too, unless it is gone.
    """
    try:
        had = json.loads(text)
    except ValueError:
        had = None
    if isinstance(had, dict) and "argv" in had and MARK not in text:
        return None
    if not _is_whole(had):
        return _text(spec(python, name))
    old = str(had["argv"][0])
    if old == python or ("/.venv-" not in old and Path(old).exists()):
        return None
    return _text({**had, "argv": [python, *had["argv"][1:]]})


def _is_whole(had: Any) -> bool:
    return (
        isinstance(had, dict)
        and isinstance(had.get("argv"), list)
        and len(had["argv"]) > 1
        and any("{connection_file}" in str(part) for part in had["argv"])
    )


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=1) + "\n"


def make(workspace: Path, venv: Path, python: Interpreter, *, first: bool = True) -> tuple[str, ...]:
    """Sees that the kernel is there; sentences about what was made anew. first: of the Python that runs the server.

    Raises OSError.
    """
    place = FOLDER if first else f"{FOLDER.removesuffix('3')}{python.minor}"
    shown = "Python 3" if first else f"Python {python.minor}"
    folder = workspace / place
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "kernel.json"
    try:
        had = path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        had = ""
    said: list[str] = []
    new = mended(had, str(venv / "bin/python"), NAME if first else shown)
    if new is not None:
        if had.strip() and MARK not in had:
            path.replace(path.with_name("kernel.json.damaged"))
        beside = path.with_name(".kernel.json.new")
        beside.write_text(new, encoding="utf-8")
        beside.replace(path)
        if MARK not in had or not _reads(had):
            said.append(
                f"The kernel {shown} ({place}) was {'damaged' if had else 'missing'} and was made anew"
            )
    if new is not None or MARK in had:
        said += _logos(folder, Path(python.prefix, "share/jupyter/kernels/python3"), said=bool(had))
    return tuple(said)


def _reads(text: str) -> bool:
    try:
        return _is_whole(json.loads(text))
    except ValueError:
        return False


def _logos(folder: Path, source: Path, *, said: bool) -> list[str]:
    """The icons that ipykernel brings, where they are missing or of another size than there."""
    anew = []
    for name in LOGOS:
        try:
            size = (source / name).stat().st_size
        except OSError:
            continue
        icon = folder / name
        if not icon.is_file() or icon.stat().st_size != size:
            shutil.copyfile(source / name, icon)
            anew.append(name)
    return [f"Icons of the kernel Python 3 were missing or damaged and were made anew: {', '.join(anew)}"] * (
        bool(anew) and said
    )
