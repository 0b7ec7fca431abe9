"""One cell of the table: the notebook brought into the phase, the process killed, and all that must be so afterwards."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.end_to_end.product import until

from .harness import HEALED_SECONDS, READY_SECONDS, Book, Ground
from .phases import Scene, bring
from .table import AGENT, KERNEL, OWN, RESTORING, SAVING, SERVER, STARTING, Cell


@dataclass
class Found:
    """What one kill showed, as the printed table has it."""

    cell: str
    proof: str = ""
    cause: str = ""
    audited: str = ""
    listed: str = ""
    why: str = ""
    files: str = ""
    left: str = ""
    seconds: float = 0.0
    healed_seconds: float = 0.0
    more: list[str] = field(default_factory=list)


def run(ground: Ground, cell: Cell, name: str, folder: Path) -> Found:
    """Raises AssertionError where anything is not as it must be."""
    begun = time.monotonic()
    book, found = Book(ground, name), Found(cell.name)
    scene = bring(book, cell)
    try:
        victim = book.pid(cell.victim) if cell.victim in OWN else ground.pid(cell.victim)
        family = book.family()
        found.proof = kill(scene, cell.victim, victim)
    finally:
        scene.open()
    killed_at = time.monotonic()
    if cell.victim not in OWN:
        ground.heals(cell.victim, victim)
    if cell.goes_on:
        lives_on(book, cell, scene, family, victim)
        found.healed_seconds = time.monotonic() - killed_at
        book.stop()
    else:
        is_over(book, scene)
        found.healed_seconds = time.monotonic() - killed_at
    judge(book, cell, scene, found)
    next_start(book, found, folder)
    until(lambda: not book.left(), 30, what="the end of all that the next session left")
    found.left = "none"
    until(ground.one_of_each, 60, 0.5, "each part of the product once")
    book.forget()
    found.seconds = time.monotonic() - begun
    return found


def kill(scene: Scene, victim: str, pid: int) -> str:
    """SIGKILL, between two looks that both show the phase; what they showed."""
    process = psutil.Process(pid)
    before = scene.proof()
    process.kill()
    until(lambda: is_dead(process), 10, 0.005, "the death")
    after = proof_after(scene, victim)
    assert before, f"{victim} was not killed in that phase"
    return f"{before} | {victim} {pid} SIGKILL | {after}"


def is_dead(process: psutil.Process) -> bool:
    """Whether it runs no more; it may wait to be reaped."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def proof_after(scene: Scene, victim: str) -> str:
    """The look after the kill. What died with the process cannot be looked at any more: that it is gone says so."""
    after = scene.proof()
    if victim in (AGENT, SERVER, KERNEL):
        return after or "gone; the phase ended with it"
    assert after, f"the phase was over when {victim} was dead"
    return "the same"


def lives_on(book: Book, cell: Cell, scene: Scene, family: dict, victim: int) -> None:
    """The notebook was not touched: the same processes, the same session, and its user reaches it."""
    until(lambda: book.is_ready, READY_SECONDS, what=f"{cell.name}: the notebook")
    until(book.is_reached, HEALED_SECONDS, what=f"{cell.name}: the way to the notebook")
    row = book.past[0]
    assert row.id == scene.session and row.closed_at is None and row.cause is None, row
    for who, process in family.items():
        if who == KERNEL and cell.victim == KERNEL:
            until(lambda: [pid for pid in book.kernels() if pid != victim], 60, what="another kernel")
        else:
            assert process.runs, f"{cell.name}: the {who} was not left alone"
    if cell.phase == SAVING:
        until(book.asks_nothing, HEALED_SECONDS, 0.5, f"{cell.name}: the save that was under way")
    if cell.phase not in (RESTORING, STARTING):
        assert book.differs() == [], book.differs()


def is_over(book: Book, scene: Scene) -> None:
    """The session is closed, what it left is saved, and its user can start it again: nobody did anything."""
    until(lambda: book.session(scene.session).closed_at, HEALED_SECONDS, what="the end of the session")
    until(lambda: not book.unsaved, HEALED_SECONDS, what="the save of what it left")
    until(
        lambda: all(one.closed_at for one in book.past), HEALED_SECONDS, what="the end of the run that saves"
    )
    until(lambda: book.is_stopped, HEALED_SECONDS, what="the Hub's end of it")


def judge(book: Book, cell: Cell, scene: Scene, found: Found) -> None:
    """The row, the audit and what the commands say."""
    row = book.session(scene.session)
    found.cause = row.cause or ""
    assert row.cause == cell.cause, (row.cause, row.detail)
    ends = book.ends(scene.session)
    assert len(ends) == 1 and ends[0].cause == cell.cause, ends
    assert not cell.actor_is_nobody or ends[0].actor is None, ends
    found.audited = f"{ends[0].number} {ends[0].action} {ends[0].cause}"
    found.listed, found.why = book.told(scene.session)
    assert found.listed.endswith(f"ended {cell.cause}"), found.listed
    assert found.why.startswith(f"cause {cell.cause}"), found.why
    if cell.actor_is_nobody:
        assert row.detail, f"{cell.name}: the row does not say what happened"


def next_start(book: Book, found: Found, folder: Path) -> None:
    """Nothing is left, and all that was written is there, in the notebook and, once it has stopped, in storage."""
    until(lambda: not book.left(), 30, what="the end of all that the session left")
    book.start()
    assert book.differs() == [], book.differs()
    book.stop()
    assert book.saved_differs(folder / "restored") == []
    found.files = f"all {len(book.written)} equal"
