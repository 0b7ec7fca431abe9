"""A snapshot, or a part of one, as a zip: for a download or for a program that knows nothing of us.

Promises: written forward only, so that it can go to a socket; one block in memory; the bytes that come out are bounded
before the first is written. Symbolic links are kept as such, hard links become files of their own.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from ..contract import Progress
from ..errors import BadInput, NoSpace, NotebooksError
from ..units import show_size
from .browsing import Contents, read_file
from .copying import chosen
from .entries import DIRECTORY, FILE, SYMLINK, Entry, shown
from .ports import Blocks, Cancelled, OnProgress, Snapshots

_FIRST_YEAR, _LAST_YEAR = 1980, 2107  # what the times of a zip can say


@dataclass(frozen=True)
class ExportReport:
    """renamed: (path as it was, name in the zip) of names that are no text or would collide there."""

    number: int
    files: int
    entries: int
    size_bytes: int
    renamed: tuple[tuple[str, str], ...]


def export_zip(
    blocks: Blocks,
    snapshots: Snapshots,
    number: int,
    out: IO[bytes],
    *,
    paths: Sequence[bytes] = (),
    most_bytes: int | None = None,
    progress: OnProgress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> ExportReport:
    """Writes the zip to out, which need not be seekable. paths: only these and what lies below them.

    most_bytes: refuse what would unpack to more. Raises BadInput, NotFound, Damaged, StorageAway, Cancelled; then
    what was written is no zip.
    """
    contents = Contents(blocks, snapshots, number)
    entries = chosen(contents, paths) if paths else list(contents.below())
    total = sum(entry.size for entry in entries if entry.kind == FILE)
    if most_bytes is not None and total > most_bytes:
        raise BadInput(
            f"This would be {show_size(total)}",
            f"At most {show_size(most_bytes)} are exported at once.",
            ["Name single files or folders"],
            field="path",
        )
    one = _Export(blocks, progress, cancelled, total, len(entries))
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, allowZip64=True, compresslevel=1) as archive:
        for entry in entries:
            one.add(archive, entry)
    files = sum(entry.kind == FILE for entry in entries)
    return ExportReport(number, files, len(entries), total, tuple(one.renamed))


def export_zip_file(
    blocks: Blocks,
    snapshots: Snapshots,
    number: int,
    path: Path,
    *,
    paths: Sequence[bytes] = (),
    progress: OnProgress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> ExportReport:
    """The zip as a new file, which appears when it is complete. Raises BadInput where path is there already."""
    if os.path.lexists(path):
        raise BadInput(f"{path} is there already", next=["Name a new file"], field="ZIP")
    aside = path.parent / f".{path.name}.{secrets.token_hex(8)}.new"
    try:
        with open(aside, "xb") as out:
            report = export_zip(
                blocks, snapshots, number, out, paths=paths, progress=progress, cancelled=cancelled
            )
            out.flush()
            os.fsync(out.fileno())
        os.link(aside, path)
        return report
    except FileExistsError:
        raise BadInput(f"{path} is there already", next=["Name a new file"], field="ZIP") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace("The disk is full", f"{path} was not written.") from None
        raise NotebooksError(f"{path} cannot be written", error.strerror or str(error)) from None
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


class _Export:
    def __init__(
        self,
        blocks: Blocks,
        progress: OnProgress | None,
        cancelled: Callable[[], bool],
        total_bytes: int,
        total_files: int,
    ) -> None:
        self._blocks, self._progress, self._cancelled = blocks, progress, cancelled
        self._total_bytes, self._total_files = total_bytes, total_files
        self._done_bytes = self._done_files = 0
        self._names: set[str] = set()
        self._numbers: dict[str, int] = {}
        self.renamed: list[tuple[str, str]] = []

    def add(self, archive: zipfile.ZipFile, entry: Entry) -> None:
        info = zipfile.ZipInfo(self._name(entry), _time(entry.mtime_ns))
        info.create_system = 3  # Unix: the attributes below are a mode
        kind = {FILE: stat.S_IFREG, DIRECTORY: stat.S_IFDIR, SYMLINK: stat.S_IFLNK}[entry.kind]
        info.external_attr = (kind | entry.mode) << 16
        if entry.kind == DIRECTORY:
            info.external_attr |= 0x10
            archive.writestr(info, b"")
        elif entry.kind == SYMLINK:
            archive.writestr(info, entry.target)
        else:
            self._file(archive, info, entry)
        self._done_files += 1
        self._step(0)

    def _file(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, entry: Entry) -> None:
        info.compress_type = zipfile.ZIP_DEFLATED
        info.file_size = entry.size
        with archive.open(info, "w", force_zip64=entry.size >= 2**31) as out:
            for data in read_file(self._blocks, entry):
                out.write(data)
                self._step(len(data))

    def _step(self, done_bytes: int) -> None:
        if self._cancelled():
            raise Cancelled("It was stopped before it was done")
        self._done_bytes += done_bytes
        if self._progress is not None:
            self._progress(Progress(self._done_bytes, self._total_bytes, self._done_files, self._total_files))

    def _name(self, entry: Entry) -> str:
        """The name in the zip: text, without what some programs take for another folder, each once."""
        try:
            name = plain = entry.path.decode("utf-8")
        except UnicodeDecodeError:
            plain, name = "", entry.path.decode("utf-8", "replace")
        name = name.replace("\\", "_")
        free = name
        if free in self._names:
            number = self._numbers.get(name, 1)
            while free in self._names:
                number += 1
                free = f"{name}.{number}"
            self._numbers[name] = number
        self._names.add(free)
        if free != plain:
            self.renamed.append((shown(entry.path), free))
        return free + "/" * (entry.kind == DIRECTORY)


def _time(mtime_ns: int) -> tuple[int, int, int, int, int, int]:
    try:
        at = datetime.fromtimestamp(mtime_ns // 10**9, UTC)
    except (ValueError, OverflowError, OSError):
        return (_FIRST_YEAR, 1, 1, 0, 0, 0)
    if not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        return (_FIRST_YEAR if at.year < _FIRST_YEAR else _LAST_YEAR, 1, 1, 0, 0, 0)
    return (at.year, at.month, at.day, at.hour, at.minute, at.second)
