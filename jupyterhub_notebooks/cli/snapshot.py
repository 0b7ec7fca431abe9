"""``snapshot``: what the section *Snapshots* of a notebook's page does, in the same words."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from ..client.actions import call
from ..client.rest import path_of
from ..clock import SYSTEM_CLOCK, from_text
from ..errors import BadInput
from ..units import count, show_ago, show_size
from .acting import act, say_undo, wait_for
from .asking import Where, hub_options
from .finding import complete, find

NOTEBOOK = click.argument("notebook", metavar="[USER/]NOTEBOOK", shell_complete=complete)
NUMBER = click.argument("number", type=click.IntRange(1, 999_999_999))
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object (a line for each in a list).")
SIGNS = {"added": "+", "removed": "-", "changed": "~", "attributes": "·"}


@click.group()
def snapshot() -> None:
    """Saved states of a notebook's workspace. NUMBER is a snapshot's, as `snapshot list` shows it."""


def _base(hub: Where, notebook: str) -> tuple[Any, dict[str, Any], str]:
    rest = hub.rest()
    one = find(rest, notebook)
    return rest, one, call("start", one["user"], one["server"])[1].removesuffix("/start") + "/snapshots"


def _plain(path: str) -> str:
    """A path as a terminal takes it."""
    return "".join(c if c.isprintable() else "?" for c in path)


@snapshot.command("list")
@hub_options
@NOTEBOOK
@JSON
def list_(hub: Where, notebook: str, as_json: bool) -> None:
    """Snapshots, the newest first.

    Added: what its save brought to the store. In the store: all that it needs there, and Shared: what of that earlier
    ones need too; both from the last look of the janitor, - where there was none yet.
    """
    rest, _, path = _base(hub, notebook)
    rows = list(rest.every(path, "snapshots"))
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    if not rows:
        click.echo(
            "Nothing is saved yet. The first save comes a few minutes after the start, or when it stops."
        )
        return
    names = ("Number", "Saved", "Files", "Size", "Added", "In the store", "Shared", "Kept as")
    table, now = Table(*names, box=None), SYSTEM_CLOCK.now()
    for row in rows:
        told = row["name"] or ("" if row["kind"] == "save" else row["kind"])
        at = show_ago(from_text(row["at"]), now)
        measured = (
            show_size(row[name]) if row.get(name) is not None else "-"
            for name in ("needed_bytes", "shared_bytes")
        )
        sizes = (show_size(row["size_bytes"]), show_size(row["stored_bytes"]), *measured)
        table.add_row(str(row["number"]), at, f"{row['files']:,}", *sizes, told)
    Console().print(table, markup=False)


@snapshot.command()
@hub_options
@NOTEBOOK
@NUMBER
@click.argument("path", required=False, default="")
@JSON
def files(hub: Where, notebook: str, number: int, path: str, as_json: bool) -> None:
    """What lies in a folder of a snapshot, hidden files too."""
    rest, _, base = _base(hub, notebook)
    after: str | None = ""
    while after is not None:
        page = rest.get(f"{base}/{number}/files", path=path, after=after)
        for one in page["entries"]:
            if as_json:
                click.echo(json.dumps(one))
            else:
                size = show_size(one["size_bytes"]) if one["kind"] == "file" else one["kind"]
                click.echo(f"{size:>10}  {_plain(one['path'])}")
        after = page["next"]


@snapshot.command()
@hub_options
@NOTEBOOK
@NUMBER
@click.argument("other", type=click.IntRange(1, 999_999_999), required=False)
@JSON
def diff(hub: Where, notebook: str, number: int, other: int | None, as_json: bool) -> None:
    """What changed from snapshot NUMBER to OTHER; without OTHER: in NUMBER since the one before it."""
    rest, _, base = _base(hub, notebook)
    first, second = (number, other) if other is not None else (None, number)
    found = rest.get(f"{base}/{second}/diff", since=first)
    if as_json:
        click.echo(json.dumps(found))
        return
    for one in found["changes"]:
        size = show_size(one["size_bytes"]) if one["size_bytes"] is not None else ""
        click.echo(f"{SIGNS[one['what']]} {_plain(one['path'])}  {size}".rstrip())
    total = sum(found["counts"].values())
    if not total:
        click.echo("Nothing changed.")
    elif total > len(found["changes"]):
        click.echo(f"and {count(total - len(found['changes']), 'more file')}")


@snapshot.command()
@hub_options
@NOTEBOOK
@NUMBER
@click.argument("name", required=False, default="")
@click.option("--remove", is_flag=True, help="Take the name away; the snapshot then goes as others do.")
@JSON
def keep(hub: Where, notebook: str, number: int, name: str, remove: bool, as_json: bool) -> None:
    """Give a snapshot a name: it then stays, however old it gets."""
    if remove == bool(name.strip()):
        raise BadInput(
            "A snapshot is kept under a name", next=["Give the name, or --remove alone"], field="NAME"
        )
    act(hub, "keep", notebook, {"name": name.strip()}, number=number, as_json=as_json)


@snapshot.command()
@hub_options
@NOTEBOOK
@NUMBER
@click.option("--undo", is_flag=True, help="Let it ask for you again.")
@JSON
def dismiss(hub: Where, notebook: str, number: int, undo: bool, as_json: bool) -> None:
    """Be done with a recovery snapshot, so that nothing asks for you any more; it stays as others do."""
    act(hub, "dismiss_recovery", notebook, {"dismissed": not undo}, number=number, as_json=as_json)


@snapshot.command()
@hub_options
@NOTEBOOK
@JSON
def recovery(hub: Where, notebook: str, as_json: bool) -> None:
    """What could not be saved, and what came back of it: who, when and why."""
    rest, _, path = _base(hub, notebook)
    found = rest.get(path.removesuffix("/snapshots") + "/recovery")
    if as_json:
        click.echo(json.dumps(found))
        return
    for one in found["snapshots"]:
        done = " (dismissed)" if one["dismissed_at"] else ""
        click.echo(f"Snapshot {one['number']}, {count(one['files'], 'file')}{done}. {one['why']}")
    for one in found["left_behind"]:
        click.echo(one["why"])
    if found["start_from_last_save"]:
        click.echo(f"`notebook start-from-save`: {found['start_from_last_save']}")
    elif not found["snapshots"] and not found["left_behind"]:
        click.echo("Everything is where it belongs.")


@snapshot.command()
@hub_options
@NOTEBOOK
@NUMBER
@click.argument("paths", nargs=-1)
@click.option("--copies", is_flag=True, help="As copies below restored/; nothing is overwritten.")
@click.option(
    "--all", "everything", is_flag=True, help="The whole snapshot, into a notebook that is stopped."
)
@click.option("--no-wait", is_flag=True, help="Return at once; it goes on by itself.")
@JSON
def restore(
    hub: Where,
    notebook: str,
    number: int,
    paths: tuple[str, ...],
    copies: bool,
    everything: bool,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Bring files of a snapshot back into a running notebook, or everything into a stopped one.

    The present state is saved first.
    """
    if everything == bool(paths) or (everything and copies):
        raise BadInput(
            "It is not said what is restored", next=["Name PATHS, or give --all alone"], field="PATHS"
        )
    if everything:
        act(hub, "restore_all", notebook, number=number, as_json=as_json)
        return
    rest, one, base = _base(hub, notebook)
    done = rest.ask("POST", f"{base}/{number}/restore", {"paths": list(paths), "copies": copies})
    if not no_wait and not done["restore"]["done"]:
        path = f"{base.removesuffix('/snapshots')}/restores/{done['restore']['id']}"
        done = wait_for(lambda: dict(rest.get(path)), lambda found: bool(found["restore"]["done"]))
    if as_json:
        click.echo(json.dumps(done))
        return
    click.echo(done["said"])
    say_undo(one, {"undo": done.get("undo")})


@snapshot.command()
@hub_options
@NOTEBOOK
@NUMBER
@click.argument("path")
def cat(hub: Where, notebook: str, number: int, path: str) -> None:
    """Write a file of a snapshot to standard output."""
    rest, _, base = _base(hub, notebook)
    _out(rest.stream(f"{base}/{number}/file?path={path_of(path)}"))


@snapshot.command("zip")
@hub_options
@NOTEBOOK
@NUMBER
@click.argument("paths", nargs=-1)
def zip_(hub: Where, notebook: str, number: int, paths: tuple[str, ...]) -> None:
    """Write a snapshot, or the parts of it at PATHS, as a zip to standard output."""
    if sys.stdout.isatty():
        raise BadInput("A zip is nothing for a terminal", next=["Write it into a file: … > all.zip"])
    rest, _, base = _base(hub, notebook)
    query = "&".join(f"path={path_of(path)}" for path in paths)
    _out(rest.stream(f"{base}/{number}/zip" + (f"?{query}" if query else "")))


def _out(pieces: Any) -> None:
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    try:
        for piece in pieces:
            out.write(piece)
    finally:
        out.close()
