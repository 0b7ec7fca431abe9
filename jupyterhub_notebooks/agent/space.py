"""How full the workspace is, told at the start and after each save: at 80 % and 95 % of its size, and above it what can go.

Promises: one sentence at a time, taken back when it holds no more; never stops or delays a save; looks for what fills the
space only where there is something to tell, and at most every ten minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from .. import messages
from ..errors import NotebooksError
from .context import Context

LOOK_AGAIN_SECONDS = 600.0
NO_SPACE = f"{messages.title('disk full')}: {messages.why('disk full')}"


class SpaceWords:
    """Of one session. ``saved`` is called from the thread that saves."""

    def __init__(self, context: Context, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._context, self._monotonic = context, monotonic
        self._said = ""
        self._looked_at: float | None = None
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
        if safe.is_full(self._context.volume.files):
            self._say(NO_SPACE)
            return
        reached = fills.level(size_bytes, answer.limit_bytes)
        now = self._monotonic()
        fresh = self._looked_at is not None and now - self._looked_at < LOOK_AGAIN_SECONDS
        if reached == self._level and fresh:
            return
        self._level, self._looked_at = reached, now
        parts: tuple[fills.Fill, ...] = ()
        if reached:
            try:
                parts = fills.look(self._context.volume.files, answer.never_saved).fills
            except (OSError, NotebooksError) as error:
                self._context.log.say(f"What fills the workspace could not be looked at: {error}")
        self._say(fills.words(size_bytes, answer.limit_bytes, parts))

    def _say(self, words: str) -> None:
        if words == self._said:
            return
        if self._said:
            self._context.standing.take_back(self._said)
        if words:
            self._context.standing.tell(warnings=(words,))
            self._context.log.say(words)
        self._said = words
