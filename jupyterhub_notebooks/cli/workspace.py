"""``jupyterhub-notebooks workspace``: the snapshot engine by hand, on one directory and one workspace's address.

Promises: works without a Hub; one writer at a time, by a lease in the store; never saves a directory over a newest
snapshot that it does not come from, and never removes files in a directory that is in use without being told to.
"""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path

import click

from ..clock import SYSTEM_CLOCK, to_text
from ..errors import BadInput
from ..names import new_id
from ..units import count, show_size
from ..workspace.entries import shown
from . import workspace_care, workspace_history, workspace_space
from .numbers import NUMBER
from .workspace_encrypting import encrypt_command
from .workspace_opening import (
    BREAK,
    EVERYTHING,
    existing,
    heads_of,
    not_here,
    opened,
    options,
    volume_of,
)
from .workspace_saving import saved_now
from .workspace_words import head_json, list_files, print_json, saved, say_skipped


@click.group("workspace")
def workspace() -> None:
    """Save, restore, browse, check and clean up one workspace by hand.

    A workspace is a directory of files; its snapshots lie at an address of its own in a directory or in S3. What
    `.notebookignore` at the top of the workspace names (gitignore syntax) is left out.
    """


@workspace.command("save")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@options
@BREAK
@EVERYTHING
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
    space = opened(store, store_options)
    volume = volume_of(directory, store, state)
    facts = space.facts()
    if facts is None:
        not_here(space, store)
        now = SYSTEM_CLOCK.now()
        facts = space.create(new_id(now, os.urandom), lease="objects", now=now)
    report, head = saved_now(
        space,
        volume,
        facts.id,
        everything=everything,
        onto_head=onto_head,
        break_lease=break_lease,
        as_json=as_json,
    )
    say_skipped(report.skipped)
    if as_json:
        print_json(asdict(report))
    else:
        print(saved(report, volume, head))


@workspace.command("list")
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@options
@click.option("--snapshot", "number", type=NUMBER, help="List the files of this snapshot instead.")
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
    space = existing(store, store_options)
    if number is not None:
        list_files(space, number, as_json)
        return
    base = volume_of(directory, store, state).base if directory else None
    heads, damaged = heads_of(space)
    for problem in damaged:
        print(problem, file=sys.stderr)
    names = space.names()
    if as_json:
        print_json(
            [{**head_json(head, head.number == base), "name": names.get(head.number)} for head in heads]
        )
        return
    if not heads and not damaged:
        print("Nothing is saved here yet. Save a directory with: workspace save DIR --store URL")
    for head in heads:
        mark = f"  {shown(names[head.number].encode())}" if head.number in names else ""
        if head.kind == "recovery":
            mark += f"  (kept beside the saves; its files come from {head.parent or 'no save'})"
        mark += "  (DIR comes from here)" if head.number == base else ""
        print(
            f"{head.number:>6}  {head.kind:<8}  {to_text(head.at.replace(microsecond=0))}  "
            f"{show_size(head.size_bytes):>8}  {count(head.files, 'file')}{mark}"
        )


for command in (
    encrypt_command,
    *workspace_history.COMMANDS,
    *workspace_care.COMMANDS,
    *workspace_space.COMMANDS,
):
    workspace.add_command(command)
workspace.add_command(list_command, "snapshots")
