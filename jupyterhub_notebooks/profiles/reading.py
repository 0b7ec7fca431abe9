"""A YAML file as plain Python with the line of every key; every way it can be broken is a ``Problem``.

Bounded before it is believed: 1 MB, 64 levels, 100,000 values (aliases counted each time they are used).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from .problems import Problem, Steps, WrongProfiles, dotted

MOST_BYTES = 1_000_000
MOST_LEVELS = 64
MOST_VALUES = 100_000


@dataclass(frozen=True)
class Document:
    """value: plain dicts, lists and scalars. lines: line (from 1) by path."""

    file: str
    value: dict[str, Any]
    lines: Mapping[Steps, int]

    def line(self, path: Steps) -> int:
        """The line of path, or of the nearest key above it that is written."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 0

    def problem(self, path: Steps, message: str, remedy: str = "") -> Problem:
        return Problem(self.file, self.line(path), dotted(path), message, remedy)


def read_document(path: Path) -> Document:
    """The document in path. Raises WrongProfiles."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise _broken(
            path, 0, "There is no such file", "Write one, or copy the one that is shipped with the package"
        ) from None
    except OSError as error:
        raise _broken(
            path, 0, f"This file cannot be read: {error.strerror}", "Check its path and permissions"
        ) from None
    if len(data) > MOST_BYTES:
        raise _broken(path, 0, "This file is larger than 1 MB", "Check that it is the right one")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _broken(path, line, "This is not UTF-8 text", "Save the file as UTF-8") from None
    return parse_document(text, path)


def parse_document(text: str, path: Path) -> Document:
    """The document in text, which came from path. Raises WrongProfiles."""
    try:
        node = YAML(typ="rt").load(text)
    except DuplicateKeyError as error:
        key = str(error.problem or "").split('"')
        name = key[1] if len(key) > 2 else "A key"
        raise _broken(path, _mark(error), f"{name} stands here twice", "Leave one of them out") from None
    except MarkedYAMLError as error:
        raise _broken(path, _mark(error), *_syntax(error)) from None
    except (YAMLError, RecursionError, ValueError) as error:
        said = str(error).splitlines()[:1] or ["it has too many levels"]
        raise _broken(path, 0, f"This is not YAML: {said[0]}", "Check the file") from None
    if node is None:
        raise _broken(path, 0, "This file is empty", "Write flavors: and profiles:, as in the shipped file")
    if not isinstance(node, CommentedMap):
        raise _broken(
            path, 1, "This file is not a group of keys", "Write flavors: and profiles: at its left edge"
        )
    reader = _Reader(str(path))
    value = reader.plain(node, ())
    if reader.problems:
        raise WrongProfiles(path, reader.problems)
    return Document(str(path), value, reader.lines)


def _broken(path: Path, line: int, message: str, remedy: str) -> WrongProfiles:
    return WrongProfiles(path, [Problem(str(path), line, "", message, remedy)])


def _mark(error: MarkedYAMLError) -> int:
    mark = error.problem_mark or error.context_mark
    return mark.line + 1 if mark else 0


def _syntax(error: MarkedYAMLError) -> tuple[str, str]:
    said = str(error.problem or error.context or "it cannot be read")
    if "'\\t'" in said or '"\\t"' in said or "tab" in said.lower():
        return "A tab stands here", "YAML is indented with spaces: replace the tab by two spaces"
    if "mapping values are not allowed" in said:
        return (
            "A colon stands where YAML expects none",
            "Check the indentation, or put the text in quotes",
        )
    if "but found another document" in said:
        return "A second document begins here", "Remove the line '---'"
    if "undefined alias" in said:
        return said[0].upper() + said[1:], "Define it with & above its use"
    return f"This is not YAML: {said}", "Check indentation, quotes and brackets on this line and above"


class _Reader:
    """One walk over a document, gathering lines and problems."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Steps, int] = {}
        self.problems: list[Problem] = []
        self.values = 0

    def plain(self, node: Any, path: Steps) -> Any:
        self.values += 1
        if len(path) > MOST_LEVELS or self.values > MOST_VALUES:
            raise WrongProfiles(
                self.file, [Problem(self.file, 0, "", "This file refers to itself, or is far too large")]
            )
        if isinstance(node, CommentedMap):
            return self._mapping(node, path)
        if isinstance(node, CommentedSeq):
            for number in range(len(node)):
                self.lines[(*path, number)] = node.lc.data[number][0] + 1
            return [self.plain(item, (*path, number)) for number, item in enumerate(node)]
        return self._scalar(node, path)

    def _mapping(self, node: CommentedMap, path: Steps) -> dict[str, Any]:
        value: dict[str, Any] = {}
        for key, item in node.items():
            step = (*path, str(key))
            if node.lc.data and key in node.lc.data:
                self.lines[step] = node.lc.data[key][0] + 1
            if not isinstance(key, str):
                self._problem(step, f"The key {key} is not text", f'Put it in quotes: "{key}":')
            else:
                value[str(key)] = self.plain(item, step)
        return value

    def _scalar(self, node: Any, path: Steps) -> Any:
        if node is None or isinstance(node, bool):
            return node
        if isinstance(node, datetime):
            return node.isoformat()
        if type(node).__name__ == "ScalarBoolean":
            return bool(node)
        for kind in (str, int, float):
            if isinstance(node, kind):
                return kind(node)
        if isinstance(node, date):
            return node
        self._problem(path, "A YAML tag stands here", "Write a plain text, number, list or group of keys")
        return None

    def _problem(self, path: Steps, message: str, remedy: str) -> None:
        line = next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), 0)
        self.problems.append(Problem(self.file, line, dotted(path), message, remedy))
