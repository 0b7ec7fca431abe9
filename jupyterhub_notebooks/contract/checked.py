"""A dataclass that reads itself from JSON and says which field is wrong."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..errors import Unchecked

B = TypeVar("B", bound="Body")

#: (value, path of its field) -> the value as its type; raises Unchecked.
Check = Callable[[Any, str], Any]


class Body:
    """Base of every body. Subclasses are frozen dataclasses of str, int, float, bool, Body, tuples and dicts."""

    def to_json(self) -> dict[str, Any]:
        """A dict ready for json.dumps; fields that are None are left out."""
        return {
            name: _plain(value)
            for name, _, _ in _fields(type(self))
            if (value := getattr(self, name)) is not None
        }

    @classmethod
    def from_json(cls: type[B], raw: Any, path: str = "") -> B:
        """The body in raw, a parsed JSON object. Raises Unchecked naming the field."""
        if not isinstance(raw, Mapping):
            raise Unchecked("This must be an object", field=path or cls.__name__)
        before = f"{path}." if path else ""
        values: dict[str, Any] = {}
        for name, check, needed in _fields(cls):
            if name in raw:
                values[name] = check(raw[name], before + name)
            elif needed:
                raise Unchecked("This field is missing", field=before + name)
        return cls(**values)


#: What is read of a class, worked out once: name, check, whether it must be there.
_FIELDS: dict[type, tuple[tuple[str, Check, bool], ...]] = {}


def _fields(cls: type) -> tuple[tuple[str, Check, bool], ...]:
    found = _FIELDS.get(cls)
    if found is None:
        hints = typing.get_type_hints(cls)
        none = dataclasses.MISSING
        found = _FIELDS[cls] = tuple(
            (item.name, _check_of(hints[item.name]), item.default is none and item.default_factory is none)
            for item in dataclasses.fields(cls)
        )
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, Body):
        return value.to_json()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def _check_of(kind: Any) -> Check:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        choices = typing.get_args(kind)
        inner = _check_of(next(choice for choice in choices if choice is not type(None)))
        return _or_none(inner) if type(None) in choices else inner
    if origin is tuple:
        return _tuple(_check_of(typing.get_args(kind)[0]))
    if origin is dict:
        return _dict(_check_of(typing.get_args(kind)[1]))
    if kind is Any:
        return lambda value, where: value
    if isinstance(kind, type) and issubclass(kind, Body):
        body: type[Body] = kind
        return lambda value, where: body.from_json(value, where)
    return _float if kind is float else _scalar(kind)


def _or_none(inner: Check) -> Check:
    return lambda value, where: None if value is None else inner(value, where)


def _tuple(inner: Check) -> Check:
    def check(value: Any, where: str) -> Any:
        if not isinstance(value, list | tuple):
            raise Unchecked("This must be a list", field=where)
        return tuple([inner(item, f"{where}[{n}]") for n, item in enumerate(value)])

    return check


def _dict(inner: Check) -> Check:
    def check(value: Any, where: str) -> Any:
        if not isinstance(value, Mapping):
            raise Unchecked("This must be an object", field=where)
        return {str(name): inner(item, f"{where}.{name}") for name, item in value.items()}

    return check


def _float(value: Any, where: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unchecked(f"This must be {_WORDS[float]}", field=where)
    try:
        value = float(value)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise Unchecked("This must be a number that is finite", field=where)
    return value


def _scalar(kind: type) -> Check:
    def check(value: Any, where: str) -> Any:
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            raise Unchecked(f"This must be {_WORDS.get(kind, kind.__name__)}", field=where)
        return value

    return check


_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
