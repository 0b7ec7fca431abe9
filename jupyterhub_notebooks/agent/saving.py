"""Saves: every few minutes while something changed, when ordered, and the last one.

Promises: one at a time; none without the lease; one that does not work leaves the files and the snapshot before as they
were and says why; the periodic ones yield to whatever the user computes.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..clock import to_text
from ..errors import Conflict, NotebooksError
from ..retrying import delays
from .context import Context
from .errors import LeaseLost, Oversized, SessionClosed
from .space import SpaceAside, SpaceWords

if TYPE_CHECKING:
    from ..workspace.saving import Pending, SaveReport

#: What an order wants after its save: the outcome, which is said.
Then = Callable[["Context"], dict[str, Any]]
#: Files by device and inode.
Files = frozenset[tuple[int, int]]
#: After a save that did not work the next is tried this soon, or at the next interval where that is sooner.
AGAIN_SECONDS = 60.0
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
_IDLE_CLASS = 3 << 13


class Saver:
    """Saves of one session. patience_seconds: how long one request is tried again before the save gives up."""

    def __init__(
        self,
        context: Context,
        patience_seconds: float,
        cancelled: Callable[[], bool],
        space: SpaceWords | None = None,
    ) -> None:
        self._context = context
        self._cancelled = cancelled
        from .remote import Patience

        self._blocks, self._snapshots = context.store(Patience(patience_seconds, cancelled))
        self._next: int | None = None
        self.space = space or SpaceWords(context, cancelled=cancelled)

    def look(self) -> Pending | None:
        """What changed since base; None: nothing. Also said with the next heartbeat."""
        from ..workspace.saving import changes

        context = self._context
        pending = changes(context.volume, never_saved=context.answer.never_saved)
        standing = context.standing
        standing.pending(pending.pending_files, pending.pending_bytes, standing.saved.error)
        return pending if pending.differs else None

    def save(self, *, kind: str = "save", always_read: Files = frozenset()) -> int | None:
        """Saves what changed; the snapshot's number, None where nothing had changed.

        Raises LeaseLost, StorageAway, Cancelled and what else the engine says.
        """
        volume = self._context.volume
        if kind == "save" and volume.base and volume.situation() == "empty":
            self._context.log.say(
                "The workspace is empty, as no work leaves it: nothing was saved over its last snapshot"
            )
            return None
        try:
            return self._once(kind, always_read)
        except LeaseLost:
            raise
        except Conflict as error:
            if error.field != "number":
                raise
            self._next = None  # another save took it, such as one of a session before
            return self._once(kind, always_read)

    def _once(self, kind: str, always_read: Files) -> int | None:
        from ..workspace.pool import ask_aside

        context = self._context
        number = self._next
        if number is None:
            number = max(ask_aside(self._snapshots.numbers, self._cancelled), default=0) + 1
        with context.standing.saving():
            report = self._report(number, kind, always_read)
        context.volume.reserve()
        if not report.number:
            context.standing.was_saved(context.volume.base or 0, context.standing.saved.at)
            return None
        self._next = report.number + 1
        context.standing.was_saved(report.number, to_text(datetime.now(UTC)), report.size_bytes)
        self.space.saved(report.size_bytes)
        for path, why in report.skipped[:20]:
            context.log.say(f"Not saved: {path}: {why}")
        return report.number

    def _report(self, number: int, kind: str, always_read: Files) -> SaveReport:
        from ..workspace.saving import save

        context = self._context
        return save(
            context.volume,
            self._blocks,
            self._snapshots,
            number=number,
            parent=context.volume.base,
            workspace_id=context.answer.workspace,
            kind=kind,
            never_saved=context.answer.never_saved,
            progress=context.standing.progress,
            cancelled=self._cancelled,
            now=datetime.now(UTC),
            created_by=f"jupyterhub-notebooks {__version__}",
            always_read=lambda: set(always_read),
        )


class PeriodicSaves:
    """A thread that saves while the server runs. ``ask`` wants one now; ``stop`` returns when none runs any more."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._interval = context.answer.save_interval_seconds
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._orders: list[tuple[str, Then | None]] = []
        self._waiting: list[threading.Event] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="saves", daemon=True)
        self._thread.start()

    def ask(self, order: str, then: Then | None = None) -> None:
        """A save now; the order is done when it was made or found unneeded, and what comes then was done."""
        with self._lock:
            self._orders.append((order, then))
        self._wake.set()

    def now(self, timeout_seconds: float) -> bool:
        """A save now; whether it was made, found unneeded or given up within the time. ``standing.saved`` says which."""
        done = threading.Event()
        with self._lock:
            self._waiting.append(done)
        self._wake.set()
        return done.wait(timeout_seconds)

    def stop(self) -> None:
        """A save that runs is given up: what it stored is found again by the last one."""
        self._ending.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        yield_to_others()
        space = SpaceAside(self._context, self._ending.is_set)
        space.begun()
        saver: Saver | None = None
        wait = self._interval
        while True:
            self._wake.wait(wait)
            if self._ending.is_set():
                return
            self._wake.clear()
            with self._lock:
                orders, self._orders = self._orders, []
                waiting, self._waiting = self._waiting, []
            patience = min(AGAIN_SECONDS, self._interval)
            saver = saver or Saver(self._context, patience, self._ending.is_set, space)
            wait = self._interval if self._attempt(saver) else min(self._interval, AGAIN_SECONDS)
            for order, then in orders:
                self._context.standing.done(order, self._outcome(then))
            for one in waiting:
                one.set()

    def _outcome(self, then: Then | None) -> dict[str, Any] | None:
        """What became of what follows a save; the thread lives on whatever it was."""
        try:
            return then(self._context) if then is not None else None
        except Exception as error:
            return {"error": words(self._context, error, "Not done")}

    def _attempt(self, saver: Saver) -> bool:
        context = self._context
        pending = None
        try:
            if context.lease.lost:
                return True
            pending = saver.look()
            if pending is not None:
                number = saver.save()
                if number is not None:
                    context.log.say(f"Saved as snapshot {number}")
            elif context.standing.saved.error:
                context.standing.pending(0, 0)
            return True
        except Exception as error:
            if self._ending.is_set():
                return True
            if isinstance(error, LeaseLost):
                context.standing.lease_lost()
            if isinstance(error, Oversized):
                saver.space.too_much()
            files, size = (pending.pending_files, pending.pending_bytes) if pending else (0, 0)
            context.standing.pending(files, size, words(context, error))
            return False


def words(context: Context, error: Exception, what: str = "Not saved") -> str:
    """error as a sentence; what nobody expected leaves its trace in the session's log."""
    if isinstance(error, NotebooksError):
        sentence = error.sentence()
    elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        sentence = f"No space left on the volume. {os.fsdecode(error.filename or '')}".rstrip()
    elif isinstance(error, OSError):
        sentence = f"{error.strerror or error}: {os.fsdecode(error.filename or '')}"
    else:
        import traceback

        for line in traceback.format_exception(error):
            context.log.write(line.rstrip("\n"))
        sentence = f"This was not expected: {type(error).__name__}. The log has more"
    context.log.say(f"{what}: {sentence}")
    return sentence


def last(context: Context, always_read: Files, seconds: float, given_up: Callable[[], bool]) -> str | None:
    """The save at the end, tried again for ``seconds``. None: everything is saved; else why not.

    What was not saved is then counted as pending.
    """
    end = time.monotonic() + seconds
    saver = Saver(context, min(20.0, seconds), given_up)
    unexpected = 0
    for wait in delays(0.5, 15.0):
        try:
            number = saver.save(always_read=always_read)
            said = "Nothing had changed" if number is None else f"Saved as snapshot {number}"
            context.log.say(f"{said} at the end of the session")
            return None
        except Exception as error:
            why = words(context, error)
            unexpected += not isinstance(error, NotebooksError)
            count(context, saver, why)
            if (
                isinstance(error, LeaseLost | SessionClosed | Oversized)
                or unexpected > 3
                or time.monotonic() + wait >= end
            ):
                return why
        time.sleep(wait)
    raise AssertionError("delays never ends")


def count(context: Context, saver: Saver, why: str) -> None:
    """Says how much is pending, and why it is not saved."""
    try:
        pending = saver.look()
        files, size = (max(1, pending.pending_files), pending.pending_bytes) if pending else (1, 0)
    except (OSError, NotebooksError) as error:
        context.log.say(f"What is pending could not be counted: {error}")
        files, size = max(1, context.standing.saved.pending_files), context.standing.saved.pending_bytes
    context.standing.pending(files, size, why)


def yield_to_others() -> None:
    """On Linux: this thread, and those it starts, take processor and disk only when nobody else wants them, and never
    more than half of the processors: memory and caches are shared whatever the priority."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes
    import platform

    own = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, own, 19)
    processors = sorted(os.sched_getaffinity(own))
    os.sched_setaffinity(own, processors[: max(1, len(processors) // 2)])
    call = _IOPRIO_SET.get(platform.machine())
    if call is not None:
        ctypes.CDLL(None, use_errno=True).syscall(call, 1, own, _IDLE_CLASS)
