"""Taking in what a save has to read: small files in batches, large ones slice by slice, further names with their first.

Promises: of each path that was asked for, an entry is gathered, or it is reported, or it is gone.
"""

from __future__ import annotations

from collections.abc import Callable

from .comparing import FILE_BYTES, batches
from .gathering import Gathering
from .hardlinks import Links
from .large import Large
from .pool import Pool
from .reading import Gone, Unreadable, look
from .scanning import Found
from .stamps import UNSETTLED, stamp_of
from .storing import Read, Storing


class Intake:
    """One save's. step is told bytes and files that are read. skipped: (path, why). moved: whether any file was not
    what had been seen of it. All but the reading happens in the caller's thread."""

    def __init__(
        self,
        files: bytes,
        storing: Storing,
        gathered: Gathering,
        links: Links,
        cancelled: Callable[[], bool],
        step: Callable[[int, int], None],
    ) -> None:
        self._files, self._storing, self._gathered, self._links = files, storing, gathered, links
        self._cancelled, self._step = cancelled, step
        self.skipped: list[tuple[bytes, str]] = []
        self.moved = False

    def take(self, files: list[Found]) -> None:
        """Reads files, and lets go of them on the way."""
        small = [item for item in files if item.size <= FILE_BYTES]
        large = [item for item in files if item.size > FILE_BYTES]
        files.clear()
        with Pool(self._cancelled, name="save") as pool:
            slices = Large(
                self._files, self._storing, pool, self._sliced, lambda length: self._step(length, 0)
            )
            for item in large:
                slices.begin(item)

            def bundled(results: list[Read]) -> None:
                for result in results:
                    if result.grown:
                        self.moved = True
                        slices.begin(result.found)
                    else:
                        self._note(result)
                read = [result for result in results if not result.grown]
                self._step(sum(result.asked.size for result in read), len(read))

            for batch in batches(small):
                cost = 3 * sum(item.size for item in batch)
                pool.submit(cost, self._storing.bundle, self._files, batch, done=bundled)
            pool.finish()

    def take_names(self) -> None:
        """Then: further names of what was read or kept; those that another file has now are read as well."""
        alone = self._links.give(self._gathered)
        if not alone:
            return
        self.moved = True
        found: list[Found] = []
        for path in alone:
            try:
                found.append(look(self._files, path))
            except Gone:
                continue
            except OSError as error:
                self.skipped.append((path, str(Unreadable(error))))
        self.take(found)
        self._links.join(self._gathered, alone)

    def _sliced(self, result: Read) -> None:
        """One file that was read slice by slice."""
        self._step(result.asked.size if result.asked.size <= FILE_BYTES else 0, 1)
        self._note(result)

    def _note(self, result: Read) -> None:
        path, asked, found = result.asked.path, result.asked, result.found
        if result.entry is None or (found.inode, found.ctime_ns) != (asked.inode, asked.ctime_ns):
            self.moved = True
        if result.why:
            self.skipped.append((path, result.why))
        if result.entry is None:
            return
        stamp = stamp_of(found.inode, found.ctime_ns) if result.settled else UNSETTLED
        self._gathered.add(result.entry, stamp)
        if asked.links > 1:
            self._links.was_read(found, result.settled)
        if not result.settled:
            self.moved = True
            self.skipped.append((path, "it changed while it was read; saved as it was read last"))
