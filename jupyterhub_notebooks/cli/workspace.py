"""``jupyterhub-notebooks workspace``: the snapshot engine by hand, on one directory and one workspace's address.

Promises: works without a Hub; one writer at a time, by a lease in the store; never saves a directory over a newest
snapshot that it does not come from, and never removes files in a directory that is in use without being told to.
"""

from __future__ import annotations

import hashlib
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from .. import __version__
from ..clock import SYSTEM_CLOCK, to_text
from ..errors import BadInput, Damaged, NotFound, Refusal
from ..names import new_id
from ..settings import NEVER_SAVED
from ..units import count, show_size
from ..workspace import (
    ROOT_KEY,
    SnapshotHead,
    Volume,
    WorkspaceStore,
    changes,
    check,
    open_store,
    parse_snapshot,
    restore,
    save,
)
from .key_files import given, key_option
from .progress_bar import Bar
from .workspace_encrypting import encrypt_command
from .workspace_words import head_json, list_files, print_check, print_json, saved, say_skipped, seconds

_CREATED_BY = f"jupyterhub-notebooks {__version__}"
_Command = Callable[..., Any]


def _options(command: _Command) -> _Command:
    """What every subcommand takes."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Answer as JSON on standard output."),
        click.option(
            "--state",
            type=click.Path(path_type=Path),
            help="Where to keep what is known of DIR [default: a folder of its own below $XDG_STATE_HOME].",
        ),
        click.option(
            "--store-option",
            "store_options",
            multiple=True,
            metavar="NAME=VALUE",
            help="For s3: endpoint_url, region, addressing (path or virtual), key, secret. A secret is best given as "
            "env:NAME or file:PATH, or by the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        ),
        click.option(
            "--store",
            required=True,
            metavar="URL",
            help="This one workspace's address: file:///directory or s3://bucket/prefix.",
        ),
    ):
        command = option(command)
    return key_option(command)


_BREAK = click.option(
    "--break-lease", is_flag=True, help="End the lease of a writer that is certainly dead, then go on."
)
_EVERYTHING = click.option(
    "--everything",
    is_flag=True,
    help=f"Leave nothing out but what .notebookignore says ({', '.join(NEVER_SAVED)}).",
)


@click.group("workspace")
def workspace() -> None:
    """Save, restore, list and check one workspace by hand.

    A workspace is a directory of files; its snapshots lie at an address of its own in a directory or in S3. What
    `.notebookignore` at the top of the workspace names (gitignore syntax) is left out.
    """


@workspace.command("save")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@_options
@_BREAK
@_EVERYTHING
@click.option(
    "--onto-head",
    is_flag=True,
    help="Make DIR the newest state, although it does not come from the newest snapshot.",
)
def save_command(
    directory: Path,
    store: str,
    store_options: tuple[str, ...],
    state: Path | None,
    as_json: bool,
    break_lease: bool,
    everything: bool,
    onto_head: bool,
) -> None:
    """Save DIR as the next snapshot, if anything changed.

    Where DIR does not come from the newest snapshot (it was never restored or saved here, or somebody else saved
    meanwhile), it is saved beside it as a recovery snapshot, so that nothing is lost.
    """
    if not directory.is_dir():
        raise BadInput(
            f"There is no directory {directory}", next=["Name the directory to be saved"], field="DIR"
        )
    space = _opened(store, store_options)
    volume = _volume(directory, store, state)
    facts = space.facts()
    if facts is None:
        _not_a_root(space, store)
        now = SYSTEM_CLOCK.now()
        facts = space.create(new_id(now, os.urandom), lease="objects", now=now)
    with _leased(space, volume, break_lease):
        head = _head(space)
        follows = _follow(volume, space, head, onto_head)
        with Bar("Saving", as_json) as bar:
            report = save(
                volume,
                space,
                space,
                number=max(space.numbers(), default=0) + 1,
                parent=volume.base,
                workspace_id=facts.id,
                kind="save" if follows else "recovery",
                never_saved=() if everything else NEVER_SAVED,
                progress=bar.show,
                cancelled=bar.cancelled,
                now=SYSTEM_CLOCK.now(),
                created_by=_CREATED_BY,
            )
    say_skipped(report.skipped)
    if as_json:
        print_json(asdict(report))
    else:
        print(saved(report, volume, head))


@workspace.command("restore")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@_options
@_EVERYTHING
@click.option("--snapshot", "number", type=int, help="Its number [default: the newest of kind save].")
@click.option(
    "--replace", is_flag=True, help="DIR has files: make it what the snapshot says, removing what that lacks."
)
def restore_command(
    directory: Path,
    store: str,
    store_options: tuple[str, ...],
    state: Path | None,
    as_json: bool,
    everything: bool,
    number: int | None,
    replace: bool,
) -> None:
    """Make DIR what a snapshot says.

    A restore that was cut off is finished by running it again; until then DIR cannot be saved.
    """
    space = _opened(store, store_options, create=False)
    _there(space, store)
    volume = _volume(directory, store, state)
    if not volume.is_empty() and volume.restoring is None and not replace:
        raise Refusal(
            f"{directory} is not empty",
            "Files that the snapshot lacks would be removed.",
            ["Name an empty directory", "Or add --replace"],
            label="not_empty",
        )
    chosen = number or _needed(_head(space), store).number
    with Bar("Restoring", as_json) as bar:
        report = restore(
            volume,
            space,
            space,
            chosen,
            never_saved=() if everything else NEVER_SAVED,
            progress=bar.show,
            cancelled=bar.cancelled,
        )
    say_skipped(report.skipped)
    if as_json:
        print_json(asdict(report))
        return
    kept = f", {count(report.kept_files, 'file')} were right already" if report.kept_files else ""
    print(
        f"Restored snapshot {report.number} into {directory}: {count(report.files, 'file')}, "
        f"{show_size(report.size_bytes)}{kept}, in {seconds(report.seconds)}."
    )


@workspace.command("list")
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@_options
@click.option("--snapshot", "number", type=int, help="List the files of this snapshot instead.")
def list_command(
    directory: Path | None,
    store: str,
    store_options: tuple[str, ...],
    state: Path | None,
    as_json: bool,
    number: int | None,
) -> None:
    """List the snapshots, newest first; with --snapshot, the files of one.

    With DIR, the snapshot that DIR comes from is marked.
    """
    space = _opened(store, store_options, create=False)
    _there(space, store)
    if number is not None:
        list_files(space, number, as_json)
        return
    base = _volume(directory, store, state).base if directory else None
    heads, damaged = _heads(space)
    for problem in damaged:
        print(problem, file=sys.stderr)
    if as_json:
        print_json([head_json(head, head.number == base) for head in heads])
        return
    for head in heads:
        mark = "  (DIR comes from here)" if head.number == base else ""
        print(
            f"{head.number:>6}  {head.kind:<8}  {to_text(head.at.replace(microsecond=0))}  "
            f"{show_size(head.size_bytes):>8}  {count(head.files, 'file')}{mark}"
        )


@workspace.command("check")
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@_options
@click.option(
    "--read-data", is_flag=True, help="Also read and verify every block, which takes as long as a restore."
)
@click.pass_context
def check_command(
    context: click.Context,
    directory: Path | None,
    store: str,
    store_options: tuple[str, ...],
    state: Path | None,
    as_json: bool,
    read_data: bool,
) -> None:
    """Say what is damaged in the store and what each damage costs; with DIR, also what is not saved yet.

    The exit code is 7 where something is damaged.
    """
    space = _opened(store, store_options, create=False)
    _there(space, store)
    with Bar("Checking", as_json) as bar:
        report = check(
            space,
            space,
            read_data=read_data,
            stored=space.block_sizes(),
            strange=space.strange_keys(),
            progress=bar.show,
            cancelled=bar.cancelled,
        )
    unsaved = changes(_volume(directory, store, state), never_saved=NEVER_SAVED) if directory else None
    if as_json:
        print_json({**asdict(report), "unsaved": asdict(unsaved) if unsaved else None})
    else:
        print_check(report)
        if unsaved and not unsaved.pending_files:
            print(f"Every file in {directory} is saved.")
        elif unsaved:
            files = count(unsaved.pending_files, "file")
            print(f"Not saved yet in {directory}: {files} with {show_size(unsaved.pending_bytes)}.")
    if report.errors:
        context.exit(Damaged.exit_code)


def _opened(url: str, options: tuple[str, ...], *, create: bool = True) -> WorkspaceStore:
    values = {}
    for option in options:
        name, sign, value = option.partition("=")
        if not sign:
            raise BadInput(f"{option!r} is no option", next=["Write NAME=VALUE"], field="--store-option")
        values[name] = value
    space = WorkspaceStore(open_store(url, values, create=create))
    space.unlock(given())
    return space


def _there(space: WorkspaceStore, url: str) -> None:
    if space.facts() is None:
        _not_a_root(space, url)
        raise NotFound(f"There is no workspace at {url}", next=["Check the address"], field="--store")


def _not_a_root(space: WorkspaceStore, url: str) -> None:
    if space.store.exists(ROOT_KEY):
        raise BadInput(
            f"{url} is the store of a whole Hub, not of one workspace",
            next=["Name one workspace in it: …/workspaces/ID"],
            field="--store",
        )


def _volume(directory: Path, url: str, state: Path | None) -> Volume:
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
    return Volume(files, state)


def _heads(space: WorkspaceStore) -> tuple[list[SnapshotHead], list[str]]:
    """All snapshots that can be read, newest first, and sentences about the others."""
    heads, damaged = [], []
    for number in reversed(space.numbers()):
        try:
            heads.append(parse_snapshot(space.get(number), number=number, keys=space.keys))
        except (Damaged, NotFound) as error:
            damaged.append(error.sentence())
    return heads, damaged


def _head(space: WorkspaceStore) -> SnapshotHead | None:
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


def _needed(head: SnapshotHead | None, url: str) -> SnapshotHead:
    if head is None:
        raise NotFound(f"There is no snapshot at {url} yet", next=["Save something first"])
    return head


def _follow(volume: Volume, space: WorkspaceStore, head: SnapshotHead | None, onto_head: bool) -> bool:
    """Whether DIR comes from the newest snapshot, or shall count as if it did."""
    base = volume.settle(space)
    if (base or None) == (head.number if head else None):
        return True
    if head is None or onto_head:
        volume.remember(base=head.number if head else 0)
        return True
    return False


@contextmanager
def _leased(space: WorkspaceStore, volume: Volume, break_lease: bool) -> Iterator[None]:
    holder = f"{os.environ.get('USER') or os.getuid()} on {socket.gethostname()}, process {os.getpid()}"
    if break_lease:
        broken = space.break_lease(holder, SYSTEM_CLOCK.now())
        if broken is not None:
            print(
                f"Lease {broken.number} of {broken.holder} is ended. Should that writer be alive after all, it can "
                "commit no more.",
                file=sys.stderr,
            )
    lease = space.take_lease(holder, SYSTEM_CLOCK.now())
    try:
        volume.remember(lease=lease.number)
        yield
    finally:
        space.release_lease(SYSTEM_CLOCK.now())


workspace.add_command(encrypt_command)
