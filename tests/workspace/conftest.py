"""A workspace's store and volumes, in temporary folders."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jupyterhub_notebooks.names import new_id
from jupyterhub_notebooks.workspace import Volume, WorkspaceStore, open_store, restore, save

from ..s3 import running

NOW = datetime(2026, 10, 14, 12, 30, tzinfo=UTC)
WORKSPACE = new_id(NOW, lambda count: bytes(count))


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("s3")) as server:
        yield server


@dataclass
class Space:
    """One workspace's store, and volumes that are saved to it and restored from it."""

    folder: Path
    store: WorkspaceStore

    def volume(self, name: str = "one") -> Volume:
        made = Volume(self.folder / name / "files", self.folder / name / "state")
        made.files.mkdir(parents=True, exist_ok=True)
        return made

    def save(self, volume: Volume, **more):
        settled = {"number": max(self.store.numbers(), default=0) + 1, "parent": volume.base}
        known = {"workspace_id": WORKSPACE, "now": NOW, "created_by": "a test"}
        return save(volume, self.store, self.store, **{**settled, **known, **more})

    def restore(self, volume: Volume, number: int | None = None, **more):
        return restore(volume, self.store, self.store, number or max(self.store.numbers()), **more)

    def blocks(self) -> list[Path]:
        return [path for path in (self.folder / "store" / "blocks").glob("*/*")]


@pytest.fixture
def space(tmp_path):
    store = WorkspaceStore(open_store((tmp_path / "store").as_uri()))
    store.create(WORKSPACE, lease="objects", now=NOW)
    store.take_lease("a test", NOW)
    return Space(tmp_path, store)


@pytest.fixture
def volume(space):
    return space.volume()


def tree(files: Path | bytes) -> dict[bytes, tuple]:
    """Everything below files that a snapshot keeps."""
    found = {}
    root = os.fsencode(files)
    for folder, folders, names in os.walk(root):
        for name in [*folders, *names]:
            path = os.path.join(folder, name)
            about = os.lstat(path)
            content: bytes | None = None
            if os.path.islink(path):
                content = os.readlink(path)
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    content = file.read()
            found[os.path.relpath(path, root)] = (oct(about.st_mode), about.st_mtime_ns, content)
    return found
