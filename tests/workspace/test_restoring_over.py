"""A restore into a directory in use loses nothing that lies only there, wherever it is cut off, and undoes what it began in vain."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from jupyterhub_notebooks.errors import Damaged, NoSpace, Refusal
from jupyterhub_notebooks.workspace import Cancelled, Volume, WorkspaceStore, open_store, scanning
from jupyterhub_notebooks.workspace import volume as volumes
from jupyterhub_notebooks.workspace.placing import Places

from .conftest import NOW, WORKSPACE, Space, tree
from .test_placing import NOBODY, in_a_child

STEPS = {
    Places: ("make_folder", "move", "remove", "remove_all", "dress_folder", "symlink", "undo_differences"),
    Volume: ("write", "end_restore", "remember"),
    scanning: ("sync",),
}


def killed_at(step: int, act) -> bool:
    """Whether act, run in a process of its own, was killed before its step-th call of those that change something."""
    child = os.fork()
    if not child:
        left = [step]
        for owner, names in STEPS.items():
            for name in names:
                setattr(owner, name, dies(getattr(owner, name), left))
        try:
            act()
            os._exit(0)
        except BaseException:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def dies(method, left):
    def counting(*arguments, **more):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return method(*arguments, **more)

    return counting


def one_and_five(space, volume):
    """Snapshot 1 from before there were rules, snapshot 2 with a rule that leaves data/ out."""
    files = volume.files
    (files / "work").mkdir()
    (files / "work" / "a").write_text("first")
    (files / "link").symlink_to("work")
    space.save(volume)
    (files / ".notebookignore").write_text("data/\n")
    (files / "work" / "a").write_text("second")
    (files / "data").mkdir()
    (files / "data" / "only").write_text("exists nowhere else")
    space.save(volume)


@pytest.mark.parametrize("waits", [True, False])
def test_wherever_a_restore_is_killed_the_next_one_leaves_what_the_rules_left_out(
    space, volume, waits, monkeypatch
):
    one_and_five(space, volume)
    then = space.volume("then")
    space.restore(then, 1)
    step = met = 0
    while True:
        step += 1
        back = space.volume(f"back-{step}")
        space.restore(back, 2)
        (back.files / "data").mkdir()
        (back.files / "data" / "only").write_text("exists nowhere else")
        (back.files / "work" / "a").write_text("never saved")
        was = tree(back.files)
        killed = killed_at(step, lambda back=back: space.restore(back, 1, wait_for_disk=waits))
        with monkeypatch.context() as another:
            another.setattr(volumes, "boot_id", lambda: "another run of the machine")
            if back.situation() == "restoring":
                met += 1
                with pytest.raises(Refusal):
                    space.save(back, kind="recovery")
            elif killed:
                left = {
                    path: what
                    for path, what in tree(back.files).items()
                    if not path.startswith(b".notebooks-r")
                }
                assert back.base == 1 or left == was
            if killed:
                space.restore(back, 1)
        assert (back.files / "data" / "only").read_text() == "exists nowhere else"
        assert not (back.files / ".notebooks-restore").exists()
        rest = {path: what for path, what in tree(back.files).items() if not path.startswith(b"data")}
        assert rest == tree(then.files)
        assert back.situation() == "kept"
        if not killed:
            break
    assert met > 8


def test_what_the_snapshot_s_own_rules_leave_out_stays_though_the_files_do_not_say_so_yet(space, volume):
    one_and_five(space, volume)
    space.restore(volume, 1)
    assert not (volume.files / ".notebookignore").exists()
    space.restore(volume, 2)
    assert (volume.files / "data" / "only").read_text() == "exists nowhere else"
    assert (volume.files / "work" / "a").read_text() == "second"


def test_rules_of_a_large_file_with_holes_are_read_as_far_as_they_count(space, volume):
    (volume.files / ".notebookignore").write_bytes(b"data/\n" + b"# more\n" * 200_000)
    (volume.files / "a").write_text("a")
    space.save(volume)
    other = space.volume("other")
    (other.files / "data").mkdir()
    (other.files / "data" / "only").write_text("only")
    space.restore(other, 1)
    assert (other.files / "data" / "only").read_text() == "only"


# What is left out and in the way


def moved_of(report):
    return dict(report.moved)


def test_a_folder_that_is_left_out_makes_room_for_the_link_of_the_snapshot(space, volume):
    rules = {"never_saved": ("/.cache/",)}
    (volume.files / ".cache").symlink_to("/scratch")
    (volume.files / "a").write_text("1")
    space.save(volume, **rules)
    (volume.files / "a").write_text("2")
    (volume.files / ".cache").unlink()
    (volume.files / ".cache" / "deep").mkdir(parents=True)
    (volume.files / ".cache" / "deep" / "model").write_text("expensive")
    report = space.restore(volume, 1, **rules)
    assert os.readlink(volume.files / ".cache") == "/scratch"
    assert moved_of(report) == {".cache": ".cache.before-restore-1"}
    assert (volume.files / ".cache.before-restore-1" / "deep" / "model").read_text() == "expensive"
    assert (volume.files / "a").read_text() == "1"
    assert volume.situation() == "kept"
    assert not space.restore(volume, 1, never_saved=("/.cache/", "*.before-*")).moved


WAYS = {
    "another file": lambda path: path.write_text("changed since"),
    "as long": lambda path: path.write_text("other"),
    "a link": lambda path: path.symlink_to("elsewhere"),
    "a folder": lambda path: (path.mkdir(), (path / "inside").write_text("x")),
    "a name of another": lambda path: (path.write_text("other"), os.link(path, path.parent.parent / "hard")),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_is_left_out_and_changed_is_moved_aside_and_never_overwritten(space, volume, way):
    files = volume.files
    (files / "data").mkdir()
    (files / "data" / "a").write_text("saved")
    (files / "data" / "b").write_text("the same")
    space.save(volume)
    (files / ".notebookignore").write_text("data/\n")
    (files / "data" / "a").unlink()
    (files / "data" / "only").write_text("only")
    WAYS[way](files / "data" / "a")
    was = tree(files / "data")
    report = space.restore(volume, 1)
    assert moved_of(report) == {"data/a": "data/a.before-restore-1"}
    now = tree(files / "data")
    assert (files / "data" / "a").read_text() == "saved"
    assert {path for path in now if path.startswith(b"a")} >= {b"a", b"a.before-restore-1"}
    assert now[b"a.before-restore-1"] == was[b"a"]
    assert now[b"only"] == was[b"only"] and now[b"b"] == was[b"b"]


def test_a_file_that_is_left_out_and_stands_in_a_folder_s_place_is_moved_aside(space, volume):
    (volume.files / "data").mkdir()
    (volume.files / "data" / "a").write_text("saved")
    space.save(volume)
    (volume.files / "data" / "a").unlink()
    (volume.files / "data").rmdir()
    (volume.files / ".notebookignore").write_text("data\n")
    (volume.files / "data").write_text("only here")
    name = "n" * 255
    report = space.restore(volume, 1)
    assert moved_of(report) == {"data": "data.before-restore-1"}
    assert (volume.files / "data.before-restore-1").read_text() == "only here"
    assert (volume.files / "data" / "a").read_text() == "saved"
    (volume.files / name).write_text("saved")
    space.save(volume)
    (volume.files / ".notebookignore").write_text("n*\n")
    (volume.files / name).write_text("only here, too")
    [(_, aside)] = space.restore(volume, 2).moved
    assert (volume.files / aside).read_text() == "only here, too"


@pytest.fixture
def reachable():
    """A workspace that can be reached, and is owned, by the account that ``as_nobody`` takes."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        store = WorkspaceStore(open_store((folder / "store").as_uri()))
        store.create(WORKSPACE, lease="objects", now=NOW)
        store.take_lease("a test", NOW)
        yield Space(folder, store)


def as_nobody(folder: Path, act) -> None:
    """Runs act in a process that modes keep out, whoever runs the tests."""

    def lowered():
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        act()

    if os.geteuid() == 0:
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    in_a_child(lowered)


@pytest.mark.parametrize("mode", [0o555, 0o500, 0o400, 0o300, 0o200, 0o000])
def test_a_left_out_folder_that_keeps_its_owner_out_is_opened_for_what_has_to_move(reachable, mode):
    volume = reachable.volume()
    data = volume.files / "data"
    (data / "deep").mkdir(parents=True)
    (data / "deep" / "x").write_text("saved")
    (data / "same").write_text("the same")
    (data / "link").symlink_to("same")
    (data / "deep").chmod(0o750)
    data.chmod(0o755)
    reachable.save(volume)
    (data / "deep" / "x").write_text("only here")
    (data / "link").unlink()
    (data / "link").mkdir()
    (data / "link" / "only").write_text("only here, too")
    (volume.files / ".notebookignore").write_text("data/\n")
    (data / "deep").chmod(mode)
    data.chmod(mode)

    as_nobody(reachable.folder, lambda: reachable.restore(volume, 1))
    assert volume.situation() == "kept"
    assert (data / "deep" / "x").read_text() == "saved"
    assert (data / "deep" / "x.before-restore-1").read_text() == "only here"
    assert (data / "same").read_text() == "the same" and not (data / "same.before-restore-1").exists()
    assert os.readlink(data / "link") == "same"
    assert (data / "link.before-restore-1" / "only").read_text() == "only here, too"
    assert [oct(path.stat().st_mode & 0o777) for path in (data, data / "deep")] == ["0o755", "0o750"]


def test_wherever_it_is_killed_nothing_that_was_moved_aside_is_lost(space, volume):
    (volume.files / "data").mkdir()
    (volume.files / "data" / "a").write_text("saved")
    (volume.files / ".cache").symlink_to("/scratch")
    space.save(volume, never_saved=("/.cache/",))
    for step in range(1, 60):
        back = space.volume(f"back-{step}")
        (back.files / ".notebookignore").write_text("data/\n")
        (back.files / "data").mkdir()
        (back.files / "data" / "a").write_text("only here")
        (back.files / ".cache").mkdir()
        (back.files / ".cache" / "model").write_text("expensive")
        rules = {"never_saved": ("/.cache/",)}
        killed = killed_at(step, lambda back=back, rules=rules: space.restore(back, 1, **rules))
        space.restore(back, 1, **rules) if killed else None
        kept = [
            path.read_text() for path in back.files.rglob("*") if path.is_file() and not path.is_symlink()
        ]
        assert sorted(kept) == ["expensive", "only here", "saved"]
        assert os.readlink(back.files / ".cache") == "/scratch"
        if not killed:
            return
    raise AssertionError("it never ended")


# What began in vain


class Ends:
    """Blocks of which those of files cannot be had; pages can."""

    def __init__(self, store, error, pages=1):
        self._store, self._error, self._left = store, error, pages

    def __getattr__(self, name):
        return getattr(self._store, name)

    def get(self, what, /):
        if isinstance(what, str):
            self._left -= 1
            if self._left < 0:
                raise self._error
        return self._store.get(what)

    def get_into(self, name, room):
        return self.get(name)


class Dies(Ends):
    """Kills the process that asks for the blocks of files."""

    def get(self, what, /):
        if isinstance(what, str) and not self._left:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().get(what)


@contextmanager
def through(space, store):
    before, space.store = space.store, store
    try:
        yield
    finally:
        space.store = before


def used(space):
    back = space.volume("back")
    (back.files / "notes").write_text("unsaved work")
    (back.files / "a").write_text("unsaved, too")
    return back


@pytest.mark.parametrize(
    ("error", "raised"), [(OSError(28, "No space left on device"), NoSpace), (Damaged("planned"), Damaged)]
)
def test_a_restore_that_could_not_fetch_leaves_a_used_directory_as_it_was_and_to_be_saved(
    space, volume, error, raised
):
    for number in range(3):
        (volume.files / f"f{number}").write_bytes(os.urandom(2 * 2**20))
    space.save(volume)
    back = used(space)
    was = tree(back.files)
    with through(space, Ends(space.store, error, pages=2)), pytest.raises(raised):
        space.restore(back, 1)
    assert tree(back.files) == was
    assert back.situation() == "unknown" and not (back.state / "restoring").exists()
    assert space.save(back, kind="recovery").number == 2


def test_a_restore_that_is_cancelled_while_it_fetches_leaves_a_used_directory_as_it_was(space, volume):
    (volume.files / "a").write_bytes(os.urandom(2 * 2**20))
    space.save(volume)
    back = used(space)
    was = tree(back.files)
    met = 0
    for asked in range(1, 100):
        answers = iter([False] * asked)
        try:
            space.restore(back, 1, cancelled=lambda answers=answers: next(answers, True))
        except Cancelled:
            if back.situation() == "restoring":
                break
            met += 1
            assert tree(back.files) == was
            assert not (back.state / "restoring").exists()
    assert met > 3
    space.restore(back, 1)
    assert tree(back.files) == tree(volume.files)


def test_a_restore_that_is_killed_while_it_fetches_is_forgotten_by_the_next_save(space, volume):
    (volume.files / "a").write_bytes(os.urandom(2 * 2**20))
    space.save(volume)
    back = used(space)
    was = tree(back.files)

    with through(space, Dies(space.store, None)):
        assert killed_at(10**6, lambda: space.restore(back, 1))
    assert (back.files / ".notebooks-restore").exists() and (back.state / "restoring").exists()
    assert back.restoring is None and back.situation() == "unknown"
    assert space.save(back, kind="recovery").files == 2
    assert tree(back.files) == was
    assert not (back.state / "restoring").exists()


def test_a_new_disk_on_which_a_restore_was_killed_while_it_fetched_is_still_a_new_one(space, volume):
    (volume.files / "a").write_bytes(os.urandom(2 * 2**20))
    space.save(volume)
    back = space.volume("back")
    (back.files / "lost+found").mkdir()
    assert back.situation() == "empty"
    rules = {"never_saved": ("/lost+found/",)}

    with through(space, Dies(space.store, None)):
        assert killed_at(10**6, lambda: space.restore(back, 1, **rules))
    assert (back.files / ".notebooks-restore").exists()
    (back.files / ".notebooks-tick").touch()
    assert back.restoring is None and back.situation() == "empty"
    (back.files / "mine").touch()
    assert back.situation() == "unknown"
    (back.files / "mine").unlink()
    space.restore(back, 1, **rules)
    (back.files / "lost+found").rmdir()
    assert back.situation() == "kept" and not (back.files / ".notebooks-restore").exists()
    assert (back.files / "a").read_bytes() == (volume.files / "a").read_bytes()


MOUNTED = """
import os, subprocess, sys
from pathlib import Path
from jupyterhub_notebooks.errors import Refusal
from jupyterhub_notebooks.workspace import Volume, WorkspaceStore, open_store, restore
folder = Path(sys.argv[2])
if subprocess.run(["mount", "-t", "tmpfs", "none", folder / "files" / "shared"]).returncode:
    sys.exit(3)
(folder / "files" / "shared" / "a").write_text("of somebody else")
space = WorkspaceStore(open_store(sys.argv[1]))
volume = Volume(folder / "files", folder / "state")
restore(volume, space, space, 1)
try:
    restore(volume, space, space, 2)
except Refusal as refused:
    assert refused.label == "mounted" and "shared/a" in refused.title, refused
else:
    sys.exit(4)
assert (folder / "files" / "work").read_text() == "first"
assert (folder / "files" / "shared" / "a").read_text() == "of somebody else"
assert volume.situation() == "kept"
"""


def test_what_is_mounted_over_a_saved_folder_is_not_written_to_and_that_is_said_before_anything_changes(
    space, volume
):
    (volume.files / "shared").mkdir()
    (volume.files / "work").write_text("first")
    space.save(volume)
    (volume.files / "shared" / "a").write_text("saved")
    (volume.files / "work").write_text("second")
    space.save(volume)
    (volume.files / "shared" / "a").unlink()
    command = [
        "unshare",
        "-m",
        sys.executable,
        "-c",
        MOUNTED,
        space.store.store.url,
        str(volume.files.parent),
    ]
    if subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("this account may not mount")
    status = subprocess.run(command, check=False).returncode
    if status == 3:
        pytest.skip("this account may not mount")
    assert status == 0
