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
#: So much of the workspace's own file counts.
MOST_BYTES = 2**20
_OURS = (f"/{ASIDE.decode()}/", f"/{TICK.decode()}")


class Ignore:
    """Answers whether a path is left out. problems: (line, why) of lines that mean nothing."""

    def __init__(self, never_saved: Iterable[str] = (), *own: Iterable[str]) -> None:
        """own: lists of rules; what any one of them names is left out, whatever the others say."""
        self.problems: list[tuple[str, str]] = []
        self._never = self._spec([*_OURS, *never_saved])
        self._own = [self._spec(lines) for lines in own]
        self._may = _any_of(pattern for spec in (self._never, *self._own) for pattern in spec.patterns)

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
        return self._never.match_file(text) or any(spec.match_file(text) for spec in self._own)


def of(files: bytes, never_saved: Sequence[str] = ()) -> Ignore:
    """What applies to the workspace at files now."""
    return Ignore(never_saved, lines_of(read(files)))


def read(files: bytes) -> bytes:
    """What the workspace's own file says, as far as it is read; b"" where there is none."""
    try:
        handle = os.open(
            os.path.join(files, FILE_NAME), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        )
    except OSError:
        return b""
    with open(handle, "rb") as file:
        try:
            return file.read(MOST_BYTES)
        except OSError:
            return b""


def lines_of(body: bytes) -> list[str]:
    """The rules in the bytes of such a file."""
    return body[:MOST_BYTES].decode("utf-8", "surrogateescape").splitlines()


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
