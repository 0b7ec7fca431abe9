"""Random edits of a random tree, saved in between: every snapshot comes back byte for byte and attribute for attribute."""

import os
import stat
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyterhub_notebooks.workspace import (
    WorkspaceStore,
    check,
    crew,
    filling,
    open_store,
    restoring,
    storing,
)

from .conftest import NOW, WORKSPACE, Space

#: Few names, so that edits meet: files become folders, folders move, links change.
NAMES = st.sampled_from([b"a", b"b", b"\xff\xfe", "é".encode(), b"c" * 255])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(b"/".join)
BYTES = st.one_of(
    st.binary(max_size=100),
    st.integers(1, 5).map(lambda n: bytes([n]) * (n * 300_000)),
    st.integers(0, 3).map(lambda n: bytes(9 * 2**20 + n) + b"end"),
)
EDITS = st.one_of(
    st.tuples(st.just("write"), PATHS, BYTES),
    st.tuples(st.just("append"), PATHS, BYTES),
    st.tuples(st.just("truncate"), PATHS, st.integers(0, 10 * 2**20)),
    st.tuples(st.just("remove"), PATHS, st.none()),
    st.tuples(st.just("rename"), PATHS, PATHS),
    st.tuples(st.just("chmod"), PATHS, st.sampled_from([0o600, 0o755, 0o444, 0o4711])),
    st.tuples(st.just("times"), PATHS, st.integers(-(10**18), 4 * 10**18)),
    st.tuples(st.just("symlink"), PATHS, st.sampled_from([b"a", b"/etc/passwd", b"../..", b"nowhere"])),
    st.tuples(st.just("link"), PATHS, PATHS),
    st.tuples(st.just("attribute"), PATHS, st.binary(max_size=50)),
    st.tuples(st.just("mkdir"), PATHS, st.none()),
    st.tuples(st.just("save"), st.just(b""), st.none()),
)


def edit(root: bytes, what: str, name: bytes, how) -> None:
    """One edit where it can be made; where it cannot, such as below a file, none."""
    path = os.path.join(root, name)
    try:
        if what in ("write", "append"):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644), "r+b") as file:
                if what == "write":
                    file.truncate(0)
                else:
                    file.seek(0, os.SEEK_END)
                file.write(how)
        elif what == "truncate" and not os.path.islink(path):
            os.truncate(path, how)
        elif what == "remove":
            os.rmdir(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
        elif what == "rename":
            os.rename(path, os.path.join(root, how))
        elif what == "chmod" and os.path.isfile(path) and not os.path.islink(path):
            os.chmod(path, how)
        elif what == "times":
            os.utime(path, ns=(how, how), follow_symlinks=False)
        elif what == "symlink":
            os.symlink(how, path)
        elif what == "link" and os.path.isfile(path) and not os.path.islink(path):
            os.link(path, os.path.join(root, how))
        elif what == "attribute" and not os.path.islink(path):
            os.setxattr(path, "user.note", how)
        elif what == "mkdir":
            os.makedirs(path)
    except OSError:
        return


def whole(files: Path) -> dict[bytes, tuple]:
    """Every entry with mode, time, content, attributes and the other names of its file."""
    root, found, names = os.fsencode(files), {}, {}
    for folder, folders, others in os.walk(root):
        for name in [*folders, *others]:
            path = os.path.join(folder, name)
            about, content, attributes = os.lstat(path), b"", []
            if stat.S_ISLNK(about.st_mode):
                content = os.readlink(path)
            else:
                attributes = [(one, os.getxattr(path, one)) for one in sorted(os.listxattr(path))]
                if stat.S_ISREG(about.st_mode):
                    content = Path(os.fsdecode(path)).read_bytes()
                    names.setdefault(about.st_ino, set()).add(os.path.relpath(path, root))
            found[os.path.relpath(path, root)] = (
                about.st_mode,
                about.st_mtime_ns,
                content,
                tuple(attributes),
            )
    groups = {name: frozenset(group) for group in names.values() for name in group}
    return {path: (*entry, groups.get(path)) for path, entry in found.items()}


def edited(folder: Path, edits) -> None:
    store = WorkspaceStore(open_store((folder / "store").as_uri()))
    store.create(WORKSPACE, lease="objects", now=NOW)
    store.take_lease("a test", NOW)
    space = Space(folder, store)
    volume = space.volume()
    root, trees = os.fsencode(volume.files), {}
    for what, name, how in [*edits, ("save", b"", None)]:
        if what != "save":
            edit(root, what, name, how)
            continue
        report = space.save(volume)
        assert report.skipped == ()
        if report.number:  # else nothing but the time of a directory is another
            trees[report.number] = whole(volume.files)
    used = space.volume("used")
    for number, tree in trees.items():
        fresh = space.volume(f"fresh-{number}")
        space.restore(fresh, number)
        assert whole(fresh.files) == tree
        space.restore(used, number)
        assert whole(used.files) == tree
    assert not check(store, store, read_data=True, stored=store.block_sizes()).errors


QUICK = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


@settings(max_examples=12, **QUICK)
@given(edits=st.lists(EDITS, min_size=3, max_size=25))
def test_what_random_edits_leave_comes_back_from_every_snapshot(tmp_path_factory, edits):
    edited(tmp_path_factory.mktemp("edits"), edits)


@contextmanager
def all_by_hands(do):
    """As if every file were worth a process of its own."""
    with pytest.MonkeyPatch.context() as patch:
        if do:
            patch.setattr(crew, "LEAST_FILES", 1)
            patch.setattr(filling, "_LEAST_FOR_HAND", 1)
            patch.setattr(storing, "_LEAST_FOR_HAND", 1)
            patch.setattr(restoring, "_LEAST_FOLDERS", 0)
        yield


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(max_examples=300, **QUICK)
@given(edits=st.lists(EDITS, min_size=5, max_size=60), by_hands=st.booleans())
def test_what_many_random_edits_leave_comes_back_from_every_snapshot(tmp_path_factory, edits, by_hands):
    with all_by_hands(by_hands):
        edited(tmp_path_factory.mktemp("edits"), edits)
