"""What is wrong in profiles.yaml: every mistake at once, each with its line, place and remedy."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ..errors import ConfigError
from ..units import count
from .model import Part, keys_of

Steps = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """One mistake. line is counted from 1, 0 where the whole file is meant."""

    file: str
    line: int
    path: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        """``FILE:LINE profiles.NAME.FIELD: message. remedy``"""
        place = f"{self.file}:{self.line}" if self.line else self.file
        where = f"{place} {self.path}" if self.path else place
        return " ".join(
            [f"{where}: {_stopped(self.message)}", *([_stopped(self.remedy)] if self.remedy else [])]
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "line": self.line,
            "path": self.path,
            "message": self.message,
            "remedy": self.remedy,
        }


def _stopped(text: str) -> str:
    return text if text[-1:] in ".?" else text + "."


class WrongProfiles(ConfigError):
    """profiles.yaml cannot be used. ``problems`` are all of its mistakes, in the order of their lines."""

    def __init__(self, file: str | Path, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        super().__init__(
            f"{Path(file).name} has {count(len(self.problems), 'mistake')}",
            next=[str(problem) for problem in self.problems],
            field=str(file),
        )

    def sentence(self) -> str:
        """One line for each mistake."""
        return "\n".join(str(problem) for problem in self.problems)


def dotted(path: Sequence[str | int]) -> str:
    """``profiles.NAME.tools[1].title``"""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def suggestion(word: str, known: Iterable[str]) -> str:
    """``Did you mean x?`` where something is near, else what there is (if that is short)."""
    names = list(known)
    near = difflib.get_close_matches(word, names, 1, 0.6)
    if near:
        return f"Did you mean {near[0]}?"
    return f"There is {', '.join(names)}" if names and len(names) <= 12 else ""


def told(error: ValidationError, part: type[Part]) -> list[tuple[Steps, str, str]]:
    """The errors of one flavor or profile as (path below it, message, remedy)."""
    return [_told(detail, part) for detail in error.errors()]


def _told(detail: ErrorDetails, part: type[Part]) -> tuple[Steps, str, str]:
    path: Steps = tuple(detail["loc"])
    context = detail.get("ctx") or {}
    if detail["type"] == "field":
        return path, str(context["message"]), str(context["remedy"])
    if detail["type"] == "missing":
        return path, "This key is missing", f"Write {path[-1]}: and its value"
    if detail["type"] == "extra_forbidden":
        known = keys_of(_part_at(part, path[:-1]))
        return path, "There is no such key", suggestion(str(path[-1]), known)
    if detail["type"] in ("model_type", "model_attributes_type"):
        known = keys_of(_part_at(part, path))
        return (
            path,
            "This must be a group of keys",
            "Write, indented below it, " + ", ".join(f"{key}:" for key in known[:3]),
        )
    return path, detail["msg"], ""


def _part_at(part: type[Part], path: Steps) -> type[Part]:
    for step in path:
        if isinstance(step, int):
            continue
        for name, item in part.model_fields.items():
            if step in (name, item.alias):
                part = _part_in(item.annotation) or part
    return part


def _part_in(kind: Any) -> type[Part] | None:
    """The Part that an annotation such as ``tuple[Tool, ...]`` or ``Gpu | None`` holds."""
    if isinstance(kind, type) and not isinstance(kind, types.GenericAlias) and issubclass(kind, BaseModel):
        return kind if issubclass(kind, Part) else None
    for inner in typing.get_args(kind):
        found = _part_in(inner)
        if found:
            return found
    return None
