"""Two writers whose requests meet in an unlucky order: one of them is told, and no commit waits for a broken list."""

import json

import pytest

from jupyterhub_notebooks.errors import Conflict, Refusal
from jupyterhub_notebooks.workspace import CommitFacts, WorkspaceStore
from jupyterhub_notebooks.workspace.ports import MissingBlocks
from jupyterhub_notebooks.workspace.snapshots import canonical

from .conftest import NOW, WORKSPACE
from .hostile import Memory
from .test_damage import damage


class Between(Memory):
    """Has something done after the request that matches, once."""

    def __init__(self, objects):
        super().__init__(objects)
        self.then = None

    def exists(self, key):
        found = super().exists(key)
        if self.then is not None and key.endswith("-ended"):
            act, self.then = self.then, None
            act()
        return found


@pytest.fixture
def raw():
    store = Between({})
    first = WorkspaceStore(store)
    first.create(WORKSPACE, lease="objects", now=NOW)
    first.take_lease("first", NOW)
    first.release_lease(NOW)
    return store


def test_of_two_who_saw_the_lease_ended_one_takes_it(raw):
    slow, quick = WorkspaceStore(raw), WorkspaceStore(raw)
    raw.then = lambda: quick.take_lease("quick", NOW)
    with pytest.raises(Conflict, match="took the lease a moment ago"):
        slow.take_lease("slow", NOW)
    quick.still_held()
    assert quick.current_lease().holder == "quick"
    with pytest.raises(Refusal, match="written by another"):
        slow.take_lease("slow", NOW)
    quick.release_lease(NOW)
    assert slow.take_lease("slow", NOW).number == 3


def test_who_saw_a_lease_that_two_others_have_held_since_gets_none(raw):
    slow, quick, next_one = (WorkspaceStore(raw) for _ in range(3))

    def two_others():
        quick.take_lease("quick", NOW)
        quick.release_lease(NOW)
        next_one.take_lease("next", NOW)

    raw.then = two_others
    with pytest.raises(Conflict, match="took the lease a moment ago"):
        slow.take_lease("slow", NOW)
    next_one.still_held()
    assert [key for key in raw.objects if key.startswith("leases/")] == ["leases/0000000003"]


@pytest.mark.parametrize("moment", ["asked", "had", "others forgotten"])
def test_a_lease_is_released_where_an_interrupt_comes_while_it_is_taken(raw, monkeypatch, moment):
    writer = WorkspaceStore(raw)
    do = {"asked": raw.put_new, "had": raw.put_new, "others forgotten": raw.delete}[moment]

    def interrupted(*request):
        if moment != "asked":
            do(*request)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(raw, do.__name__, interrupted)
        with pytest.raises(KeyboardInterrupt):
            writer.take_lease("writer", NOW)
    assert (raw.objects.get("leases/0000000002") is None) == (moment == "asked")
    writer.release_lease(NOW)
    assert writer.current_lease() is None


def test_a_lease_that_another_took_meanwhile_is_not_released_by_who_was_interrupted(raw, monkeypatch):
    slow, quick = WorkspaceStore(raw), WorkspaceStore(raw)

    def interrupted(*request):
        patched.undo()
        quick.take_lease("quick", NOW)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(raw, "put_new", interrupted)
        with pytest.raises(KeyboardInterrupt):
            slow.take_lease("slow", NOW)
    slow.release_lease(NOW)
    quick.still_held()
    assert quick.current_lease().holder == "quick"


@pytest.mark.parametrize("how", ["flipped", "truncated", "empty", "names", "gone"])
def test_a_commit_does_not_need_a_list_of_condemned_blocks_that_cannot_be_read(
    space, volume, how, monkeypatch
):
    (volume.files / "x").write_bytes(b"x" * 100)
    space.save(volume)
    [there, *_] = [name for name, _ in space.store.block_sizes()]
    space.store.condemn(1, [there, "a" * 64], NOW)
    space.store.condemn(2, [there, "b" * 64], NOW)
    path = space.folder / "store" / "condemned" / "0000000001"
    if how == "names":
        path.write_bytes(canonical({**json.loads(path.read_bytes()), "blocks": ["x"]}))
    elif how == "gone":
        real = space.store._numbers
        path.unlink()
        monkeypatch.setattr(
            space.store, "_numbers", lambda folder: [1, 2] if folder == "condemned" else real(folder)
        )
    else:
        damage(path, how)
    facts = CommitFacts("save", 0, 0, 0, (there,))
    space.store.commit(2, b"a snapshot", facts)
    assert json.loads(space.store.condemned_object(2))["blocks"] == ["b" * 64]
    with pytest.raises(MissingBlocks):
        space.store.commit(3, b"another", CommitFacts("save", 0, 0, 0, ("c" * 64,)))
