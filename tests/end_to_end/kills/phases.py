"""A notebook brought into a phase and kept there, with the words that prove that it is there.

Each function returns a ``Scene``: what is proved right before and right after the kill, and what lets the phase end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from jupyterhub_notebooks.ledger import Session
from tests.end_to_end.product import until

from .harness import READY_SECONDS, Book, frozen
from .slow_store import Hold
from .table import KERNEL, RESTORING, RUNNING, SAVING, SERVER, STARTING, STOPPING, Cell

BIG_BYTES = 500_000_000
SMALL_BYTES = 40_000_000


@dataclass(frozen=True)
class Scene:
    """session: the one that is hit. proof: what holds now, in words; '' where the phase is over."""

    session: str
    proof: Callable[[], str]
    open: Callable[[], None]


def bring(book: Book, cell: Cell) -> Scene:
    """The notebook in the phase of that cell."""
    if cell.phase == STOPPING:
        return _stopping(book, server_lives=cell.victim in (SERVER, KERNEL))
    return {RESTORING: _restoring, STARTING: _starting, RUNNING: _running, SAVING: _saving}[cell.phase](book)


def _phase(book: Book, session: Session, *phases: str) -> bool:
    row = book.session(session.id)
    return row.phase in phases and row.closed_at is None


def _restoring(book: Book) -> Scene:
    book.start()
    book.write("before.bin", SMALL_BYTES)
    book.write("before.txt")
    book.stop()
    book.lose_volume()
    known = len(book.past)
    hold = book.ground.store.hold("GET", book.row.workspace, 0, after_blocks=2)
    book.ask_start()
    until(lambda: len(book.past) > known, 30, what="the session's row")
    session, mark = book.past[0], book.files.parent / "state" / "restoring"

    def proof() -> str:
        if not (hold.holds and mark.exists() and _phase(book, session, "restoring")):
            return ""
        return f"phase restoring, {hold.passed_blocks} blocks came, {hold.held} are waited for"

    until(proof, READY_SECONDS, what="the restore")
    return Scene(session.id, proof, hold.open)


def _starting(book: Book) -> Scene:
    known = len(book.past)
    book.ask_start()
    until(lambda: len(book.past) > known, 30, what="the session's row")
    session = book.past[0]

    def there() -> list[int]:
        return book.servers() if _phase(book, session, "starting") else []

    pid = until(there, READY_SECONDS, every=0.02, what="the server's process")[0]
    go_on = frozen(pid)
    book.write("before.txt")
    hit: list[bool] = []

    def proof() -> str:
        if not hit:
            hit.append(not book.listens())
        if not (hit[0] and _phase(book, session, "starting")):
            return ""
        return f"phase starting, server {pid} does not listen yet"

    until(proof, 20, what="the start of the server")
    return Scene(session.id, proof, go_on.set)


def _begun(book: Book) -> Session:
    session = book.start()
    book.start_kernel()
    book.write("before.txt")
    return session


def _running(book: Book) -> Scene:
    session = _begun(book)
    book.save()
    book.write("during.txt")

    def proof() -> str:
        row = book.session(session.id)
        if not (_phase(book, session, "running") and row.ready_at and row.stop_asked_at is None):
            return ""
        return "phase running, nothing is asked of it; during.txt is newer than the last save"

    until(proof, 30, what="the running notebook")
    return Scene(session.id, proof, lambda: None)


def _saving(book: Book) -> Scene:
    session = _begun(book)
    book.save()
    book.write("during.bin", BIG_BYTES)
    hold = book.ground.store.hold("PUT", book.row.workspace, BIG_BYTES // 2)
    asked = f"{book.path}/save"
    assert book.ground.asked(asked, "POST") == 202

    def proof() -> str:
        if not (hold.holds and _phase(book, session, "running")):
            return ""
        return (
            f"{hold.passed_bytes // 10**6} of {BIG_BYTES // 10**6} MB are stored, {hold.held} blocks by half"
        )

    until(proof, READY_SECONDS, what="half of the save")
    return Scene(session.id, proof, hold.open)


def _stopping(book: Book, server_lives: bool) -> Scene:
    """server_lives: in the save before the server is told to end; else in the last one, after it."""
    session = _begun(book)
    if server_lives:
        hold, forget = _hold_now(book)
    else:
        hold, forget = _hold_last(book)
    book.ask_stop()

    def proof() -> str:
        row = book.session(session.id)
        if not (hold() and row.stop_asked_at and row.closed_at is None):
            return ""
        if server_lives:
            there = book.servers() and book.kernels()
            return (
                f"stop asked for, phase {row.phase}, server and kernel run, a block by half" if there else ""
            )
        over = row.phase == "saving" and not book.servers()
        return "stop asked for, phase saving, the server has ended, a block by half" if over else ""

    until(proof, READY_SECONDS, what="the stop")
    return Scene(session.id, proof, forget)


def _hold_now(book: Book) -> tuple[Callable[[], bool], Callable[[], None]]:
    hold = book.ground.store.hold("PUT", book.row.workspace, 0)
    return lambda: hold.holds, hold.open


def _hold_last(book: Book) -> tuple[Callable[[], bool], Callable[[], None]]:
    """What is written while the stop's first save commits is left to the last one, whose blocks wait."""
    store, workspace = book.ground.store, book.row.workspace
    held: list[Hold] = []
    once = threading.Lock()

    def at_commit(_: str) -> None:
        with once:
            if not held:
                book.write("late.txt")
                held.append(store.hold("PUT", workspace, 0))

    store.at_commit(at_commit)

    def forget() -> None:
        store.at_commit(None)
        for one in held:
            one.open()

    return lambda: bool(held) and held[0].holds, forget
