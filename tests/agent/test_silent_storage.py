"""A periodic save that waits for a storage that says nothing is given up at once where the session ends."""

import os
import threading
from types import SimpleNamespace

import pytest

from jupyterhub_notebooks.agent.saving import PeriodicSaves
from jupyterhub_notebooks.agent.standing import Standing

from ..workspace.conftest import NOW, WORKSPACE, Space
from ..workspace.conftest import space as space
from ..workspace.conftest import volume as volume

DEADLINE = 12.0


class Silent:
    """A workspace's store of which one method never answers."""

    def __init__(self, store, method):
        self._store, self._method = store, method
        self.asked, self.answers = threading.Event(), threading.Event()

    def __getattr__(self, name):
        found = getattr(self._store, name)
        if name != self._method:
            return found

        def silent(*arguments, **more):
            self.asked.set()
            self.answers.wait()
            return found(*arguments, **more)

        return silent


@pytest.mark.parametrize("method", ["put", "numbers"])
def test_the_end_of_a_session_waits_for_no_answer_of_a_save_that_is_given_up(
    space: Space, volume, method: str
) -> None:
    for number in range(30):
        (volume.files / f"f{number}").write_bytes(os.urandom(2**20 + 1))
    silent = Silent(space.store, method)
    context = SimpleNamespace(
        answer=SimpleNamespace(
            save_interval_seconds=3600.0, never_saved=(), limit_bytes=0, head=0, workspace=WORKSPACE
        ),
        volume=volume,
        standing=Standing(),
        log=SimpleNamespace(say=lambda _: None, write=lambda _: None),
        lease=SimpleNamespace(lost=False),
        store=lambda patience: (silent, silent),
    )
    saves = PeriodicSaves(context)
    saves.start()
    saves.ask("an order")
    try:
        assert silent.asked.wait(60)
        ending = threading.Thread(target=saves.stop, daemon=True)
        ending.start()
        ending.join(DEADLINE)
        assert not ending.is_alive(), "it still waits"
    finally:
        silent.answers.set()
    assert space.store.numbers() == []
    assert space.save(volume, now=NOW).number == 1
