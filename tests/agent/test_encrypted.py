"""Encrypted workspaces through the real services/agents and the real agent."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jupyterhub_notebooks.cli.main import cli, run
from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.ledger import notebooks, sessions, workspace_keys
from jupyterhub_notebooks.settings import VARIABLE
from jupyterhub_notebooks.workspace import WorkspaceStore, check, listing, open_store, workspace_prefix
from jupyterhub_notebooks.workspace.keys import WrongKey, new_key, unwrap
from tests.agents_service import RunningAgents, start_agents_service
from tests.processes import words

from .harness import Notebook

CONTENT = b"The merger is announced on Tuesday. " * 100


@pytest.fixture
def wrapping(tmp_path: Path) -> bytes:
    key = new_key()
    (tmp_path / "wrapping-key").write_text(key.hex() + "\n")
    return key


@pytest.fixture
def sealed(tmp_path: Path, wrapping: bytes) -> Iterator[RunningAgents]:
    running = start_agents_service(tmp_path, encryption_key=f"file:{tmp_path / 'wrapping-key'}")
    yield running
    running.close()


@pytest.fixture
def notebook(sealed: RunningAgents, tmp_path: Path, ended: None) -> Notebook:
    return Notebook(sealed, tmp_path / "one")


def space_of(service: RunningAgents, workspace: str) -> WorkspaceStore:
    return WorkspaceStore(open_store(service.settings.store), workspace_prefix(workspace))


def key_of(service: RunningAgents, workspace: str, wrapping: bytes) -> bytes:
    row = workspace_keys.of_workspace(service.ledger, workspace)
    assert row is not None
    return unwrap(row.wrapped, wrapping, workspace)


def everything_below(*places: Path) -> bytes:
    paths = [path for place in places for path in sorted(place.rglob("*"))]
    return b"\n".join(os.fsencode(path) for path in paths) + b"".join(
        path.read_bytes() for path in paths if path.is_file() and not path.is_symlink()
    )


def test_a_workspace_comes_back_and_its_store_shows_nothing(
    notebook: Notebook, sealed: RunningAgents, wrapping: bytes, tmp_path: Path
) -> None:
    agent = notebook.start().phase("running")
    (notebook.files / "quarterly-churn.ipynb").write_bytes(CONTENT)
    key = key_of(sealed, agent.session.workspace, wrapping)
    told = []
    for process in [
        psutil.Process(agent.process.pid),
        *psutil.Process(agent.process.pid).children(recursive=True),
    ]:
        told += words(process)
    assert agent.stop() == 0, agent.said()
    stored = everything_below(tmp_path / "store")
    for word in (b"quarterly", b"churn", b"merger", b"Tuesday", b".venv-3.11", b"kernel.json", b"pyvenv"):
        assert word not in stored
    assert b"quarterly-churn" in everything_below(notebook.files)
    written = everything_below(notebook.place, tmp_path / "store") + (tmp_path / "agents.log").read_bytes()
    written += (tmp_path / "ledger.sqlite").read_bytes() + "\0".join(told).encode()
    for secret in (key, wrapping):
        assert secret not in written
        assert secret.hex().encode() not in written
    notebook.lose()
    again = notebook.start().phase("running")
    assert (notebook.files / "quarterly-churn.ipynb").read_bytes() == CONTENT
    assert again.stop() == 0, again.said()
    space = space_of(sealed, agent.session.workspace)
    assert space.unlock(key) is not None
    assert check(space, space, read_data=True).errors == ()


def test_a_workspace_that_was_there_before_is_encrypted_by_a_command(
    tmp_path: Path, ended: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start_agents_service(tmp_path)
    try:
        notebook = Notebook(service, tmp_path / "one")
        agent = notebook.start().phase("running")
        (notebook.files / "quarterly-churn.ipynb").write_bytes(CONTENT)
        assert agent.stop() == 0, agent.said()
        again = notebook.start().phase("running")
        (notebook.files / "later").write_bytes(CONTENT)
        assert again.stop() == 0, again.said()
        assert b"quarterly-churn" in zstd_of(tmp_path / "store", again.session.workspace)
        wrapping = new_key()
        (tmp_path / "wrapping-key").write_text(wrapping.hex())
        service.stop()
        service.settings = dataclasses.replace(
            service.settings, encryption_key=f"file:{tmp_path / 'wrapping-key'}"
        )
        service.start()
        monkeypatch.setenv(VARIABLE, service.settings.to_json())
        third = notebook.start().phase("running")
        assert run(cli, ["key", "encrypt", "mara/churn"]) == 5  # it runs
        assert third.stop() == 0, third.said()
        assert run(cli, ["key", "encrypt", "mara/churn"]) == 0
        assert run(cli, ["key", "encrypt", "mara/churn"]) == 0
        encrypted = notebooks.get(service.ledger, agent.session.notebook).workspace
        assert encrypted != agent.session.workspace
        assert [path.name for path in (tmp_path / "store/workspaces").iterdir() if any_file(path)] == [
            encrypted
        ]
        with pytest.raises(WrongKey):
            space_of(service, encrypted).unlock(None)
        stored = everything_below(tmp_path / "store")
        assert b"churn" not in stored
        kept = notebook.start().phase("running")
        assert (notebook.files / "later").read_bytes() == CONTENT
        assert not kept.row().made_anew and not kept.row().warnings
        assert kept.stop() == 0, kept.said()
        assert [(one.number, one.kind) for one in kept.snapshots()] == [(2, "save"), (1, "save")]
        notebook.lose()
        back = notebook.start().phase("running")
        assert (notebook.files / "quarterly-churn.ipynb").read_bytes() == CONTENT
        assert not back.row().made_anew
        (notebook.files / "new").write_bytes(CONTENT)
        assert back.stop() == 0, back.said()
        assert [one.number for one in back.snapshots()] == [3, 2, 1]
        space = space_of(service, encrypted)
        space.unlock(key_of(service, encrypted, wrapping))
        assert check(space, space, read_data=True).errors == ()
    finally:
        service.close()


def any_file(folder: Path) -> bool:
    return any(path.is_file() for path in folder.rglob("*"))


def zstd_of(store: Path, workspace: str) -> bytes:
    """What somebody with the bucket reads of a workspace that is not encrypted."""
    space = WorkspaceStore(open_store(store.as_uri()), workspace_prefix(workspace))
    return b"\n".join(entry.path for entry in listing(space, space, max(space.numbers())))


def test_a_session_gets_the_key_of_its_own_workspace_and_of_no_other(
    sealed: RunningAgents, wrapping: bytes
) -> None:
    keys = {}
    for user in ("mara", "jon"):
        session = sealed.new_session(user, "churn")
        status, answer = sealed.call(session, "POST", "hello", {"agent_version": "0.1"})
        assert status == 200
        assert bytes.fromhex(answer["secret_key"]) == key_of(sealed, session.workspace, wrapping)
        keys[user] = answer["secret_key"]
        assert sealed.call(session, "POST", "hello", {"agent_version": "0.1"})[1]["secret_key"] == keys[user]
    assert keys["mara"] != keys["jon"]


def test_a_snapshot_that_is_not_encrypted_is_not_committed(sealed: RunningAgents) -> None:
    from tests.services.agents.conftest import commit

    session = sealed.new_session("mara", "churn")
    sealed.call(session, "POST", "hello", {"agent_version": "0.1"})
    status, answer = commit(sealed, session, 1)
    assert status == 400
    assert "not encrypted" in answer["error"]["why"]


def test_another_wrapping_key_starts_nothing_says_so_and_leaves_all_as_it_is(
    notebook: Notebook, sealed: RunningAgents, tmp_path: Path, wrapping: bytes
) -> None:
    agent = notebook.start().phase("running")
    (notebook.files / "work").write_bytes(CONTENT)
    assert agent.stop() == 0, agent.said()
    notebook.lose()
    before = everything_below(tmp_path / "store")
    (tmp_path / "wrapping-key").write_text(new_key().hex())
    wrong = notebook.start()
    assert wrong.wait() != 0
    assert "The key of this workspace cannot be opened" in wrong.said()
    assert not notebook.files.exists() or not list(notebook.files.iterdir())
    assert everything_below(tmp_path / "store") == before
    if wrong.row().closed_at is None:
        sessions.close(sealed.ledger, wrong.session.id, SYSTEM_CLOCK.now(), "agent_died", "a test")
    (tmp_path / "wrapping-key").write_text(wrapping.hex())
    notebook.start().phase("running")
    assert (notebook.files / "work").read_bytes() == CONTENT


def test_turned_off_again_an_encrypted_workspace_stays_encrypted(
    sealed: RunningAgents, wrapping: bytes
) -> None:
    session = sealed.new_session("mara", "churn")
    assert sealed.call(session, "POST", "hello", {"agent_version": "0.1"})[0] == 200
    sealed.stop()
    sealed.settings = dataclasses.replace(sealed.settings, encryption_key="")
    sealed.start()
    status, answer = sealed.call(session, "POST", "hello", {"agent_version": "0.1"})
    assert status == 500
    assert "no key is set" in answer["error"]["title"]
    plain = sealed.new_session("jon", "churn")
    status, answer = sealed.call(plain, "POST", "hello", {"agent_version": "0.1"})
    assert (status, answer.get("secret_key")) == (200, None)
    with pytest.raises(WrongKey):
        space_of(sealed, session.workspace).unlock(None)
    assert space_of(sealed, plain.workspace).unlock(None) is not None


def test_a_bucket_that_says_the_workspace_is_not_encrypted_is_not_believed(
    sealed: RunningAgents, tmp_path: Path
) -> None:
    session = sealed.new_session("mara", "churn")
    sealed.call(session, "POST", "hello", {"agent_version": "0.1"})
    path = tmp_path / "store" / workspace_prefix(session.workspace) / "workspace.json"
    body = path.read_bytes()
    at = body.index(b'"encryption":{')
    path.write_bytes(body[:at] + b'"encryption":null' + body[body.index(b"}", at) + 1 :])
    status, answer = sealed.call(session, "POST", "hello", {"agent_version": "0.1"})
    assert status == 500
    assert "another key than its own" in answer["error"]["title"]
