"""The engine by hand: what each command says, and its exit code."""

import json
import os
import re
import subprocess
import sys
import zipfile

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
        "Or save it first, then add --replace: what is not saved is gone then.\n",
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
    assert out.startswith("Error: Block ")
    assert ".." not in out
    assert out.endswith("To save what can be saved, and see what is lost: workspace repair.\n")
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
        "There is no snapshot 9. See them all with: workspace list.",
    ),
    (["repair", "--store", "{store}", "--snapshot", "9"], 4, "There is no snapshot 9. See them all"),
    (
        ["restore", "{tmp}/x", "--store", "{store}", "--snapshot", "-1"],
        2,
        "--snapshot: '-1' cannot be used. It is a whole number from",
    ),
    (
        ["restore", "{tmp}/x", "--store", "{store}", "--snapshot", "0"],
        2,
        "--snapshot: '0' cannot be used. It is a whole number from",
    ),
    (
        ["list", "--store", "{store}", "--snapshot", "0"],
        2,
        "--snapshot: '0' cannot be used. It is a whole number from",
    ),
    (["diff", "0", "1", "--store", "{store}"], 2, "A: '0' cannot be used. It is a whole number from"),
    (
        ["prune", "--store", "{store}", "--keep-hours", "-1"],
        2,
        "--keep-hours: '-1' cannot be used. It is a whole number from",
    ),
    (
        ["prune", "--store", "{store}", "--keep-days", "999999"],
        2,
        "--keep-days: '999999' cannot be used. It is a whole number from",
    ),
    (["prune", "--store", "{store}", "--grace", "99999999999d"], 2, "--grace: '99999999999d' is too long."),
    (["space", "{files}", "--limit", "abc"], 2, "--limit: 'abc' is not a size."),
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


@pytest.fixture
def two(said, files, store):
    """Two snapshots: hello.txt changed, more and sub/new came, old went."""
    (files / "old").write_text("old")
    said("save", files, "--store", store)
    (files / "old").unlink()
    (files / "hello.txt").write_text("hello again")
    (files / "sub").mkdir()
    (files / "sub" / "new").write_text("new")
    said("save", files, "--store", store)


def test_what_differs_is_listed_with_a_sum(said, two, store):
    status, out, err = said("diff", 1, 2, "--store", store)
    assert status == 0
    assert [line.split()[0] + line.split()[-1] for line in out.splitlines()] == [
        "Mhello.txt",
        "-old",
        "+sub/",
        "+sub/new",
    ]
    assert err == "2 added, 1 removed, 1 changed (+6 B).\n"
    lines = [json.loads(line) for line in said("diff", 1, 2, "--store", store, "--json")[1].splitlines()]
    assert [line["what"] for line in lines] == ["changed", "removed", "added", "added"]
    assert said("diff", 2, 2, "--store", store) == (0, "", "Nothing differs.\n")
    assert said("diff", 1, 7, "--store", store)[0] == 4


def test_one_file_is_written_to_standard_output(two, store, tmp_path):
    command = [sys.executable, "-m", "jupyterhub_notebooks.cli", "workspace", "cat", "1", "hello.txt"]
    done = subprocess.run([*command, "--store", store], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello", b"")
    done = subprocess.run([*command[:-1], "none", "--store", store], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (4, b"")
    assert done.stderr.startswith(b"Snapshot 1 has no none.")


def test_single_files_come_back_into_a_directory_in_use(said, two, files, store):
    arguments = ("restore", files, "--store", store, "--snapshot", 1, "--path", "old", "--path", "hello.txt")
    status, _, err = said(*arguments)
    assert status == 5
    assert err.startswith(f"{files} has hello.txt already. They would be replaced. Add --replace.")
    status, out, _ = said(*arguments, "--replace")
    assert (status, out) == (0, f"Brought 2 files of snapshot 1, 8 B, to {files}, 1 file replaced.\n")
    assert (files / "hello.txt").read_text() == "hello"
    assert (files / "sub" / "new").exists()
    assert said("save", files, "--store", store)[1].startswith("Saved snapshot 3: ")


def test_copies_go_to_another_directory(said, two, store, tmp_path):
    to = tmp_path / "to"
    assert said("restore", "--to", to, "--store", store, "--snapshot", 1)[0] == 0
    assert sorted(path.name for path in to.iterdir()) == ["hello.txt", "old"]
    status, _, err = said("restore", "--to", to, "--store", store)
    assert (status, err.split(".")[0]) == (5, f"{to} is not empty")
    assert said("restore", "--to", to, "--store", store, "--path", "sub/new")[0] == 0
    assert (to / "sub" / "new").read_text() == "new"
    assert said("restore", "--store", store)[0] == 2
    assert said("restore", to, "--to", to, "--store", store)[0] == 2
    assert said("restore", "--to", to, "--store", store, "--path", "../x")[0] == 2


def test_a_snapshot_is_exported_as_a_zip_or_a_folder(said, two, store, tmp_path):
    status, out, _ = said("export", 2, tmp_path / "x.zip", "--store", store)
    assert (status, out) == (0, f"Exported 2 files of snapshot 2, 14 B, to {tmp_path}/x.zip.\n")
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.read("sub/new") == b"new"
    assert said("export", 2, tmp_path / "x.zip", "--store", store)[0] == 2
    assert said("export", 2, tmp_path / "folder", "--store", store, "--path", "sub")[0] == 0
    assert (tmp_path / "folder" / "sub" / "new").read_text() == "new"


def test_a_named_snapshot_is_shown_with_its_name_and_kept(said, two, store):
    assert said("name", 1, "before", "--store", store)[:2] == (0, "Snapshot 1 is kept as 'before'.\n")
    assert " before" in said("list", "--store", store)[1].splitlines()[-1]
    none = ("--keep-hours", 0, "--keep-days", 0, "--keep-weeks", 0)
    status, out, _ = said("prune", "--store", store, *none)
    assert (status, out.splitlines()[0]) == (0, "Removed 0 snapshots, kept 2.")
    assert said("name", 1, "--store", store)[0] == 2
    assert said("name", 1, "--remove", "--store", store)[1] == "Snapshot 1 has no name any more.\n"
    said_first = said("prune", "--store", store, *none, "--dry-run")[1].splitlines()
    assert said_first[0] == "Would remove 1 snapshot and keep 1."
    assert re.fullmatch(r" +1  20\d\d-\d\d-\d\dT[0-9:]+Z", said_first[1])
    assert "with a prune after" in said_first[-1]
    out = said("prune", "--store", store, *none)[1]
    assert out.splitlines()[0] == "Removed 1 snapshot, kept 1."
    assert re.search(
        r"are needed by no snapshot and go with a prune after \d+ \w+ 20\d\d, \d\d:\d\d UTC, when", out
    )
    assert json.loads(said("prune", "--store", store, "--json")[1])["kept_snapshots"] == [2]
    assert said("check", "--store", store, "--read-data")[0] == 0


def test_a_prune_with_a_rule_that_cannot_be_is_refused(said, two, store):
    status, _, err = said("prune", "--store", store, "--grace", "1h")
    assert (status, err.split(".")[0]) == (2, "grace: Condemned blocks stay at least 24 hours")
    assert said("prune", "--store", store, "--keep-days", -1)[0] == 2


def test_repair_saves_the_rest_and_names_what_is_lost(said, files, store, tmp_path):
    (files / "big").write_bytes(os.urandom(2**20 + 1))
    said("save", files, "--store", store)
    assert said("repair", "--store", store)[1] == "Snapshot 1 is whole: 2 files, 1 MB.\n"
    victim = max((tmp_path / "store" / "blocks").glob("*/*"), key=lambda path: path.stat().st_size)
    victim.write_bytes(victim.read_bytes()[:-1])
    status, out, _ = said("repair", "--store", store)
    assert status == 7
    assert out.startswith("Lost: big, 1 MB (")
    assert "Saved what is left of snapshot 1 as snapshot 2: 1 file, 5 B; 1 loss." in out
    assert said("save", files, "--store", store, "--onto-head")[1].startswith("Saved snapshot 3: ")
    assert said("check", "--store", store, "--read-data")[0] == 0


def test_repair_tells_every_damaged_snapshot_and_removes_them_where_asked(said, files, store, tmp_path):
    (files / "big").write_bytes(os.urandom(2**20 + 1))
    said("save", files, "--store", store)
    (files / "big").write_bytes(b"small")
    said("save", files, "--store", store)
    victim = max((tmp_path / "store" / "blocks").glob("*/*"), key=lambda path: path.stat().st_size)
    victim.unlink()
    assert said("name", 1, "before the talk", "--store", store)[0] == 0
    status, out, _ = said("repair", "--store", store)
    assert status == 7
    assert "Cannot be restored: big, in snapshot 1." in out
    assert "Snapshot 2 is whole: 2 files" in out
    assert "To save what is left of one: workspace repair --snapshot N." in out
    assert "To remove snapshot 1: workspace repair --remove-damaged." in out
    status, out, _ = said("repair", "--store", store, "--remove-damaged")
    assert (status, out.splitlines()[-1]) == (0, "Removed snapshot 1.")
    assert said("check", "--store", store, "--read-data")[0] == 0
    assert not list((tmp_path / "store" / "names").glob("*"))


def test_a_newest_snapshot_that_cannot_be_read_is_made_up_for_and_prune_names_the_way(
    said, two, store, tmp_path
):
    (tmp_path / "store" / "snapshots" / "0000000002").write_bytes(b"{")
    status, _, err = said("prune", "--store", store)
    assert (status, "workspace repair --remove-damaged" in err) == (7, True)
    status, out, _ = said("repair", "--store", store)
    assert (status, "Saved snapshot 1 again as snapshot 3, because the newest cannot be read" in out) == (
        7,
        True,
    )
    assert said("repair", "--store", store, "--remove-damaged")[0] == 0
    assert said("prune", "--store", store)[0] == 0


def test_the_list_has_the_name_that_people_look_for_and_says_where_nothing_is_saved(
    said, files, store, tmp_path
):
    said("save", files, "--store", store)
    assert said("snapshots", "--store", store) == said("list", "--store", store)
    (tmp_path / "store" / "snapshots" / "0000000001").unlink()
    assert said("list", "--store", store)[1].startswith("Nothing is saved here yet. Save a directory with")
