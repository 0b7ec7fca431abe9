"""The folder in which the embedded default keeps everything: databases, files, secrets, ports and logs.

Promises: folders are 0700 and files 0600; secrets and ports are made once and kept, so that running
notebooks reach the same addresses after a restart; a folder that holds something else is never touched;
one program holds it at a time.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import AlreadyRunning, ConfigError, NoSpace, NotebooksError
from . import ports

MARKER = "notebooks-state.json"
FORMAT = 1
FOLDERS = ("logs", "secrets", "run", "store", "volumes")
#: Addresses on 127.0.0.1 that are chosen once; the public one is an option of ``up``.
INTERNAL_PORTS = ("hub", "proxy", "agents", "notebooks")
#: Generated once: name of the file in secrets/ -> its number of random bytes, written as hex.
SECRETS = {"cookie-secret": 32, "proxy-token": 32, "agents-token": 32, "up-token": 32, "signing-key": 32}


@dataclass(frozen=True)
class State:
    """One state folder and the paths in it."""

    folder: Path

    @property
    def ledger(self) -> str:
        return f"sqlite:///{self.folder / 'ledger.sqlite'}"

    @property
    def hub_database(self) -> Path:
        return self.folder / "jupyterhub.sqlite"

    @property
    def admin_password(self) -> Path:
        return self.folder / "admin-password"

    @property
    def settings(self) -> Path:
        """The settings that the last ``up`` ran with: what other commands read to find the ledger."""
        return self.folder / "settings.json"

    @property
    def address(self) -> Path:
        """Where people go, as the last ``up`` said it."""
        return self.folder / "url"

    def secret(self, name: str) -> Path:
        return self.folder / "secrets" / name

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def pid_file(self, name: str) -> Path:
        return self.folder / "run" / f"{name}.json"

    def exists(self) -> bool:
        return (self.folder / MARKER).is_file()

    # -- making it

    def prepare_folder(self) -> None:
        """Makes the folder. Raises ConfigError (not ours, not writable) or NoSpace."""
        self.refuse_foreign()
        with told(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            if not self.exists():
                about = {"format": FORMAT, "version": __version__, "created": int(time.time())}
                write(self.folder / MARKER, json.dumps(about))

    def prepare(self) -> None:
        """Makes what is missing in the folder. Call with the lock held."""
        with told(self.folder):
            for name in FOLDERS:
                (self.folder / name).mkdir(mode=0o700, exist_ok=True)
            for name, length in SECRETS.items():
                if not self.secret(name).exists():
                    write(self.secret(name), secrets.token_hex(length) + "\n")

    def refuse_foreign(self) -> None:
        """Raises ConfigError for a folder that is not ours to write into."""
        with told(self.folder):
            try:
                about = self.folder.stat()
            except FileNotFoundError:
                return
            if not stat.S_ISDIR(about.st_mode):
                raise _unusable(self.folder, "It is a file, not a folder")
            if about.st_uid != os.geteuid():
                raise _unusable(self.folder, "It belongs to another user")
            if not self.exists() and any(self.folder.iterdir()):
                raise _unusable(self.folder, "It holds something else")
            if self.exists():
                self._check_format()

    def _check_format(self) -> None:
        found = read_json(self.folder / MARKER)
        if found.get("format") != FORMAT:
            raise ConfigError(
                "This state was written by another version",
                f"It has format {found.get('format')}, and this program knows {FORMAT}",
                ["Install the version that wrote it, or name another folder with --state"],
                field=str(self.folder),
            )

    # -- ports

    def known_ports(self) -> dict[str, int]:
        """The addresses chosen so far."""
        path = self.folder / "ports.json"
        if not path.exists():
            return {}
        found = read_json(path)
        return {name: found[name] for name in INTERNAL_PORTS if isinstance(found.get(name), int)}

    def choose_ports(self) -> dict[str, int]:
        """The internal addresses: those of before, and free ones where there were none."""
        known = self.known_ports()
        taken = set(known.values())
        for name in INTERNAL_PORTS:
            if name not in known:
                known[name] = ports.choose_free(taken)
                taken.add(known[name])
        with told(self.folder):
            write(self.folder / "ports.json", json.dumps(known, indent=1))
        return known

    # -- one at a time

    def lock(self, about: Mapping[str, Any]) -> Lock:
        """Holds the state for this process. Raises AlreadyRunning with where the other one is."""
        with told(self.folder):
            handle = os.open(self.folder / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = _read_lock(handle)
            os.close(handle)
            raise AlreadyRunning(
                "It runs already",
                f"Process {other.get('pid', 'unknown')} holds {self.folder}",
                [
                    f"Open {other['url']}" if other.get("url") else "Wait until it is ready",
                    "End it with Ctrl-C",
                ],
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps({"pid": os.getpid(), **about}).encode(), 0)
        return Lock(handle)


class Lock:
    """A held state; ``release`` or the end of the process gives it back."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def release(self) -> None:
        os.ftruncate(self._handle, 0)
        os.close(self._handle)


def held_by(state: State) -> dict[str, Any]:
    """What the program that holds the state says about itself; empty where none does."""
    try:
        handle = os.open(state.folder / "up.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return {}
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return {}
    except BlockingIOError:
        return _read_lock(handle)
    finally:
        os.close(handle)


def _read_lock(handle: int) -> dict[str, Any]:
    try:
        found = json.loads(os.pread(handle, 4096, 0) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def write(path: Path, text: str) -> None:
    """Replaces a file by one that only its owner reads, whole or not at all."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any]:
    """Raises ConfigError for a file that holds no JSON object."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError("This file cannot be read", error.strerror or str(error), field=str(path)) from None
    except ValueError as error:
        raise ConfigError(
            "This file is damaged",
            f"It is not JSON ({error})",
            ["Remove it; it is made anew"],
            field=str(path),
        ) from None
    if not isinstance(found, dict):
        raise ConfigError(
            "This file is damaged", "It holds no object", ["Remove it; it is made anew"], field=str(path)
        )
    return found


class told:
    """Turns what the operating system says about the state folder into one of our errors."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and not isinstance(error, NotebooksError):
            raise about_disk(error, self.folder) from None


def about_disk(error: OSError, folder: Path) -> NotebooksError:
    """NoSpace or ConfigError for an error of writing into the state."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace(
            "The disk is full",
            f"{error.filename or folder} could not be written",
            ["Free some space and run it again, or name a folder on another disk with --state"],
        )
    return _unusable(folder, f"{error.filename or folder}: {error.strerror}")


def _unusable(folder: Path, why: str) -> ConfigError:
    return ConfigError(
        "This folder cannot keep the state", why, ["Name another one with --state"], field=str(folder)
    )
