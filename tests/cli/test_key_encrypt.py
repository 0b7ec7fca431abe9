"""``key encrypt`` killed at random moments and run again: the notebook never loses a snapshot."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.ledger import (
    Ledger,
    leases,
    moving,
    notebooks,
    sessions,
    snapshots,
    upgrade,
    users,
    workspace_keys,
)
from jupyterhub_notebooks.ledger.snapshots import Facts
from jupyterhub_notebooks.names import new_id
from jupyterhub_notebooks.settings import VARIABLE, Settings
from jupyterhub_notebooks.workspace import (
    Volume,
    WorkspaceStore,
    check,
    open_store,
    restore,
    save,
    workspace_prefix,
)
from jupyterhub_notebooks.workspace.keys import new_key, unwrap

COMMAND = [sys.executable, "-m", "jupyterhub_notebooks.cli", "key"]


class Hub:
    """A ledger and a store with one stopped notebook of three snapshots."""

    def __init__(self, folder: Path) -> None:
        self.wrapping = new_key()
        (folder / "wrapping").write_text(self.wrapping.hex())
        url = f"sqlite:///{folder}/ledger.sqlite"
        self.store = (folder / "store").as_uri()
        self.settings = Settings(
            ledger=url,
            store=self.store,
            profiles="x",
            agents_url="http://127.0.0.1:1",
            agents_api_token="x",
            signing_key="x",
            encryption_key=f"file:{folder / 'wrapping'}",
        )
        self.ledger = Ledger(url)
        upgrade(self.ledger)
        now = SYSTEM_CLOCK.now()
        owner = users.seen(self.ledger, "mara", "2026-01-01T00:00:00Z", now)
        self.book = notebooks.ensure(self.ledger, owner.id, "churn", now)
        launch = {"profile": "p", "version": "v"}
        session = sessions.begin(self.ledger, new_id(now, os.urandom), self.book.id, launch, "0" * 64, now)
        lease = leases.take(self.ledger, session.workspace, session.id, 120, volume=session.volume)
        assert isinstance(lease, leases.Lease)
        space = self.space(self.book.workspace)
        space.create(self.book.workspace, lease="service", now=now)
        space.commit = lambda number, body, facts: space.put_snapshot(number, body)
        volume = Volume(folder / "files", folder / "state")
        for number in (1, 2, 3):
            at = volume.files / str(number)
            at.mkdir(parents=True)
            for name in range(60):
                (at / f"plan-{name}").write_bytes(os.urandom(3000))
            (at / "large").write_bytes(os.urandom(9_000_000))
            known = {"workspace_id": self.book.workspace, "now": now, "created_by": "a test"}
            save(volume, space, space, number=number, parent=volume.base, **known)
            sha256 = hashlib.sha256(space.get(number)).hexdigest()
            facts = Facts("save", sha256, 1, 1, 1)
            snapshots.reserve(
                self.ledger, session.id, session.workspace, number, lease.number, facts, SYSTEM_CLOCK.now()
            )
            snapshots.settle(self.ledger, session.workspace, number, True, now)
        sessions.close(self.ledger, session.id, now, "stopped", "", all_saved=True)
        self.files = volume.files

    def space(self, workspace: str) -> WorkspaceStore:
        return WorkspaceStore(open_store(self.store), workspace_prefix(workspace))

    def present(self) -> WorkspaceStore:
        """The notebook's workspace as the ledger says it is now, opened."""
        id = notebooks.get(self.ledger, self.book.id).workspace
        row, space = workspace_keys.of_workspace(self.ledger, id), self.space(id)
        space.unlock(unwrap(row.wrapped, self.wrapping, id) if row is not None else None)
        return space

    def run(self, *arguments: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, VARIABLE: self.settings.to_json()}
        return subprocess.Popen(
            [*COMMAND, *(arguments or ("encrypt", "mara/churn"))],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )


@pytest.fixture
def hub(tmp_path: Path):
    made = Hub(tmp_path)
    yield made
    made.ledger.close()


def restored_like(hub: Hub, folder: Path) -> None:
    space = hub.present()
    assert space.numbers() == [1, 2, 3]
    restore(Volume(folder / "files", folder / "state"), space, space, 3)
    assert subprocess.run(["diff", "-r", hub.files, folder / "files"]).returncode == 0


def test_an_end_between_the_new_workspace_and_the_removal_of_the_old_is_made_up_for(hub, tmp_path):
    old = hub.book.workspace
    first = hub.run()
    assert first.wait(60) == 0, first.stdout.read()
    new = notebooks.get(hub.ledger, hub.book.id).workspace
    with hub.ledger.write() as connection:  # as it was before the last step
        from sqlalchemy import insert

        from jupyterhub_notebooks.ledger.tables import workspaces

        connection.execute(insert(workspaces).values(id=old, notebook=hub.book.id, store=""))
    left = hub.space(old)
    left.store.put(f"workspaces/{old}/blocks/ab/{'ab' * 32}", b"plaintext that was left")
    assert moving.left(hub.ledger, hub.book.id) == [old]
    again = hub.run()
    assert again.wait(60) == 0
    assert list(left.store.list(f"workspaces/{old}/")) == []
    assert moving.left(hub.ledger, hub.book.id) == []
    assert notebooks.get(hub.ledger, hub.book.id).workspace == new
    restored_like(hub, tmp_path / "back")


def test_all_are_encrypted_but_for_those_that_run_and_a_duplicate_that_never_ran_is_found(hub, tmp_path):
    now = SYSTEM_CLOCK.now()
    owner = users.seen(hub.ledger, "mara", "2026-01-01T00:00:00Z", now)
    never = notebooks.create(hub.ledger, owner.id, "copy", "Copy of churn", now, store=hub.store)
    runs = notebooks.ensure(hub.ledger, owner.id, "runs", now)
    for book in (never, runs):
        hub.space(book.workspace).create(book.workspace, lease="service", now=now)
    launch = {"profile": "p", "version": "v"}
    session = sessions.begin(hub.ledger, new_id(now, os.urandom), runs.id, launch, "1" * 64, now)
    listed = hub.run("list")
    said = listed.communicate(timeout=60)[0].decode().replace("\u00a0", " ")
    for name in ("copy", "churn", "runs"):
        assert f"NOT encrypted  mara/{name}\n" in said
    assert "3 of 3 notebooks not encrypted." in said
    one = hub.run("encrypt", "mara/copy")
    assert one.wait(60) == 0, one.stdout.read()
    rest = hub.run("encrypt", "--all")
    said = rest.communicate(timeout=60)[0].decode().replace("\u00a0", " ")
    assert rest.returncode == 5
    assert "mara/churn: churn is encrypted" in said
    assert "mara/runs: runs runs or is being saved." in said
    assert "1 notebook is not encrypted yet. mara/runs." in said
    assert "mara/copy" not in said
    sessions.close(hub.ledger, session.id, now, "stopped", "", all_saved=True)
    last = hub.run("encrypt", "--all")
    said = last.communicate(timeout=60)[0].decode()
    assert last.returncode == 0 and said.endswith("All notebooks are encrypted.\n")
    assert "NOT" not in hub.run("list").communicate(timeout=60)[0].decode()
    restored_like(hub, tmp_path / "back")
    wrong = hub.run("encrypt", "mara/nothing")
    assert b"No notebook is called mara/nothing" in wrong.communicate(timeout=60)[0]


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_and_loses_nothing(hub, tmp_path):
    chance = random.Random(7)
    states = set()
    for number in range(15):
        process = hub.run()
        time.sleep(chance.uniform(0.3, 2.0))  # the moment of the kill, which is what is tried
        process.kill()
        process.wait()
        space = hub.present()
        states.add((space.keys.id is not None, bool(moving.left(hub.ledger, hub.book.id))))
        if number % 5 == 0:
            restored_like(hub, tmp_path / f"back-{number}")
        assert check(space, space).errors == ()
    done = hub.run()
    assert done.wait(60) == 0
    assert hub.present().keys.id is not None
    restored_like(hub, tmp_path / "back")
    found = [path for path in (tmp_path / "store" / "workspaces").iterdir() if any(path.rglob("*.*"))]
    assert len(found) == 1
    assert check(hub.present(), hub.present(), read_data=True).errors == ()
