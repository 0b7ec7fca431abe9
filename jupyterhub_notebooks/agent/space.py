"""How full the workspace is, told at the start and after each save: at 80 % and 95 % of its size, and above it what can go.

Promises: one sentence at a time, taken back when it holds no more; never stops a save, nor does ``SpaceAside`` delay one
or the session's end; looks for what fills the space only where there is something to tell, and at most every ten minutes.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from .. import messages
from ..errors import NotebooksError
from ..units import show_size
from .context import Context

if TYPE_CHECKING:
    from ..workspace.fills import Fill

LOOK_AGAIN_SECONDS = 600.0
LARGEST = 3
#: What was sent counts until a save or the session's end: that is services/agents' bound, and not the agent's to lift.
TOO_MUCH = (
    "Nothing is saved now: more was changed than may be saved at once. Delete what is not needed, or move it to "
    "/tmp{}. Where it is still not saved then, stop the notebook and start it again: what was sent before counts no more"
)
NO_SPACE = f"{messages.title('disk full')}: {messages.why('disk full')}"


class SpaceWords:
    """Of one session, told by the thread that calls. After ``cancelled`` nothing more is told. Raises nothing."""

    def __init__(
        self,
        context: Context,
        monotonic: Callable[[], float] = time.monotonic,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._context, self._monotonic, self._cancelled = context, monotonic, cancelled
        self._said = ""
        self._looked_at: float | None = None
        self._refused_at: float | None = None
        self._level = 0.0

    def begun(self) -> None:
        """The workspace is there and nothing was saved of it yet."""
        answer = self._context.answer
        if answer.head:
            self.saved(answer.head_size_bytes)

    def saved(self, size_bytes: int) -> None:
        """So much is in the newest snapshot."""
        from ..workspace import fills
        from . import safe

        answer = self._context.answer
        self._refused_at = None
        if safe.is_full(self._context.volume.files):
            self._say(NO_SPACE)
            return
        reached = fills.level(size_bytes, answer.limit_bytes)
        now = self._monotonic()
        fresh = self._looked_at is not None and now - self._looked_at < LOOK_AGAIN_SECONDS
        if reached == self._level and fresh:
            return
        self._level, self._looked_at = reached, now
        parts = self._look() if reached else ()
        self._say(fills.words(size_bytes, answer.limit_bytes, parts))

    def too_much(self) -> None:
        """Nothing is saved, because more was changed than may be sent between two saves."""
        now = self._monotonic()
        if self._refused_at is not None and now - self._refused_at < LOOK_AGAIN_SECONDS:
            return
        self._refused_at, self._looked_at = now, None  # whatever is saved next is told anew
        largest = [one for one in self._look() if one.saved][:LARGEST]
        named = ", ".join(f"{one.path} ({show_size(one.size_bytes)})" for one in largest)
        self._say(TOO_MUCH.format(f": {named}" if named else ""))

    def _look(self) -> tuple[Fill, ...]:
        from ..workspace import fills
        from ..workspace.ports import Cancelled

        context = self._context
        try:
            return fills.look(context.volume.files, context.answer.never_saved, self._cancelled).fills
        except Cancelled:
            return ()
        except Exception as error:  # whatever lies there, saves go on
            if not isinstance(error, OSError | NotebooksError):
                for line in traceback.format_exception(error):
                    context.log.write(line.rstrip("\n"))
            context.log.say(f"What fills the workspace could not be looked at: {error}")
            return ()

    def _say(self, words: str) -> None:
        if words == self._said or self._cancelled():
            return
        if self._said:
            self._context.standing.take_back(self._said)
        if words:
            self._context.standing.tell(warnings=(words,))
            self._context.log.say(words)
        self._said = words


class SpaceAside(SpaceWords):
    """The same, told by a thread of its own that nobody waits for; of what comes while it looks only the newest is told."""

    def __init__(self, context: Context, cancelled: Callable[[], bool]) -> None:
        super().__init__(context, cancelled=cancelled)
        self._lock = threading.Lock()
        self._waiting: Callable[[], None] | None = None
        self._running = False

    def saved(self, size_bytes: int) -> None:
        self._hand(partial(super().saved, size_bytes))

    def too_much(self) -> None:
        self._hand(super().too_much)

    def _hand(self, tell: Callable[[], None]) -> None:
        with self._lock:
            self._waiting = tell
            if self._running:
                return
            self._running = True
        try:
            threading.Thread(target=self._run, name="space", daemon=True).start()
        except RuntimeError as error:  # no more threads: it is told after the next save
            self._context.log.say(f"How full the workspace is could not be told: {error}")
            with self._lock:
                self._running = False

    def _run(self) -> None:
        while True:
            with self._lock:
                tell, self._waiting = self._waiting, None
                if tell is None:
                    self._running = False
                    return
            try:
                tell()
            except Exception as error:
                self._context.log.say(f"How full the workspace is could not be told: {error!r}")
