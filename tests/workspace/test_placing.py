"""Writing below a directory: with few descriptors, and again over what a process that was killed had begun."""

import os
import resource

import pytest

from jupyterhub_notebooks.workspace.entries import FILE, Entry
from jupyterhub_notebooks.workspace.placing import Places
from jupyterhub_notebooks.workspace.writing import AT_ONCE

from .conftest import tree

NOBODY = 65534


def in_a_child(act) -> None:
    """Runs act in a process of its own, and holds it to ending well."""
    child = os.fork()
    if not child:
        try:
            os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])  # what other tests have open
            act()
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def test_a_restore_gets_by_with_few_open_files_however_deep_the_folders(space, volume):
    folder = volume.files
    for number in range(60):
        folder = folder / f"n{number}"
        folder.mkdir()
        (folder / "file").write_bytes(bytes([number + 1]) * (2**20 + 1))
    space.save(volume)
    back = space.volume("back")

    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
        space.restore(back)

    in_a_child(few)
    assert tree(back.files) == tree(volume.files)


@pytest.mark.parametrize(("soft", "users"), [(1024, 17), (1024, 33), (128, 33), (20, 33)])
def test_all_threads_together_keep_no_more_than_a_share_of_what_may_be_open(tmp_path, soft, users):
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        places = Places(os.fsencode(tmp_path), users)
        assert 1 <= places._most <= 64 and users * places._most <= max(users, soft // 2)

    in_a_child(few)


def test_files_that_nobody_may_write_are_made_again_where_their_making_was_cut_off(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    files = [
        (b"a", 0o444, 10**18, b"first"),
        (b"b", 0o400, 10**18, b"second"),
        (b"c", 0o000, 10**18, b"third"),
    ]

    def twice():
        with Places(os.fsencode(folder)) as places:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            places.plain([(path, mode, time, b"x") for path, mode, time, _ in files])
            stamps = places.plain(files)
        assert [path for path, _ in stamps] == [b"a", b"b", b"c"]

    in_a_child(twice)
    assert [(path.read_bytes() if os.geteuid() == 0 else b"") for path in sorted(folder.iterdir())] == (
        [b"first", b"second", b"third"] if os.geteuid() == 0 else [b"", b"", b""]
    )
    assert [oct(path.stat().st_mode & 0o777) for path in sorted(folder.iterdir())] == [
        "0o444",
        "0o400",
        "0o0",
    ]


@pytest.mark.parametrize("way", ["plain", "whole", "write"])
def test_large_files_are_written_in_small_pieces_also_where_the_kernel_takes_less(tmp_path, monkeypatch, way):
    data = os.urandom(3 * AT_ONCE + 17)
    asked, pwrite = [], os.pwrite

    def reluctant(file, part, offset):
        asked.append(len(part))
        return pwrite(file, part[: AT_ONCE - 1000], offset)

    monkeypatch.setattr(os, "pwrite", reluctant)
    places = Places(os.fsencode(tmp_path))
    if way == "plain":
        places.plain([(b"x", 0o644, 0, data)])
    elif way == "whole":
        places.whole(b"x", Entry(b"x", FILE, 0o644, 0, len(data)), data)
    else:
        places.write(b"x", 0, data, False)
    assert (tmp_path / "x").read_bytes() == data
    assert max(asked) <= AT_ONCE
