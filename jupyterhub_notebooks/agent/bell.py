"""A bell that a signal handler may ring: no lock, so nothing that it interrupts can hold it up."""

from __future__ import annotations

import os
import select


class Bell:
    """``ring`` from any thread or handler; ``wait`` in one thread."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def ring(self) -> None:
        try:
            os.write(self._writer, b".")
        except BlockingIOError:
            return  # it rings already

    def wait(self, seconds: float) -> None:
        """Returns when it rings, or rang since the last time, or after seconds."""
        select.select([self._reader], [], [], max(0.0, seconds))
        try:
            os.read(self._reader, 65536)
        except BlockingIOError:
            return
