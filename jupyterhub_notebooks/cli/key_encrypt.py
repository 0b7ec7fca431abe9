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
from ..errors import ConfigError, Damaged
from ..ledger import Ledger, moving, notebooks, sessions, workspace_keys
from ..ledger.moving import Move
from ..names import new_id
from ..settings import secret
from ..units import count, show_size
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
@click.argument("which", metavar="[USER/]NOTEBOOK")
def encrypt_command(state: Path | None, which: str) -> None:
    """Encrypt the workspace of a stopped notebook, with all its snapshots.

    New notebooks are encrypted by themselves once encryption_key is set; this is for those that were there before. The
    store and the key file are those of the last `up`, or of the variable NOTEBOOKS_SETTINGS.
    """
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
        notebook = notebooks.get(base, sessions.resolve(base, which).notebook)
        if workspace_keys.of_workspace(base, notebook.workspace) is None:
            _move(base, store, wrapping, moving.begin(base, notebook.id, _id()))
            done = f"{notebook.title} is encrypted"
        else:
            done = f"{notebook.title} was encrypted already"
        for old in moving.left(base, notebook.id):
            WorkspaceStore(store, workspace_prefix(old)).erase()
            moving.forget(base, old)
            done += "; what was stored of it without encryption is removed"
    click.echo(f"{done}.")


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
