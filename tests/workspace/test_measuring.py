"""What snapshots take in the store, by the bytes of the store itself."""

import os

from jupyterhub_notebooks.workspace import comparing
from jupyterhub_notebooks.workspace.measuring import Measured, measure
from jupyterhub_notebooks.workspace.snapshots import head_of


def measured(space):
    heads = [head_of(space.store, number) for number in space.store.numbers()]
    return measure(space.store, heads, dict(space.store.block_sizes()))


def test_stored_and_shared_bytes_are_those_of_the_store(space, volume, monkeypatch):
    monkeypatch.setattr(comparing, "SETTLED_NS", -(10**12))
    for at in range(3):
        (volume.files / f"f{at}").write_bytes(os.urandom(2**20 + 1))
    first = space.save(volume)
    (volume.files / "f1").write_bytes(os.urandom(2**20 + 1))
    second = space.save(volume)
    in_store = sum(size for _, size in space.store.block_sizes())
    one, two = measured(space)
    assert one == Measured(1, 3 * (2**20 + 1), one.stored_bytes, 0)
    assert two.logical_bytes == 3 * (2**20 + 1)
    assert one.stored_bytes == first.stored_bytes
    assert two.stored_bytes - two.shared_bytes == second.stored_bytes
    assert one.stored_bytes + second.stored_bytes == in_store
    assert 2 * 2**20 < two.shared_bytes < 2 * 2**20 + 1000


def test_an_empty_workspace_takes_nothing(space, volume):
    assert space.save(volume).number == 1
    (volume.files / "x").write_bytes(os.urandom(1000))
    stored = space.save(volume).stored_bytes
    assert [(one.stored_bytes, one.shared_bytes) for one in measured(space)] == [(0, 0), (stored, 0)]


def test_of_thousands_of_files_each_page_is_read_once(space, volume):
    for number in range(3000):
        folder = volume.files / f"d{number % 40:02d}"
        folder.mkdir(exist_ok=True)
        (folder / f"file-{number}").write_bytes(b"%d" % number)
    space.save(volume)
    (volume.files / "d01" / "new").write_text("x")
    space.save(volume)
    heads = [head_of(space.store, number) for number in space.store.numbers()]
    sizes = dict(space.store.block_sizes())

    class Counts:
        keys = space.store.keys

        def __init__(self):
            self.asked = []

        def get(self, name):
            self.asked.append(name)
            return space.store.get(name)

        def expect(self, names):
            """Nothing."""

    counts = Counts()
    one, two = measure(counts, heads, sizes)
    assert len(counts.asked) == len(set(counts.asked))
    assert 0 < two.stored_bytes - two.shared_bytes < one.stored_bytes / 5
