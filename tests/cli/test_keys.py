"""Keys on the command line: files, wrapping, and the engine alone on an encrypted workspace."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from jupyterhub_notebooks.cli import checks
from jupyterhub_notebooks.cli.key import key
from jupyterhub_notebooks.cli.workspace import workspace
from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.errors import NotebooksError
from jupyterhub_notebooks.ledger import Ledger, upgrade, workspace_keys
from jupyterhub_notebooks.settings import Settings
from jupyterhub_notebooks.workspace.keys import key_id, new_key, unwrap, wrap

ONE, TWO = "0" * 26, "1" * 26


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "known"))


def run(group, *arguments: str) -> Result:
    return CliRunner().invoke(group, arguments)


def refused(group, *arguments: str) -> NotebooksError:
    error = run(group, *arguments).exception
    assert isinstance(error, NotebooksError), error
    return error


def make(name: str) -> bytes:
    assert run(key, "make", name).exit_code == 0
    return bytes.fromhex(Path(name).read_text())


def test_a_new_key_is_its_owners_only_and_is_not_printed_and_never_overwritten():
    made = run(key, "make", "one")
    text = Path("one").read_text().strip()
    assert stat.S_IMODE(os.stat("one").st_mode) == 0o600
    assert len(bytes.fromhex(text)) == 32
    assert text not in made.output
    assert refused(key, "make", "one").exit_code == 5
    assert Path("one").read_text().strip() == text
    make("two")
    assert Path("two").read_text() != Path("one").read_text()


def test_the_engine_alone_saves_and_restores_with_a_key_and_with_no_other():
    make("right")
    make("wrong")
    Path("w").mkdir()
    Path("w/plan.txt").write_text("The merger is announced on Tuesday.")
    store = ("--store", Path("s").absolute().as_uri())
    assert run(workspace, "save", "w", *store, "--key", "right").exit_code == 0
    for more in ((), ("--key", "wrong")):
        for command in (("restore", "b"), ("list",), ("check",), ("save", "w")):
            error = refused(workspace, *command, *store, *more)
            assert (error.title, error.exit_code) == ("This workspace is encrypted", 5)
    assert not Path("b").exists()
    assert refused(workspace, "list", *store, "--key", "nothing").exit_code == 4
    Path("odd").write_text("correct horse battery staple")
    odd = refused(workspace, "list", *store, "--key", "odd")
    assert (odd.title, odd.exit_code) == ("This is not a key", 2)
    assert "horse" not in odd.sentence()
    assert run(workspace, "restore", "b", *store, "--key", "right").exit_code == 0
    assert Path("b/plan.txt").read_text() == "The merger is announced on Tuesday."
    found = b"".join(path.read_bytes() for path in Path("s").rglob("*") if path.is_file())
    assert b"plan" not in found
    assert b"merger" not in found


def test_a_workspace_is_encrypted_at_another_address_and_the_old_one_removed():
    Path("w").mkdir()
    Path("w/plan.txt").write_text("The merger is announced on Tuesday.")
    old, new = Path("old").absolute().as_uri(), Path("new").absolute().as_uri()
    assert run(workspace, "save", "w", "--store", old).exit_code == 0
    move = ("encrypt", "--store", old, "--to", new, "--new-key", "key")
    said = run(workspace, *move)
    assert said.exit_code == 0, said.exception
    assert Path("key").read_text().strip() not in said.output
    assert "add --remove-old" in said.output
    assert run(workspace, "list", "--store", old).exit_code == 0
    assert run(workspace, *move, "--remove-old").exit_code == 0
    assert [path for path in Path("old").rglob("*") if path.is_file()] == []
    assert refused(workspace, "list", "--store", new).title == "This workspace is encrypted"
    assert run(workspace, "restore", "b", "--store", new, "--key", "key").exit_code == 0
    assert Path("b/plan.txt").read_text() == "The merger is announced on Tuesday."
    again = ("encrypt", "--store", new, "--to", old, "--new-key", "other", "--key", "key")
    assert run(workspace, *again).exit_code == 0
    assert refused(workspace, "list", "--store", old, "--key", "key").exit_code == 5
    assert run(workspace, "restore", "c", "--store", old, "--key", "other").exit_code == 0


def test_a_key_for_a_workspace_without_one_is_refused():
    make("key")
    Path("w").mkdir()
    store = ("--store", Path("s").absolute().as_uri())
    assert run(workspace, "save", "w", *store).exit_code == 0
    assert refused(workspace, "list", *store, "--key", "key").title == "This workspace is not encrypted"


@pytest.fixture
def ledger(tmp_path: Path):
    base = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    upgrade(base)
    yield base
    base.close()


def keep(ledger: Ledger, workspace_id: str, wrapping: bytes) -> bytes:
    made = new_key()
    wrapped = wrap(made, wrapping, workspace_id)
    workspace_keys.ensure(ledger, workspace_id, key_id(made), wrapped, SYSTEM_CLOCK.now())
    return made


def opens(ledger: Ledger, workspace_id: str, wrapping: bytes) -> bytes:
    row = workspace_keys.of_workspace(ledger, workspace_id)
    assert row is not None
    return unwrap(row.wrapped, wrapping, workspace_id)


def test_the_wrapping_key_is_changed_for_all_and_again_after_it_was_cut_off(ledger, tmp_path):
    at = ("--ledger", f"sqlite:///{tmp_path}/ledger.sqlite")
    old = make("old")
    one, two = keep(ledger, ONE, old), keep(ledger, TWO, old)
    said = run(key, "change", "old", "new", *at)
    assert said.output.replace("\xa0", " ").startswith("2 keys changed to the one in new (made now).")
    assert "mv old old.before && mv new old" in said.output  # the old one is not overwritten
    assert "Keep the old key as long as backups of the ledger from before are kept" in said.output
    new = bytes.fromhex(Path("new").read_text())
    assert (opens(ledger, ONE, new), opens(ledger, TWO, new)) == (one, two)
    assert workspace_keys.of_workspace(ledger, ONE).key_id == key_id(one)
    late = keep(ledger, "2" * 26, old)
    assert "1 key changed" in run(key, "change", "old", "new", *at).output.replace("\xa0", " ")
    assert opens(ledger, "2" * 26, new) == late


def test_a_wrong_old_key_changes_nothing(ledger, tmp_path):
    at = ("--ledger", f"sqlite:///{tmp_path}/ledger.sqlite")
    old = make("old")
    make("other")
    one = keep(ledger, ONE, old)
    error = refused(key, "change", "other", "new", *at)
    assert "Nothing was changed" in error.sentence()
    assert opens(ledger, ONE, old) == one


def test_one_workspaces_key_is_given_out_as_a_file(ledger, tmp_path):
    at = ("--ledger", f"sqlite:///{tmp_path}/ledger.sqlite")
    old = make("old")
    one = keep(ledger, ONE, old)
    said = run(key, "export", ONE, "--wrapping-key", "old", "--to", "out", *at)
    assert said.exit_code == 0
    assert one.hex() not in said.output
    assert bytes.fromhex(Path("out").read_text()) == one
    assert refused(key, "export", TWO, "--wrapping-key", "old", "--to", "x", *at).exit_code == 4


@pytest.mark.parametrize(
    "content, code, said",
    [(None, 3, "This file cannot be read"), ("", 3, "This file is empty"), ("secret words", 2, "not a key")],
)
def test_a_key_file_that_cannot_be_used_is_refused_before_anything_starts(tmp_path, content, code, said):
    path = tmp_path / "wrapping"
    if content is not None:
        path.write_text(content)
    with pytest.raises(NotebooksError) as refusal:
        checks.encryption(settings(f"file:{path}"))
    assert refusal.value.exit_code == code
    assert said in refusal.value.sentence()
    assert "secret words" not in refusal.value.sentence()
    path.write_text(new_key().hex())
    assert checks.encryption(settings(f"file:{path}"))
    assert not checks.encryption(settings(""))


@pytest.mark.parametrize("value", ["ab" * 32, "env:KEY", "/a/path"])
def test_a_key_itself_is_never_a_setting(value):
    with pytest.raises(NotebooksError) as refusal:
        settings(value)
    assert refusal.value.field == "encryption_key"
    assert value not in refusal.value.sentence()


def settings(encryption_key: str) -> Settings:
    return Settings(
        ledger="sqlite:////x",
        store="file:///x",
        profiles="x",
        agents_url="http://127.0.0.1:1",
        agents_api_token="x",
        signing_key="x",
        encryption_key=encryption_key,
    )
