"""``notebook repair``: the damaged snapshots of a Hub's stopped notebook, with their rows."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import pytest
from sqlalchemy import delete

from jupyterhub_notebooks.cli.main import cli, run
from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.ledger import audit, notebooks, reverting, sessions, snapshots, tables, users
from jupyterhub_notebooks.ledger.locks import Locks
from jupyterhub_notebooks.ledger.snapshots import Facts
from jupyterhub_notebooks.names import new_id
from jupyterhub_notebooks.services.janitor.pruning import Pruner
from jupyterhub_notebooks.services.janitor.storage import Storage
from jupyterhub_notebooks.services.keys import ensure_workspace
from jupyterhub_notebooks.settings import VARIABLE
from jupyterhub_notebooks.workspace import Volume, check, claim_root, listing, open_store, restore, save
from jupyterhub_notebooks.workspace.keys import WrongKey

from .test_key_encrypt import Hub


@pytest.fixture
def hub(tmp_path, monkeypatch):
    made = Hub(tmp_path)
    monkeypatch.setenv(VARIABLE, made.settings.to_json())
    yield made
    made.ledger.close()


@pytest.fixture
def said(capsys):
    def command(*arguments):
        status = run(cli, ["notebook", "repair", *map(str, arguments)])
        out, err = capsys.readouterr()
        return status, out.replace("\u00a0", " "), err.replace("\u00a0", " ")

    return command


def rows(hub):
    found = snapshots.of_workspace(hub.ledger, hub.book.workspace, committed=False)
    return {row.number: (row.kind, row.state, row.name) for row in found}


def lose(hub, number, path, space=None):
    """The block of a file of that snapshot is gone."""
    space = space or hub.present()
    entry = next(entry for entry in listing(space, space, number) if entry.path == path)
    space.remove_block(entry.pieces[0].block.hex())


async def test_a_stopped_notebook_is_repaired_with_its_rows_and_retention_goes_on(hub, said, tmp_path):
    claim_root(open_store(hub.store), "a hub", SYSTEM_CLOCK.now())
    space = hub.present()
    lose(hub, 2, b"2/large")
    object_1 = tmp_path / "store" / "workspaces" / hub.book.workspace / "snapshots" / "0000000001"
    object_1.write_bytes(b"{")
    reverting.name(hub.ledger, hub.book.id, hub.book.workspace, 3, "talk", hub.book.user, SYSTEM_CLOCK.now())

    pruner = Pruner(hub.settings, hub.ledger, Storage(hub.settings), SYSTEM_CLOCK)
    assert "Snapshot 1 is damaged" in (await pruner.prune(hub.book.workspace))["error"]
    problem = notebooks.workspace(hub.ledger, hub.book.workspace).prune_problem
    assert "notebook repair" in problem

    status, out, _ = said("mara/churn")
    assert status == 7
    assert notebooks.workspace(hub.ledger, hub.book.workspace).prune_problem == problem
    assert "Lost: 2/large" in out
    assert "Saved what is left of snapshot 3 as snapshot 4" in out
    assert "To remove snapshots 1-3: notebook repair mara/churn --remove-damaged." in out
    assert rows(hub)[4] == ("save", "committed", "talk")
    status, out, _ = said("mara/churn", "--remove-damaged", "--json")
    assert (status, json.loads(out)["left"]) == (0, [])
    told = notebooks.workspace(hub.ledger, hub.book.workspace)
    assert (told.prune_problem, told.pruned_at) == (None, None)
    assert rows(hub).keys() == {4}
    assert space.numbers() == [4]
    assert not check(space, space).errors
    actions = [(row.action, row.evidence) for row in audit.rows(hub.ledger)]
    assert ("snapshot.repaired", {"from": 3, "number": 4}) in actions
    assert ("snapshot.removed", {"numbers": [1, 2, 3], "names": ["talk"]}) in actions
    back = Volume(tmp_path / "back" / "files", tmp_path / "back" / "state")
    restore(back, space, space, 4)
    assert (back.files / "3" / "large").read_bytes() == (hub.files / "3" / "large").read_bytes()
    assert not (back.files / "2" / "large").exists()
    assert "error" not in await pruner.prune(hub.book.workspace)
    assert notebooks.workspace(hub.ledger, hub.book.workspace).prune_problem is None


def test_a_row_whose_object_is_gone_is_made_up_for(hub, said):
    hub.present().remove_snapshot(3)
    status, out, _ = said("churn", "--remove-damaged")
    assert status == 0, out
    assert "Saved snapshot 2 again as snapshot 4, because the newest cannot be read" in out
    assert rows(hub).keys() == {1, 2, 4}


def test_a_notebook_that_never_ran_is_found_and_another_ones_name_is_not_taken_for_it(hub, said):
    now = SYSTEM_CLOCK.now()
    other = users.seen(hub.ledger, "petra", "2026-01-01T00:00:00Z", now)
    copy = notebooks.ensure(hub.ledger, other.id, "churn", now)
    lose(hub, 2, b"2/large")
    status, _, err = said("churn", "--remove-damaged")
    assert (status, "More than one notebook is called churn" in err) == (5, True)
    assert rows(hub).keys() == {1, 2, 3}

    space = hub.space(copy.workspace)
    space.create(copy.workspace, lease="service", now=now)
    space.commit = lambda number, body, facts: space.put_snapshot(number, body)
    known = {"workspace_id": copy.workspace, "now": now, "created_by": "a test"}
    volume = Volume(hub.files, hub.files.parent / "of the copy")
    save(volume, space, space, number=1, parent=None, **known)
    facts = Facts("save", hashlib.sha256(space.get(1)).hexdigest(), 1, 1, 1)
    reverting.adopt(hub.ledger, copy.id, copy.workspace, facts, "", now)
    lose(hub, 1, b"3/large", space)
    status, out, err = said("petra/churn")
    assert (status, "Lost: 3/large" in out) == (7, True), out + err
    found = {row.number: row.state for row in snapshots.of_workspace(hub.ledger, copy.workspace)}
    assert found == {1: "committed", 2: "committed"}
    assert rows(hub).keys() == {1, 2, 3}


def test_a_running_notebook_or_one_that_is_being_saved_is_left_alone(hub, said):
    lose(hub, 2, b"2/large")
    locks = Locks(hub.ledger)
    locks.take(hub.book.workspace)
    run_elsewhere = subprocess.run(
        [
            sys.executable,
            "-m",
            "jupyterhub_notebooks.cli",
            "notebook",
            "repair",
            "mara/churn",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run_elsewhere.returncode, run_elsewhere.stderr.split(".")[0]) == (
        5,
        "It is being saved or cleaned up just now",
    )
    locks.close()
    launch = {"profile": "p", "version": "v"}
    now = SYSTEM_CLOCK.now()
    sessions.begin(hub.ledger, new_id(now, bytes), hub.book.id, launch, "1" * 64, now)
    status, _, err = said("mara/churn")
    assert (status, "runs or is being saved" in err) == (5, True)
    assert rows(hub).keys() == {1, 2, 3}


@pytest.mark.parametrize("how", ["lost", "damaged"])
def test_a_hubs_workspace_json_is_written_again_as_the_ledger_says(hub, said, tmp_path, how):
    first = tmp_path / "store" / "workspaces" / hub.book.workspace / "workspace.json"
    was = json.loads(first.read_text())
    first.unlink() if how == "lost" else first.write_bytes(b"{")
    status, _, err = said("mara/churn")
    assert (status, "It is written again, as the ledger says." in err) == (0, True)
    now = json.loads(first.read_text())
    assert [now[name] for name in ("id", "lease", "encryption")] == [
        was[name] for name in ("id", "lease", "encryption")
    ]


async def test_a_lost_workspace_json_does_not_turn_encryption_on_over_what_is_there(hub, tmp_path):
    space = hub.present()
    (tmp_path / "store" / "workspaces" / hub.book.workspace / "workspace.json").unlink()
    now = SYSTEM_CLOCK.now()
    reference = hub.settings.encryption_key
    key = await ensure_workspace(hub.ledger, space.store, reference, hub.book.workspace, now)
    assert (key, space.facts().key) == (None, None)
    assert not check(space, space).errors


@pytest.mark.parametrize("how", ["whole", "lost"])
def test_a_ledger_without_the_key_of_an_encrypted_workspace_has_nothing_written(hub, said, tmp_path, how):
    assert hub.run().wait(60) == 0
    workspace = notebooks.get(hub.ledger, hub.book.id).workspace
    first = tmp_path / "store" / "workspaces" / workspace / "workspace.json"
    if how == "lost":
        first.unlink()
    was = first.read_bytes() if how == "whole" else None
    with hub.ledger.write() as connection:  # as in a copy from before
        connection.execute(delete(tables.workspace_keys))
    status, _, err = said("mara/churn")
    assert (status, "written again" in err) == (5, False), err
    assert "its key is not in the ledger" in err and "Put back a copy of the ledger that has it" in err
    assert (first.read_bytes() if first.exists() else None) == was


async def test_a_start_does_not_call_an_encrypted_workspace_open_where_its_key_and_workspace_json_are_lost(
    hub, tmp_path
):
    assert hub.run().wait(60) == 0
    workspace = notebooks.get(hub.ledger, hub.book.id).workspace
    folder = tmp_path / "store" / "workspaces" / workspace
    (folder / "workspace.json").unlink()
    with hub.ledger.write() as connection:  # as in a copy from before
        connection.execute(delete(tables.workspace_keys))
    (folder / "snapshots" / f"{snapshots.head(hub.ledger, workspace).number:010}").write_bytes(b"{")
    store, reference = open_store(hub.store), hub.settings.encryption_key
    with pytest.raises(WrongKey, match="its key is not in the ledger"):
        await ensure_workspace(hub.ledger, store, reference, workspace, SYSTEM_CLOCK.now())
    assert not (folder / "workspace.json").exists()


def test_a_workspace_json_that_was_changed_is_written_again_only_where_the_snapshots_agree(
    hub, said, tmp_path
):
    assert hub.run().wait(60) == 0
    workspace = notebooks.get(hub.ledger, hub.book.id).workspace
    first = tmp_path / "store" / "workspaces" / workspace / "workspace.json"
    was, key = json.loads(first.read_text()), hub.present().keys.id
    first.write_text(first.read_text().replace(key, "0" * len(key)))
    status, _, err = said("mara/churn")
    assert (status, "workspace.json said something else than the ledger." in err) == (0, True), err
    assert json.loads(first.read_text())["encryption"] == was["encryption"]

    first.write_text(first.read_text().replace(key, "0" * len(key)))
    for one in (first.parent / "snapshots").iterdir():
        one.write_bytes(b"{")
    changed = first.read_bytes()
    status, _, err = said("mara/churn")
    assert (status, "and no snapshot does. Nothing was changed." in err) == (7, True), err
    assert first.read_bytes() == changed
