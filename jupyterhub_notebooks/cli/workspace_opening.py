"""What the workspace commands share: the options, opening a store, and writing it under a lease."""

from __future__ import annotations

import hashlib
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from .. import __version__
from ..clock import SYSTEM_CLOCK
from ..errors import BadInput, Damaged, NotFound
from ..settings import NEVER_SAVED
from ..workspace import ROOT_KEY, SnapshotHead, Volume, WorkspaceStore, founding, open_store, parse_snapshot
from ..workspace.keys import OPEN, Keys, WrongKey
from .key_files import given, key_option
from .numbers import NUMBER
from .progress_bar import orderly
from .store_options import parsed

CREATED_BY = f"jupyterhub-notebooks {__version__}"
Command = Callable[..., Any]


store_option = click.option(
    "--store-option",
    "store_options",
    multiple=True,
    metavar="NAME=VALUE",
    help="For s3: endpoint_url, region, addressing (path or virtual), key, secret. A secret is given as "
    "env:NAME or file:PATH, or by the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
)


def options(command: Command) -> Command:
    """What every subcommand takes that has to do with DIR."""
    return click.option(
        "--state",
        type=click.Path(path_type=Path),
        help="Where to keep what is known of DIR [default: a folder of its own below $XDG_STATE_HOME].",
    )(at_store(command))


def at_store(command: Command) -> Command:
    """What every subcommand takes."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Answer as JSON on standard output."),
        store_option,
        click.option(
            "--store",
            required=True,
            metavar="URL",
            help="This one workspace's address: file:///directory or s3://bucket/prefix.",
        ),
    ):
        command = option(command)
    return key_option(command)


SNAPSHOT = click.argument("number", metavar="SNAPSHOT", type=NUMBER)
BREAK = click.option(
    "--break-lease", is_flag=True, help="End the lease of a writer that is certainly dead, then go on."
)
EVERYTHING = click.option(
    "--everything",
    is_flag=True,
    help=f"Leave nothing out but what .notebookignore says ({', '.join(NEVER_SAVED)}).",
)


def opened(url: str, options: tuple[str, ...], *, create: bool = True) -> WorkspaceStore:
    space = WorkspaceStore(open_store(url, parsed(options), create=create))
    try:
        space.unlock(given())
    except WrongKey:
        raise
    except Damaged as error:
        again = "Write it again with: jupyterhub-notebooks workspace repair"
        raise Damaged(error.title, error.why, [*error.next, again]) from error
    return space


def examined(url: str, options: tuple[str, ...]) -> WorkspaceStore:
    """A workspace that is to be checked or repaired: workspace.json may be lost or damaged. Raises NotFound, WrongKey."""
    space = WorkspaceStore(open_store(url, parsed(options), create=False))
    key = given()
    try:
        facts = space.unlock(key)
    except Damaged:
        space.keys = Keys(key) if key is not None else OPEN
        try:
            readable = founding.told_by_snapshots(space)
        except WrongKey:
            readable = None
        if readable is None:
            raise
    else:
        if facts is None and not space.numbers():
            there(space, url)
    return space


def existing(url: str, options: tuple[str, ...]) -> WorkspaceStore:
    """A workspace that is there. Raises NotFound, BadInput."""
    space = opened(url, options, create=False)
    there(space, url)
    return space


def there(space: WorkspaceStore, url: str) -> None:
    if space.facts() is None:
        not_here(space, url)
        raise NotFound(f"There is no workspace at {url}", next=["Check the address"], field="--store")


def not_here(space: WorkspaceStore, url: str) -> None:
    """Raises where workspace.json is not there and yet this is no place for a new workspace: BadInput, Damaged."""
    not_a_root(space, url)
    damage = founding.lost(space, url)
    if damage is not None:
        raise damage


def not_a_root(space: WorkspaceStore, url: str) -> None:
    if space.store.exists(ROOT_KEY):
        raise BadInput(
            f"{url} is the store of a whole Hub, not of one workspace",
            next=["Name one workspace in it: …/workspaces/ID"],
            field="--store",
        )


def volume_of(directory: Path, url: str, state: Path | None) -> Volume:
    files = Path(os.path.abspath(directory))
    if state is None:
        home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
        name = hashlib.sha256(os.fsencode(files) + b"\0" + url.rstrip("/").encode()).hexdigest()[:32]
        state = Path(home) / "jupyterhub-notebooks" / "workspaces" / name
    inside = Path(os.path.realpath(state)).is_relative_to(os.path.realpath(files))
    if inside:
        raise BadInput(
            "The state cannot lie in the directory that is saved", next=["Name another"], field="--state"
        )
    _refuse_unusable(state)
    return Volume(files, state)


def _refuse_unusable(state: Path) -> None:
    """Raises BadInput where nothing can be kept in the folder."""
    there = state
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK) or not os.statvfs(there).f_blocks:
        raise BadInput(
            f"{state} cannot keep what is known of the directory",
            f"Nothing can be written at {there}.",
            ["Name another one"],
            field="--state",
        )


def heads_of(space: WorkspaceStore) -> tuple[list[SnapshotHead], list[str]]:
    """All snapshots that can be read, newest first, and sentences about the others."""
    heads, damaged = [], []
    for number in reversed(space.numbers()):
        try:
            heads.append(parse_snapshot(space.get(number), number=number, keys=space.keys))
        except (Damaged, NotFound) as error:
            damaged.append(error.sentence())
    return heads, damaged


def head_of_all(space: WorkspaceStore) -> SnapshotHead | None:
    """The newest snapshot of kind save that can be read."""
    for number in reversed(space.numbers()):
        try:
            found = parse_snapshot(space.get(number), number=number, keys=space.keys)
        except (Damaged, NotFound) as error:
            print(error.sentence(), file=sys.stderr)
            continue
        if found.kind == "save":
            return found
    return None


def needed(head: SnapshotHead | None, url: str) -> SnapshotHead:
    if head is None:
        raise NotFound(f"There is no snapshot at {url} yet", next=["Save something first"])
    return head


def known(space: WorkspaceStore, *numbers: int) -> None:
    """Raises NotFound for a snapshot that is not there."""
    there = set(space.numbers())
    for number in numbers:
        if number not in there:
            raise NotFound(f"There is no snapshot {number}", next=["See them all with: workspace list"])


def chosen(space: WorkspaceStore, number: int | None, url: str) -> int:
    """The snapshot that was named, or the newest save. Raises NotFound."""
    if number is None:
        return needed(head_of_all(space), url).number
    known(space, number)
    return number


@contextmanager
def leased(space: WorkspaceStore, volume: Volume | None, break_lease: bool) -> Iterator[int]:
    holder = f"{os.environ.get('USER') or os.getuid()} on {socket.gethostname()}, process {os.getpid()}"
    if break_lease:
        broken = space.break_lease(holder, SYSTEM_CLOCK.now())
        if broken is not None:
            print(
                f"Lease {broken.number} of {broken.holder} is ended. Should that writer be alive after all, it can "
                "commit no more.",
                file=sys.stderr,
            )
    with orderly():
        try:
            lease = space.take_lease(holder, SYSTEM_CLOCK.now())
            if volume is not None:
                volume.remember(lease=lease.number)
            yield lease.number
        finally:
            space.release_lease(SYSTEM_CLOCK.now())
