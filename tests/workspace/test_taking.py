"""Files of one snapshot put into another's listing, without a byte of them being moved."""

import os
from datetime import UTC, datetime

import pytest

from jupyterhub_notebooks.errors import NotFound, Refusal
from jupyterhub_notebooks.workspace import Volume, WorkspaceStore, check, open_store, save
from jupyterhub_notebooks.workspace.browsing import Contents, read_file
from jupyterhub_notebooks.workspace.copying import copy_all
from jupyterhub_notebooks.workspace.snapshots import compose_snapshot
from jupyterhub_notebooks.workspace.taking import taken

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
ID = "01j000000000000000000000ab"


@pytest.fixture
def space(tmp_path):
    made = WorkspaceStore(open_store(f"file://{tmp_path}/store"), "")
    made.create(ID, lease="objects", now=NOW)
    made.take_lease("test", NOW)
    return made


def saved(space, volume, number, **files):
    for name, text in files.items():
        path = volume.files / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            path.unlink()
        else:
            path.write_text(text)
    parent = volume.base
    return save(
        volume,
        space,
        space,
        number=number,
        parent=parent,
        workspace_id=ID,
        now=NOW,
        created_by="tests",
    )


@pytest.fixture
def volume(tmp_path, space):
    """Snapshots 1 and 2 of files that differ."""
    (tmp_path / "files").mkdir()
    made = Volume(tmp_path / "files", tmp_path / "state")
    made.remember(base=0)
    saved(space, made, 1, a_txt="one", deep__er__b_txt="one", gone_txt="only in one")
    os.link(made.files / "a.txt", made.files / "same.txt")
    saved(space, made, 2, deep__er__b_txt="two", gone_txt=None)
    return made


def committed(space, made, number=3):
    import dataclasses

    head = dataclasses.replace(made.head, number=number, kind="save", parent=2, at=NOW, lease=None)
    space.put_snapshot(number, compose_snapshot(head, os.urandom(16), space.keys))


def text(space, number, path):
    return b"".join(read_file(space, Contents(space, space, number).entry(path))).decode()


def test_files_come_back_to_their_places_and_the_rest_stays(space, volume, tmp_path):
    made = taken(space, space, 2, 1, [b"gone.txt", b"deep"])
    assert (made.files, made.replaced) == (2, 1)
    assert space.numbers() == [1, 2]
    committed(space, made)
    assert text(space, 3, b"gone.txt") == "only in one" and text(space, 3, b"deep/er/b.txt") == "one"
    assert text(space, 3, b"same.txt") == "one"
    copy_all(space, space, 3, tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == [
        "a.txt",
        "deep",
        "gone.txt",
        "same.txt",
    ]
    assert not check(space, space, read_data=True).errors


def test_copies_lie_below_a_folder_of_their_own_and_replace_nothing(space, volume):
    made = taken(space, space, 2, 1, [b"deep/er/b.txt"], into=b"restored/from-1")
    assert (made.files, made.replaced) == (1, 0)
    committed(space, made)
    assert text(space, 3, b"restored/from-1/deep/er/b.txt") == "one"
    assert text(space, 3, b"deep/er/b.txt") == "two"
    assert not check(space, space, read_data=True).errors


def test_the_other_name_of_a_replaced_file_keeps_what_it_had(space, volume):
    saved(space, volume, 3, a_txt="changed through both names")
    made = taken(space, space, 3, 1, [b"a.txt"])
    committed(space, made, 4)
    assert text(space, 4, b"a.txt") == "one" and text(space, 4, b"same.txt") == "changed through both names"
    assert not check(space, space, read_data=True).errors


def test_what_is_not_there_or_stands_in_the_way_is_refused(space, volume):
    with pytest.raises(NotFound):
        taken(space, space, 2, 1, [b"never.txt"])
    (volume.files / "gone.txt").mkdir()
    saved(space, volume, 3, gone_txt__inside="x")
    with pytest.raises(Refusal, match=r"gone\.txt stands in the way"):
        taken(space, space, 3, 1, [b"gone.txt"])
    assert space.numbers() == [1, 2, 3]
