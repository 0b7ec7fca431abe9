"""The evidence of an enforcer's stop as lines of (what, text), for pages and commands. Times are UTC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..clock import from_text
from ..units import show_duration

_LABELS = (("quiet_since", "quiet since"), ("heard_at", "last heard"), ("warning_seen_at", "warning seen"))


def lines(evidence: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a stop was decided on; empty for a stop that somebody asked for."""
    if "verdict" not in evidence:
        return []
    found = [("verdict", " ".join(filter(None, (f"{evidence['verdict']}.", evidence.get("sentence")))))]
    limit = evidence.get("limit_seconds")
    if limit:
        text = show_duration(float(limit))
        extended = evidence.get("extended_seconds") or 0
        found.append(("limit", f"{text}, extended by {show_duration(extended)}" if extended else text))
    found += [(label, _time(evidence[name])) for name, label in _LABELS if evidence.get(name)]
    for one in evidence.get("signals") or ():
        state = one.get("state", "unknown")
        since = f" since {_time(one['since'])}" if one.get("since") else ""
        detail = f": {one['detail']}" if one.get("detail") else ""
        found.append((str(one.get("name", "")), f"{state}{since}{detail}"))
    return found


def _time(text: str) -> str:
    try:
        return f"{from_text(text):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return text
