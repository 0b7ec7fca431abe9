"""A progress bar for work that says how far it is, and an orderly end on Ctrl-C, SIGTERM and a terminal that closes."""

from __future__ import annotations

import signal
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..contract import Progress
from ..units import count, show_progress

_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _take(handler: Callable[[int, types.FrameType | None], object]) -> dict[signal.Signals, Any]:
    """Handles what ends a command, but for what is ignored (as nohup does); answers what was there before."""
    taken = [number for number in _ENDS if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in taken}


def _interrupt(number: int, frame: types.FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def orderly() -> Iterator[None]:
    """SIGTERM and a terminal that closes end what runs here as Ctrl-C does, so that it leaves nothing held."""
    before = _take(_interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class Bar:
    """A progress bar on standard error where that is a terminal; the first signal to end ends the work in order.

    cancels: whether the work asks ``cancelled``; where it does not, a signal ends it as it is.
    """

    title: str
    as_json: bool
    stopped: bool = False
    cancels: bool = True

    def __enter__(self) -> Bar:
        self._before = _take(self._stop) if self.cancels else {}
        self._in_bytes = False
        self._bar: Any = None
        if sys.stderr.isatty() and not self.as_json:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bars

            columns = (TextColumn(self.title), BarColumn(), TextColumn("{task.fields[about]}"))
            self._bar = Bars(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self.title, total=None, about="")
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def step(self, about: str, done: int = 0, total: int = 0) -> None:
        """How far work is that counts things, in words; total 0: not known. Bytes, once they are shown, say more."""
        bar = self._bar  # from threads of the work too, while it is hidden
        if bar is not None and not self._in_bytes:
            bar.update(self._task, total=total or None, completed=done, about=about)

    def hide(self) -> None:
        """Nothing is shown from here on."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def show(self, done: Progress) -> None:
        if self._bar is not None:
            self._in_bytes = True
            about = show_progress(done.done_bytes, done.total_bytes)
            if done.total_files:
                about += f", {done.done_files:,} of {count(done.total_files, 'file')}"
            self._bar.update(self._task, total=done.total_bytes or 1, completed=done.done_bytes, about=about)

    def cancelled(self) -> bool:
        return self.stopped

    def _stop(self, number: int, frame: types.FrameType | None) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        self.stopped = True
