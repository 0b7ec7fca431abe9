"""Counting what is read, listed and removed in a store, for work that has no bytes to tell of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from ..units import count
from ..workspace import WorkspaceStore
from .progress_bar import Bar

_EVERY = 1000
T = TypeVar("T")


def after_the_first(
    title: str, as_json: bool, space: WorkspaceStore, made: Callable[[WorkspaceStore], Iterable[T]]
) -> Iterator[T]:
    """What made reads of a store, with a bar until the first of it is there: then the output shows how far it is."""
    with Bar(title, as_json, cancels=False) as bar:
        rest = iter(made(Counted(space, bar)))
        first = list(islice(rest, 1))
        bar.hide()
    yield from first
    yield from rest


class Counted(WorkspaceStore):
    """space, with the same keys and lease; what is done through this object is shown on bar."""

    def __init__(self, space: WorkspaceStore, bar: Bar) -> None:
        self.__dict__.update(space.__dict__)
        self._bar, self._lock = bar, threading.Lock()
        self._read = self._wanted = self._removed = 0

    def expect(self, names: Sequence[str]) -> None:
        super().expect(names)
        with self._lock:
            self._wanted += len(names)

    def get(self, what: str | int, /) -> bytes:
        body = super().get(what)
        with self._lock:
            self._read += isinstance(what, str)
            done, total = self._read, max(self._read, self._wanted)
        if isinstance(what, str):
            self._bar.step(f"{done:,} of {count(total, 'page')} read", done, total)
        else:
            self._bar.step(f"snapshot {what} read")
        return body

    def block_sizes(self) -> Iterator[tuple[str, int]]:
        for number, found in enumerate(super().block_sizes(), 1):
            if number % _EVERY == 0:
                self._bar.step(f"{count(number, 'block')} listed")
            yield found

    def removes(self, blocks: int) -> None:
        """So many blocks are removed next."""
        self._wanted = blocks

    def remove_block(self, name: str) -> None:
        super().remove_block(name)
        with self._lock:
            self._removed += 1
            done, total = self._removed, max(self._removed, self._wanted)
        self._bar.step(f"{done:,} of {count(total, 'block')} removed", done, total)

    def remove_snapshot(self, number: int) -> None:
        super().remove_snapshot(number)
        self._bar.step(f"snapshot {number} removed")
