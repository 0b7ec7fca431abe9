"""From what an agent sent to values that a database takes: bounded whole numbers, clean text, known labels."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from jupyterhub_notebooks.contract import PHASES, PROTOCOL, Heartbeat, KeptVariables
from jupyterhub_notebooks.errors import Unchecked

from .refusals import TooOld

MOST = 2**62
MOST_COUNT = 2**31 - 1
TEXTS = 50
MOST_LOST = 200
MOST_BLOCKED = 200
TEXT_LENGTH = 1000
_LABEL = re.compile(r"[a-z][a-z0-9_]{0,39}")
_BLOCK = re.compile(r"[0-9a-f]{64}")
OLDEST = max(1, PROTOCOL - 1)


def spoken(protocol: int) -> None:
    """Raises TooOld for a protocol before the last two."""
    if protocol < OLDEST:
        raise TooOld(
            f"This agent speaks version {protocol} of the protocol and this Hub needs {OLDEST} or newer",
            "Files stay on the volume and are not saved to storage.",
            ["Stop the notebook and start it again with a newer image"],
            field="protocol",
        )


def text(value: str, most: int = TEXT_LENGTH) -> str:
    """Without what a database refuses, and not longer than most."""
    return value.encode("utf-8", "replace").decode().replace("\0", "")[:most]


def texts(values: Iterable[str]) -> list[str]:
    return [text(value) for value in list(values)[:TEXTS]]


def variables(kept: KeptVariables) -> dict[str, Any]:
    """What became of the kernels' variables, as the session's row has it."""
    return {
        "saved": count(kept.saved),
        "notebooks": count(kept.notebooks),
        "size_bytes": size(kept.size_bytes),
        "seconds": max(0.0, min(kept.seconds, 1e9)),
        "lost": [
            {"notebook": text(one.notebook, 300), "name": text(one.name, 200), "why": text(one.why, 300)}
            for one in kept.lost[:MOST_LOST]
        ],
    }


def blocked(beat: Heartbeat) -> dict[str, int]:
    """Hosts that were refused, and how often."""
    told = list(beat.blocked.items())[:MOST_BLOCKED]
    return {text(host, 300): count(times) for host, times in told if host and times > 0}


def size(value: int) -> int:
    return max(0, min(value, MOST))


def count(value: int) -> int:
    return max(0, min(value, MOST_COUNT))


def number(value: int | None, field: str) -> int:
    """A snapshot's or line's number. Raises Unchecked."""
    if value is None or not 0 <= value <= MOST_COUNT:
        raise Unchecked("This must be a whole number from 0 on", field=field)
    return value


def blocks(names: Iterable[str]) -> tuple[str, ...]:
    """Names of blocks. Raises Unchecked."""
    known = tuple(names)
    if any(_BLOCK.fullmatch(name) is None for name in known):
        raise Unchecked("These must be names of blocks, 64 hexadecimal digits each", field="present")
    return known


def label(value: str, field: str) -> str:
    """A cause. Raises Unchecked."""
    if _LABEL.fullmatch(value) is None:
        raise Unchecked("This must be a label such as server_died", field=field)
    return value


def outcomes(beat: Heartbeat) -> dict[str, dict[str, Any]]:
    """What came of orders, by id: texts and whole numbers alone. What has another shape is left out."""
    found: dict[str, dict[str, Any]] = {}
    for order, said in list(beat.outcomes.items())[:TEXTS]:
        if not isinstance(said, dict):
            continue
        kept: dict[str, Any] = {}
        if isinstance(said.get("error"), str):
            kept["error"] = text(said["error"])
        for name in ("before", "files", "size_bytes"):
            if type(said.get(name)) is int:
                kept[name] = size(said[name])
        places = said.get("replaced")
        if isinstance(places, list):
            kept["replaced"] = [place for place in places[:TEXT_LENGTH] if type(place) is int and place >= 0]
        found[order] = kept
    return found


def phase(beat: Heartbeat) -> str:
    if beat.phase not in PHASES:
        raise Unchecked(f"This must be one of {', '.join(PHASES)}", field="phase")
    return beat.phase
