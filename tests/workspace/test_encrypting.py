"""An encrypted workspace made of one that is not: the same snapshots, nothing to be seen, begun again after an end."""

import os

import pytest

from jupyterhub_notebooks.errors import Conflict, Damaged
from jupyterhub_notebooks.names import new_id
from jupyterhub_notebooks.workspace import Cancelled, WorkspaceStore, check, open_store
from jupyterhub_notebooks.workspace.encrypting import encrypt
from jupyterhub_notebooks.workspace.keys import new_key
from jupyterhub_notebooks.workspace.snapshots import head_of

from .conftest import NOW, WORKSPACE, Space, tree

TEXT = b"The merger is announced on Tuesday. "


@pytest.fixture
def history(space, volume):
    """Three snapshots: bundles, slices, holes, hard links, an empty file, what came and went."""
    (volume.files / "folder").mkdir()
    for number in range(200):
        (volume.files / "folder" / f"small-{number}").write_bytes(TEXT + b"%d" % number)
    (volume.files / "large").write_bytes(os.urandom(9 * 2**20) + TEXT)
    with (volume.files / "holes").open("wb") as file:
        file.seek(40 * 2**20)
        file.write(TEXT)
    (volume.files / "empty").touch()
    os.link(volume.files / "large", volume.files / "linked")
    (volume.files / "to").symlink_to("folder")
    space.save(volume)
    (volume.files / "folder" / "small-7").write_bytes(b"changed")
    (volume.files / "holes").unlink()
    space.save(volume)
    (volume.files / "recovered").write_bytes(b"recovered")
    space.save(volume, kind="recovery")
    return space


def place(folder, key, id=None):
    store = WorkspaceStore(open_store((folder / "new" / "store").as_uri()))
    store.unlock(key)
    store.create(id or new_id(NOW, os.urandom), lease="objects", now=NOW)
    return Space(folder / "new", store)


def test_every_snapshot_is_the_same_and_nothing_is_to_be_seen(history, tmp_path):
    before = {path: path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()}
    new = place(tmp_path, new_key())
    id = new.store.facts().id
    report = encrypt(history.store, history.store, new.store, workspace_id=id)
    assert report.snapshots == (1, 2, 3)
    for number in report.snapshots:
        one, two = history.volume(f"old-{number}"), new.volume(f"new-{number}")
        history.restore(one, number)
        new.restore(two, number)
        assert tree(one.files) == tree(two.files)
        assert os.stat(two.files / "large").st_ino == os.stat(two.files / "linked").st_ino
        old, made = head_of(history.store, number), head_of(new.store, number, id)
        assert (made.kind, made.parent, made.at, made.files) == (old.kind, old.parent, old.at, old.files)
    checked = check(new.store, new.store, read_data=True, stored=new.store.block_sizes())
    assert (checked.errors, checked.hints) == ((), ())
    stored = b"".join(path.read_bytes() for path in (tmp_path / "new/store").rglob("*") if path.is_file())
    assert b"small" not in stored
    assert b"merger" not in stored
    assert {path: path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()} == before


def test_a_volume_goes_on_where_its_workspace_was_encrypted(history, tmp_path, volume):
    new = place(tmp_path, new_key())
    id = new.store.facts().id
    encrypt(history.store, history.store, new.store, workspace_id=id)
    new.store.take_lease("a test", NOW)
    assert new.save(volume, workspace_id=id).number == 0
    (volume.files / "more").write_bytes(b"more")
    report = new.save(volume, workspace_id=id)
    assert report.number == 4
    assert report.stored_bytes < 100_000


def test_files_whose_marker_names_the_old_workspace_are_no_change(space, tmp_path):
    """As a start finds them on a machine that kept them: nothing is to be saved beside the newest snapshot."""
    volume = space.volume()
    (volume.files / "work").write_bytes(TEXT)
    volume.write_marker(WORKSPACE)
    space.save(volume)
    new = place(tmp_path, new_key())
    id = new.store.facts().id
    encrypt(space.store, space.store, new.store, workspace_id=id)
    new.store.take_lease("a test", NOW)
    assert new.save(volume, workspace_id=id, kind="recovery").number == 0
    new.restore(volume)
    assert volume.marker() == id
    (volume.files / "work").write_bytes(b"newer")
    assert new.save(volume, workspace_id=id).number == 2


def test_what_a_volume_saw_under_another_key_is_not_relied_on(history, tmp_path, volume):
    new = place(tmp_path, new_key(), history.store.facts().id)
    encrypt(history.store, history.store, new.store, workspace_id=WORKSPACE)
    new.store.take_lease("a test", NOW)
    (volume.files / "more").write_bytes(b"more")
    new.save(volume)
    back = new.volume("back")
    new.restore(back)
    assert tree(back.files) == tree(volume.files)


def test_cut_off_and_begun_again_it_goes_on(history, tmp_path):
    new = place(tmp_path, new_key())
    id = new.store.facts().id
    asked = iter(range(10**6))
    with pytest.raises(Cancelled):
        encrypt(history.store, history.store, new.store, workspace_id=id, cancelled=lambda: next(asked) > 3)
    assert new.store.numbers() == []
    encrypt(history.store, history.store, new.store, workspace_id=id)
    blocks = len(new.blocks())
    again = encrypt(history.store, history.store, new.store, workspace_id=id)
    assert (again.snapshots, again.read_bytes, len(new.blocks())) == ((1, 2, 3), 0, blocks)


def test_a_place_where_something_else_lies_is_refused(history, tmp_path):
    new = place(tmp_path, new_key())
    volume = new.volume()
    (volume.files / "other").write_bytes(b"other")
    new.store.take_lease("a test", NOW)
    new.save(volume, workspace_id=new.store.facts().id)
    with pytest.raises(Conflict, match="another snapshot 1"):
        encrypt(history.store, history.store, new.store, workspace_id=new.store.facts().id)


def test_a_damaged_block_stops_it_before_its_snapshot_appears(history, tmp_path):
    largest = max(history.blocks(), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-1])
    new = place(tmp_path, new_key())
    with pytest.raises(Damaged):
        encrypt(history.store, history.store, new.store, workspace_id=new.store.facts().id)
    assert new.store.numbers() == []


def test_erasing_removes_the_workspace_and_nothing_beside_it(history, tmp_path):
    (tmp_path / "store" / "thesis.txt").write_text("not ours")
    history.store.erase()
    assert [path.name for path in (tmp_path / "store").rglob("*") if path.is_file()] == ["thesis.txt"]
    history.store.erase()
