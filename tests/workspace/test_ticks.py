"""When a save began, by the time of the file system: before it syncs, and also where nothing new fits there."""

import errno
import mmap
import os
import subprocess

import pytest

from jupyterhub_notebooks.workspace import Volume, changes, comparing, glancing, lastseen, scanning
from jupyterhub_notebooks.workspace.placing import Places

OLD_NS = 946_684_800_000_000_000


def no_room(number):
    """As on a disk of which no new file is made below the workspace."""
    real = os.open

    def opened(path, flags, *more, **named):
        unnamed = flags & os.O_TMPFILE == os.O_TMPFILE
        if unnamed or os.fsencode(path).endswith(scanning.TICK):
            raise OSError(number, os.strerror(number), path)
        return real(path, flags, *more, **named)

    return opened


def restored(space, number):
    back = space.volume(f"back-{number}")
    space.restore(back, number)
    return back.files


@pytest.fixture
def late(monkeypatch):
    """The file system's time as if seconds had gone by before it was asked again."""
    real, added = scanning.tick, [0]
    monkeypatch.setattr(scanning, "tick", lambda *where: real(*where) + added[0])
    return added


def test_what_is_written_through_a_memory_map_while_a_slow_sync_runs_is_read_again(
    space, volume, monkeypatch, late
):
    path = volume.files / "mapped"
    path.write_bytes(b"0" * 8192)
    real = scanning.sync
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 8192) as mapped:

        def slow(folder):
            real(folder)  # the page is clean now, and the sync goes on with others for half a minute
            mapped[0:1] = b"1"
            late[0] = 30 * 10**9

        monkeypatch.setattr(scanning, "sync", slow)
        space.save(volume)
        monkeypatch.setattr(scanning, "sync", real)
        assert not glancing._kept.get(str(volume.state))
        changed = os.stat(path).st_ctime_ns
        mapped[1:2] = b"2"
        assert os.stat(path).st_ctime_ns == changed  # no time moves: the page is not clean
        assert space.save(volume).number == 2
        assert (restored(space, 2) / "mapped").read_bytes()[:3] == b"120"


def test_what_a_program_writes_through_a_memory_map_into_a_file_that_a_restore_kept_is_saved(
    space, volume, monkeypatch
):
    path = volume.files / "mapped"
    path.write_bytes(b"0" * 8192)
    (volume.files / "other").write_text("first")
    space.save(volume)
    (volume.files / "other").write_text("second")
    monkeypatch.setattr(comparing, "SETTLED_NS", -(10**12))  # as if the restore took long
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 8192) as mapped:
        mapped[0:1] = b"0"  # what is there already: the page is not clean from here on
        real = lastseen.write

        def write(*given):
            mapped[1:2] = b"2"  # the file was compared, and the disk not yet waited for
            real(*given)

        monkeypatch.setattr(lastseen, "write", write)
        assert space.restore(volume, 1).kept_files == 1
        monkeypatch.setattr(lastseen, "write", real)
        number = space.save(volume).number
        assert (restored(space, number) / "mapped").read_bytes()[:3] == b"020"


@pytest.mark.parametrize("sooner", [False, True])
def test_files_that_a_restore_by_hand_kept_are_not_read_again_but_for_those_that_changed_too_late(
    space, volume, monkeypatch, sooner
):
    for number in range(6):
        path = volume.files / f"f{number}"
        path.write_text(f"content {number}")
        os.utime(path, ns=(OLD_NS, OLD_NS))
    (volume.files / "f1").chmod(0o640)
    os.setxattr(volume.files / "f5", "user.mark", b"saved")
    (volume.files / "other").write_text("first")
    space.save(volume)
    (volume.files / "other").write_text("second")
    (volume.files / "f1").chmod(0o600)
    os.utime(volume.files / "f2")
    os.setxattr(volume.files / "f3", "user.more", b"not saved")
    os.setxattr(volume.files / "f5", "user.mark", b"not saved")
    was = {path.name: path.stat().st_ctime_ns for path in volume.files.iterdir()}
    late = max(was.values()) + 10**6
    while scanning.tick(os.fsencode(volume.files)) <= late:
        pass
    monkeypatch.setattr(scanning, "SETTLED_NS", 0 if sooner else 10**12)
    assert space.restore(volume, 1).kept_files == 6
    assert (volume.files / "f4").stat().st_ctime_ns == was["f4"]
    assert os.listxattr(volume.files / "f3") == []
    assert os.getxattr(volume.files / "f5", "user.mark") == b"saved"
    assert (volume.files / "f1").stat().st_mode & 0o777 == 0o640
    monkeypatch.setattr(comparing, "SETTLED_NS", -(10**12))
    pending = changes(volume)
    assert pending.pending_files == (0 if sooner else 6)
    assert space.save(volume).changed_files == (0 if sooner else 6)


def test_a_kept_file_that_changes_while_a_restore_by_hand_runs_is_read_again(space, volume, monkeypatch):
    for name in ("touched", "untouched"):
        (volume.files / name).write_text("first")
        os.utime(volume.files / name, ns=(OLD_NS, OLD_NS))
    space.save(volume)
    (volume.files / "touched").chmod(0o600)
    monkeypatch.setattr(scanning, "SETTLED_NS", 0)
    real = Places.undo_differences
    began = scanning.tick(os.fsencode(volume.files))

    def written_before(places, path, entry):
        while scanning.tick(os.fsencode(volume.files)) <= began + 10**7:
            pass
        (volume.files / os.fsdecode(path)).write_text("later")  # it was compared already
        return real(places, path, entry)

    monkeypatch.setattr(Places, "undo_differences", written_before)
    assert space.restore(volume, 1).kept_files == 2
    monkeypatch.setattr(comparing, "SETTLED_NS", -(10**12))
    number = space.save(volume).number
    assert {path.read_text() for path in restored(space, number).iterdir()} == {"later"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS])
def test_a_workspace_in_which_no_file_can_be_made_is_saved(space, volume, monkeypatch, number):
    (volume.files / "x").write_text("first")
    os.utime(volume.files, ns=(OLD_NS, OLD_NS))
    monkeypatch.setattr(os, "open", no_room(number))
    assert space.save(volume).number == 1
    assert os.stat(volume.files).st_mtime_ns == OLD_NS
    assert scanning.tick(os.fsencode(volume.files)) > os.stat(volume.files / "x").st_ctime_ns
    (volume.files / "x").write_text("other")
    assert space.save(volume).number == 2
    monkeypatch.undo()
    assert (restored(space, 2) / "x").read_text() == "other"


def test_a_file_of_ours_on_the_same_file_system_tells_the_time_where_the_directory_is_anothers(
    volume, monkeypatch
):
    volume.state.mkdir()
    ours = os.fsencode(volume.state / "lock")
    (volume.state / "lock").touch()
    os.utime(volume.state / "lock", ns=(OLD_NS, OLD_NS))
    real = os.utime
    monkeypatch.setattr(os, "open", no_room(errno.EACCES))
    files = os.stat(volume.files).st_ino

    def utime(what, *more, **named):
        if os.fstat(what).st_ino == files:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        return real(what, *more, **named)

    monkeypatch.setattr(os, "utime", utime)
    assert scanning.tick(os.fsencode(volume.files), ours) == os.stat(ours).st_ctime_ns
    assert scanning.tick(os.fsencode(volume.files)) == scanning.NO_TIME
    elsewhere = b"/proc/self/status"
    assert scanning.tick(os.fsencode(volume.files), elsewhere) == scanning.NO_TIME


def test_without_any_time_every_file_is_read_again_and_no_save_is_skipped(space, volume, monkeypatch):
    path = volume.files / "x"
    path.write_text("first")
    monkeypatch.setattr(scanning, "tick", lambda *_: scanning.NO_TIME)
    space.save(volume)
    assert not glancing._kept.get(str(volume.state))
    about = os.stat(path)
    with open(path, "r+b") as file:
        file.write(b"other")
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert space.save(volume).number == 2
    assert (restored(space, 2) / "x").read_text() == "other"


def test_a_full_file_system_is_saved_and_restored_over(space, tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "nr_inodes=40,size=4m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this account may not mount a file system")
    try:
        volume = Volume(place / "files", place / "state")
        volume.files.mkdir()
        (volume.files / "x").write_text("first")
        space.save(volume)
        with pytest.raises(OSError, match="No space left"):
            for number in range(100):
                (volume.files / f"more-{number}").touch()
        (volume.files / "x").write_text("other")
        report = space.save(volume)
        assert report.number == 2
        assert (restored(space, 2) / "x").read_text() == "other"
        (volume.files / "x").write_text("third")
        assert space.save(volume).number == 3
        assert (restored(space, 3) / "x").read_text() == "third"
    finally:
        subprocess.run(["umount", str(place)], check=True)
