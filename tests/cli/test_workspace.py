"""The engine by hand: what each command says, and its exit code."""

import json
import os

import pytest

from jupyterhub_notebooks.cli.main import cli, run
from jupyterhub_notebooks.workspace import WorkspaceStore, open_store


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    """Runs a command: (exit code, standard output, standard error)."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)

    def command(*arguments):
        status = run(cli, ["workspace", *map(str, arguments)])
        out, err = capsys.readouterr()
        return status, out.replace("\u00a0", " "), err.replace("\u00a0", " ")

    return command


@pytest.fixture
def store(tmp_path):
    return (tmp_path / "store").as_uri()


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "hello.txt").write_text("hello")
    return folder


def test_saved_then_restored_elsewhere_and_checked(said, files, store, tmp_path):
    status, out, err = said("save", files, "--store", store)
    assert (status, err) == (0, "")
    assert out.startswith("Saved snapshot 1: 1 changed file, ")
    status, out, _ = said("restore", tmp_path / "back", "--store", store)
    assert status == 0
    assert "Restored snapshot 1" in out
    assert (tmp_path / "back" / "hello.txt").read_text() == "hello"
    status, out, _ = said("check", tmp_path / "back", "--store", store, "--read-data")
    assert status == 0
    assert "sound" in out
    assert f"Every file in {tmp_path / 'back'} is saved." in out


def test_a_second_save_without_a_change_says_so(said, files, store):
    said("save", files, "--store", store)
    status, out, _ = said("save", files, "--store", store)
    assert (status, out) == (0, "Nothing changed since snapshot 1: 1 file, 5 B.\n")


def test_the_list_marks_where_the_directory_comes_from(said, files, store):
    said("save", files, "--store", store)
    (files / "more").write_text("x")
    said("save", files, "--store", store)
    _, out, _ = said("list", files, "--store", store)
    first, second = out.splitlines()
    assert first.split()[:2] == ["2", "save"] and "(DIR comes from here)" in first
    assert second.split()[:2] == ["1", "save"] and "DIR" not in second
    _, out, _ = said("list", "--store", store, "--snapshot", "2")
    assert [line.split()[-1] for line in out.splitlines()] == ["hello.txt", "more"]


def test_json_answers_can_be_read_by_programs(said, files, store, tmp_path):
    assert json.loads(said("save", files, "--store", store, "--json")[1])["number"] == 1
    assert json.loads(said("list", "--store", store, "--json")[1])[0]["files"] == 1
    line = said("list", "--store", store, "--snapshot", "1", "--json")[1]
    assert json.loads(line)["path"] == "hello.txt"
    assert json.loads(said("restore", tmp_path / "b", "--store", store, "--json")[1])["files"] == 1
    assert json.loads(said("check", "--store", store, "--json")[1])["errors"] == []


def test_a_directory_that_comes_from_elsewhere_is_saved_beside(said, files, store, tmp_path):
    said("save", files, "--store", store)
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine").write_text("x")
    status, out, _ = said("save", other, "--store", store)
    assert status == 0
    assert out.startswith("Saved as recovery snapshot 2 beside 1")
    said("restore", tmp_path / "back", "--store", store)
    assert (tmp_path / "back" / "hello.txt").exists()
    status, out, _ = said("save", other, "--store", store, "--onto-head")
    assert (status, out.split(":")[0]) == (0, "Saved snapshot 3")


def test_a_used_directory_is_not_overwritten_unasked(said, files, store):
    said("save", files, "--store", store)
    (files / "new").write_text("mine")
    status, _, err = said("restore", files, "--store", store)
    assert (status, err) == (
        5,
        f"{files} is not empty. Files that the snapshot lacks would be removed. Name an empty directory. "
        "Or add --replace.\n",
    )
    assert said("restore", files, "--store", store, "--replace")[0] == 0
    assert not (files / "new").exists()


def test_a_dead_writers_lease_is_named_and_can_be_broken(said, files, store):
    said("save", files, "--store", store)
    other = WorkspaceStore(open_store(store))
    from datetime import UTC, datetime

    other.take_lease("a dead writer", datetime.now(UTC))
    (files / "more").write_text("x")
    status, _, err = said("save", files, "--store", store)
    assert status == 5
    assert "a dead writer holds its lease 2" in err
    assert "--break-lease" in err
    status, out, err = said("save", files, "--store", store, "--break-lease")
    assert (status, "Saved snapshot 2" in out) == (0, True)
    assert "Lease 2 of a dead writer is ended" in err


def test_a_damaged_block_is_told_with_what_it_costs(said, files, store, tmp_path):
    said("save", files, "--store", store)
    _, _, _ = said("check", "--store", store)
    for path in (tmp_path / "store" / "blocks").glob("*/*"):
        if b"hello" in path.read_bytes()[:20]:
            path.write_bytes(path.read_bytes()[:-1] + b"?")
    status, out, _ = said("check", "--store", store, "--read-data")
    assert status == 7
    assert "Cannot be restored: hello.txt, in snapshot 1" in out
    status, _, err = said("restore", tmp_path / "back", "--store", store)
    assert status == 7
    assert err.count("\n") == 1
    assert "is damaged" in err
    status, _, err = said("save", tmp_path / "back", "--store", store)
    assert (status, err.split(".")[0]) == (5, "This workspace was not restored completely")


WRONG = [
    (["save", "{tmp}/none", "--store", "{store}"], 2, "DIR: There is no directory {tmp}/none. Name"),
    (["save", "{files}", "--store", "nonsense"], 2, "store: 'nonsense' is not the address of a store. Write"),
    (["save", "{files}"], 2, "Missing option '--store'. Run: jupyterhub-notebooks workspace save --help."),
    (
        ["save", "{files}", "--store", "file://{files}/hello.txt"],
        2,
        "store: {files}/hello.txt is no directory.",
    ),
    (["restore", "{tmp}/x", "--store", "file://{tmp}/none"], 2, "store: There is no store at {tmp}/none."),
    (["restore", "{tmp}/x", "--store", "file://{tmp}"], 4, "--store: There is no workspace at file://{tmp}."),
    (["restore", "{files}/hello.txt", "--store", "{store}"], 2, "{files}/hello.txt is no directory."),
    (["list", "--store", "{store}", "--snapshot", "9"], 4, "There is no snapshot 9."),
    (
        ["restore", "{tmp}/x", "--store", "{store}", "--snapshot", "9"],
        4,
        "The store has no snapshots/0000000009.",
    ),
    (
        ["list", "--store", "s3://b/x", "--store-option", "colour=red"],
        2,
        "store: An S3 store has no option 'colour'.",
    ),
    (
        ["list", "--store", "s3://b/x", "--store-option", "region"],
        2,
        "--store-option: 'region' is no option.",
    ),
    (
        ["save", "{files}", "--store", "{store}", "--state", "{files}/s"],
        2,
        "--state: The state cannot lie in",
    ),
]


@pytest.mark.parametrize("arguments, code, begins", WRONG)
def test_a_wrong_argument_gets_one_line_with_the_remedy(
    said, files, store, tmp_path, arguments, code, begins
):
    said("save", files, "--store", store)
    known = {"tmp": tmp_path, "files": files, "store": store}
    status, out, err = said(*(argument.format(**known) for argument in arguments))
    assert (status, out) == (code, "")
    assert err.startswith(begins.format(**known)), err
    assert err.count("\n") == 1


def test_a_hubs_whole_store_is_not_one_workspace(said, files, tmp_path):
    from datetime import UTC, datetime

    from jupyterhub_notebooks.workspace import claim_root

    claim_root(open_store((tmp_path / "root").as_uri()), "hub", datetime.now(UTC))
    status, _, err = said("save", files, "--store", (tmp_path / "root").as_uri())
    assert status == 2
    assert "is the store of a whole Hub" in err
    assert "workspaces/ID" in err


def test_a_workspace_of_a_hub_is_read_and_not_written(said, files, tmp_path, store):
    from datetime import UTC, datetime

    from jupyterhub_notebooks.names import new_id

    now = datetime.now(UTC)
    WorkspaceStore(open_store(store)).create(new_id(now, os.urandom), lease="service", now=now)
    status, _, err = said("save", files, "--store", store)
    assert status == 5
    assert err.startswith("This workspace is written by a Hub.")
    assert said("list", "--store", store)[0] == 0
