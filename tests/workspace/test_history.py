"""Going back: looking into a snapshot, what differs, single files brought back, exports."""

import errno
import io
import os
import signal
import stat
import subprocess
import sys
import zipfile
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyterhub_notebooks.errors import BadInput, Damaged, NotebooksError, NotFound, Refusal
from jupyterhub_notebooks.workspace import Cancelled, listing
from jupyterhub_notebooks.workspace.browsing import Contents, read_file
from jupyterhub_notebooks.workspace.copying import clean, copy_all, copy_paths
from jupyterhub_notebooks.workspace.differing import differences
from jupyterhub_notebooks.workspace.entries import order
from jupyterhub_notebooks.workspace.exporting import export_zip, export_zip_file
from jupyterhub_notebooks.workspace.pruning import prune
from jupyterhub_notebooks.workspace.repairing import repair
from jupyterhub_notebooks.workspace.retention import Rule

from .conftest import NOW, tree
from .test_damage import HOSTILE, commit_page, damage


def fill(volume):
    files = volume.files
    (files / "a" / "deep" / "er").mkdir(parents=True)
    (files / "a" / "deep" / "er" / "x.txt").write_text("x")
    (files / "a" / "one.txt").write_text("one")
    (files / "a-b").write_text("beside")
    (files / ".hidden").write_text("h")
    (files / "empty").mkdir()
    os.symlink("a/one.txt", files / "link")
    os.link(files / "a" / "one.txt", files / "a" / "same.txt")
    (files / "big").write_bytes(bytes(range(256)) * 40_000)
    with open(files / "sparse", "wb") as file:
        file.truncate(30 * 2**20)
        file.seek(20 * 2**20)
        file.write(b"end")
    with open(os.path.join(os.fsencode(files), b"odd\xff"), "wb") as file:
        file.write(b"odd")


def many(volume, folders=30, files=60):
    for folder in range(folders):
        (volume.files / f"d{folder:03}").mkdir(exist_ok=True)
        for file in range(files):
            (volume.files / f"d{folder:03}" / f"f{file:03}").write_text(f"{folder} {file}")


class Counting:
    """A workspace's store that counts blocks which are read."""

    def __init__(self, store):
        self._store, self.blocks = store, 0

    def __getattr__(self, name):
        return getattr(self._store, name)

    def get(self, what, /):
        self.blocks += isinstance(what, str)
        return self._store.get(what)

    def get_into(self, name, room):
        return self.get(name)


def bytes_of(space, path, **more):
    contents = Contents(space.store, space.store, 1)
    return b"".join(read_file(space.store, contents.entry(path), **more))


def test_each_file_of_a_snapshot_can_be_read_by_itself(space, volume):
    fill(volume)
    space.save(volume)
    for path in (b"a/one.txt", b"a/same.txt", b"big", b"sparse", b"odd\xff", b".hidden"):
        with open(os.path.join(os.fsencode(volume.files), path), "rb") as file:
            assert bytes_of(space, path) == file.read()
    assert (
        bytes_of(space, b"big", start=9_000_000, length=500)
        == (bytes(range(256)) * 40_000)[9_000_000:9_000_500]
    )
    assert bytes_of(space, b"sparse", start=20 * 2**20 - 2, length=6) == b"\0\0end\0"
    assert bytes_of(space, b"big", start=10**12) == b""
    with pytest.raises(BadInput, match="is a directory"):
        bytes_of(space, b"a")
    with pytest.raises(NotFound, match="has no a/none"):
        bytes_of(space, b"a/none")


def test_looking_at_one_file_of_thousands_reads_a_few_pages(space, volume):
    many(volume)
    space.save(volume)
    counting = Counting(space.store)
    contents = Contents(counting, counting, 1)
    assert contents.entry(b"d017/f033").size == 5
    assert counting.blocks <= 3
    names = [entry.path for entry in contents.children()]
    assert names == [b"d%03d" % n for n in range(30)]


def test_a_folder_is_shown_page_by_page_without_what_lies_deeper(space, volume):
    fill(volume)
    space.save(volume)
    contents = Contents(space.store, space.store, 1)
    top = [entry.path for entry in contents.children()]
    assert sorted(top) == sorted(os.listdir(os.fsencode(volume.files)))
    assert [entry.path for entry in contents.children(b"a")] == [b"a/deep", b"a/one.txt", b"a/same.txt"]
    paged, after = [], b""
    while batch := contents.children(after=after, most=2):
        paged += [entry.path for entry in batch]
        after = paged[-1]
    assert paged == top
    assert contents.children(b"empty") == []
    with pytest.raises(BadInput):
        contents.children(b"big")


NAMES = st.sampled_from([b"a", b"a-", b"a.b", b"b", b"\x01", b"\xff", b"zz"])
PATHS = st.lists(st.lists(NAMES, min_size=1, max_size=4).map(b"/".join), max_size=20)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PATHS, PATHS)
def test_what_differs_leads_from_one_listing_to_the_other(tmp_path_factory, first, second):
    from jupyterhub_notebooks.workspace import WorkspaceStore, open_store

    from .conftest import NOW, WORKSPACE, Space

    folder = tmp_path_factory.mktemp("diff")
    store = WorkspaceStore(open_store((folder / "store").as_uri()))
    store.create(WORKSPACE, lease="objects", now=NOW)
    store.take_lease("a test", NOW)
    space = Space(folder, store)
    for number, paths in enumerate((first, second), 1):
        volume = space.volume(str(number))
        for path in paths:
            full = os.path.join(os.fsencode(volume.files), path)
            try:
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "wb") as file:
                    file.write(path * number)
            except OSError as error:
                assert error.errno in (errno.EEXIST, errno.ENOTDIR, errno.EISDIR)
        (volume.files / "always").write_text("x")
        os.utime(volume.files / "always", (1, 1))
        space.save(volume, kind="recovery", number=number)
    one = {entry.path: entry for entry in listing(store, store, 1)}
    other = {entry.path: entry for entry in listing(store, store, 2)}
    found = list(differences(store, store, 1, 2))
    assert [order(d.path) for d in found] == sorted({order(d.path) for d in found})
    assert {d.path for d in found if d.what == "added"} == other.keys() - one.keys()
    assert {d.path for d in found if d.what == "removed"} == one.keys() - other.keys()
    changed = {
        p
        for p in one.keys() & other.keys()
        if (one[p].kind, one[p].content) != (other[p].kind, other[p].content)
    }
    assert {d.path for d in found if d.what == "changed"} == changed
    contents = Contents(store, store, 2)
    for path, entry in other.items():
        assert contents.entry(path) == entry
        inside = [p for p in other if p.startswith(path + b"/")]
        assert [e.path for e in contents.below(path)] == sorted(inside, key=order)


def test_a_small_change_in_thousands_of_files_reads_a_few_pages(space, volume):
    many(volume)
    space.save(volume)
    (volume.files / "d003" / "f001").write_text("changed")
    os.chmod(volume.files / "d004" / "f001", 0o600)
    os.remove(volume.files / "d005" / "f001")
    (volume.files / "d006" / "new").write_text("new")
    space.save(volume)
    counting = Counting(space.store)
    found = [(d.path, d.what) for d in differences(counting, counting, 1, 2)]
    assert found == [
        (b"d003/f001", "changed"),
        (b"d004/f001", "attributes"),
        (b"d005/f001", "removed"),
        (b"d006/new", "added"),
    ]
    assert counting.blocks <= 16
    assert list(differences(space.store, space.store, 2, 2)) == []


def test_files_and_folders_come_back_and_nothing_else_is_touched(space, volume):
    fill(volume)
    space.save(volume)
    was = tree(volume.files)
    base = volume.base
    (volume.files / "a" / "one.txt").write_text("changed")
    (volume.files / "a" / "mine").write_text("mine")
    os.remove(volume.files / "a" / "deep" / "er" / "x.txt")
    os.remove(volume.files / "big")
    (volume.files / "a-b").write_text("stays changed")
    report = copy_paths(space.store, space.store, 1, [b"a", b"big", b"./link/"], volume.files, replace=True)
    now = tree(volume.files)
    assert (volume.files / "a" / "mine").read_text() == "mine"
    assert now[b"a-b"][2] == b"stays changed"
    for path in (b"a", b"a/one.txt", b"a/same.txt", b"a/deep/er/x.txt", b"big", b"link"):
        assert now[path] == was[path]
    assert os.path.samefile(volume.files / "a" / "one.txt", volume.files / "a" / "same.txt")
    assert (report.files, report.replaced_files) == (4, 3)
    assert volume.base == base
    assert not (volume.files / ".notebooks-restore").exists()


def test_what_is_in_the_way_is_named_and_stays(space, volume):
    fill(volume)
    space.save(volume)
    (volume.files / "a" / "one.txt").write_text("mine")
    with pytest.raises(Refusal, match=r"has a/one.txt already") as refused:
        copy_paths(space.store, space.store, 1, [b"a/one.txt"], volume.files)
    assert refused.value.label == "not_empty"
    assert (volume.files / "a" / "one.txt").read_text() == "mine"


def test_a_folder_in_a_files_place_is_kept_beside(space, volume):
    fill(volume)
    space.save(volume)
    os.remove(volume.files / "a-b")
    (volume.files / "a-b").mkdir()
    (volume.files / "a-b" / "mine").write_text("mine")
    copy_paths(space.store, space.store, 1, [b"a-b"], volume.files, replace=True)
    assert (volume.files / "a-b").read_text() == "beside"
    assert (volume.files / "a-b.before-restore-1" / "mine").read_text() == "mine"


def test_copies_go_elsewhere_with_the_folders_above_them(space, volume, tmp_path):
    fill(volume)
    os.chmod(volume.files / "a", 0o750)
    space.save(volume)
    into = tmp_path / "restored"
    copy_paths(space.store, space.store, 1, [b"a/deep/er/x.txt"], into)
    assert tree(into).keys() == {b"a", b"a/deep", b"a/deep/er", b"a/deep/er/x.txt"}
    assert stat.S_IMODE((into / "a").stat().st_mode) == 0o750


def test_a_link_in_the_way_is_not_followed(space, volume, tmp_path):
    fill(volume)
    space.save(volume)
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    into = tmp_path / "into"
    into.mkdir()
    os.symlink(outside, into / "a")
    with pytest.raises(NotebooksError):
        copy_paths(space.store, space.store, 1, [b"a/one.txt"], into, replace=True)
    assert list(outside.iterdir()) == [outside / "deep"]
    assert list((outside / "deep").iterdir()) == []


@pytest.mark.parametrize("path", [b"/etc/passwd", b"../x", b"a/../../x", b"", b".", b"x\0y"])
def test_a_path_that_leads_elsewhere_is_refused(path):
    with pytest.raises(BadInput):
        clean(path)


def test_a_whole_snapshot_becomes_a_new_folder_or_nothing(space, volume, tmp_path):
    fill(volume)
    space.save(volume)
    into = tmp_path / "new" / "copy"
    copy_all(space.store, space.store, 1, into)
    assert tree(into) == tree(volume.files)
    with pytest.raises(Refusal):
        copy_all(space.store, space.store, 1, into)
    other = tmp_path / "other"
    asked = iter([False] * 3 + [True] * 1000)
    with pytest.raises(Cancelled):
        copy_all(space.store, space.store, 1, other, cancelled=lambda: next(asked))
    assert not other.exists()
    for path in space.blocks():
        if path.stat().st_size > 300:
            damage(path)
    with pytest.raises(Damaged):
        copy_all(space.store, space.store, 1, other)
    assert not [path for path in tmp_path.iterdir() if "other" in path.name]


class Forward(io.RawIOBase):
    """A place that can only be written forward, as a socket is."""

    def __init__(self):
        self.body = bytearray()

    def writable(self):
        return True

    def write(self, data):
        self.body += data
        return len(data)


def test_a_zip_holds_every_file_and_can_be_written_to_a_socket(space, volume):
    fill(volume)
    os.utime(volume.files / ".hidden", (0, 0))
    space.save(volume)
    out = Forward()
    report = export_zip(space.store, space.store, 1, out)
    with zipfile.ZipFile(io.BytesIO(bytes(out.body))) as archive:
        assert archive.testzip() is None
        for path in ("a/one.txt", "a/same.txt", "big", "sparse", ".hidden"):
            assert archive.read(path) == (volume.files / path).read_bytes()
        assert archive.getinfo("empty/").is_dir()
        link = archive.getinfo("link")
        assert stat.S_ISLNK(link.external_attr >> 16)
        assert archive.read("link") == b"a/one.txt"
        assert archive.getinfo(".hidden").date_time[0] == 1980
        assert archive.read("odd\ufffd") == b"odd"
    assert report.renamed == (("odd\\xff", "odd\ufffd"),)
    assert report.files == 8


def test_a_zip_of_more_than_is_allowed_is_refused_before_its_first_byte(space, volume):
    with open(volume.files / "huge", "wb") as file:
        file.truncate(10**13)
    space.save(volume)
    out = Forward()
    with pytest.raises(BadInput, match="This would be 10"):
        export_zip(space.store, space.store, 1, out, most_bytes=10**12)
    assert not out.body


def test_a_zip_file_appears_whole_or_not_at_all(space, volume, tmp_path):
    fill(volume)
    space.save(volume)
    target = tmp_path / "all.zip"
    export_zip_file(space.store, space.store, 1, target, paths=[b"a"])
    with zipfile.ZipFile(target) as archive:
        assert set(archive.namelist()) == {
            "a/",
            "a/deep/",
            "a/deep/er/",
            "a/deep/er/x.txt",
            "a/one.txt",
            "a/same.txt",
        }
    with pytest.raises(BadInput, match="is there already"):
        export_zip_file(space.store, space.store, 1, target)
    with pytest.raises(Cancelled):
        export_zip_file(space.store, space.store, 1, tmp_path / "no.zip", cancelled=lambda: True)
    assert not [path for path in tmp_path.iterdir() if "no.zip" in path.name]


KILLED = """
import os, signal, sys
from pathlib import Path
from jupyterhub_notebooks.workspace import WorkspaceStore, copy_paths, open_store
from jupyterhub_notebooks.workspace.placing import Places
left = int(sys.argv[3])
real = Places.move
def move(self, path, to):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    real(self, path, to)
Places.move = move
space = WorkspaceStore(open_store(sys.argv[1]))
copy_paths(space, space, 1, [b"a", b"big"], Path(sys.argv[2]), replace=True)
"""


def test_a_copy_that_is_killed_leaves_each_file_as_it_was_or_as_in_the_snapshot(space, volume):
    fill(volume)
    space.save(volume)
    saved = tree(volume.files)
    for path in ("a/one.txt", "a/deep/er/x.txt", "big", "a/same.txt"):
        (volume.files / path).unlink()
        (volume.files / path).write_text("changed since")
    changed = tree(volume.files)
    for moves in (0, 1, 3):
        arguments = [sys.executable, "-c", KILLED, space.store.store.url, str(volume.files), str(moves)]
        assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
        now = tree(volume.files)
        for path in (b"a/one.txt", b"a/deep/er/x.txt", b"big", b"a/same.txt"):
            assert now[path] in (saved[path], changed[path])
        assert now[b"a-b"] == saved[b"a-b"]
    report = space.save(volume)
    assert not [path for path in report.skipped if "notebooks" in path[0]]
    assert not [e for e in listing(space.store, space.store, report.number) if b".notebooks" in e.path]
    copy_paths(space.store, space.store, 1, [b"a", b"big"], volume.files, replace=True)
    assert tree(volume.files)[b"big"] == saved[b"big"]


@pytest.mark.parametrize("what", HOSTILE)
def test_nothing_hostile_gets_out_of_a_listing_by_way_of_its_history(space, what, tmp_path):
    commit_page(space, HOSTILE[what])
    store = space.store
    into = tmp_path / "far" / "into"
    with pytest.raises(Damaged):
        copy_all(store, store, 1, into)
    with pytest.raises(Damaged):
        export_zip(store, store, 1, Forward())
    for path in (b"l/out", b"f/out", b"nowhere/out", b"l/x"):
        with pytest.raises((Damaged, NotFound)):
            copy_paths(store, store, 1, [path], into, replace=True)
    with suppress(Damaged):
        list(differences(store, store, 1, 1))
    report = repair(store, now=NOW, created_by="a test")
    if report.number:
        assert not [e for e in report.lost if not e.path]
        copy_all(store, store, report.number, tmp_path / "repaired")
    with suppress(Damaged):
        prune(store, now=NOW, rule=Rule(0, 0, 0))
    assert not (tmp_path / "far" / "out").exists()
    assert not os.path.lexists("/tmp/out")
