"""A directory that still has what a repair could not save: its next save makes it whole again, whatever it is saved as."""

import os

import pytest

from jupyterhub_notebooks.workspace import check, glancing, lastseen
from jupyterhub_notebooks.workspace.fetching import fetcher
from jupyterhub_notebooks.workspace.pages import leaves_of
from jupyterhub_notebooks.workspace.snapshots import head_of

from .conftest import tree
from .test_damage import damage
from .test_repair import block, large, many, repaired, stored


def errors(space, *numbers):
    report = check(space.store, space.store, read_data=True, stored=space.store.block_sizes())
    return [problem for problem in report.errors if set(problem.snapshots) & set(numbers)]


def restores_whole(space, number, volume):
    back = space.volume(f"back-{number}")
    space.restore(back, number)
    assert tree(back.files) == tree(volume.files)


def as_another_process(volume):
    """What a process knows in its memory is gone."""
    glancing._kept.pop(str(volume.state), None)


@pytest.fixture
def damaged(space, volume):
    """Two saves; of the second a large file and a bundle rot, and a repair makes the third."""
    (volume.files / "lost").write_bytes(large(1))
    (volume.files / "kept").write_bytes(large(2))
    for name in ("small", "tiny"):
        (volume.files / name).write_bytes(os.urandom(100))
    space.save(volume)
    (volume.files / "kept").write_bytes(large(3))
    space.save(volume)
    for name in (b"lost", b"small"):
        damage(block(space, 2, name), "truncated")
    as_another_process(volume)
    report = repaired(space)
    assert (report.number, report.removed_blocks) == (3, 2)
    return volume


@pytest.mark.parametrize("scan", ["kept", "lost"])
@pytest.mark.parametrize("kind", ["recovery", "save"])
@pytest.mark.parametrize("change", ["nothing", "another file"])
def test_a_save_of_the_directory_stores_again_what_the_repair_removed(space, damaged, kind, scan, change):
    if scan == "lost":
        lastseen.forget(damaged)
    if change == "another file":
        (damaged.files / "new").write_text("new")
    report = space.save(damaged, kind=kind)
    assert (report.number, report.kind, report.skipped) == (4, kind, ())
    restores_whole(space, 4, damaged)
    assert errors(space, 4) == []
    as_another_process(damaged)
    assert space.save(damaged).number == 0


def test_what_cannot_be_read_now_and_is_gone_from_the_store_is_no_entry_without_bytes(
    space, damaged, monkeypatch
):
    from jupyterhub_notebooks.workspace import reading

    real = reading._open

    def opened(files, path):
        if path == b"lost":
            raise PermissionError(13, "Permission denied")
        return real(files, path)

    monkeypatch.setattr(reading, "_open", opened)
    report = space.save(damaged, kind="recovery")
    monkeypatch.undo()
    assert [path for path, _ in report.skipped] == ["lost"]
    assert errors(space, 4) == []
    (damaged.files / "lost").unlink()
    restores_whole(space, 4, damaged)


def test_a_page_that_the_repair_removed_is_stored_again(space, volume):
    many(volume)
    space.save(volume)
    leaves = leaves_of(head_of(space.store, 1).root, fetcher(space.store))
    damage(stored(space, leaves[1].name), "truncated")
    as_another_process(volume)
    assert repaired(space).number == 2
    (volume.files / "new").write_text("x")
    assert space.save(volume, kind="recovery").number == 3
    assert errors(space, 3) == []
    restores_whole(space, 3, volume)


def test_an_ordinary_save_asks_for_no_block(space, volume, monkeypatch):
    (volume.files / "x").write_text("1")
    space.save(volume)
    asked = []
    monkeypatch.setattr(type(space.store), "not_there", lambda _, names: asked.append(names) or [])
    (volume.files / "x").write_text("22")
    assert space.save(volume).number == 2
    assert asked == []
    (volume.files / "x").write_text("333")
    assert space.save(volume, kind="recovery").number == 3
    assert len(asked) == 1
