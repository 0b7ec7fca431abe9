"""What is saved comes back: contents, names, times, modes, links; and little is written for little change."""

import os
import socket
import stat
import threading

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jupyterhub_notebooks.contract import Progress
from jupyterhub_notebooks.errors import BadInput, Conflict, Refusal
from jupyterhub_notebooks.workspace import (
    Volume,
    WorkspaceStore,
    changes,
    comparing,
    listing,
    open_store,
    reading,
    save,
)
from jupyterhub_notebooks.workspace.comparing import SLICE_BYTES

from .conftest import NOW, WORKSPACE, Space, tree

NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)
CONTENTS = st.one_of(
    st.binary(max_size=200),
    st.integers(1, 3).map(lambda n: bytes([n]) * (n * 600_000)),
    st.integers(0, 2).map(lambda n: b"x" + bytes(2**20 + n)),
)
MODES = st.sampled_from([0o600, 0o644, 0o755, 0o400, 0o777])
TIMES = st.integers(-(10**18), 4 * 10**18)
FILES = st.tuples(CONTENTS, MODES, TIMES)
LINKS = st.binary(min_size=1, max_size=30).filter(lambda target: b"\0" not in target)
TREES = st.recursive(
    st.one_of(FILES, LINKS), lambda inner: st.dictionaries(NAMES, inner, max_size=5), max_leaves=12
).filter(lambda made: isinstance(made, dict))


def grow(folder: bytes, made: dict) -> None:
    os.makedirs(folder, exist_ok=True)
    for name, what in made.items():
        path = os.path.join(folder, name)
        if isinstance(what, dict):
            grow(path, what)
        elif isinstance(what, bytes):
            os.symlink(what, path)
        else:
            content, mode, mtime_ns = what
            with open(path, "wb") as file:
                file.write(content)
            os.chmod(path, mode)
            os.utime(path, ns=(mtime_ns, mtime_ns))


@example(first={}, second={b"lost+found": b"/"})
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=TREES, second=TREES)
def test_any_tree_comes_back_as_it_was_into_an_empty_and_into_a_used_directory(
    tmp_path_factory, first, second
):
    folder = tmp_path_factory.mktemp("round")
    store = WorkspaceStore(open_store((folder / "store").as_uri()))
    store.create(WORKSPACE, lease="objects", now=NOW)
    store.take_lease("a test", NOW)
    space = Space(folder, store)
    one, other, back = (space.volume(name) for name in ("one", "other", "back"))
    grow(os.fsencode(one.files), first)
    space.save(one)
    grow(os.fsencode(other.files), second)
    space.save(other, kind="recovery")
    space.restore(back, 1)
    assert tree(back.files) == tree(one.files)
    space.restore(back, 2)
    assert tree(back.files) == tree(other.files)
    space.restore(back, 1)
    assert tree(back.files) == tree(one.files)
    again = space.save(back)
    assert again.number == 0, again


def test_names_that_are_no_text_come_back(space, volume):
    root = os.fsencode(volume.files)
    names = [b"\xff\xfe", "naïve é".encode(), b"new\nline", b"-rf", b" ", b"'\"$(x)", b"a" * 255]
    for name in names:
        with open(os.path.join(root, name), "wb") as file:
            file.write(name)
    space.save(volume)
    back = space.volume("back")
    space.restore(back)
    assert set(os.listdir(os.fsencode(back.files))) == set(names)


def test_a_sparse_file_stays_sparse_and_costs_almost_nothing(space, volume):
    with open(volume.files / "disk.img", "wb") as file:
        file.truncate(500 * 2**20)
        file.seek(300 * 2**20 + 5)
        file.write(b"data")
    report = space.save(volume)
    assert report.size_bytes == 500 * 2**20
    assert report.stored_bytes < 10_000
    back = space.volume("back")
    space.restore(back)
    about = os.stat(back.files / "disk.img")
    assert about.st_size == 500 * 2**20
    assert about.st_blocks * 512 < 2**20
    with open(back.files / "disk.img", "rb") as file:
        file.seek(300 * 2**20)
        assert file.read(12) == b"\0\0\0\0\0data\0\0\0"


def test_hard_links_come_back_as_one_file(space, volume):
    (volume.files / "sub").mkdir()
    (volume.files / "sub" / "first").write_bytes(b"content" * 100)
    os.link(volume.files / "sub" / "first", volume.files / "second")
    space.save(volume)
    back = space.volume("back")
    space.restore(back)
    assert os.path.samefile(back.files / "sub" / "first", back.files / "second")
    (back.files / "third").write_text("in use")
    space.restore(back)
    assert os.path.samefile(back.files / "sub" / "first", back.files / "second")
    assert not (back.files / "third").exists()


def test_extended_attributes_come_back(space, volume):
    path = volume.files / "tagged"
    path.write_text("x")
    try:
        os.setxattr(path, "user.origin", b"\x00https://example.org")
    except OSError:
        pytest.skip("this file system keeps no attributes")
    space.save(volume)
    back = space.volume("back")
    space.restore(back)
    assert os.getxattr(back.files / "tagged", "user.origin") == b"\x00https://example.org"


def test_setuid_and_directories_that_may_not_be_written_come_back(space, volume):
    (volume.files / "closed").mkdir()
    (volume.files / "closed" / "inside").write_text("x")
    (volume.files / "tool").write_text("x")
    os.chmod(volume.files / "tool", 0o4755)
    os.chmod(volume.files / "closed", 0o555)
    space.save(volume)
    back = space.volume("back")
    space.restore(back)
    assert stat.S_IMODE(os.stat(back.files / "tool").st_mode) == 0o4755
    assert stat.S_IMODE(os.stat(back.files / "closed").st_mode) == 0o555
    space.restore(back, 1)
    assert (back.files / "closed" / "inside").read_text() == "x"


def many_files(volume: Volume, count: int = 3000) -> None:
    for number in range(count):
        folder = volume.files / f"d{number % 40:02d}"
        folder.mkdir(exist_ok=True)
        (folder / f"file-{number}").write_bytes(os.urandom(300))


@pytest.fixture
def settled(monkeypatch):
    """As if every file had been there for a while when it was looked at."""
    monkeypatch.setattr(comparing, "SETTLED_NS", -(10**12))


def test_one_changed_file_of_thousands_writes_a_few_small_blocks(space, volume):
    many_files(volume)
    first = space.save(volume)
    (volume.files / "d07" / "file-7").write_bytes(b"changed")
    second = space.save(volume)
    assert second.number == 2
    assert second.changed_files == 1
    assert second.new_blocks <= 4
    assert second.stored_bytes < first.stored_bytes / 10


def test_a_file_that_grew_at_its_end_writes_only_its_last_slice(space, volume):
    path = volume.files / "model.bin"
    path.write_bytes(os.urandom(3 * SLICE_BYTES + 1000))
    space.save(volume)
    with open(path, "ab") as file:
        file.write(b"more")
    report = space.save(volume)
    assert report.new_blocks == 2  # the last slice, and the page that names it
    assert report.stored_bytes < 10_000


def test_a_directory_that_was_moved_is_not_stored_again(space, volume):
    many_files(volume, 400)
    space.save(volume)
    (volume.files / "moved").mkdir()
    os.rename(volume.files / "d01", volume.files / "moved" / "d01")
    report = space.save(volume)
    assert report.number == 2
    assert report.stored_bytes < 50_000


def test_equal_files_are_stored_once(space, volume):
    content = os.urandom(500_000)
    for number in range(20):
        (volume.files / f"copy-{number}").write_bytes(content)
    assert space.save(volume).stored_bytes < 600_000


def test_when_nothing_changed_nothing_is_committed(space, volume, settled):
    many_files(volume, 50)
    space.save(volume)
    assert space.save(volume).number == 0
    assert space.store.numbers() == [1]
    os.utime(volume.files / "d01")  # only the time of a directory
    assert space.save(volume).number == 0


@pytest.mark.parametrize("change", ["added", "removed", "renamed", "chmod", "touched", "link", "folder"])
def test_every_kind_of_change_is_seen_and_saved(space, volume, settled, change):
    many_files(volume, 50)
    space.save(volume)
    assert not changes(volume).differs
    one = volume.files / "d01" / "file-1"
    if change == "added":
        (volume.files / "new").write_text("")
    elif change == "removed":
        one.unlink()
    elif change == "renamed":
        one.rename(one.with_name("other"))
    elif change == "chmod":
        one.chmod(0o700)
    elif change == "touched":
        os.utime(one, ns=(1, 1))
    elif change == "link":
        os.symlink("d01", volume.files / "l")
    else:
        (volume.files / "empty").mkdir()
    assert changes(volume).differs
    assert space.save(volume).number == 2
    back = space.volume("back")
    space.restore(back)
    assert tree(back.files) == tree(volume.files)


def test_a_change_that_keeps_size_and_time_is_seen(space, volume):
    path = volume.files / "x"
    path.write_bytes(b"aaaa")
    about = os.stat(path)
    space.save(volume)
    path.write_bytes(b"bbbb")
    os.utime(path, ns=(about.st_mtime_ns, about.st_mtime_ns))
    assert space.save(volume).number == 2
    back = space.volume("back")
    space.restore(back)
    assert (back.files / "x").read_bytes() == b"bbbb"


def test_files_that_are_mapped_are_read_whatever_their_time(space, volume, settled):
    path = volume.files / "mapped"
    path.write_bytes(b"before")
    space.save(volume)
    about = os.stat(path)
    read = []

    def mapped():
        read.append(path)
        return {(about.st_dev, about.st_ino)}

    assert space.save(volume, always_read=mapped).number == 0
    assert read


def test_what_notebookignore_and_the_setting_name_is_left_out(space, volume):
    for path in ("keep/a", "keep/b.tmp", "cache/x", "data/big/1", "data/important", "sub/cache/y"):
        (volume.files / path).parent.mkdir(parents=True, exist_ok=True)
        (volume.files / path).write_text("x")
    (volume.files / ".notebookignore").write_text("*.tmp\ndata/*\n!data/important\n# note\n[\n!/cache/\n")
    space.save(volume, never_saved=["/cache/"])
    names = {entry.path for entry in listing(space.store, space.store, 1) if entry.kind == "file"}
    assert names == {b"keep/a", b"data/important", b"sub/cache/y", b".notebookignore"}


def test_restoring_into_a_used_directory_never_removes_what_is_left_out_of_saves(space, volume):
    (volume.files / "kept").write_text("x")
    (volume.files / ".notebookignore").write_text("/data/\n")
    space.save(volume)
    (volume.files / "data").mkdir()
    (volume.files / "data" / "huge").write_text("mine")
    (volume.files / "cache").mkdir()
    (volume.files / "cache" / "x").write_text("mine")
    (volume.files / "new").write_text("goes")
    space.restore(volume, never_saved=["/cache/"])
    assert (volume.files / "data" / "huge").read_text() == "mine"
    assert (volume.files / "cache" / "x").read_text() == "mine"
    assert not (volume.files / "new").exists()


def test_a_directory_in_a_files_place_is_spared_where_it_holds_what_is_never_saved(space, volume):
    (volume.files / "x").write_text("a file")
    space.save(volume)
    (volume.files / "x").unlink()
    (volume.files / "x").mkdir()
    (volume.files / "x" / "local.tmp").write_text("mine")
    space.restore(volume, never_saved=["*.tmp"])
    assert (volume.files / "x").read_text() == "a file"
    assert (volume.files / "x.before-restore-1" / "local.tmp").read_text() == "mine"


def test_restoring_into_a_used_directory_keeps_files_that_are_right_already(space, volume):
    many_files(volume, 200)
    big = os.urandom(2 * SLICE_BYTES)
    (volume.files / "big").write_bytes(big)
    space.save(volume)
    (volume.files / "d01" / "file-1").write_text("changed")
    inode = os.stat(volume.files / "big").st_ino
    report = space.restore(volume)
    assert report.kept_files == 200
    assert os.stat(volume.files / "big").st_ino == inode


def test_sockets_and_pipes_are_reported_and_the_rest_is_saved(space, volume):
    os.mkfifo(volume.files / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(volume.files / "s"))
        (volume.files / "file").write_text("x")
        report = space.save(volume)
    assert dict(report.skipped) == {"pipe": "a pipe cannot be saved", "s": "a socket cannot be saved"}
    assert report.files == 1


def test_a_file_that_cannot_be_read_is_reported_and_keeps_its_last_version(space, volume, monkeypatch):
    (volume.files / "bad").write_text("first")
    (volume.files / "good").write_text("first")
    space.save(volume)
    (volume.files / "bad").write_text("second")
    (volume.files / "good").write_text("second")
    real = os.open

    def failing(path, *arguments, **more):
        if os.fspath(path) == os.fsencode(volume.files / "bad"):
            raise OSError(5, "Input/output error", path)
        return real(path, *arguments, **more)

    monkeypatch.setattr(os, "open", failing)
    report = space.save(volume)
    monkeypatch.undo()
    assert report.skipped == (("bad", "it cannot be read (Input/output error)"),)
    back = space.volume("back")
    space.restore(back)
    assert (back.files / "bad").read_text() == "first"
    assert (back.files / "good").read_text() == "second"
    assert space.save(volume).number == 3  # read again as soon as that works


@pytest.mark.parametrize("size", [1000, 3 * SLICE_BYTES])
def test_a_file_that_changes_while_it_is_read_is_read_again(space, volume, monkeypatch, size):
    path = volume.files / "busy"
    path.write_bytes(b"1" * size)
    real, fired = reading._read, []

    def read(handle, offset, length):
        data = real(handle, offset, length)
        if not fired:
            fired.append(offset)
            path.write_bytes(b"2" * size)
            os.utime(path, ns=(5, 5))
        return data

    monkeypatch.setattr(reading, "_read", read)
    report = space.save(volume)
    assert fired
    assert report.skipped == ()
    back = space.volume("back")
    space.restore(back)
    assert (back.files / "busy").read_bytes() == b"2" * size


@pytest.mark.parametrize("size", [1000, 2 * SLICE_BYTES])
def test_a_file_that_never_holds_still_is_reported_and_read_again_next_time(space, volume, monkeypatch, size):
    path = volume.files / "busy"
    path.write_bytes(b"0" * size)
    real, fired = reading._read, []

    def read(handle, offset, length):
        data = real(handle, offset, length)
        fired.append(offset)
        os.utime(path, ns=(len(fired), len(fired)))
        return data

    monkeypatch.setattr(reading, "_read", read)
    report = space.save(volume)
    monkeypatch.undo()
    assert [name for name, _ in report.skipped] == ["busy"]
    monkeypatch.setattr(comparing, "SETTLED_NS", -(10**12))
    assert changes(volume).pending_files == 1
    assert space.save(volume).skipped == ()
    assert changes(volume).pending_files == 0


@pytest.mark.parametrize("size", [1000, 3 * SLICE_BYTES])
def test_what_a_writer_leaves_in_the_end_is_saved_by_the_next_save(space, volume, size):
    path = volume.files / "busy"
    path.write_bytes(bytes([1]) * size)
    ending = threading.Event()

    def write():
        version = 0
        while not ending.is_set():
            version = version % 250 + 1
            with open(path, "r+b") as file:
                file.write(bytes([version]) * size)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        space.save(volume)
    finally:
        ending.set()
        writer.join()
    space.save(volume)
    back = space.volume("back")
    space.restore(back)
    assert (back.files / "busy").read_bytes() == path.read_bytes()


def test_progress_ends_at_its_total(space, volume):
    many_files(volume, 300)
    (volume.files / "big").write_bytes(os.urandom(2 * SLICE_BYTES + 5))
    seen: list[Progress] = []
    space.save(volume, progress=seen.append)
    assert seen[-1].done_bytes == seen[-1].total_bytes == 300 * 300 + 2 * SLICE_BYTES + 5
    assert seen[-1].done_files == seen[-1].total_files == 301
    seen.clear()
    space.restore(space.volume("back"), progress=seen.append)
    assert seen[-1].done_bytes == seen[-1].total_bytes == 300 * 300 + 2 * SLICE_BYTES + 5
    assert seen[-1].done_files == seen[-1].total_files == 301


def test_many_small_saves_are_joined_into_few_blocks(space, volume, settled):
    for number in range(45):
        (volume.files / f"f{number}").write_bytes(os.urandom(2000))
        space.save(volume)
    pieces = {piece.block for entry in listing(space.store, space.store, 45) for piece in entry.pieces}
    assert len(pieces) < 35
    back = space.volume("back")
    space.restore(back, 45)
    assert tree(back.files) == tree(volume.files)


def test_bundles_of_very_many_tiny_files_are_not_joined_again_at_each_save(
    space, volume, settled, monkeypatch
):
    monkeypatch.setattr(comparing, "BUNDLE_FILES", 8)
    for number in range(8 * (comparing.TIDY_BLOCKS + 4)):
        (volume.files / f"f{number:04d}").write_bytes(os.urandom(20))
    space.save(volume)
    (volume.files / "one more").write_text("x")
    report = space.save(volume)
    assert report.changed_files == 1 and report.new_blocks < 5  # its bundle, and pages of the listing


def test_a_save_that_would_not_follow_from_the_base_is_refused(space, volume):
    (volume.files / "x").write_text("x")
    space.save(volume)
    stranger = space.volume("stranger")
    (stranger.files / "y").write_text("y")
    with pytest.raises(Refusal) as refused:
        space.save(stranger, parent=1)
    assert refused.value.label == "base"
    report = space.save(stranger, kind="recovery")
    assert (report.number, report.kind) == (2, "recovery")


def test_of_two_writers_only_the_first_commits(space, volume):
    (volume.files / "x").write_text("x")
    other = space.volume("other")
    (other.files / "y").write_text("y")
    space.save(volume, number=1)
    with pytest.raises(Conflict):
        space.save(other, number=1)
    assert [entry.path for entry in listing(space.store, space.store, 1)] == [b"x"]
    assert other.base is None


def test_a_directory_that_is_not_there_is_named(space, tmp_path):
    missing = Volume(tmp_path / "none", tmp_path / "state")
    with pytest.raises(BadInput, match="There is no directory"):
        save(
            missing,
            space.store,
            space.store,
            number=1,
            parent=None,
            workspace_id=WORKSPACE,
            now=NOW,
            created_by="t",
        )
