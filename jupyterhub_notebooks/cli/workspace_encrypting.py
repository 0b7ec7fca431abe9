"""``workspace encrypt``: an encrypted workspace made of one that is not, or that has another key."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from ..clock import SYSTEM_CLOCK
from ..errors import BadInput, Damaged, NotFound, Refusal
from ..units import count, show_size
from ..workspace import WorkspaceStore, check, open_store
from ..workspace.encrypting import encrypt
from . import key_files
from .progress_bar import Bar


@click.command("encrypt")
@click.option("--store", "old_url", required=True, metavar="URL", help="The workspace's address now.")
@click.option("--to", "new_url", required=True, metavar="URL", help="Where it shall lie encrypted.")
@click.option(
    "--new-key",
    type=click.Path(path_type=Path),
    required=True,
    help="File with the key; made where it is not there.",
)
@key_files.key_option
@click.option(
    "--remove-old",
    is_flag=True,
    help="Then read everything back and remove the workspace at --store.",
)
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON on standard output.")
def encrypt_command(old_url: str, new_url: str, new_key: Path, remove_old: bool, as_json: bool) -> None:
    """Encrypt a workspace: all its snapshots again, at another address.

    Every snapshot keeps its number. With --key, the workspace at --store is encrypted already and gets another key.
    Cut off, the command is run again and goes on. Stores in S3 take their options from the variables AWS_….
    """
    old = WorkspaceStore(open_store(old_url, create=False))
    facts = old.unlock(key_files.given())
    if facts is None:
        raise NotFound(f"There is no workspace at {old_url}", next=["Check the address"], field="--store")
    if facts.lease == "service":
        raise Refusal(
            "This workspace belongs to a Hub",
            "The Hub must know its new key and place.",
            ["Run: jupyterhub-notebooks key encrypt [USER/]NOTEBOOK"],
            label="lease",
        )
    if new_url.rstrip("/") == old_url.rstrip("/"):
        raise BadInput("Both addresses are the same", next=["Name another with --to"], field="--to")
    key, made = key_files.read_or_make(new_key)
    new = WorkspaceStore(open_store(new_url))
    new.unlock(key)
    new.create(facts.id, lease="objects", now=SYSTEM_CLOCK.now())
    old.take_lease("workspace encrypt", SYSTEM_CLOCK.now())
    removed = False
    try:
        with Bar("Encrypting", as_json) as bar:
            report = encrypt(old, old, new, workspace_id=facts.id, progress=bar.show, cancelled=bar.cancelled)
        for number, name in old.names().items():
            new.name(number, name, SYSTEM_CLOCK.now())
        if remove_old:
            _read_back(new, as_json)
            old.erase()
            removed = True
    finally:
        if not removed:
            old.release_lease(SYSTEM_CLOCK.now())
    if as_json:
        print(json.dumps(asdict(report), indent=2))
        return
    print(
        f"{count(len(report.snapshots), 'snapshot')} encrypted at {new_url}, {show_size(report.written_bytes)} "
        f"stored; the key is in {new_key}{' (made now: keep a copy elsewhere)' if made else ''}."
    )
    if remove_old:
        print(f"The workspace at {old_url} is removed.")
    else:
        print(
            f"{old_url} is as it was and can be read by whoever has that store: add --remove-old to remove it."
        )


def _read_back(new: WorkspaceStore, as_json: bool) -> None:
    with Bar("Reading back", as_json) as bar:
        found = check(
            new,
            new,
            read_data=True,
            stored=new.block_sizes(),
            progress=bar.show,
            cancelled=bar.cancelled,
        )
    if found.errors:
        raise Damaged("The copy is not sound", found.errors[0].what, ["Nothing was removed: run it again"])
