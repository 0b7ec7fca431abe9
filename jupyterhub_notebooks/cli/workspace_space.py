"""``workspace space`` and ``workspace sizes``: what fills a directory, and what its snapshots take in the store."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ..errors import BadInput
from ..settings import NEVER_SAVED
from ..units import count, parse_size, show_size
from ..workspace import fills
from ..workspace.measuring import measure
from .counting import Counted
from .progress_bar import Bar
from .workspace_opening import at_store, existing, heads_of
from .workspace_words import print_json

_SAFE = {fills.YES: "Safe to delete", fills.AGAIN: "Can be made again", fills.LOOK: "Look at it first"}


@click.command("space")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--limit", metavar="SIZE", help="Say how full it is, of a size such as 20GB.")
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON on standard output.")
def space_command(directory: Path, limit: str | None, as_json: bool) -> None:
    """Say what fills DIR, the largest first, and what of it is safe to delete. Deletes nothing.

    Shown are caches, environments, outputs of runs that no repository tracks, folders with over 100,000 files, notebook
    files with over 10 MB of output, and of all the rest the largest files and folders; each from 10 MB on.
    """
    if not directory.is_dir():
        raise BadInput(f"There is no directory {directory}", next=["Name a directory"], field="DIR")
    most = parse_size(limit, "--limit") if limit else 0
    with Bar(f"Looking at {directory}", as_json, cancels=False):
        found = fills.look(directory, NEVER_SAVED)
    told = fills.words(found.size_bytes, most, found.fills)
    if as_json:
        print_json({**asdict(found), "limit_bytes": most or None, "warning": told or None})
        return
    print(
        f"{directory} holds {count(found.files, 'file')} with {show_size(found.size_bytes)} that are saved."
    )
    if found.unsaved_bytes:
        print(f"Another {show_size(found.unsaved_bytes)} are left out of saves.")
    for one in found.fills:
        left = "" if one.saved else "; not part of snapshots"
        print(f"{show_size(one.size_bytes):>9}  {one.path}  ({one.title}, {count(one.files, 'file')}{left})")
        print(f"           {_SAFE[one.safe]}: {one.advice}.")
    if not found.fills:
        print("Nothing in it stands out.")
    if told:
        print(told + ".")


@click.command("sizes")
@at_store
def sizes_command(store: str, store_options: tuple[str, ...], as_json: bool) -> None:
    """Say what each snapshot holds, what it takes in the store, and what of that it shares with earlier ones."""
    space = existing(store, store_options)
    with Bar("Measuring", as_json) as bar:
        counted = Counted(space, bar)
        heads, damaged = heads_of(counted)
        sizes = dict(counted.block_sizes())
        found = measure(counted, heads, sizes, bar.cancelled)
    stored = sum(sizes.values())
    if as_json:
        print_json({"stored_bytes": stored, "snapshots": [asdict(one) for one in found], "damaged": damaged})
        return
    print("snapshot     holds    stored    shared with earlier ones")
    for one in reversed(found):
        print(
            f"{one.number:>8}  {show_size(one.logical_bytes):>8}  {show_size(one.stored_bytes):>8}  "
            f"{show_size(one.shared_bytes):>8}"
        )
    for line in damaged:
        print(line)
    print(f"The store holds {count(len(sizes), 'block')} with {show_size(stored)} of this workspace.")


COMMANDS = (space_command, sizes_command)
