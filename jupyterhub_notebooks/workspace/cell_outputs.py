"""How many bytes of a notebook file are outputs of its cells, without holding the file in memory.

Promises: reads runs of RUN_BYTES and keeps one; what is no notebook counts 0; any bytes end in an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

RUN_BYTES = 2**18
#: Deeper is no notebook of a person's.
_DEEPEST = 10_000
_KEY_BYTES = 64
_MARKS = re.compile(rb'["\[\]{}]')
_STRING = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_OPEN, _CLOSE, _QUOTE, _ESCAPE = b"[{", b"]}", ord('"'), ord("\\")
# {"cells": [{"outputs": […]}]}: cells lie in the first object, outputs in the objects of its array.
_CELLS_DEPTH, _OUTPUTS_DEPTH = 2, 4


def outputs_size(runs: Iterable[bytes]) -> int:
    """Bytes of the outputs as they stand in the file; 0 where it is no notebook. runs: the file's bytes, in order."""
    scan = _Scan()
    for run in runs:
        if not scan.add(run):
            return 0
    return scan.size if scan.ended() else 0


class _Scan:
    def __init__(self) -> None:
        self.size = 0
        self._opened = bytearray()
        self._in_string = False
        self._rest = b""
        self._key = b""
        self._at = 0  # of the file, where the present run begins
        self._began: int | None = None
        self._in_cells = False
        self._seen = False

    def ended(self) -> bool:
        """Whether everything that was opened was closed, and there were cells."""
        return self._seen and not self._opened and not self._in_string

    def add(self, run: bytes) -> bool:
        """False: this is no JSON, and the rest is not needed."""
        run = self._rest + run
        self._rest = b""
        at = 0
        while at < len(run):
            if self._in_string:
                end = _STRING.match(run, at)
                assert end is not None
                self._key = (self._key + run[at : min(end.end(), at + _KEY_BYTES)])[:_KEY_BYTES]
                at = end.end()
                if at == len(run):
                    break
                if run[at] == _ESCAPE:  # what is escaped comes with the next run
                    self._rest = run[at:]
                    break
                self._in_string = False
                at += 1
                continue
            mark = _MARKS.search(run, at)
            if mark is None:
                break
            at = mark.end()
            if not self._mark(run[at - 1], self._at + at - 1):
                return False
        self._at += len(run) - len(self._rest)
        return True

    def _mark(self, mark: int, place: int) -> bool:
        if mark == _QUOTE:
            self._in_string, self._key = True, b""
        elif mark in _OPEN:
            self._opened.append(mark)
            depth = len(self._opened)
            if depth == _CELLS_DEPTH:
                self._in_cells = self._opened == b"{[" and self._key == b"cells"
                self._seen = self._seen or self._in_cells
            elif self._in_cells and self._opened == b"{[{[" and self._key == b"outputs":
                self._began = place
            return depth <= _DEEPEST
        else:
            if not self._opened or _OPEN.index(self._opened.pop()) != _CLOSE.index(mark):
                return False
            depth = len(self._opened)
            if depth == _OUTPUTS_DEPTH - 1 and self._began is not None:
                inside = place + 1 - self._began
                self.size += inside if inside > 2 else 0
                self._began = None
            elif depth == _CELLS_DEPTH - 1:
                self._in_cells = False
        return True
