"""``workspace restore|diff|cat|export|name``: going back to what was saved, whole or in part.

Promises: reads the store only (``name`` apart); what was there is replaced only where that was asked for; a file that
is written appears whole or not at all.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click

from ..clock import SYSTEM_CLOCK
from ..errors import BadInput, Declined, Refusal
from ..settings import NEVER_SAVED
from ..units import count, show_size
from ..workspace import Volume, WorkspaceStore, changes, restore
from ..workspace.browsing import Contents, read_file
from ..workspace.copying import CopyReport, clean, copy_all, copy_paths
from ..workspace.differing import Difference, differences
from ..workspace.exporting import export_zip_file
from .agreeing import YES, asks
from .counting import after_the_first
from .numbers import NUMBER
from .progress_bar import Bar
from .workspace_exporting import TO_OPTION, Folder, folder_of, say_exported, to_objects
from .workspace_opening import (
    BREAK,
    EVERYTHING,
    SNAPSHOT,
    at_store,
    chosen,
    existing,
    known,
    leased,
    options,
    volume_of,
)
from .workspace_saving import saved_now
from .workspace_words import (
    difference_json,
    difference_line,
    entry_json,
    print_json,
    saved,
    say_skipped,
    seconds,
)


@click.command("restore")
@click.argument("directory", metavar="[DIR]", required=False, type=Folder())
@options
@EVERYTHING
@click.option("--snapshot", "number", type=NUMBER, help="Its number [default: the newest of kind save].")
@click.option("--path", "paths", multiple=True, help="Only this file or folder; may be given several times.")
@click.option("--to", type=Folder(), help="Write copies below this directory, in place of DIR.")
@click.option(
    "--replace",
    is_flag=True,
    help="DIR has files: make it what the snapshot says, removing what that lacks. With --path: replace those.",
)
@YES
def restore_command(
    directory: Path | None,
    store: str,
    store_options: tuple[str, ...],
    state: Path | None,
    as_json: bool,
    everything: bool,
    number: int | None,
    paths: tuple[str, ...],
    to: Path | None,
    replace: bool,
    yes: bool,
) -> None:
    """Make DIR what a snapshot says, or bring back a part of it.

    A restore of everything that was cut off is finished by running it again; until then DIR cannot be saved. With
    --path or --to nothing is removed, and DIR keeps coming from the snapshot that it comes from. The exit code is 14
    where a person at a terminal is asked what to do with unsaved files and leaves them.
    """
    if (directory is None) == (to is None):
        raise BadInput("Either DIR or --to says where to write", next=["Name one of them"], field="DIR")
    space = existing(store, store_options)
    if to is not None:
        which = chosen(space, number, store)
        _say(_copied(space, which, paths, to, replace, as_json), to, as_json)
        return
    assert directory is not None
    volume = volume_of(directory, store, state)
    if paths:
        which = chosen(space, number, store)
        with volume.locked():
            if volume.restoring is not None:
                raise Refusal("This workspace was not restored completely", next=["Restore all of it first"])
            _say(_copied(space, which, paths, directory, replace, as_json), directory, as_json)
        return
    if not volume.is_empty() and volume.restoring is None and not replace:
        raise Refusal(
            f"{directory} is not empty",
            "Files that the snapshot lacks would be removed.",
            [
                "Name an empty directory",
                "Or save it first, then add --replace: what is not saved is gone then",
            ],
            label="not_empty",
        )
    which = chosen(space, number, store)
    if replace and asks(yes, as_json) and not _may_replace(space, volume, everything):
        raise Declined("Nothing was replaced")
    _restored(space, volume, which, everything, as_json)


def _restored(space: WorkspaceStore, volume: Volume, number: int, everything: bool, as_json: bool) -> None:
    with Bar("Restoring", as_json) as bar:
        report = restore(
            volume,
            space,
            space,
            number,
            never_saved=() if everything else NEVER_SAVED,
            progress=bar.show,
            cancelled=bar.cancelled,
        )
    say_skipped(report.skipped)
    for name, now in report.moved:
        print(f"{name}, which is left out of saves, stood in the way: it is {now} now.", file=sys.stderr)
    if as_json:
        print_json(asdict(report))
        return
    kept = f", {count(report.kept_files, 'file')} were right already" if report.kept_files else ""
    print(
        f"Restored snapshot {report.number} into {volume.files}: {count(report.files, 'file')}, "
        f"{show_size(report.size_bytes)}{kept}, in {seconds(report.seconds)}."
    )


def _may_replace(space: WorkspaceStore, volume: Volume, everything: bool) -> bool:
    """Asks what becomes of files that are not saved, and saves them where that is wanted."""
    found = changes(volume, never_saved=() if everything else NEVER_SAVED)
    gone = found.differs and not found.recheck_files  # or renamed, or with other attributes
    if not (found.pending_files or gone) or volume.restoring is not None or volume.is_empty():
        return True
    such = f", such as {', '.join(found.such_as)}" if found.such_as else ""
    told = f"{count(found.pending_files, 'file')} with {show_size(found.pending_bytes)}{such}"
    told = told if found.pending_files else "what was removed or renamed there"
    print(f"Not saved yet in {volume.files}: {told}.", file=sys.stderr)
    answer = click.prompt(
        "Save first, replace all the same, or leave everything as it is",
        type=click.Choice(["save", "replace", "leave"]),
        default="leave",
        err=True,
    )
    if answer == "save":
        facts = space.facts()
        assert facts is not None
        report, head = saved_now(space, volume, facts.id, everything=everything)
        print(saved(report, volume, head), file=sys.stderr)
        return _saved_enough(report.skipped)
    return answer != "leave"


def _saved_enough(skipped: tuple[tuple[str, str], ...]) -> bool:
    """Whether to replace although the save had to leave out what skipped names: a person's word where it did."""
    if not skipped:
        return True
    say_skipped(skipped)
    return click.confirm(
        f"Not in that snapshot as it is now: {count(len(skipped), 'path')}. What cannot be read would be lost. "
        "Replace all the same?",
        default=False,
        err=True,
    )


def _copied(
    space: WorkspaceStore, number: int, paths: Iterable[str], into: Path, replace: bool, as_json: bool
) -> CopyReport:
    wanted = [os.fsencode(path) for path in paths]
    with Bar("Restoring", as_json) as bar:
        if wanted:
            return copy_paths(
                space,
                space,
                number,
                wanted,
                into,
                replace=replace,
                progress=bar.show,
                cancelled=bar.cancelled,
            )
        return copy_all(space, space, number, into, progress=bar.show, cancelled=bar.cancelled)


def _say(report: CopyReport, into: Path, as_json: bool) -> None:
    say_skipped(report.skipped)
    if as_json:
        print_json(asdict(report))
        return
    replaced = f", {count(report.replaced_files, 'file')} replaced" if report.replaced_files else ""
    print(
        f"Brought {count(report.files, 'file')} of snapshot {report.number}, {show_size(report.size_bytes)}, "
        f"to {into}{replaced}."
    )


@click.command("diff")
@click.argument("first", metavar="A", type=NUMBER)
@click.argument("second", metavar="B", type=NUMBER)
@at_store
def diff_command(first: int, second: int, store: str, store_options: tuple[str, ...], as_json: bool) -> None:
    """Say what differs between snapshots A and B: + added, - removed, M changed, a attributes only."""
    space = existing(store, store_options)
    known(space, first, second)
    found = dict.fromkeys(("added", "removed", "changed", "attributes"), 0)
    grown = 0
    for one in after_the_first(
        "Comparing", as_json, space, lambda counted: differences(counted, counted, first, second)
    ):
        found[one.what] += 1
        grown += _size(one, before=False) - _size(one, before=True)
        print(difference_json(one) if as_json else difference_line(one))
    if not as_json:
        sign = "-" if grown < 0 else "+"
        said = ", ".join(f"{number:,} {what}" for what, number in found.items() if number)
        print(f"{said} ({sign}{show_size(abs(grown))})." if said else "Nothing differs.", file=sys.stderr)


def _size(one: Difference, *, before: bool) -> int:
    entry = one.before if before else one.after
    return entry.size if entry is not None else 0


@click.command("cat")
@SNAPSHOT
@click.argument("path")
@at_store
def cat_command(number: int, path: str, store: str, store_options: tuple[str, ...], as_json: bool) -> None:
    """Write the bytes of one file of a snapshot to standard output; with --json, what the listing says of it."""
    space = existing(store, store_options)
    known(space, number)
    entry = Contents(space, space, number).entry(clean(os.fsencode(path)))
    if as_json:
        print_json(entry_json(entry))
        return
    out = sys.stdout.buffer
    try:
        for data in read_file(space, entry):
            out.write(data)
        out.flush()
    except BrokenPipeError:
        # The reader has seen enough; what Python would still write at its end has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.command("export")
@SNAPSHOT
@click.argument("target", metavar="ZIP|DIR|s3://…")
@at_store
@TO_OPTION
@click.option("--path", "paths", multiple=True, help="Only this file or folder; may be given several times.")
def export_command(
    number: int,
    target: str,
    store: str,
    store_options: tuple[str, ...],
    to_options: tuple[str, ...],
    as_json: bool,
    paths: tuple[str, ...],
) -> None:
    """Write a snapshot as a zip (a name that ends in .zip), as plain files in a new directory, or as plain objects.

    s3://BUCKET/PREFIX gets one object per file, under the file's path; modes, links, empty folders and names that are
    no text stand in its notebooks-export.json. The place has to be empty; cut off, the command is run again and goes
    on. file:///DIR is the directory.
    """
    space = existing(store, store_options)
    known(space, number)
    chosen = [os.fsencode(path) for path in paths]
    if target.startswith("s3://"):
        to_objects(space, number, target, to_options or store_options, chosen, as_json, store)
        return
    folder = folder_of(target)
    if folder.suffix.lower() != ".zip":
        _say(_copied(space, number, paths, folder, False, as_json), folder, as_json)
        return
    with Bar("Exporting", as_json) as bar:
        report = export_zip_file(
            space,
            space,
            number,
            folder,
            paths=chosen,
            progress=bar.show,
            cancelled=bar.cancelled,
        )
    say_exported(report, number, f"{folder}.", "called {} in the zip", as_json)


@click.command("name")
@SNAPSHOT
@click.argument("name", required=False, default="")
@at_store
@BREAK
@click.option("--remove", is_flag=True, help="Take the name away; the snapshot then goes as others do.")
def name_command(
    number: int,
    name: str,
    store: str,
    store_options: tuple[str, ...],
    as_json: bool,
    break_lease: bool,
    remove: bool,
) -> None:
    """Give a snapshot a name: it then stays, however old it gets."""
    if remove == bool(name.strip()) or len(name) > 200:
        raise BadInput(
            "A name has 1 to 200 characters", next=["Give the name, or --remove alone"], field="NAME"
        )
    space = existing(store, store_options)
    known(space, number)
    with leased(space, None, break_lease):
        space.name(number, name.strip(), SYSTEM_CLOCK.now())
    if as_json:
        print_json({"number": number, "name": name.strip()})
    else:
        print(
            f"Snapshot {number} has no name any more."
            if remove
            else f"Snapshot {number} is kept as {name!r}."
        )


COMMANDS = (restore_command, diff_command, cat_command, export_command, name_command)
