"""What is left out of snapshots: the setting's list and the workspace's own ``.notebookignore``.

Promises: gitignore syntax; nothing below a left-out directory can be taken in again; the workspace's file cannot
take in what the setting leaves out; a line that means nothing is reported and does not stop a save.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

from pathspec import GitIgnoreSpec

FILE_NAME = b".notebookignore"
#: Where a restore puts files aside, and the name of the file whose time a save takes.
ASIDE = b".notebooks-restore"
TICK = b".notebooks-tick"
_MOST_BYTES = 2**20
_OURS = (f"/{ASIDE.decode()}/", f"/{TICK.decode()}")


class Ignore:
    """Answers whether a path is left out. problems: (line, why) of lines that mean nothing."""

    def __init__(self, never_saved: Iterable[str] = (), own: Iterable[str] = ()) -> None:
        self.problems: list[tuple[str, str]] = []
        self._never = self._spec([*_OURS, *never_saved])
        self._own = self._spec(own)
        self._may = _any_of([*self._never.patterns, *self._own.patterns])

    def _spec(self, lines: Iterable[str]) -> GitIgnoreSpec:
        good = []
        for line in lines:
            try:
                GitIgnoreSpec.from_lines([line])
            except ValueError:
                self.problems.append((line, "this line of .notebookignore means nothing"))
            else:
                good.append(line)
        return GitIgnoreSpec.from_lines(good)

    def leaves_out(self, path: bytes, is_directory: bool) -> bool:
        """Whether path, relative to the workspace, is left out by itself (its parents were asked before)."""
        text = os.fsdecode(path) + ("/" if is_directory else "")
        if self._may is not None and self._may.match(text) is None:
            return False
        return self._never.match_file(text) or self._own.match_file(text)


def of(files: bytes, never_saved: Sequence[str] = ()) -> Ignore:
    """What applies to the workspace at files now."""
    return Ignore(never_saved, _lines(os.path.join(files, FILE_NAME)))


def _lines(path: bytes) -> list[str]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return []
    with open(handle, "rb") as file:
        try:
            return file.read(_MOST_BYTES).decode("utf-8", "surrogateescape").splitlines()
        except OSError:
            return []


def _any_of(patterns: Iterable[object]) -> re.Pattern[str] | None:
    """One expression that matches whenever any pattern does: most paths are settled by it alone."""
    sources = []
    for pattern in patterns:
        compiled = getattr(pattern, "regex", None)
        if compiled is not None:
            sources.append(re.sub(r"\(\?P<\w+>", "(?:", compiled.pattern))
    try:
        return re.compile("|".join(sources) or r"(?!)")
    except re.error:
        return None
