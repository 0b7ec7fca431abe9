"""Files that hold a key: 64 hexadecimal digits, readable by their owner only. A key is never an argument or printed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..errors import BadInput, Conflict, NotFound
from ..workspace.keys import key_of_text, new_key

_META = "jupyterhub_notebooks.key"


def read(path: Path) -> bytes:
    """The key in a file. Raises NotFound, BadInput."""
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        raise NotFound(
            f"There is no file {path}", next=["Make it with: jupyterhub-notebooks key make FILE"], field="key"
        ) from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read", error.strerror or str(error), field="key") from None
    return key_of_text(text, str(path))


def write(path: Path, key: bytes) -> None:
    """A new file, mode 0600, on the disk when this returns. Raises Conflict where there is one."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise Conflict(
            f"{path} is there already",
            "What is encrypted with the key in it could not be read any more.",
            ["Name another file"],
            field="FILE",
        ) from None
    except OSError as error:
        raise BadInput(f"{path} cannot be made", error.strerror or str(error), field="FILE") from None
    with open(handle, "w", encoding="ascii") as file:
        file.write(key.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_or_make(path: Path) -> tuple[bytes, bool]:
    """The key in a file, which is made where it is not there; whether it was made."""
    if path.exists():
        return read(path), False
    key = new_key()
    write(path, key)
    return key, True


def key_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--key FILE``; ``given`` has its key."""
    return click.option(
        "--key",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_keep,
        help="File with the workspace's key, where it is encrypted; a new workspace is encrypted with it.",
    )(command)


def given() -> bytes | None:
    """The key that was named with ``--key``."""
    key = click.get_current_context().meta.get(_META)
    assert key is None or isinstance(key, bytes)
    return key


def _keep(context: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    context.meta[_META] = read(path) if path is not None else None
