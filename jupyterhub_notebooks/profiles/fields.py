"""Types of single fields of profiles.yaml: each turns what a person wrote into one plain value.

Sizes become bytes, durations seconds, prices Decimal, lists tuples. What cannot be used raises a
PydanticCustomError whose context has ``message`` (what is wrong) and ``remedy`` (what to write).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer
from pydantic_core import PydanticCustomError

from ..errors import BadInput
from ..units import parse_duration, parse_size

SIGNALS = ("kernel", "terminal", "gpu", "download", "cpu", "browser", "editor", "cell")
ENFORCEMENT = ("stop", "observe", "off")
EDITORS = ("jupyterlab", "vscode")
SCRIPT_BYTES = 64 * 1024
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOST = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?", re.IGNORECASE)
_IMAGE = re.compile(r"[a-z0-9][A-Za-z0-9._/:-]*(@sha256:[0-9a-f]{64})?")
OURS = ("NOTEBOOK_", "JUPYTERHUB_")


def wrong(message: str, remedy: str = "") -> PydanticCustomError:
    """The error of one field."""
    return PydanticCustomError("field", "{message}", {"message": message, "remedy": remedy})


def is_name(text: str) -> bool:
    """Whether text can be the name of a flavor or profile."""
    return _NAME.fullmatch(text) is not None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise wrong(f"{shown(value)} is not text", f'Put it in quotes: "{value}"' if _plain(value) else "")
    if not value.strip():
        raise wrong("This is empty", "Write a text or leave the line out")
    return value.strip()


def _line(value: Any) -> str:
    text = _text(value)
    if "\n" in text or len(text) > 200:
        raise wrong("This must be one line of at most 200 characters")
    return text


def _name(value: Any) -> str:
    text = _text(value)
    if not is_name(text):
        raise wrong(
            f"{text!r} cannot be a name", "Use small letters, digits and hyphens, such as notebook-cpu-small"
        )
    return text


def _plain(value: Any) -> bool:
    return isinstance(value, int | float | date)


def shown(value: Any) -> str:
    """How a wrong value is quoted in a message: short, and by its kind where it is a collection."""
    if isinstance(value, Mapping):
        return "A group of keys"
    if isinstance(value, list | tuple):
        return "A list"
    if value is None:
        return "An empty value"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _size(value: Any) -> int:
    try:
        size = parse_size(value)
    except BadInput as error:
        raise wrong(error.title, " ".join(error.next)) from None
    if not 0 < size < 10**16:
        raise wrong(f"{value!r} is not a size above 0", "Write a number and a unit, such as 8 GB or 500 MB")
    return size


def _duration(value: Any) -> int:
    try:
        seconds = parse_duration(value)
    except BadInput as error:
        raise wrong(error.title, " ".join(error.next)) from None
    if seconds > 366 * 86400:
        raise wrong(f"{value!r} is longer than a year", "Write 0 for none")
    return seconds


def _durations(value: Any) -> tuple[int, ...]:
    """A duration or a list of them, above 0, the longest first; 0 or an empty list: none."""
    found = [_duration(item) for item in (value if isinstance(value, list | tuple) else [value])]
    return tuple(sorted((seconds for seconds in found if seconds), reverse=True))


def _times(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
        raise wrong(f"{shown(value)} is not a number of times", "Write a whole number from 0 to 100")
    return value


def _periods(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100_000:
        raise wrong(
            f"{shown(value)} is not a number of hours, days or weeks", "Write a whole number from 0 on"
        )
    return value


def _signals(value: Any) -> tuple[str, ...]:
    names = _names(value)
    for name in names:
        if name not in SIGNALS:
            raise wrong(f"There is no signal {name!r}", "Write some of " + ", ".join(SIGNALS))
    return names


def _enforcement(value: Any) -> str:
    if value is False:  # what YAML makes of a bare off
        return "off"
    if value not in ENFORCEMENT:
        raise wrong(
            f"{shown(value)} says nothing about enforcement",
            "Write stop, observe (record each stop that would have been), or off",
        )
    return str(value)


def _price(value: Any) -> Decimal:
    remedy = "Write a number with at most 4 digits after the point, such as 0.65"
    try:
        price = Decimal(str(value)) if not isinstance(value, bool) else None
    except InvalidOperation:
        price = None
    if price is None or not price.is_finite() or price < 0 or price > 10**6:
        raise wrong(f"{shown(value)} is not a price", remedy)
    if price != price.quantize(Decimal("0.0001")):
        raise wrong(f"{shown(value)} is not a price", remedy)
    return price.normalize() if price else Decimal(0)


def _cpu(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 4096:
        raise wrong(f"{shown(value)} is not a number of CPUs", "Write a number above 0, such as 2 or 0.5")
    return float(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 64:
        raise wrong(f"{shown(value)} is not a count", "Write a whole number from 1 to 64")
    return value


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise wrong(f"{shown(value)} is neither true nor false", "Write true or false")
    return value


def _list(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise wrong(f"{shown(value)} is not a list", "Write [one, two], or one line with '- ' for each")
    return tuple(value)


def _names(value: Any) -> tuple[str, ...]:
    """A name or a list of names, none twice."""
    names = tuple(_line(item) for item in (value if isinstance(value, list | tuple) else [value]))
    if not names:
        raise wrong("This list is empty", "Name at least one")
    for name in names:
        if names.count(name) > 1:
            raise wrong(f"{name!r} stands here twice", "Leave one of them out")
    return names


def _editors(value: Any) -> tuple[str, ...]:
    names = _names(value)
    for name in names:
        if name not in EDITORS:
            raise wrong(f"There is no editor {name!r}", "Write " + " or ".join(EDITORS))
    return names


def _agent(value: Any) -> str:
    if value not in ("inside", "beside"):
        raise wrong(
            f"{shown(value)} says nothing about the agent",
            "Write inside, or beside for an image that knows nothing of us",
        )
    return str(value)


def _mode(value: Any) -> str:
    if value not in ("ro", "rw"):
        raise wrong(f"{shown(value)} is no way to mount", "Write ro (read only) or rw (read and write)")
    return str(value)


def _mapping(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise wrong(f"{shown(value)} is not a group of keys", "Write one line 'KEY: value' for each")
    for key, item in value.items():
        if not isinstance(key, str) or not isinstance(item, str):
            raise wrong(f"The value of {key} is not text", f'Put it in quotes: {key}: "{item}"')
    return dict(value)


def _environment(value: Any) -> dict[str, str]:
    variables = _mapping(value)
    for name in variables:
        if not _VARIABLE.fullmatch(name):
            raise wrong(
                f"{name!r} cannot be the name of a variable", "Use letters, digits and _, no digit first"
            )
        if name.startswith(OURS):
            raise wrong(
                f"{name} is set by the Hub itself",
                f"Choose a name that does not begin with {' or '.join(OURS)}",
            )
    return variables


def _image(value: Any) -> str:
    text = _text(value)
    if not _IMAGE.fullmatch(text) or len(text) > 500:
        raise wrong(
            f"{shown(text)} is not the name of an image",
            "Write registry/name:tag, or registry/name@sha256:… to pin it",
        )
    return text


def _hosts(value: Any) -> tuple[str, ...]:
    hosts = _names(value)
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise wrong(f"{host!r} is not a host", "Write host, *.domain or host:port")
        if ":" in host and not 0 < int(host.rpartition(":")[2]) < 65536:
            raise wrong(f"{host!r} has no port that there is", "Write a port from 1 to 65535")
    return hosts


def _script(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise wrong("The startup script is not text", "Write its lines below 'startup_script: |'")
    if len(value.encode()) > SCRIPT_BYTES or "\0" in value:
        raise wrong("The startup script is longer than 64 kB", "Put it into the image and call it here")
    return value


def _day(value: Any) -> date:
    try:
        if type(value) is date:
            return value
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise wrong(f"{shown(value)} is not a day", "Write it as 2027-01-31") from None


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise wrong(f"{shown(value)} is not a group of keys", "Write Kubernetes' own keys, each on its line")
    found: dict[str, Any] = _plain_values(value)
    return found


def _plain_values(value: Any) -> Any:
    """A value of YAML as JSON has it."""
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise wrong(f"{shown(key)} cannot be a key", f'Put it in quotes: "{key}"')
        return {str(key): _plain_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_values(item) for item in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise wrong(f"{shown(value)} is not text, a number, true or false", f'Put it in quotes: "{value}"')


def _workspace(value: Any) -> str:
    if value not in ("claim", "ephemeral"):
        raise wrong(
            f"{shown(value)} says nothing about where the workspace lies",
            "Write claim (a volume of its own, kept), or ephemeral (fetched from storage at each start)",
        )
    return str(value)


Line = Annotated[str, BeforeValidator(_line)]
Name = Annotated[str, BeforeValidator(_name)]
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
SizeBytes = Annotated[int, BeforeValidator(_size)]
Seconds = Annotated[
    int, BeforeValidator(_duration), PlainSerializer(lambda seconds: f"{seconds}s" if seconds else "0")
]
Durations = Annotated[
    tuple[int, ...],
    BeforeValidator(_durations),
    PlainSerializer(lambda found: [f"{seconds}s" for seconds in found]),
]
Times = Annotated[int, BeforeValidator(_times)]
Periods = Annotated[int, BeforeValidator(_periods)]
Signals = Annotated[tuple[str, ...], BeforeValidator(_signals)]
Enforcement = Annotated[str, BeforeValidator(_enforcement)]
Price = Annotated[Decimal, BeforeValidator(_price)]
Cpus = Annotated[float, BeforeValidator(_cpu)]
Count = Annotated[int, BeforeValidator(_count)]
Switch = Annotated[bool, BeforeValidator(_switch)]
Editors = Annotated[tuple[str, ...], BeforeValidator(_editors)]
Agent = Annotated[str, BeforeValidator(_agent)]
Mode = Annotated[str, BeforeValidator(_mode)]
Texts = Annotated[dict[str, str], BeforeValidator(_mapping)]
Environment = Annotated[dict[str, str], BeforeValidator(_environment)]
Image = Annotated[str, BeforeValidator(_image)]
Hosts = Annotated[tuple[str, ...], BeforeValidator(_hosts)]
Script = Annotated[str, BeforeValidator(_script)]
Day = Annotated[date, BeforeValidator(_day)]
Object = Annotated[dict[str, Any], BeforeValidator(_object)]
Workspace = Annotated[str, BeforeValidator(_workspace)]
AsTuple = BeforeValidator(_list)
