"""A disk that its user fills keeps nothing from being saved: the room for what a save must write was taken before."""

import errno
import os

import pytest

from jupyterhub_notebooks.workspace import Volume


@pytest.fixture
def volume(tmp_path, monkeypatch):
    """One whose disk is full as long as its reserve is there, and has room for one file when that goes."""
    (tmp_path / "files").mkdir()
    made = Volume(tmp_path / "files", tmp_path / "state")
    made.remember(base=3)
    made.reserve()
    real = os.open

    def full(path, flags, *more, **named):
        if str(path).endswith(".new") and (made.state / "reserve").exists():
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return real(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", full)
    return made


def test_what_must_be_remembered_takes_the_reserved_room(volume):
    assert (volume.state / "reserve").stat().st_size == 256 * 1024
    volume.remember(base=4)
    assert volume.base == 4
    assert not (volume.state / "reserve").exists()


def test_what_is_only_a_cache_leaves_it(volume):
    with pytest.raises(OSError, match="No space left"):
        volume.write("scan", b"x", durable=False, needed=False)
    assert (volume.state / "reserve").exists()


def test_without_a_reserve_what_was_last_seen_goes_first(volume):
    (volume.state / "reserve").unlink()
    (volume.state / "scan").write_bytes(b"seen")
    real = os.open

    def full(path, flags, *more, **named):
        if str(path).endswith(".new") and (volume.state / "scan").exists():
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return real(path, flags, *more, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", full)
        volume.remember(base=4)
    assert volume.base == 4
    assert not (volume.state / "scan").exists()


def test_the_room_is_taken_again_once_there_is_some(volume):
    volume.remember(base=4)
    volume.reserve()
    assert (volume.state / "reserve").exists()
