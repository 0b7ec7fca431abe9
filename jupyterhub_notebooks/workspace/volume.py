"""A volume: the workspace's files and, beside them, what this machine knows of them.

Promises: what ``state/`` says was synced before it returns; ``restoring`` lies there from before the first byte of a
restore until after its last; one save or restore at a time. State that cannot be read counts as lost.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from ..errors import AlreadyRunning, BadInput, Damaged, NotFound
from . import scanning
from .ignore import ASIDE, TICK
from .keys import WrongKey
from .ports import Snapshots
from .snapshots import head_of

MARKER = ".workspace.initialized"
_FORMAT = 1
_FETCHING = "fetching"
_RESERVE = "reserve"
_SCAN = "scan"
_RESERVE_BYTES = 256 * 1024
_MOST_MARKER = 4096
#: Directories that are no user's: a new disk's own, and what a restore that was cut off had fetched.
_NOT_USERS = {b"lost+found", ASIDE}
_WAIT_SECONDS = 1.0

#: What a file is made of; a function answers it part by part.
Body = bytes | Callable[[], Iterable[bytes]]
Situation = Literal["empty", "kept", "restoring", "unknown"]


class _Keep:
    """The default of what is not to be changed."""


KEEP = _Keep()


class Volume:
    """files: the workspace. state: ours; made on first use. Neither has to exist."""

    def __init__(self, files: Path, state: Path) -> None:
        self.files = Path(files)
        self.state = Path(state)

    def situation(self) -> Situation:
        """``restoring``: an unfinished restore. ``empty``: no files, whatever the state says (a lost volume
        looks like this). ``kept``: files whose base is known. ``unknown``: files alone."""
        if self.restoring is not None:
            return "restoring"
        if self.is_empty():
            return "empty"
        return "kept" if self.base is not None else "unknown"

    @property
    def restoring(self) -> int | None:
        """The number of an unfinished restore (0 where the mark cannot be read)."""
        fields = self._mark()
        if fields is None or (fields.get("written") and fields.get("written") == boot_id()):
            return None
        if fields.get("stage") == _FETCHING:
            return None
        number = fields.get("number")
        return number if type(number) is int else 0

    @property
    def unsynced(self) -> str | None:
        """Names the restore that wrote everything since this machine was started, and whose bytes may not all be on
        the disk yet; None where there is none."""
        fields = self._mark()
        if fields is None or not fields.get("written") or fields["written"] != boot_id():
            return None
        return str(fields.get("nonce"))

    @property
    def restore_rules(self) -> tuple[tuple[str, ...], ...]:
        """Lists of rules of what is left out, that were in force when the restore began whose mark is there."""
        rules = (self._mark() or {}).get("rules")
        if not isinstance(rules, list):
            return ()
        lists = [one for one in rules if isinstance(one, list)]
        return tuple(tuple(line for line in one if isinstance(line, str)) for one in lists)

    def _mark(self) -> dict[str, Any] | None:
        try:
            fields = json.loads((self.state / "restoring").read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return {}
        return fields if isinstance(fields, dict) else {}

    @property
    def base(self) -> int | None:
        """The snapshot that files came from or were last saved as; 0: the workspace began here; None: unknown."""
        return _number(self._read().get("base"))

    @property
    def lease(self) -> int | None:
        return _number(self._read().get("lease"))

    @property
    def pending(self) -> tuple[int, str] | None:
        """Number and check of a snapshot whose commit was begun and whose outcome was not seen."""
        pending = self._read().get("pending")
        if not isinstance(pending, dict):
            return None
        number, check = _number(pending.get("number")), pending.get("check")
        return (number, check) if number and isinstance(check, str) else None

    def remember(
        self,
        *,
        base: int | _Keep | None = KEEP,
        lease: int | _Keep | None = KEEP,
        pending: Any = KEEP,
        durable: bool = True,
    ) -> None:
        """Changes what is given and keeps the rest. A new base ends what was pending."""
        fields = {"format": _FORMAT, "base": None, "lease": None, "pending": None, **self._read()}
        if not isinstance(base, _Keep):
            fields |= {"base": base, "pending": None}
        if not isinstance(lease, _Keep):
            fields["lease"] = lease
        if not isinstance(pending, _Keep):
            number, check = pending
            fields["pending"] = {"number": number, "check": check}
        self.write("base.json", json.dumps(fields, sort_keys=True).encode(), durable=durable)

    def settle(self, snapshots: Snapshots) -> int | None:
        """Finds out what became of a pending commit: where the store has that very snapshot, it is the base.

        Answers the base. Raises StorageAway where the store cannot be asked.
        """
        pending = self.pending
        if pending is None:
            return self.base
        number, check = pending
        try:
            committed = head_of(snapshots, number).check == check
        except WrongKey:
            raise
        except (NotFound, Damaged):
            committed = False
        self.remember(base=number if committed else self.base)
        return self.base

    def marker(self) -> str | None:
        """The workspace id in files/.workspace.initialized, None where there is none that can be read."""
        try:
            handle = os.open(self.files / MARKER, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(handle, "rb") as file:
                fields = json.loads(file.read(_MOST_MARKER))
            workspace = fields["workspace"]
            return workspace if isinstance(workspace, str) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write_marker(self, workspace_id: str) -> bool:
        """Makes the marker say workspace_id. False: a user's directory stands in its place and stays."""
        self.files.mkdir(parents=True, exist_ok=True)
        path = self.files / MARKER
        if path.is_dir() and not path.is_symlink():
            return False
        _replace(path, marker_body(workspace_id))
        return True

    def begin_restore(
        self, number: int, rules: Iterable[Sequence[str]] = (), *, fetching: bool = False
    ) -> None:
        """The mark is on the disk when this returns. rules: what this restore leaves where it is; one that follows when
        this one was cut off leaves it too, though the files say nothing of it any more.

        fetching: nothing that was there is changed yet. Such a mark forbids no save.
        """
        fields: dict[str, Any] = {"format": _FORMAT, "number": number, "rules": [list(one) for one in rules]}
        if fetching:
            fields["stage"] = _FETCHING
        self.write("restoring", json.dumps(fields).encode())

    def forget_fetching(self) -> None:
        """Takes away what a restore left that ended before it changed anything; nothing where there is none."""
        if (self._mark() or {}).get("stage") == _FETCHING:
            shutil.rmtree(os.path.join(os.fsencode(self.files), ASIDE), ignore_errors=True)
            self.end_restore()

    def restore_written(self, number: int, base: int) -> None:
        """Every byte is written, and none has to be on the disk: should the machine end now, the mark means an
        unfinished restore again."""
        self.remember(base=base, durable=False)
        fields = {"format": _FORMAT, "number": number, "written": boot_id(), "nonce": secrets.token_hex(8)}
        fields["rules"] = [list(one) for one in self.restore_rules]
        self.write("restoring", json.dumps(fields).encode(), durable=False)

    def sync_restored(self) -> None:
        """Sees to a restore whose bytes may not all be on the disk, or that changed nothing; nothing where there is none."""
        self.forget_fetching()
        if self.unsynced is not None:
            scanning.sync(os.fsencode(self.files))
            scanning.sync(os.fsencode(self.state))
            self.end_restore()

    def end_restore(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self.state / "restoring")
        _sync_folder(self.state)

    def write(self, name: str, body: Body, *, durable: bool = True, needed: bool = True) -> None:
        """A file of state/, replaced at once; on the disk when this returns, where durable.

        needed: a full disk gives up the room that ``reserve`` took, and then what the next save can do without.
        """
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        while True:
            try:
                _replace(self.state / name, body, durable)
                return
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not needed or not self._give_up_room():
                    raise

    def reserve(self) -> None:
        """Takes some room beforehand, so that a disk that its user fills keeps nothing from being saved."""
        path = self.state / _RESERVE
        try:
            if path.exists() and path.stat().st_size >= _RESERVE_BYTES:
                return
            self.write(_RESERVE, os.urandom(_RESERVE_BYTES), durable=False, needed=False)
        except OSError:
            return  # the disk is full now; it is tried again after the next save

    def _give_up_room(self) -> bool:
        """Whether there was any: the reserve, then what was last seen, without which everything is read again."""
        for name in (_RESERVE, _SCAN):
            try:
                os.unlink(self.state / name)
                return True
            except OSError:
                continue
        return False

    @contextmanager
    def locked(self) -> Iterator[int]:
        """One save or restore at a time; answers the lock's descriptor. Raises AlreadyRunning, after waiting for what
        a save or restore that was killed a moment ago had begun."""
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self.state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        ends = time.monotonic() + _WAIT_SECONDS
        try:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() < ends:
                        time.sleep(0.02)
                        continue
                    raise AlreadyRunning(
                        "This workspace is being saved or restored already", next=["Wait until that is done"]
                    ) from None
            yield handle
        finally:
            os.close(handle)

    def _read(self) -> dict[str, Any]:
        try:
            fields = json.loads((self.state / "base.json").read_bytes())
        except (OSError, ValueError):
            return {}
        good = isinstance(fields, dict) and fields.get("format") == _FORMAT
        return fields if good else {}

    def is_empty(self) -> bool:
        """Whether there are no files of a user, also where there is no directory. A new disk's own directory does
        not count, nor does what a restore or save of ours left that was cut off."""
        try:
            with os.scandir(os.fsencode(self.files)) as inside:
                return all(
                    item.is_dir(follow_symlinks=False)
                    if item.name in _NOT_USERS
                    else item.name == TICK and item.is_file(follow_symlinks=False)
                    for item in inside
                )
        except FileNotFoundError:
            return True
        except NotADirectoryError:
            raise BadInput(f"{self.files} is no directory", next=["Name a directory"]) from None


@lru_cache(maxsize=1)
def boot_id() -> str:
    """Names the run of this machine since it was started; "" where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def marker_body(workspace_id: str) -> bytes:
    """What files/.workspace.initialized holds."""
    return json.dumps({"format": _FORMAT, "workspace": workspace_id}).encode() + b"\n"


def _number(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _replace(path: Path, body: Body, durable: bool = True) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}.new")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(handle, "wb") as file:
            file.writelines(body() if callable(body) else [body])
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(aside)
        raise
    if durable:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
