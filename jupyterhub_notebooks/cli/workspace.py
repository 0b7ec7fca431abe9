"""``jupyterhub-notebooks workspace``: the snapshot engine by hand, on one directory and one workspace's address.

Promises: works without a Hub; one writer at a time, by a lease in the store; never saves a directory over a newest
snapshot that it does not come from, and never removes files in a directory that is in use without being told to.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from .. import __version__
from ..clock import SYSTEM_CLOCK, to_text
from ..contract import Progress
from ..errors import BadInput, Damaged, NotFound, Refusal
from ..names import new_id
from ..settings import NEVER_SAVED
from ..units import count, show_duration, show_progress, show_size
from ..workspace import (
    ROOT_KEY,
    CheckReport,
    Entry,
    SaveReport,
    SnapshotHead,
    Volume,
    WorkspaceStore,
    changes,
    check,
    listing,
    open_store,
    parse_snapshot,
    restore,
    save,
)
from ..workspace.entries import DIRECTORY, shown

_CREATED_BY = f"jupyterhub-notebooks {__version__}"
_SKIPPED_SHOWN = 10
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
    return command


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
        with _Bar("Saving", as_json) as bar:
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
    _say_skipped(report.skipped)
    if as_json:
        _print_json(asdict(report))
    else:
        print(_saved(report, volume, head))


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
    with _Bar("Restoring", as_json) as bar:
        report = restore(
            volume,
            space,
            space,
            chosen,
            never_saved=() if everything else NEVER_SAVED,
            progress=bar.show,
            cancelled=bar.cancelled,
        )
    _say_skipped(report.skipped)
    if as_json:
        _print_json(asdict(report))
        return
    kept = f", {count(report.kept_files, 'file')} were right already" if report.kept_files else ""
    print(
        f"Restored snapshot {report.number} into {directory}: {count(report.files, 'file')}, "
        f"{show_size(report.size_bytes)}{kept}, in {_seconds(report.seconds)}."
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
        _list_files(space, number, as_json)
        return
    base = _volume(directory, store, state).base if directory else None
    heads, damaged = _heads(space)
    for problem in damaged:
        print(problem, file=sys.stderr)
    if as_json:
        _print_json([_head_json(head, head.number == base) for head in heads])
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
    with _Bar("Checking", as_json) as bar:
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
        _print_json({**asdict(report), "unsaved": asdict(unsaved) if unsaved else None})
    else:
        _print_check(report)
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
    return WorkspaceStore(open_store(url, values, create=create))


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
            heads.append(parse_snapshot(space.get(number), number=number))
        except (Damaged, NotFound) as error:
            damaged.append(error.sentence())
    return heads, damaged


def _head(space: WorkspaceStore) -> SnapshotHead | None:
    """The newest snapshot of kind save that can be read."""
    for number in reversed(space.numbers()):
        try:
            found = parse_snapshot(space.get(number), number=number)
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


def _saved(report: SaveReport, volume: Volume, head: SnapshotHead | None) -> str:
    whole = f"{count(report.files, 'file')}, {show_size(report.size_bytes)}"
    if not report.number:
        newer = f" Snapshot {head.number} is newer." if head and head.number != volume.base else ""
        return f"Nothing changed since snapshot {volume.base}: {whole}.{newer}"
    if report.kind == "recovery":
        return (
            f"Saved as recovery snapshot {report.number} beside {head.number if head else 0}, because "
            f"{volume.files} does not come from that one: {whole}. To make it the newest state, run the command "
            "again with --onto-head; to go back to the other, restore it."
        )
    return (
        f"Saved snapshot {report.number}: {count(report.changed_files, 'changed file')}, "
        f"{show_size(report.stored_bytes)} stored; {whole} in all, in {_seconds(report.seconds)}."
    )


def _say_skipped(skipped: tuple[tuple[str, str], ...]) -> None:
    for path, why in skipped[:_SKIPPED_SHOWN]:
        print(f"{path}: {why}.", file=sys.stderr)
    if len(skipped) > _SKIPPED_SHOWN:
        print(f"{len(skipped) - _SKIPPED_SHOWN} more were left out; --json lists all.", file=sys.stderr)


def _list_files(space: WorkspaceStore, number: int, as_json: bool) -> None:
    if number not in space.numbers():
        raise NotFound(
            f"There is no snapshot {number}", next=["Run the command without --snapshot to see all"]
        )
    for entry in listing(space, space, number):
        print(json.dumps(_entry_json(entry)) if as_json else _entry_line(entry))


def _entry_line(entry: Entry) -> str:
    path = shown(entry.path) + ("/" if entry.kind == DIRECTORY else "")
    target = f" -> {shown(entry.target)}" if entry.target else ""
    return f"{entry.mode:04o}  {show_size(entry.size):>8}  {_time(entry.mtime_ns)}  {path}{target}"


def _time(mtime_ns: int) -> str:
    from datetime import UTC, datetime

    try:
        return to_text(datetime.fromtimestamp(mtime_ns // 10**9, UTC))
    except (ValueError, OverflowError, OSError):
        return f"{mtime_ns // 10**9:>20}"


def _entry_json(entry: Entry) -> dict[str, Any]:
    """One line of JSON for each entry; a path that is no UTF-8 has its odd bytes escaped."""
    return {
        "path": shown(entry.path),
        "kind": entry.kind,
        "mode": f"{entry.mode:04o}",
        "mtime_ns": entry.mtime_ns,
        "size_bytes": entry.size,
        "content": entry.content.hex(),
        "target": shown(entry.target),
    }


def _head_json(head: SnapshotHead, is_base: bool) -> dict[str, Any]:
    return {
        "number": head.number,
        "kind": head.kind,
        "parent": head.parent,
        "at": to_text(head.at),
        "size_bytes": head.size_bytes,
        "files": head.files,
        "stored_bytes": head.stored_bytes,
        "created_by": head.created_by,
        "is_base": is_base,
    }


def _print_check(report: CheckReport) -> None:
    for problem in report.errors:
        print(f"{problem.what}. {problem.cost}.")
    for problem in report.hints:
        print(f"Hint: {problem.what}. {problem.cost}.")
    how = "all data read" if report.read_data else "data not read, see --read-data"
    sound = "sound" if not report.errors else f"{count(len(report.errors), 'error')}"
    print(
        f"{count(report.snapshots, 'snapshot')}, {count(report.blocks, 'block')}, "
        f"{show_size(report.stored_bytes)} stored ({how}): {sound}."
    )


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2))


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f}\u00a0s" if seconds < 10 else show_duration(seconds)


@dataclass
class _Bar:
    """A progress bar on standard error where that is a terminal; a first Ctrl-C or SIGTERM ends the work in order."""

    title: str
    as_json: bool
    stopped: bool = False

    def __enter__(self) -> _Bar:
        self._before = {
            number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)
        }
        self._bar: Any = None
        if sys.stderr.isatty() and not self.as_json:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bars

            columns = (TextColumn(self.title), BarColumn(), TextColumn("{task.fields[about]}"))
            self._bar = Bars(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self.title, total=None, about="")
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def show(self, done: Progress) -> None:
        if self._bar is not None:
            about = show_progress(done.done_bytes, done.total_bytes)
            if done.total_files:
                about += f", {done.done_files:,} of {count(done.total_files, 'file')}"
            self._bar.update(self._task, total=done.total_bytes or 1, completed=done.done_bytes, about=about)

    def cancelled(self) -> bool:
        return self.stopped

    def _stop(self, number: int, frame: types.FrameType | None) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        self.stopped = True
