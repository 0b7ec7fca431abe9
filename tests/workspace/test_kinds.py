"""Everything a workspace holds comes back, whatever happens to it while it is read; rsync finds no difference."""

import errno
import mmap
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jupyterhub_notebooks.workspace import changes, comparing, listing, reading, scanning
from jupyterhub_notebooks.workspace.comparing import SLICE_BYTES

from ..tools import prepare
from .conftest import tree

EARLY = 946_684_800_123_456_789  # 2000-01-01, with nanoseconds


@pytest.fixture
def settled(monkeypatch):
    """As if every file had been there for a while when it was looked at."""
    monkeypatch.setattr(comparing, "SETTLED_NS", -(10**12))


def everything(files: Path) -> None:
    """One of each kind, with attributes, times and modes that are not the usual ones."""
    (files / "empty file").touch()
    (files / "empty folder").mkdir()
    (files / "dangling").symlink_to("nowhere/at all")
    (files / "absolute").symlink_to("/etc/hostname")
    (files / "up").symlink_to("../../..")
    (files / "loop").symlink_to("loop")
    (files / "links").mkdir()
    (files / "links" / "first").write_bytes(os.urandom(3000))
    for name in ("second", "third"):
        os.link(files / "links" / "first", files / "links" / name)
    os.link(files / "links" / "first", files / "a link in another folder")
    with open(files / "sparse", "wb") as file:
        file.truncate(40 * 2**20)
        file.seek(20 * 2**20 + 17)
        file.write(b"in the middle")
    with open(files / "a hole at its end", "wb") as file:
        file.write(os.urandom(9 * 2**20))
        file.truncate(30 * 2**20)
    (files / "large").write_bytes(os.urandom(SLICE_BYTES + 1))
    for mode in (0o000, 0o200, 0o444, 0o755, 0o4755, 0o2755, 0o1777):
        path = files / f"mode {mode:o}"
        path.write_bytes(b"%o" % mode)
        path.chmod(mode)
    closed = files / "closed folder"
    closed.mkdir()
    (closed / "inside").write_text("x")
    for number, at in enumerate((EARLY, -EARLY, 4_102_444_800_000_000_001)):
        path = files / f"time {number}"
        path.write_text("x")
        os.utime(path, ns=(at, at))
    os.utime(files / "dangling", ns=(EARLY, EARLY), follow_symlinks=False)
    (files / "tagged").write_text("x")
    os.setxattr(files / "tagged", "user.origin", b"\0binary\xff" * 50)
    os.setxattr(files / "tagged", "user.empty", b"")
    os.setxattr(files / "links", "user.folder", b"too")
    root = os.fsencode(files)
    for name in (b"\xff\xfe", "naïve é".encode(), b"new\nline", b"-rf", b" ", b"b" * 255, b"\xf0" * 255):
        with open(os.path.join(root, name), "wb") as file:
            file.write(name)
    deep = files
    while len(os.fsencode(deep)) - len(root) < 3000:
        deep = deep / ("d" * 100)
    deep.mkdir(parents=True)
    (deep / "at the bottom").write_text("x")
    closed.chmod(0o555)
    os.utime(closed, ns=(EARLY, EARLY))


def differences(one: Path, other: Path) -> str:
    """What rsync would do to make other as one is; the two folders themselves apart."""
    done = subprocess.run(
        [prepare.rsync(), "-aHX", "--checksum", "-n", "--delete", "-i", f"{one}/", f"{other}/"],
        capture_output=True,
        text=True,
        errors="replace",
    )
    assert done.returncode == 0, done.stderr
    return "\n".join(line for line in done.stdout.splitlines() if not line.endswith(" ./"))


def test_one_of_each_kind_comes_back_and_rsync_finds_no_difference(space, volume):
    everything(volume.files)
    report = space.save(volume)
    assert report.skipped == ()
    back = space.volume("back")
    assert space.restore(back).skipped == ()
    assert differences(volume.files, back.files) == ""
    assert os.stat(back.files / "sparse").st_blocks * 512 < 2**20
    assert os.stat(back.files / "a hole at its end").st_blocks * 512 < 10 * 2**20
    assert os.stat(back.files / "links" / "first").st_nlink == 4
    assert space.save(back).number == 0
    used = space.volume("used")
    (used.files / "links").symlink_to("/tmp")
    (used.files / "empty file").mkdir()
    (used.files / "large").write_text("other")
    space.restore(used, 1)
    assert differences(volume.files, used.files) == ""
    (back.files / "empty file").write_text("differs")
    assert "empty file" in differences(volume.files, back.files)


def test_a_real_environment_comes_back_and_rsync_finds_no_difference(space, volume):
    place = Path(sys.prefix) / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    for name in ("click", "tornado", "zstandard"):
        shutil.copytree(place / name, volume.files / name, symlinks=True)
    space.save(volume, never_saved=())
    back = space.volume("back")
    space.restore(back)
    assert differences(volume.files, back.files) == ""


@pytest.mark.parametrize("size", [1000, 2 * SLICE_BYTES])
@pytest.mark.parametrize(
    "what",
    ["grows", "shrinks", "vanishes", "becomes a folder", "becomes a link", "becomes a pipe", "is replaced"],
)
def test_a_file_that_is_changed_while_it_is_read_is_saved_as_some_whole_state_or_not_at_all(
    space, volume, monkeypatch, what, size
):
    path = volume.files / "busy"
    path.write_bytes(b"1" * size)
    (volume.files / "other").write_text("stays")
    real, fired = reading._read, []

    def change():
        if what == "grows":
            with open(path, "ab") as file:
                file.write(b"1" * 5000)
        elif what == "shrinks":
            os.truncate(path, size // 2)
        elif what == "is replaced":
            (volume.files / "new").write_bytes(b"3" * size)
            os.replace(volume.files / "new", path)
        else:
            path.unlink()
            if what == "becomes a folder":
                path.mkdir()
            elif what == "becomes a link":
                path.symlink_to("/etc/passwd")
            elif what == "becomes a pipe":
                os.mkfifo(path)

    def read(handle, offset, length):
        data = real(handle, offset, length)
        if not fired and data[:1] == b"1":
            fired.append(offset)
            change()
        return data

    monkeypatch.setattr(reading, "_read", read)
    report = space.save(volume)
    monkeypatch.undo()
    assert fired
    back = space.volume("back")
    space.restore(back)
    assert (back.files / "other").read_text() == "stays"
    saved = back.files / "busy"
    if saved.is_file() and not saved.is_symlink():
        content = saved.read_bytes()
        states = {b"1" * size, b"1" * (size + 5000), b"1" * (size // 2), b"3" * size}
        assert content in states or report.skipped
    monkeypatch.setattr(comparing, "SETTLED_NS", -(10**12))
    space.save(volume)
    last = space.volume("last")
    space.restore(last)
    if what == "becomes a pipe":  # which cannot be saved: what was saved of that name stays
        path.unlink()
        (last.files / "busy").unlink(missing_ok=True)
    assert tree(last.files) == tree(volume.files)


def test_a_folder_that_cannot_be_read_is_reported_and_keeps_what_was_saved_of_it(space, volume, monkeypatch):
    (volume.files / "shut" / "deep").mkdir(parents=True)
    (volume.files / "shut" / "deep" / "x").write_text("first")
    (volume.files / "open").write_text("first")
    space.save(volume)
    (volume.files / "open").write_text("second")
    real = os.scandir

    def failing(path):
        if os.fspath(path) == os.fsencode(volume.files / "shut"):
            raise OSError(errno.EACCES, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", failing)
    report = space.save(volume)
    monkeypatch.undo()
    assert report.skipped == (("shut", "this directory cannot be read (Permission denied)"),)
    back = space.volume("back")
    space.restore(back)
    assert (back.files / "shut" / "deep" / "x").read_text() == "first"
    assert (back.files / "open").read_text() == "second"


def test_sockets_pipes_and_devices_are_named_and_the_rest_is_saved(space, volume):
    os.mkfifo(volume.files / "pipe")
    try:
        os.mknod(volume.files / "device", 0o600 | 0o020000, os.makedev(1, 3))
        devices = {"device": "a device cannot be saved"}
    except PermissionError:
        devices = {}
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(volume.files / "s"))
        (volume.files / "file").write_text("x")
        report = space.save(volume)
    named = {"pipe": "a pipe cannot be saved", "s": "a socket cannot be saved"}
    assert dict(report.skipped) == {**named, **devices}
    assert [entry.path for entry in listing(space.store, space.store, 1)] == [b"file"]


def test_a_write_through_a_memory_map_after_a_save_is_in_the_next_one(space, volume, settled):
    path = volume.files / "mapped"
    path.write_bytes(b"0" * 8192)
    about = os.stat(path)
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 8192) as mapped:
        mapped[0:1] = b"1"
        space.save(volume)
        mapped[4096:4097] = b"2"  # the page was written before: no time moves until a sync
        space.save(volume, always_read=lambda: {(about.st_dev, about.st_ino)})
        back = space.volume("back")
        space.restore(back)
        assert (back.files / "mapped").read_bytes() == b"1" + b"0" * 4095 + b"2" + b"0" * 4095


def test_changes_in_the_same_tick_of_the_clock_are_seen(space, volume, monkeypatch):
    path = volume.files / "x"
    path.write_bytes(b"aaaa")
    about = os.stat(path)
    space.save(volume)

    def same_times(found):
        return (
            found._replace(mtime_ns=about.st_mtime_ns, ctime_ns=about.st_ctime_ns)
            if found.path == b"x"
            else found
        )

    found_of = scanning.found_of
    monkeypatch.setattr(scanning, "found_of", lambda *a: same_times(found_of(*a)))
    monkeypatch.setattr(reading, "found_of", lambda *a: same_times(found_of(*a)))
    path.write_bytes(b"bbbb")  # the same size, inode and times as far as anybody can see
    assert space.save(volume).number == 2
    monkeypatch.undo()
    back = space.volume("back")
    space.restore(back)
    assert (back.files / "x").read_bytes() == b"bbbb"


def test_a_clock_that_is_set_back_hides_no_change(space, volume, monkeypatch):
    path = volume.files / "x"
    path.write_bytes(b"aaaa")
    space.save(volume)
    real = scanning.tick
    monkeypatch.setattr(scanning, "tick", lambda *where: real(*where) - 3600 * 10**9)
    about = os.stat(path)
    path.write_bytes(b"bbbb")
    os.utime(path, ns=(about.st_mtime_ns, about.st_mtime_ns))
    assert changes(volume).differs
    assert space.save(volume).number == 2
    path.write_bytes(b"cccc")
    os.utime(path, ns=(about.st_mtime_ns, about.st_mtime_ns))
    assert space.save(volume).number == 3
    back = space.volume("back")
    space.restore(back)
    assert (back.files / "x").read_bytes() == b"cccc"


def test_a_file_with_an_old_date_and_one_renamed_over_another_are_saved(space, volume, settled):
    for name in ("old", "over"):
        (volume.files / name).write_bytes(b"before")
        os.utime(volume.files / name, ns=(EARLY, EARLY))
    space.save(volume)
    subprocess.run(["touch", "-d", "1999-12-31", volume.files / "old"], check=True)
    (volume.files / "new").write_bytes(b"after!")
    os.utime(volume.files / "new", ns=(EARLY, EARLY))
    os.rename(volume.files / "new", volume.files / "over")
    assert space.save(volume).number == 2
    back = space.volume("back")
    space.restore(back)
    assert (back.files / "over").read_bytes() == b"after!"
    assert tree(back.files) == tree(volume.files)


def test_a_file_that_is_written_all_the_time_never_stops_a_save(space, volume):
    over = threading.Event()

    def writer():
        with open(volume.files / "log", "ab", buffering=0) as file:
            while not over.is_set():
                file.write(b"line\n" * 100)
                over.wait(0.0005)

    (volume.files / "other").write_text("x")
    thread = threading.Thread(target=writer)
    thread.start()
    try:
        for number in range(1, 4):
            report = space.save(volume)
            assert report.number == number
    finally:
        over.set()
        thread.join()
    back = space.volume("back")
    space.restore(back)
    content = (back.files / "log").read_bytes()
    assert content == (b"line\n" * (len(content) // 5 + 1))[: len(content)]


@pytest.mark.slow
def test_two_hundred_thousand_files_in_one_folder_come_back(space, volume):
    folder = volume.files / "many"
    folder.mkdir()
    for number in range(200_000):
        (folder / f"file-{number:06d}").write_bytes(b"%d" % number)
    assert space.save(volume).files == 200_000
    (folder / "file-100000").write_bytes(b"changed")
    second = space.save(volume)
    assert second.stored_bytes < 200_000
    back = space.volume("back")
    space.restore(back)
    assert len(os.listdir(back.files / "many")) == 200_000
    assert (back.files / "many" / "file-100000").read_bytes() == b"changed"
    assert differences(volume.files, back.files) == ""
