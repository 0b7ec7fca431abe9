"""Jupyter's own ``last_activity``, which the Hub reads and shows, made to follow the verdict."""

from __future__ import annotations

from collections.abc import Iterable

from ..contract import LocalSignal, SessionState

#: A verdict that is older says nothing about now.
OLD_SECONDS = 120.0
#: What counts while no verdict is known: work that this server sees itself, and a person.
OWN = frozenset({"kernel", "terminal", "download", "browser"})


def is_active(state: SessionState, signals: Iterable[LocalSignal]) -> bool:
    """Whether the server is active now: by the verdict, and by its own signals where there is none."""
    known = state.heard_seconds_ago is not None and state.heard_seconds_ago <= OLD_SECONDS
    if known and state.verdict.value != "unknown":
        return state.verdict.value in ("working", "present")
    return any(one.state == "busy" and one.name in OWN for one in signals)
