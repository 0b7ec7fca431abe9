"""Processes that make and read many small files for this one: a few calls to the kernel for each, on every core.

Promises: threads do that work on one core only, for each call passes the interpreter's lock on. A hand opens, reads, writes
and closes what it is told to below one directory, gets no key but the one that names contents, and ends with its owner. Bytes
go through memory that both see. Whoever asks a hand that is gone is told so (``HandGone``), and does it without.
"""

from __future__ import annotations

import mmap
import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, NamedTuple

from ..errors import Damaged
from .blocks import MOST_PLAIN
from .hand import Look, Write, receive, send

#: Starting a hand costs what writing some hundred files does.
LEAST_FILES = 1500
_MOST_HANDS = 4
_YIELDS = 10
_END_SECONDS = 5.0


class HandGone(Exception):
    """No hand is left, or this one ended while it was asked."""


class Slot(NamedTuple):
    """Memory that hands see too: offset says where."""

    offset: int
    view: memoryview


class _Hand(NamedTuple):
    process: subprocess.Popen[bytes]
    line: socket.socket


class Crew:
    """Use as a context. ``hands`` is 0 where this system or so few files make none worth while.

    inherit: a descriptor that stays open as long as any hand lives, such as that of a lock.
    """

    def __init__(self, files: int, inherit: int | None = None) -> None:
        self.hands = _count() if files >= LEAST_FILES else 0
        self._inherit = inherit
        self._over = False
        self._all: list[_Hand] = []
        self._left = 0
        self._lock = threading.Lock()
        self._idle: queue.SimpleQueue[_Hand | None] = queue.SimpleQueue()
        self._slots: queue.SimpleQueue[Slot] = queue.SimpleQueue()

    def __enter__(self) -> Crew:
        if self.hands:
            try:
                self._start()
            except OSError:  # no memory or process to be had: everything is done without
                self._end(at_once=True)
                self.hands = 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(at_once=kind is not None)

    def _start(self) -> None:
        count = self.hands + 1
        shared = os.memfd_create("workspace", os.MFD_CLOEXEC)
        try:
            os.ftruncate(shared, count * MOST_PLAIN)
            memory = memoryview(mmap.mmap(shared, count * MOST_PLAIN))
            for number in range(count):
                at = number * MOST_PLAIN
                self._slots.put(Slot(at, memory[at : at + MOST_PLAIN]))
            for _ in range(self.hands):
                self._all.append(self._hand(shared))
                self._idle.put(self._all[-1])
            self._left = self.hands
        finally:
            os.close(shared)

    def _hand(self, shared: int) -> _Hand:
        ours, theirs = socket.socketpair()
        inherit = [] if self._inherit is None else [self._inherit]
        command = [sys.executable, "-P", "-m", "jupyterhub_notebooks.workspace.hand"]
        own = {name: value for name, value in os.environ.items() if not name.startswith("NOTEBOOK_")}
        with theirs:
            process = subprocess.Popen(
                [*command, str(theirs.fileno()), str(shared), str(os.getpid())],
                env=own,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno(), shared, *inherit],
            )
        return _Hand(process, ours)

    def _end(self, at_once: bool) -> None:
        self._over = True
        self._idle.put(None)
        for hand in self._all:
            if at_once:
                hand.process.kill()
            with suppress(OSError):
                hand.line.shutdown(socket.SHUT_RDWR)
        for hand in self._all:
            try:
                hand.process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                hand.process.kill()
                hand.process.wait()
            hand.line.close()
        self._all = []

    @contextmanager
    def slot(self) -> Iterator[Slot]:
        """8 MiB that hands see too, for as long as the context lasts. Waits for one."""
        slot = self._slots.get()
        try:
            yield slot
        finally:
            self._slots.put(slot)

    @property
    def over(self) -> bool:
        """Whether it ended: what a hand did not do then is not wanted any more."""
        return self._over

    def write(self, root: bytes, slot: Slot, files: Sequence[Write]) -> list[int]:
        """Makes files below root of bytes in the slot: the stamp of each.

        Raises HandGone (then some may be made), OSError, Damaged.
        """
        answer: list[int] = self._ask(("write", root, slot.offset, files))
        return answer

    def read(
        self, root: bytes, slot: Slot, naming: bytes, files: Sequence[Look]
    ) -> tuple[list[bytes | None], dict[int, tuple[tuple[bytes, bytes], ...]]]:
        """Reads files below root into the slot, one behind the other: the content id of each, and attributes by place.

        None instead of an id, and no bytes: that file is not quite what was seen, or does not fit. Raises HandGone.
        """
        ids, attributes = self._ask(("read", root, slot.offset, naming, files))
        return ids, attributes

    def make_folders(self, root: bytes, folders: Sequence[bytes]) -> None:
        """Makes directories of a listing below root, all hands at once. Raises HandGone, OSError, Damaged."""
        self._all_at_once("make_folders", root, folders)

    def dress_folders(self, root: bytes, folders: Sequence[tuple[bytes, int, int]]) -> None:
        """Gives directories below root their mode and time in ns, all hands at once. Raises as ``make_folders``."""
        self._all_at_once("dress_folders", root, folders)

    def _all_at_once(self, what: str, root: bytes, items: Sequence[Any]) -> None:
        share = -(-len(items) // self.hands) or 1
        shares = [items[at : at + share] for at in range(0, len(items), share)]
        with ThreadPoolExecutor(self.hands, thread_name_prefix="workspace-hands") as executor:
            for _ in executor.map(lambda part: self._ask((what, root, part)), shares):
                pass

    def _ask(self, what: tuple[Any, ...]) -> Any:
        hand = self._idle.get()
        if hand is None:
            self._idle.put(None)
            raise HandGone
        try:
            send(hand.line, what)
            answer = receive(hand.line)
        except (OSError, EOFError):
            hand.process.kill()
            with self._lock:
                self._left -= 1
                if not self._left:
                    self._idle.put(None)
            raise HandGone from None
        self._idle.put(hand)
        kind, *rest = answer
        if kind == "os":
            number, name = rest
            raise OSError(number, os.strerror(number), name)
        if kind == "damaged":
            raise Damaged(*rest)
        return rest[0]


def processors() -> int:
    """On how many processors this thread may have work done: one where it yields to everybody else, as beside a
    working kernel."""
    if not sys.platform.startswith("linux") or os.getpriority(os.PRIO_PROCESS, 0) >= _YIELDS:
        return 1
    return len(os.sched_getaffinity(0))


def _count() -> int:
    """One hand for each processor; none where there is one, or the system has no memory for both to see."""
    count = min(_MOST_HANDS, processors())
    return count if count > 1 and hasattr(os, "memfd_create") else 0
