"""``key``: the keys of encrypted workspaces.

Promises: a key is never printed and never an argument; changing the wrapping key changes every workspace's or none,
and may be repeated after it was cut off.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..errors import NotFound
from ..units import count
from . import key_files
from .key_encrypt import called, encrypt_command
from .where import ledger_options, opened


@click.group()
def key() -> None:
    """Keys of encrypted workspaces.

    Each encrypted workspace has a key of its own. The ledger has it wrapped by the key in the file that the setting
    encryption_key names; who loses that file loses every encrypted workspace, so keep a copy of it elsewhere.
    """


@key.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
def make(file: Path) -> None:
    """Make a new key in FILE, readable by you only."""
    from ..workspace.keys import new_key

    key_files.write(file, new_key())
    click.echo(
        f"{file} has a new key. Keep a copy elsewhere: without it nothing that it encrypts is read again."
    )


@key.command()
@ledger_options
@click.argument("old", metavar="OLD", type=click.Path(path_type=Path))
@click.argument("new", metavar="NEW", type=click.Path(path_type=Path))
def change(url: str | None, state: Path | None, old: Path, new: Path) -> None:
    """Wrap every workspace's key with the key in NEW in place of that in OLD.

    NEW is made where it is not there. Nothing that is stored is written again. Then put NEW where encryption_key names
    it; until that is done no encrypted notebook starts, those that run cannot save (they try again), and a workspace that
    is made in between takes running this again. Keep OLD: a backup of the ledger from before is read with no other key.
    """
    from ..ledger import workspace_keys
    from ..ledger.workspace_keys import WorkspaceKey
    from ..workspace.keys import WrongKey, unwrap, wrap

    before = key_files.read(old)
    after, made = key_files.read_or_make(new)
    already = 0

    def again(row: WorkspaceKey) -> bytes:
        nonlocal already
        try:
            return wrap(unwrap(row.wrapped, before, row.workspace), after, row.workspace)
        except WrongKey:
            pass
        try:
            unwrap(row.wrapped, after, row.workspace)
        except WrongKey:
            raise WrongKey(
                f"The key of workspace {row.workspace} is wrapped with another key than the one in {old}",
                "Nothing was changed.",
                ["Name the file that encryption_key names now"],
                field="OLD",
            ) from None
        already += 1
        return row.wrapped

    with opened(url, state) as base:
        changed = workspace_keys.rewrap(base, again) - already
    more = f" {count(already, 'key')} had been changed before." if already else ""
    click.echo(f"{count(changed, 'key')} changed to the one in {new}{' (made now)' if made else ''}.{more}")
    click.echo(f"Now put it where encryption_key names it, such as: mv {old} {old}.before && mv {new} {old}")
    click.echo("Keep the old key as long as backups of the ledger from before are kept: they need it.")


@key.command()
@ledger_options
@click.argument("workspace", metavar="WORKSPACE")
@click.option(
    "--wrapping-key",
    "wrapping",
    type=click.Path(path_type=Path),
    required=True,
    help="The file that encryption_key names.",
)
@click.option("--to", type=click.Path(path_type=Path), required=True, help="The file to make.")
def export(url: str | None, state: Path | None, workspace: str, wrapping: Path, to: Path) -> None:
    """Put the key of one workspace into a file, for `workspace … --key FILE`.

    WORKSPACE is its id, as the folders below `workspaces/` in the store are called. Whoever has the file and the store
    reads that workspace.
    """
    from ..ledger import workspace_keys
    from ..workspace.keys import unwrap

    with opened(url, state) as base:
        row = workspace_keys.of_workspace(base, workspace)
    if row is None:
        raise NotFound(
            f"The ledger has no key of a workspace {workspace}",
            "It may not be encrypted.",
            ["Check its id"],
            field="WORKSPACE",
        )
    key_files.write(to, unwrap(row.wrapped, key_files.read(wrapping), workspace))
    click.echo(f"{to} has the key of this workspace.")


@key.command("list")
@ledger_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_command(url: str | None, state: Path | None, as_json: bool) -> None:
    """Say of each notebook whether what is saved of it is encrypted, those that are not first."""
    from ..ledger import notebooks, workspace_keys

    with opened(url, state) as base:
        views = notebooks.views(base, trashed=None)
        sealed = workspace_keys.workspaces_with_one(base)
    rows = sorted((view.notebook.workspace in sealed, called(view), view) for view in views)
    for encrypted, name, view in rows:
        if as_json:
            facts = {"notebook": name, "encrypted": encrypted, "workspace": view.notebook.workspace}
            click.echo(json.dumps({**facts, "in_trash": view.notebook.trashed_at is not None}))
            continue
        trash = " (in the trash)" if view.notebook.trashed_at is not None else ""
        click.echo(f"{'encrypted' if encrypted else 'NOT encrypted':<13}  {name}{trash}")
    if not as_json:
        bare = sum(not encrypted for encrypted, _, _ in rows)
        click.echo(f"{bare:,} of {count(len(rows), 'notebook')} not encrypted.", err=True)


key.add_command(encrypt_command)
