"""``workspace encrypt`` ended at any moment and run again: it goes on, and no snapshot is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyterhub_notebooks.cli.main import cli, run
from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.contract import Progress
from jupyterhub_notebooks.workspace import WorkspaceStore, check, open_store
from jupyterhub_notebooks.workspace.encrypting import encrypt

from ..s3 import BUCKET, running

DEADLINE = 60


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "known"))
    folder = tmp_path / "w"
    folder.mkdir()
    for number in (1, 2, 3):
        (folder / f"large-{number}").write_bytes(os.urandom(9_000_000))
        for name in range(40):
            (folder / f"{number}-{name}").write_bytes(os.urandom(3000))
        assert run(cli, ["workspace", "save", "w", "--store", url("old")]) == 0
    return tmp_path


def url(name):
    return Path(name).absolute().as_uri()


def move(*more):
    return ["workspace", "encrypt", "--store", url("old"), "--to", url("new"), "--new-key", "key", *more]


def opened(name, key=None):
    space = WorkspaceStore(open_store(url(name)))
    space.unlock(bytes.fromhex(Path(key).read_text()) if key else None)
    return space


def whole(folder: Path):
    space = opened("new", "key")
    assert space.numbers() == [1, 2, 3]
    assert check(space, space, read_data=True, stored=space.block_sizes()).errors == ()
    assert run(cli, ["workspace", "restore", str(folder), "--store", url("new"), "--key", "key"]) == 0
    assert subprocess.run(["diff", "-r", "w", folder]).returncode == 0


def test_a_killed_run_names_a_remedy_that_the_command_has(place, capsys):
    opened("old").take_lease("somebody, killed", SYSTEM_CLOCK.now())
    assert run(cli, move()) == 5
    assert "--break-lease" in capsys.readouterr().err
    assert run(cli, move("--break-lease")) == 0
    whole(place / "back")


def test_ended_while_the_old_one_is_removed_it_removes_the_rest(place, capsys):
    assert run(cli, move()) == 0
    old = opened("old")
    removed = []

    def stop(done: Progress) -> None:
        removed.append(done)

    with pytest.raises(Exception, match="stopped before all was removed"):
        old.erase(stop, lambda: len(removed) > 4)
    assert old.numbers() == []
    assert removed[-1].done_files == 5 < removed[-1].total_files
    capsys.readouterr()
    assert run(cli, move()) == 0
    assert "a part was removed before: add --remove-old" in capsys.readouterr().out
    assert run(cli, move("--remove-old")) == 0
    assert [path for path in Path("old").rglob("*") if path.is_file()] == []
    whole(place / "back")
    assert run(cli, move("--remove-old")) == 0
    assert "has 3\u00a0snapshots" in capsys.readouterr().out


@pytest.mark.parametrize("how", ["lost", "damaged"])
def test_a_lost_workspace_json_is_not_taken_for_a_removal_that_is_done(place, capsys, how):
    assert run(cli, move()) == 0
    opened("new", "key").remove_snapshot(3)  # as where the first run was cut off
    facts = Path("old/workspace.json")
    facts.unlink() if how == "lost" else facts.write_text("{")
    capsys.readouterr()
    assert run(cli, move("--for", "w")) == 7
    out, err = capsys.readouterr()
    assert (out, "workspace repair" in err) == ("", True)
    assert run(cli, ["workspace", "repair", "--store", url("old")]) == 0
    assert run(cli, move("--remove-old")) == 0
    whole(place / "back")


def test_what_was_made_loses_its_workspace_json_and_is_repaired(place, capsys):
    assert run(cli, move()) == 0
    assert opened("new", "key").current_lease() is None
    Path("new/workspace.json").unlink()
    assert run(cli, ["workspace", "repair", "--store", url("new"), "--key", "key"]) == 0
    assert "It is written again" in capsys.readouterr().err
    assert opened("new", "key").facts().lease == "objects"
    whole(place / "back")


def test_nobody_else_writes_the_new_place_meanwhile(place, capsys):
    assert run(cli, move()) == 0
    new = opened("new", "key")
    new.take_lease("somebody else", SYSTEM_CLOCK.now())
    assert run(cli, move()) == 5
    assert "somebody else holds its lease" in capsys.readouterr().err
    assert opened("old").current_lease() is None


def test_a_place_with_another_workspace_or_other_snapshots_is_refused(place, capsys):
    (place / "other").mkdir()
    (place / "other" / "x").write_text("x")
    assert run(cli, ["key", "make", "key"]) == 0
    assert run(cli, ["workspace", "save", "other", "--store", url("new"), "--key", "key"]) == 0
    assert run(cli, move("--remove-old")) == 5
    assert "Another workspace lies at" in capsys.readouterr().err
    assert opened("old").numbers() == [1, 2, 3]


def test_the_next_save_of_a_directory_goes_on_at_the_new_address(place, capsys):
    assert run(cli, move("--remove-old")) == 0
    assert "--for DIR" in capsys.readouterr().out
    assert run(cli, move("--for", "w")) == 0  # said late, when the old one is gone
    assert "goes on from snapshot 3" in capsys.readouterr().out
    (place / "w" / "more").write_text("more")
    assert run(cli, ["workspace", "save", "w", "--store", url("new"), "--key", "key"]) == 0
    assert capsys.readouterr().out.startswith("Saved snapshot 4: ")


def test_progress_has_its_true_total_from_its_first_word(place):
    space = opened("old")
    new = WorkspaceStore(open_store(url("new")))
    new.unlock(bytes(32))
    new.create(space.facts().id, lease="objects", now=SYSTEM_CLOCK.now())
    seen: list[Progress] = []
    encrypt(space, space, new, workspace_id=space.facts().id, progress=seen.append)
    assert {one.total_bytes for one in seen} == {seen[-1].done_bytes}
    assert seen[-1].done_bytes > 27_000_000


@pytest.mark.parametrize("name", ["SIGHUP", "SIGTERM", "SIGINT"])
def test_a_terminal_that_closes_leaves_no_lease_held(place, name):
    process = begin()
    ends = time.monotonic() + DEADLINE
    while opened("old").current_lease() is None:
        assert time.monotonic() < ends
        assert process.poll() is None, process.stdout.read()
    process.send_signal(getattr(signal, name))
    process.wait(DEADLINE)
    assert opened("old").current_lease() is None
    assert run(cli, move("--remove-old")) == 0
    whole(place / "back")


def test_killed_at_moments_between_it_goes_on(place):
    """Every kind of end, at moments that chance picks; then once to its end."""
    chance = random.Random(11)
    for number in range(8):
        process = begin("--remove-old", "--break-lease")
        time.sleep(chance.uniform(0.3, 1.0))  # the moment of the kill, which is what is tried
        process.send_signal([signal.SIGKILL, signal.SIGINT, signal.SIGHUP, signal.SIGTERM][number % 4])
        process.wait(DEADLINE)
    last = begin("--remove-old", "--break-lease")
    assert last.wait(DEADLINE) == 0, last.stdout.read()
    assert [path for path in Path("old").rglob("*") if path.is_file()] == []
    whole(place / "back")


def test_both_places_may_be_at_servers_with_options_of_their_own(place, tmp_path, monkeypatch, capsys):
    with running(tmp_path / "s3") as server:
        monkeypatch.setenv("THE_SECRET", server.secret)
        options = [f"{name}={value}" for name, value in server.options.items() if name != "secret"]
        there = [*options, "secret=env:THE_SECRET"]
        to = [part for option in there for part in ("--to-option", option)]
        store = [part for option in there for part in ("--store-option", option)]
        new = f"s3://{BUCKET}/new"
        begin = ["workspace", "encrypt", "--store", url("old"), "--to", new, "--new-key", "key"]
        assert run(cli, [*begin, *to]) == 0
        assert run(cli, ["workspace", "list", "--store", new, "--key", "key", *store]) == 0
        assert len(capsys.readouterr().out.splitlines()) > 3
        further = ["workspace", "encrypt", "--store", new, "--to", f"{new}er", "--new-key", "second"]
        assert run(cli, [*further, "--key", "key", *store, "--remove-old"]) == 0
        assert run(cli, ["workspace", "restore", "b", "--store", f"{new}er", "--key", "second", *store]) == 0
    assert subprocess.run(["diff", "-r", "w", "b"]).returncode == 0


def begin(*more) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "jupyterhub_notebooks.cli", *move(*more)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    )


#: The command, killed at its Nth removal of an object.
DYING = """
import os, sys
from jupyterhub_notebooks.cli.main import cli, run
from jupyterhub_notebooks.workspace.store.directory import DirectoryStore
left, delete = int(sys.argv[1]), DirectoryStore.delete
def then_die(self, key):
    global left
    if left == 0:
        os._exit(9)
    left -= 1
    delete(self, key)
DirectoryStore.delete = then_die
run(cli, sys.argv[2:])
"""


@pytest.mark.parametrize("deletes", [0, 2, 4, 9, 13])
def test_killed_in_the_middle_of_the_removal_it_removes_the_rest(place, deletes):
    assert run(cli, move()) == 0
    program = [sys.executable, "-c", DYING, str(deletes), *move("--remove-old")]
    assert subprocess.run(program, timeout=DEADLINE).returncode == 9
    assert opened("old").current_lease() is not None
    assert run(cli, move("--remove-old")) == 5
    assert run(cli, move("--remove-old", "--break-lease")) == 0
    assert [path for path in Path("old").rglob("*") if path.is_file()] == []
    whole(place / "back")
