"""Files that move: the signals ``download`` (large transfers, both ways) and ``editor`` (documents saved lately).

A transfer counts while its bytes move: a page that was left with a download that nobody takes is not work.
"""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable
from typing import Any

from ..contract import LocalSignal

#: A transfer whose bytes stand still for so long is forgotten.
STILL_SECONDS = 60.0
#: Somebody who saved a document is there for so long.
SAVED_SECONDS = 60.0


class Transfers:
    """Downloads are told by ``began``, ``moved`` and ``ended``; saves and pieces of uploads by ``saved``."""

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        present_seconds: float = SAVED_SECONDS,
        still_seconds: float = STILL_SECONDS,
    ) -> None:
        self._monotonic, self._present, self._still = monotonic, present_seconds, still_seconds
        self._began = self._last_end = monotonic()
        #: key -> (name, began, last moved)
        self._running: dict[Any, tuple[str, float, float]] = {}
        self._saved: tuple[float, str] | None = None

    def began(self, key: Any, name: str) -> None:
        now = self._monotonic()
        self._running.setdefault(key, (name, now, now))

    def moved(self, key: Any) -> None:
        if key in self._running:
            name, began, _ = self._running[key]
            self._running[key] = (name, began, self._monotonic())

    def ended(self, key: Any) -> None:
        if self._running.pop(key, None) is not None:
            self._last_end = self._monotonic()

    def saved(self, path: str, chunk: int | None = None) -> None:
        """A document was saved; with a chunk: a piece of an upload came, -1 being its last."""
        name = os.path.basename(path) or "a file"
        if chunk is None:
            self._saved = (self._monotonic(), name)
            return
        key = ("upload", path.strip("/"))
        self.began(key, name)
        self.moved(key)
        if chunk == -1:
            self.ended(key)

    def signals(self) -> tuple[LocalSignal, ...]:
        """``download`` and ``editor`` now."""
        now = self._monotonic()
        for key, (_, _, last) in list(self._running.items()):
            if now - last > self._still:
                del self._running[key]
                self._last_end = max(self._last_end, last)
        if self._running:
            name, since, _ = min(self._running.values(), key=lambda one: one[1])
            more = len(self._running) - 1
            detail = f"{name} is transferred" + (f", {more} more with it" if more else "")
            download = LocalSignal("download", "busy", now - since, detail)
        else:
            download = LocalSignal("download", "idle", now - self._last_end, "No file is transferred")
        return download, self._editor(now)

    def _editor(self, now: float) -> LocalSignal:
        if self._saved is None:
            return LocalSignal("editor", "idle", now - self._began, "No document was saved yet")
        at, name = self._saved
        state = "busy" if now - at < self._present else "idle"
        return LocalSignal("editor", state, now - at, f"{name} was saved")


def watch_downloads(handler: Any, transfers: Callable[[], Transfers | None]) -> Callable[[], None]:
    """Sees downloads through that handler class begin, move and end; what is returned undoes it."""
    get = handler.get

    async def watched_get(self: Any, path: str, *arguments: Any, **named: Any) -> None:
        watched = transfers()
        if watched is None:
            await _awaited(get(self, path, *arguments, **named))
            return
        key = object()
        flush = self.flush

        def moving(*given: Any, **more: Any) -> Any:
            watched.moved(key)
            return flush(*given, **more)

        self.flush = moving
        watched.began(key, os.path.basename(path) or "a file")
        try:
            await _awaited(get(self, path, *arguments, **named))
        finally:
            watched.ended(key)

    handler.get = watched_get

    def undo() -> None:
        handler.get = get

    return undo


def watch_saves(contents: Any, transfers: Transfers) -> Callable[[], None]:
    """Sees each save of a contents manager; what is returned undoes it."""
    save = contents.save

    def note(model: Any, path: str) -> None:
        kind = model.get("type") if isinstance(model, dict) else None
        chunk = model.get("chunk") if isinstance(model, dict) else None
        if kind != "directory":
            transfers.saved(path, chunk if isinstance(chunk, int) else None)

    if inspect.iscoroutinefunction(save):

        async def watched_later(model: Any, path: str = "", *arguments: Any, **named: Any) -> Any:
            done = await save(model, path, *arguments, **named)
            note(model, path)
            return done

        contents.save = watched_later
    else:

        def watched_now(model: Any, path: str = "", *arguments: Any, **named: Any) -> Any:
            done = save(model, path, *arguments, **named)
            note(model, path)
            return done

        contents.save = watched_now

    def undo() -> None:
        contents.save = save

    return undo


async def _awaited(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value
