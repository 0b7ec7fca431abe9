"""``notebook``: what the page *My notebooks* does, in the same words."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from ..client.actions import call
from ..clock import SYSTEM_CLOCK, from_text
from ..errors import BadInput, Declined
from ..units import show_ago, show_size
from .acting import act, follow, say_undo
from .agreeing import agreed, asks
from .asking import Where, hub_options
from .finding import complete, find
from .notebook_repair import repair_command

NOTEBOOK = click.argument("notebook", metavar="[USER/]NOTEBOOK", shell_complete=complete)
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object (a line for each in a list).")
NO_WAIT = click.option("--no-wait", is_flag=True, help="Return at once; it goes on by itself.")
PROFILE = click.option("--profile", help="What is started; see the page New notebook.")
FLAVOR = click.option("--flavor", help="One of the profile's sizes.")
EDITOR = click.option("--editor", help="One of the profile's editors.")


@click.group()
def notebook() -> None:
    """Notebooks. [USER/]NOTEBOOK is the last part of its address, or its name."""


@notebook.command("list")
@hub_options
@JSON
@click.option("--user", help="Somebody else's, for administrators.")
@click.option("--all", "everybody", is_flag=True, help="Everybody's, for administrators.")
@click.option("--trash", "trashed", is_flag=True, help="Those in the trash.")
def list_(hub: Where, as_json: bool, user: str | None, everybody: bool, trashed: bool) -> None:
    """Notebooks with their state."""
    _show(hub, as_json, "*" if everybody else user or "", trashed)


def _show(hub: Where, as_json: bool, user: str, trashed: bool) -> None:
    rows = list(hub.rest().every("notebooks", "notebooks", user=user, trashed="1" if trashed else ""))
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    if not rows:
        click.echo(
            "The trash is empty." if trashed else "No notebook yet. Make one with: notebook create NAME"
        )
        return
    table = Table("Notebook", "Name", "State", "Profile", "Saved", box=None)
    now = SYSTEM_CLOCK.now()
    for row in rows:
        saved = row["saved"]
        told = (
            f"{show_ago(from_text(saved['at']), now)}, {show_size(saved['size_bytes'])}"
            if saved
            else "not yet"
        )
        name = f"{row['user']}/{row['name']}" if user else row["name"]
        table.add_row(name, row["title"], row["sentence"], row["profile"], told)
    Console().print(table, markup=False)


@notebook.command()
@hub_options
@JSON
def trash(hub: Where, as_json: bool) -> None:
    """Notebooks in the trash, and until when they are kept."""
    _show(hub, as_json, "", True)


@notebook.command()
@hub_options
@click.argument("name", required=False, default="")
@PROFILE
@FLAVOR
@EDITOR
@click.option("--project", help="The project that it belongs to.")
@click.option("--repo", metavar="URL", help="A repository that each start clones or updates.")
@click.option("--file", metavar="PATH", help="What a start opens, in that repository.")
@click.option("--no-start", is_flag=True, help="Only make it.")
@NO_WAIT
@JSON
def create(
    hub: Where, name: str, no_start: bool, no_wait: bool, as_json: bool, **options: str | None
) -> None:
    """Make a notebook, and start it."""
    rest = hub.rest()
    method, path = call("create")
    body: dict[str, Any] = {"name": name, "start": not no_start}
    body |= {field: value for field, value in options.items() if value is not None}
    made = rest.ask(method, path, body)
    shown = made if no_start or no_wait else follow(rest, made, "RUNNING", as_json)
    if as_json:
        click.echo(json.dumps(shown))
        return
    click.echo(
        f"{made['said']} Its address is {made['name']}."
        if shown is made
        else f"{made['title']}: {shown['sentence']}"
    )
    say_undo(made, made)


@notebook.command()
@hub_options
@NOTEBOOK
@PROFILE
@FLAVOR
@EDITOR
@click.option(
    "--safe", is_flag=True, help="In safe mode: without your packages, settings and startup script."
)
@NO_WAIT
@JSON
def start(
    hub: Where,
    notebook: str,
    profile: str | None,
    flavor: str | None,
    editor: str | None,
    safe: bool,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Start a notebook, with what it had the last time or with something else."""
    values = {"profile": profile, "flavor": flavor, "editor": editor, "safe": True if safe else None}
    act(hub, "start", notebook, values, as_json=as_json, until="" if no_wait else "RUNNING")


@notebook.command()
@hub_options
@NOTEBOOK
@click.option("--variables", is_flag=True, help="Keep the kernels' variables first, to bring them back.")
@NO_WAIT
@JSON
def stop(hub: Where, notebook: str, variables: bool, no_wait: bool, as_json: bool) -> None:
    """Save a notebook and stop it."""
    values = {"variables": True} if variables else {}
    act(hub, "stop", notebook, values, as_json=as_json, until="" if no_wait else "STOPPED")


@notebook.command()
@hub_options
@NOTEBOOK
@JSON
def save(hub: Where, notebook: str, as_json: bool) -> None:
    """Save a notebook now."""
    act(hub, "save", notebook, as_json=as_json)


@notebook.command()
@hub_options
@NOTEBOOK
@click.option("--seconds", type=float, help="By how much the session's end moves.")
@JSON
def extend(hub: Where, notebook: str, seconds: float | None, as_json: bool) -> None:
    """Keep working: move the deadline that comes first."""
    act(hub, "extend", notebook, {"seconds": seconds}, as_json=as_json)


@notebook.command()
@hub_options
@NOTEBOOK
@click.argument("name")
@JSON
def rename(hub: Where, notebook: str, name: str, as_json: bool) -> None:
    """Give a notebook another name. Its address stays."""
    act(hub, "rename", notebook, {"name": name}, as_json=as_json)


@notebook.command("set")
@hub_options
@NOTEBOOK
@PROFILE
@FLAVOR
@EDITOR
@click.option("--project", help="The project that it belongs to.")
@click.option("--restart", is_flag=True, help="Save, stop and start it with this now.")
@click.option("--dry-run", is_flag=True, help="Only say what that means.")
@JSON
def set_(
    hub: Where, notebook: str, restart: bool, dry_run: bool, as_json: bool, **options: str | None
) -> None:
    """Change profile, size or editor, from the next start on or at once. Says first what that means."""
    rest = hub.rest()
    one = find(rest, notebook)
    path = call("set", one["user"], one["server"])[1].removesuffix("/set")
    names = {name: options[name] for name in ("profile", "flavor", "editor")}
    said = rest.get(f"{path}/change", **names)["changes"] if any(names.values()) else []
    if dry_run and as_json:
        click.echo(json.dumps({"changes": said}))
    elif not as_json:
        for line in said:
            click.echo(f"- {line}")
    if not dry_run:
        act(hub, "set", notebook, {**options, "restart": restart}, as_json=as_json)


@notebook.command()
@hub_options
@NOTEBOOK
@click.argument("name", required=False, default="")
@click.option("--snapshot", type=int, help="With the files of this snapshot; else of the newest.")
@JSON
def duplicate(hub: Where, notebook: str, name: str, snapshot: int | None, as_json: bool) -> None:
    """Make a new notebook with the files of a snapshot."""
    act(hub, "duplicate", notebook, {"name": name, "snapshot": snapshot}, as_json=as_json)


@notebook.command()
@hub_options
@NOTEBOOK
@JSON
def delete(hub: Where, notebook: str, as_json: bool) -> None:
    """Stop a notebook and move it to the trash."""
    act(hub, "delete", notebook, as_json=as_json)


@notebook.command()
@hub_options
@NOTEBOOK
@JSON
def restore(hub: Where, notebook: str, as_json: bool) -> None:
    """Take a notebook out of the trash."""
    act(hub, "restore", notebook, as_json=as_json, trashed=True)


@notebook.command()
@hub_options
@NOTEBOOK
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON
def empty(hub: Where, notebook: str, yes: bool, as_json: bool) -> None:
    """Delete a notebook in the trash for good, with all its snapshots."""
    if not asks(yes, as_json) and not yes:
        raise BadInput(
            f"{notebook} and all its snapshots would be gone for good",
            "There is nobody at a terminal to ask.",
            ["Say --yes if that is wanted"],
            field="--yes",
        )
    if not agreed(f"{notebook} and all its snapshots are gone for good then. Go on?", yes, as_json):
        raise Declined("Nothing was deleted")
    act(hub, "empty", notebook, as_json=as_json, trashed=True)


@notebook.command("start-from-save")
@hub_options
@NOTEBOOK
@NO_WAIT
@JSON
def start_from_save(hub: Where, notebook: str, no_wait: bool, as_json: bool) -> None:
    """Start from the last save, without the files on a volume that cannot be reached.

    They come back as a recovery snapshot when that volume is found again.
    """
    act(hub, "start_from_save", notebook, {}, as_json=as_json, until="" if no_wait else "RUNNING")


@notebook.command()
@hub_options
@NOTEBOOK
@click.option("--undo", is_flag=True, help="Show the error again.")
@JSON
def dismiss(hub: Where, notebook: str, undo: bool, as_json: bool) -> None:
    """Take note of an error, so that the notebook is shown as stopped."""
    act(hub, "dismiss", notebook, {"dismissed": not undo}, as_json=as_json)


notebook.add_command(repair_command)
