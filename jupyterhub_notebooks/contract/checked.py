"""A dataclass that reads itself from JSON and says which field is wrong."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from ..errors import Unchecked

B = TypeVar("B", bound="Body")


class Body:
    """Base of every body. Subclasses are frozen dataclasses of str, int, float, bool, Body, tuples and dicts."""

    def to_json(self) -> dict[str, Any]:
        """A dict ready for json.dumps; fields that are None are left out."""
        return {
            item.name: _plain(value)
            for item in dataclasses.fields(self)  # type: ignore[arg-type]
            if (value := getattr(self, item.name)) is not None
        }

    @classmethod
    def from_json(cls: type[B], raw: Any, path: str = "") -> B:
        """The body in raw, a parsed JSON object. Raises Unchecked naming the field."""
        if not isinstance(raw, Mapping):
            raise Unchecked("This must be an object", field=path or cls.__name__)
        hints = _hints(cls)
        values: dict[str, Any] = {}
        for item in dataclasses.fields(cls):  # type: ignore[arg-type]
            where = f"{path}.{item.name}" if path else item.name
            if item.name in raw:
                values[item.name] = _checked(hints[item.name], raw[item.name], where)
            elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
                raise Unchecked("This field is missing", field=where)
        return cls(**values)


_HINTS: dict[type, dict[str, Any]] = {}


def _hints(cls: type) -> dict[str, Any]:
    if cls not in _HINTS:
        _HINTS[cls] = typing.get_type_hints(cls)
    return _HINTS[cls]


def _plain(value: Any) -> Any:
    if isinstance(value, Body):
        return value.to_json()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def _checked(kind: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        choices = typing.get_args(kind)
        if value is None and type(None) in choices:
            return None
        return _checked(next(choice for choice in choices if choice is not type(None)), value, where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise Unchecked("This must be a list", field=where)
        inner = typing.get_args(kind)[0]
        return tuple(_checked(inner, item, f"{where}[{n}]") for n, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, Mapping):
            raise Unchecked("This must be an object", field=where)
        inner = typing.get_args(kind)[1]
        return {str(name): _checked(inner, item, f"{where}.{name}") for name, item in value.items()}
    if kind is Any:
        return value
    if isinstance(kind, type) and issubclass(kind, Body):
        return kind.from_json(value, where)
    return _scalar(kind, value, where)


def _scalar(kind: type, value: Any, where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is float and isinstance(value, float) and not math.isfinite(value):
        raise Unchecked("This must be a number that is finite", field=where)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise Unchecked(f"This must be {_WORDS.get(kind, kind.__name__)}", field=where)
    return value


_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
