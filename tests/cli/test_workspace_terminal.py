"""What a person at a terminal sees of the workspace commands: questions before something goes, and how far work is."""

import ctypes
import json
import os
import pty
import re
import select
import subprocess
import sys
import time

import pytest

from .test_workspace import files, said, store, two  # noqa: F401  (fixtures)


def as_others():
    """Modes of files bind this process as they bind people, also where it is root's."""
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def at_a_terminal(*arguments, answer="", begin=None, out=None, group="workspace"):
    """(exit code, what a person at a terminal sees), who types answer at the first question, the parts of a tuple at each."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "jupyterhub_notebooks.cli", group, *map(str, arguments)]
    process = subprocess.Popen(command, stdin=theirs, stdout=out or theirs, stderr=theirs, preexec_fn=begin)
    os.close(theirs)
    answers = [answer] if isinstance(answer, str) and answer else list(answer)
    seen, until = "", time.monotonic() + 60
    while time.monotonic() < until:
        if not select.select([ours], [], [], 0.1)[0]:
            if process.poll() is not None:
                break
            continue
        try:
            seen += os.read(ours, 65536).decode(errors="replace")
        except OSError:  # its other end was closed
            break
        if answers and seen.rstrip().endswith("]:"):
            os.write(ours, answers.pop(0).encode() + b"\n")
    else:
        process.kill()
    os.close(ours)
    return process.wait(), seen.replace("\u00a0", " ").replace("\r\n", "\n")


def test_a_person_is_asked_before_snapshots_go_and_a_script_is_not(said, two, store):  # noqa: F811
    none = ("prune", "--store", store, "--keep-hours", 0, "--keep-days", 0, "--keep-weeks", 0)
    status, seen = at_a_terminal(*none, answer="n")
    assert (status, seen.splitlines()[-1]) == (14, "Nothing was removed.")
    assert re.search(r"Remove snapshot 1 \(the oldest of \d+ \w+ 20\d\d\) and keep 1\? \[y/N\]", seen)
    assert len(said("list", "--store", store)[1].splitlines()) == 2
    status, seen = at_a_terminal(*none, answer="y")
    assert (status, "Removed 1 snapshot, kept 1." in seen) == (0, True)
    status, seen = at_a_terminal(*none, "--yes")
    assert (status, "[y/N]" in seen) == (0, False)


@pytest.mark.parametrize("how", ["--json", "its output goes elsewhere"])
def test_nobody_is_asked_whose_terminal_does_not_show_what_is_done(said, two, files, store, tmp_path, how):  # noqa: F811
    (files / "mine").write_text("not saved")
    none = ("prune", "--store", store, "--keep-hours", 0, "--keep-days", 0, "--keep-weeks", 0)
    for command in (("restore", files, "--store", store, "--snapshot", 1, "--replace"), none):
        with open(tmp_path / "out", "wb") as out:
            if how == "--json":
                command += ("--json",)
            status, seen = at_a_terminal(*command, out=out.fileno())
        assert (status, "]:" in seen) == (0, False), seen
        if how == "--json":
            assert json.loads((tmp_path / "out").read_bytes())
    assert not (files / "mine").exists()
    assert len(said("list", "--store", store)[1].splitlines()) == 1


def test_what_a_person_is_asked_with_json_is_nothing_also_at_a_whole_terminal(two, store):  # noqa: F811
    none = ("prune", "--store", store, "--keep-hours", 0, "--keep-days", 0, "--keep-weeks", 0)
    status, seen = at_a_terminal(*none, "--json")
    assert (status, json.loads(seen)["removed_snapshots"]) == (0, [1])


def test_a_no_leaves_standard_output_empty(two, store):  # noqa: F811
    none = ("prune", "--store", store, "--keep-hours", 0, "--keep-days", 0, "--keep-weeks", 0)
    ours, theirs = pty.openpty()
    status, seen = at_a_terminal(*none, answer="n", out=theirs)
    assert (status, "Nothing was removed." in seen) == (14, True)
    assert select.select([ours], [], [], 0)[0] == []
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize("answer", ["leave", "save", "replace"])
def test_a_person_is_told_what_is_not_saved_before_it_is_replaced(said, two, files, store, tmp_path, answer):  # noqa: F811
    (files / "mine").write_text("not saved")
    command = ("restore", files, "--store", store, "--snapshot", 1, "--replace")
    status, seen = at_a_terminal(*command, answer=answer)
    assert status == (14 if answer == "leave" else 0)
    assert f"Not saved yet in {files}: 1 file with 9 B, such as mine." in seen
    assert (files / "mine").exists() == (answer == "leave")
    snapshots = said("list", "--store", store)[1].splitlines()
    assert len(snapshots) == (3 if answer == "save" else 2)
    if answer == "save":
        assert said("cat", 3, "mine", "--store", store)[0] == 0


@pytest.mark.parametrize("second", ["", "y"])
def test_a_person_is_asked_again_where_a_file_could_not_be_saved_first(said, two, files, store, second):  # noqa: F811
    (files / "mine").write_text("not saved")
    (files / "secret").write_text("cannot be read")
    (files / "secret").chmod(0)
    command = ("restore", files, "--store", store, "--snapshot", 1, "--replace")
    status, seen = at_a_terminal(*command, answer=("save", second), begin=as_others)
    assert status == (0 if second else 14)
    assert "Saved snapshot 3" in seen
    assert "secret: it cannot be read" in seen
    assert "Not in that snapshot as it is now: 1 path." in seen
    assert (files / "secret").exists() == (files / "mine").exists() == (second == "")
    assert said("cat", 3, "mine", "--store", store)[0] == 0


def test_what_is_told_of_a_replaced_directory_is_asked_of_nobody_where_nothing_is_unsaved(two, files, store):  # noqa: F811
    status, seen = at_a_terminal("restore", files, "--store", store, "--replace", "--snapshot", 1)
    assert (status, "Not saved" in seen, "Restored snapshot 1" in seen) == (0, False, True)


@pytest.fixture
def many(said, files, store):  # noqa: F811
    for folder in range(6):
        (files / f"d{folder}").mkdir()
        for file in range(300):
            (files / f"d{folder}" / f"f{file}").write_text(f"{folder} {file}")
    said("save", files, "--store", store)
    (files / "d3" / "f3").write_text("changed")
    said("save", files, "--store", store)


def test_what_reads_listings_counts_what_it_reads(said, many, files, store):  # noqa: F811
    for command in (("check",), ("sizes",), ("prune",), ("prune", "--dry-run")):
        status, seen = at_a_terminal(*command, "--store", store)
        assert status == 0
        counted = {tuple(map(int, one)) for one in re.findall(r"(\d+) of (\d+) pages read", seen)}
        assert counted and max(counted)[0] > 3, (command, seen)
        assert all(done <= total for done, total in counted)
    for command in (("diff", 1, 2), ("list", "--snapshot", 1)):
        status, seen = at_a_terminal(*command, "--store", store)
        assert (status, "pages\u00a0read" in seen or "pages read" in seen or "page read" in seen) == (
            0,
            True,
        ), seen
    status, seen = at_a_terminal("check", files, "--store", store)
    assert f"Looking at {files}"[:20] in seen
    assert "Looking at" in at_a_terminal("space", files)[1]
