"""Several names of one file, while some of them go or become another file's: none is missing, none has other content."""

import os
from pathlib import Path

import pytest

from jupyterhub_notebooks.workspace import comparing, crew, listing, reading, saving, storing

from .conftest import tree


@pytest.fixture
def settled(monkeypatch):
    """As if every file had been there for a while when it was looked at."""
    monkeypatch.setattr(comparing, "SETTLED_NS", -(10**12))


@pytest.fixture
def meanwhile(monkeypatch):
    """Has something done once, between the look at the workspace and the first byte read of it."""

    def then(act):
        real, done = saving.scanning.walk, []

        def walk(files, leave, *more):
            seen = real(files, leave, *more)
            if not done:
                done.append(True)
                act()
            return seen

        monkeypatch.setattr(saving.scanning, "walk", walk)

    return then


SIZES = [3000, 2**20 + 5]


def same_file(volume, name, size, *more):
    """One file under several names."""
    path = volume.files / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"1" * size)
    for other in more:
        (volume.files / other).parent.mkdir(exist_ok=True)
        os.link(path, volume.files / other)
    return path


def over(volume, path: Path, size):
    """As an editor saves: a new file under the old name."""
    (volume.files / "new").write_bytes(b"2" * size)
    os.replace(volume.files / "new", path)


def links(space, number):
    return {
        entry.path: entry.hard_link_to
        for entry in listing(space.store, space.store, number)
        if entry.kind == "file"
    }


def back(space, number):
    volume = space.volume(f"back-{number}")
    space.restore(volume, number)
    return volume


def contents(volume):
    return {path: what[2] for path, what in tree(volume.files).items()}


@pytest.mark.parametrize("size", SIZES)
def test_names_whose_first_name_goes_before_it_is_read_are_saved(space, volume, meanwhile, size):
    first = same_file(volume, ".cache2/x", size, "env/x", "env/y")
    meanwhile(first.unlink)
    report = space.save(volume)
    assert report.skipped == ()
    assert links(space, 1) == {b"env/x": b"", b"env/y": b"env/x"}
    assert contents(back(space, 1)) == contents(volume)


@pytest.mark.parametrize("size", SIZES)
def test_names_whose_first_name_becomes_another_file_keep_their_content(space, volume, meanwhile, size):
    first = same_file(volume, "a", size, "b", "c")
    meanwhile(lambda: over(volume, first, size))
    space.save(volume)
    assert links(space, 1) == {b"a": b"", b"b": b"", b"c": b"b"}
    restored = back(space, 1)
    assert (restored.files / "a").read_bytes() == b"2" * size
    assert (restored.files / "b").read_bytes() == (restored.files / "c").read_bytes() == b"1" * size
    assert space.save(volume).number == 0


def test_it_holds_where_processes_of_their_own_read(space, volume, meanwhile, monkeypatch):
    monkeypatch.setattr(crew, "LEAST_FILES", 1)
    monkeypatch.setattr(storing, "_LEAST_FOR_HAND", 1)
    gone = same_file(volume, "1/a", 500, "2/a")
    replaced = same_file(volume, "1/b", 600, "2/b", "3/b")
    (volume.files / "other").write_text("x")

    def change():
        gone.unlink()
        over(volume, replaced, 600)

    meanwhile(change)
    assert space.save(volume).skipped == ()
    assert contents(back(space, 1)).keys() == contents(volume).keys()
    assert (back(space, 1).files / "2/b").read_bytes() == b"1" * 600
    assert links(space, 1)[b"3/b"] == b"2/b"


def test_a_name_that_cannot_be_read_by_itself_is_reported_and_keeps_what_was_saved(
    space, volume, meanwhile, monkeypatch
):
    first = same_file(volume, "a", 3000, "b", "c")
    space.save(volume)
    os.utime(first, (1, 1))
    real = reading._open

    def opened(files, path):
        if path in (b"b", b"c"):
            raise PermissionError(13, "Permission denied")
        return real(files, path)

    monkeypatch.setattr(reading, "_open", opened)
    meanwhile(first.unlink)
    report = space.save(volume)
    assert [path for path, _ in report.skipped] == ["b", "c"]
    assert links(space, report.number) == {b"b": b"", b"c": b"b"}
    assert (back(space, report.number).files / "c").read_bytes() == b"1" * 3000


def test_a_new_file_under_the_number_of_one_that_was_kept_has_its_own_content(
    space, volume, meanwhile, settled
):
    first = same_file(volume, "a", 3000, "z")
    space.save(volume)
    about = os.lstat(volume.files / "a")
    real = saving.scanning.walk

    def walk(files, leave, *more):
        """The old file went while the look was on its way, and a new one got its number."""
        seen = real(files, leave, *more)
        for at, item in enumerate(seen.found):
            if item.path == b"z":
                seen.found[at] = item._replace(inode=about.st_ino, device=about.st_dev)
        return seen

    (volume.files / "z").unlink()
    os.link(first, volume.files / "y")
    space.save(volume)
    (volume.files / "z").write_bytes(b"other")
    os.link(volume.files / "z", volume.files.parent / "elsewhere")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saving.scanning, "walk", walk)
        patch.setattr(comparing, "SETTLED_NS", 0)
        number = space.save(volume).number
    assert (back(space, number).files / "z").read_bytes() == b"other"


def test_names_stay_one_file_from_save_to_save(space, volume, settled):
    same_file(volume, "a", 3000, "b", "c")
    space.save(volume)
    assert space.save(volume).number == 0
    (volume.files / "other").write_text("x")
    space.save(volume)
    assert links(space, 2) == {b"a": b"", b"b": b"a", b"c": b"a", b"other": b""}
