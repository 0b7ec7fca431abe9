"""Whatever becomes of the look at a full workspace, saves are made, orders are done, and a session's end waits for nothing."""

import threading
from types import SimpleNamespace

import pytest

from jupyterhub_notebooks.agent.saving import PeriodicSaves
from jupyterhub_notebooks.agent.space import SpaceAside
from jupyterhub_notebooks.agent.standing import Standing
from jupyterhub_notebooks.workspace import fills

from ..workspace.conftest import WORKSPACE
from ..workspace.conftest import space as space
from ..workspace.conftest import volume as volume
from .harness import until

DEADLINE = 20.0


def full(volume, store):
    """A session's context whose newest snapshot fills its limit by 90 %."""
    said = []
    return SimpleNamespace(
        answer=SimpleNamespace(
            save_interval_seconds=3600.0,
            never_saved=(),
            limit_bytes=1000,
            head=1,
            head_size_bytes=900,
            workspace=WORKSPACE,
        ),
        volume=volume,
        standing=Standing(),
        log=SimpleNamespace(say=said.append, write=said.append),
        said=said,
        lease=SimpleNamespace(lost=False),
        store=lambda patience: (store, store),
    )


class Held:
    """A look that lasts until ``go`` is set, or until it is cancelled."""

    def __init__(self, heeds=True):
        self.began, self.go, self.heeds = threading.Event(), threading.Event(), heeds
        self.over = threading.Event()

    def __call__(self, files, never_saved=(), cancelled=lambda: False):
        self.began.set()
        while not self.go.wait(0.05):
            if self.heeds and cancelled():
                break
        self.over.set()
        return SimpleNamespace(fills=())


@pytest.fixture
def held(monkeypatch):
    look = Held(heeds=False)
    monkeypatch.setattr(fills, "look", look)
    yield look
    look.go.set()


def test_a_save_that_is_ordered_and_the_sessions_end_wait_for_no_look_at_what_fills_it(space, volume, held):
    (volume.files / "x").write_text("x")
    context = full(volume, space.store)
    saves = PeriodicSaves(context)
    saves.start()
    assert held.began.wait(DEADLINE)
    saves.ask("an order")
    assert saves.now(DEADLINE)
    assert space.store.numbers() == [1]
    until(lambda: "an order" in context.standing.heartbeat().done_orders, "the order is done")
    ending = threading.Thread(target=saves.stop, daemon=True)
    ending.start()
    ending.join(DEADLINE)
    assert not ending.is_alive(), "it still waits"
    held.go.set()
    assert held.over.wait(DEADLINE)
    assert context.standing.warnings == ()  # of a session that ended nothing more is told


def test_a_look_that_breaks_costs_no_save_and_is_in_the_log(space, volume, monkeypatch):
    def broken(*_, **__):
        raise RecursionError("planned")

    monkeypatch.setattr(fills, "look", broken)
    (volume.files / "x").write_text("x")
    context = full(volume, space.store)
    saves = PeriodicSaves(context)
    saves.start()
    try:
        until(lambda: any("could not be looked at: planned" in line for line in context.said), "it is said")
        until(lambda: context.standing.warnings, "it is told")
        assert context.standing.warnings[0].startswith("The workspace fills up")
        assert saves.now(DEADLINE)
        assert space.store.numbers() == [1]
    finally:
        saves.stop()


def test_a_look_ends_where_the_session_does(space, volume, monkeypatch):
    look = Held()
    monkeypatch.setattr(fills, "look", look)
    saves = PeriodicSaves(full(volume, space.store))
    saves.start()
    assert look.began.wait(DEADLINE)
    saves.stop()
    assert look.over.wait(DEADLINE)


def test_of_what_comes_during_a_look_only_the_newest_is_told(space, volume, held):
    context = full(volume, space.store)
    words = SpaceAside(context, lambda: False)
    words.begun()
    assert held.began.wait(DEADLINE)
    for size in (990, 2000, 100):
        words.saved(size)
    held.go.set()
    until(lambda: held.over.is_set() and not words._running, "it is told")
    assert context.standing.warnings == ()
    assert not any("over its size" in line for line in context.said)


def test_what_follows_an_order_may_fail_and_the_next_order_is_still_carried_out(space, volume):
    context = full(volume, space.store)
    context.answer.limit_bytes = 0
    saves = PeriodicSaves(context)
    saves.start()

    def failing(context):
        raise OSError(5, "Input/output error", "/x")

    saves.ask("first", failing)
    saves.ask("second")
    until(lambda: {"first", "second"} <= {*context.standing.heartbeat().done_orders}, "both are done")
    assert context.standing.heartbeat().outcomes["first"] == {"error": "Input/output error: /x"}
    assert "Not done: Input/output error: /x" in context.said
    saves.stop()
