"""``workspace encrypt``: an encrypted workspace made of one that is not, or that has another key.

Promises: the old workspace is whole until everything was copied and read back; nobody else writes either meanwhile; cut off at any moment, the same command
(with --break-lease where it was killed) goes on, also in the middle of the removal.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from ..clock import SYSTEM_CLOCK
from ..errors import BadInput, Conflict, Damaged, NotFound, Refusal
from ..units import count, show_size
from ..workspace import WorkspaceFacts, WorkspaceStore, check, open_store
from ..workspace.encrypting import EncryptReport, encrypt
from . import key_files
from .progress_bar import Bar
from .store_options import parsed
from .workspace_exporting import TO_OPTION, Folder
from .workspace_opening import BREAK, leased, not_here, opened, store_option, volume_of


@click.command("encrypt")
@click.option("--store", "old_url", required=True, metavar="URL", help="The workspace's address now.")
@click.option("--to", "new_url", required=True, metavar="URL", help="Where it shall lie encrypted.")
@store_option
@TO_OPTION
@click.option(
    "--new-key",
    type=click.Path(path_type=Path),
    required=True,
    help="File with the key; made where it is not there.",
)
@key_files.key_option
@click.option(
    "--for",
    "directories",
    multiple=True,
    metavar="DIR",
    type=Folder(),
    help="A directory that is saved at --store: its next save goes on at --to. May be given several times.",
)
@click.option(
    "--remove-old",
    is_flag=True,
    help="Then read everything back and remove the workspace at --store.",
)
@BREAK
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON on standard output.")
def encrypt_command(
    old_url: str,
    new_url: str,
    store_options: tuple[str, ...],
    to_options: tuple[str, ...],
    new_key: Path,
    directories: tuple[Path, ...],
    remove_old: bool,
    break_lease: bool,
    as_json: bool,
) -> None:
    """Encrypt a workspace: all its snapshots again, at another address.

    Every snapshot keeps its number. With --key, the workspace at --store is encrypted already and gets another key.
    Cut off, the command is run again and goes on; where it was killed, with --break-lease.
    """
    if new_url.rstrip("/") == old_url.rstrip("/"):
        raise BadInput("Both addresses are the same", next=["Name another with --to"], field="--to")
    if not to_options and old_url.startswith("s3:") and new_url.startswith("s3:"):
        to_options = store_options
    old = opened(old_url, store_options, create=False)
    facts = old.facts()
    if facts is None:
        not_here(old, old_url)  # a removal takes the snapshots first and workspace.json last
        _removed_before(old_url, new_url, to_options, new_key, directories)
        return
    if facts.lease == "service":
        raise Refusal(
            "This workspace belongs to a Hub",
            "The Hub must know its new key and place.",
            ["Run: jupyterhub-notebooks key encrypt [USER/]NOTEBOOK"],
            label="lease",
        )
    key, made = key_files.read_or_make(new_key)
    new = WorkspaceStore(open_store(new_url, parsed(to_options)))
    new.unlock(key)
    if new.create(facts.id, lease="objects", now=SYSTEM_CLOCK.now()).id != facts.id:
        raise Conflict(f"Another workspace lies at {new_url}", next=["Name an empty place"], field="--to")
    with leased(old, None, break_lease), leased(new, None, break_lease):
        report = _copy(old, new, facts, as_json)
        said = [_carry(directory, old_url, new_url, old, new) for directory in directories]
        half = set(new.numbers()) > set(report.snapshots)
        if remove_old:
            _read_back(new, as_json)
            with Bar("Removing the old one", as_json) as bar:
                old.erase(bar.show, bar.cancelled)
    if as_json:
        print(json.dumps({**asdict(report), "removed": remove_old}, indent=2))
        return
    print(
        f"{count(len(new.numbers()), 'snapshot')} encrypted at {new_url}, {show_size(report.written_bytes)} "
        f"stored now; the key is in {new_key}{' (made now: keep a copy elsewhere)' if made else ''}."
    )
    print(_of_the_old(old_url, remove_old, half))
    _say(said)


def _of_the_old(url: str, removed: bool, half: bool) -> str:
    """What became of the workspace that was encrypted. half: a part of it went in a run before."""
    if removed:
        return f"The workspace at {url} is removed."
    if half:
        return f"Of {url} a part was removed before: add --remove-old to remove the rest."
    return f"{url} is as it was and can be read by whoever has that store: add --remove-old to remove it."


def _copy(old: WorkspaceStore, new: WorkspaceStore, facts: WorkspaceFacts, as_json: bool) -> EncryptReport:
    with Bar("Encrypting", as_json) as bar:
        report = encrypt(old, old, new, workspace_id=facts.id, progress=bar.show, cancelled=bar.cancelled)
    names = new.names()
    for number, name in old.names().items():
        if number not in names:
            new.name(number, name, SYSTEM_CLOCK.now())
    return report


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


def _removed_before(
    old_url: str, new_url: str, to_options: Sequence[str], new_key: Path, directories: Sequence[Path]
) -> None:
    """There is nothing at the old address: was it copied and removed by a run before? Raises NotFound where not."""
    new = facts = None
    if new_key.exists():
        new = WorkspaceStore(open_store(new_url, parsed(to_options), create=False))
        facts = new.unlock(key_files.read(new_key))
    if new is None or facts is None or not new.numbers():
        raise NotFound(f"There is no workspace at {old_url}", next=["Check the address"], field="--store")
    said = [_carry(directory, old_url, new_url, None, new) for directory in directories]
    print(f"There is nothing at {old_url} any more; {new_url} has {count(len(new.numbers()), 'snapshot')}.")
    _say(said)


def _carry(
    directory: Path, old_url: str, new_url: str, old: WorkspaceStore | None, new: WorkspaceStore
) -> str:
    """Has a directory come from the same snapshot at the new address; what was done, in words."""
    before, after = volume_of(directory, old_url, None), volume_of(directory, new_url, None)
    if before.restoring is not None:
        raise Refusal(
            f"{directory} was not restored completely", next=["Restore all of it first, then run this again"]
        )
    with before.locked(), after.locked():
        base = before.settle(old) if old is not None else before.base
        if base is None or base not in {0, *new.numbers()}:
            return (
                f"{directory} is not known to come from {old_url}; its first save at {new_url} is kept beside"
            )
        if after.base is None:
            after.remember(base=base)
    return f"The next save of {directory} to {new_url} goes on from snapshot {base}"


def _say(said: Sequence[str]) -> None:
    for sentence in said:
        print(f"{sentence}.")
    if not said:
        print("A directory that is saved there: run this again with --for DIR before its next save.")
