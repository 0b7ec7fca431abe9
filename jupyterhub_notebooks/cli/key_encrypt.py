"""``key encrypt``: the workspace of a Hub's notebook, saved before encryption was turned on, is encrypted.

Promises: the notebook has its old workspace, whole, until every snapshot was copied and read back; then the old one is
removed from the store. Cut off at any moment, the command is run again and goes on.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import click

from ..clock import SYSTEM_CLOCK
from ..errors import BadInput, ConfigError, Conflict, Damaged, Refusal
from ..ledger import Ledger, Notebook, NotebookView, moving, notebooks, workspace_keys
from ..ledger.moving import Move
from ..names import new_id
from ..settings import secret
from ..units import be, count, show_size
from ..workspace import Store, WorkspaceStore, check, open_store, workspace_prefix
from ..workspace.encrypting import encrypt
from ..workspace.keys import key_id, key_of_text, new_key, unwrap, wrap
from ..workspace.snapshots import head_of
from .progress_bar import Bar
from .where import STATE_VARIABLE, opened, settings_of


@click.command("encrypt")
@click.option(
    "--state", type=click.Path(path_type=Path), envvar=STATE_VARIABLE, help="State directory of `up`."
)
@click.argument("which", metavar="[USER/]NOTEBOOK", required=False)
@click.option(
    "--all", "every", is_flag=True, help="All notebooks that are not; those that run are left and named."
)
def encrypt_command(state: Path | None, which: str | None, every: bool) -> None:
    """Encrypt the workspace of a stopped notebook, with all its snapshots.

    New notebooks are encrypted by themselves once encryption_key is set; this is for those that were there before. The
    store and the key file are those of the last `up`, or of the variable NOTEBOOKS_SETTINGS. `key list` says which are
    not encrypted.
    """
    if every == (which is not None):
        raise BadInput("Either one notebook is named or --all", next=["Name one of them"], field="NOTEBOOK")
    settings = settings_of(state)
    if not settings.encryption_key:
        raise ConfigError(
            "Encryption is not turned on",
            next=[
                "Make a key: jupyterhub-notebooks key make FILE",
                "Set encryption_key='file:/path' and restart",
            ],
            field="encryption_key",
        )
    wrapping = key_of_text(secret(settings.encryption_key), "encryption_key")
    store = open_store(settings.store, settings.store_options, create=False, serialized=True)
    with opened(settings.ledger, None) as base:
        if which is not None:
            click.echo(_encrypt(base, store, wrapping, notebooks.resolve(base, which)))
        else:
            _encrypt_all(base, store, wrapping)


def _encrypt(base: Ledger, store: Store, wrapping: bytes, notebook: Notebook) -> str:
    """What was done, in words. Raises Refusal where it runs."""
    if workspace_keys.of_workspace(base, notebook.workspace) is None:
        _move(base, store, wrapping, moving.begin(base, notebook.id, _id()))
        done = f"{notebook.title} is encrypted"
    else:
        done = f"{notebook.title} was encrypted already"
    for old in moving.left(base, notebook.id):
        with Bar("Removing the old one", False) as bar:
            WorkspaceStore(store, workspace_prefix(old)).erase(bar.show, bar.cancelled)
        moving.forget(base, old)
        done += "; what was stored of it without encryption is removed"
    return done + "."


def _encrypt_all(base: Ledger, store: Store, wrapping: bytes) -> None:
    """All that are not encrypted, or of which something unencrypted is left. Raises Refusal where some were not."""
    not_done = []
    for view in notebooks.views(base, trashed=None):
        sealed = workspace_keys.of_workspace(base, view.notebook.workspace) is not None
        if sealed and not moving.left(base, view.notebook.id):
            continue
        try:
            click.echo(f"{called(view)}: {_encrypt(base, store, wrapping, view.notebook)}")
        except (Refusal, Conflict, Damaged) as error:
            not_done.append(called(view))
            click.echo(f"{called(view)}: {error.sentence()}", err=True)
    if not_done:
        raise Refusal(
            f"{count(len(not_done), 'notebook')} {be(len(not_done))} not encrypted yet",
            ", ".join(not_done),
            ["Do what is said of each, then run this again"],
            label="running",
        )
    click.echo("All notebooks are encrypted.")


def called(view: NotebookView) -> str:
    """USER/NOTEBOOK, as commands take it."""
    return f"{view.owner.hub_name}/{view.notebook.server_name or '-'}"


def _id() -> str:
    return new_id(SYSTEM_CLOCK.now(), os.urandom)


def _move(base: Ledger, store: Store, wrapping: bytes, move: Move) -> None:
    """Copies, reads back, and gives the notebook its new workspace."""
    made = new_key()
    row = workspace_keys.ensure(
        base, move.new, key_id(made), wrap(made, wrapping, move.new), SYSTEM_CLOCK.now()
    )
    old = WorkspaceStore(store, workspace_prefix(move.old))
    old.unlock(None)
    new = WorkspaceStore(store, workspace_prefix(move.new))
    new.unlock(unwrap(row.wrapped, wrapping, move.new))
    new.create(move.new, lease="service", now=SYSTEM_CLOCK.now())
    for number in set(new.numbers()) - set(old.numbers()):  # removed by retention since the try before
        new.remove_snapshot(number)
    with Bar("Encrypting", False) as bar:
        report = encrypt(old, old, new, workspace_id=move.new, progress=bar.show, cancelled=bar.cancelled)
    for number, name in old.names().items():
        new.name(number, name, SYSTEM_CLOCK.now())
    with Bar("Reading back", False) as bar:
        found = check(
            new,
            new,
            read_data=True,
            stored=new.block_sizes(),
            progress=bar.show,
            cancelled=bar.cancelled,
        )
    if found.errors:
        raise Damaged("The copy is not sound", found.errors[0].what, ["Nothing was changed: run it again"])
    copied = {
        number: (hashlib.sha256(new.get(number)).hexdigest(), head_of(new, number, move.new).stored_bytes)
        for number in report.snapshots
    }
    moving.finish(base, move, copied, "encrypted", SYSTEM_CLOCK.now())
    click.echo(f"{count(len(copied), 'snapshot')} encrypted, {show_size(found.stored_bytes)} stored.")
