"""Reads a jupyterhub_config.py in a process of its own and prints the settings that it makes.

Run by ``up`` with the same environment as the Hub. Prints one JSON object: ``{"settings": …,
"own_passwords": …, "hub_host": …}`` or ``{"error": {"title", "why", "next", "field"}}``; ends with 0 either way. Nothing is started.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from ..errors import ConfigError, NotebooksError

OWN_LOGIN = ("notebooks-passwords", "jupyterhub_notebooks.login.passwords.PasswordAuthenticator")


def read(path: Path) -> dict[str, Any]:
    """What ``up`` must know of a configuration. Raises ConfigError that names file and line."""
    if not path.is_file():
        raise ConfigError("There is no such file", field=str(path))
    try:
        c = PyFileConfigLoader(path.name, str(path.parent)).load_config()
    except NotebooksError as error:
        where = f"{_where(error, path)} {error.field or ''}".rstrip()
        raise ConfigError(error.title, error.why, error.next, field=where) from None
    except SyntaxError as error:
        raise ConfigError(
            "This line is not Python", str(error.msg), field=f"{error.filename}:{error.lineno}"
        ) from None
    except KeyError as error:
        raise ConfigError("A name is not set", f"There is no {error}", field=_where(error, path)) from None
    except Exception as error:
        about = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ConfigError("This line does not work", about, field=_where(error, path)) from None
    return _settings(c, path)


def _settings(c: Config, path: Path) -> dict[str, Any]:
    if "NotebookSpawner" not in c or "settings_json" not in c.NotebookSpawner:
        raise ConfigError(
            "This configuration has no notebooks",
            "It never calls jupyterhub_notebooks.configure.notebooks",
            ["Start from a copy of the one that is shipped"],
            field=str(path),
        )
    if c.JupyterHub.cleanup_servers is not False:
        raise ConfigError(
            "The Hub would end notebooks without saving them",
            "c.JupyterHub.cleanup_servers is on",
            ["Remove that line"],
            field=str(path),
        )
    login = c.JupyterHub.get("authenticator_class")
    named = (
        login
        if isinstance(login, str)
        else f"{getattr(login, '__module__', '')}.{getattr(login, '__name__', '')}"
    )
    return {
        "settings": c.NotebookSpawner.settings_json,
        "own_passwords": named in OWN_LOGIN,
        "hub_host": _hub_host(c),
    }


def _hub_host(c: Config) -> str:
    """The address that the Hub listens on: another than 127.0.0.1 where containers must reach it. '' where not said."""
    url = c.JupyterHub.get("hub_bind_url")
    return (urlsplit(url).hostname or "") if isinstance(url, str) else ""


def _where(error: BaseException, path: Path) -> str:
    """``file:line`` of the deepest line of the configuration itself that led there."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if os.path.realpath(frame.filename) == os.path.realpath(path)]
    return f"{path}:{lines[-1]}" if lines else str(path)


def main() -> None:
    answer: dict[str, Any]
    with contextlib.redirect_stdout(sys.stderr):  # what the configuration prints is not our answer
        try:
            answer = read(Path(sys.argv[1]))
        except NotebooksError as error:
            answer = error.as_json()
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
