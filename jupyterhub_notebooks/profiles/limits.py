"""Time limits that the Hub's settings give instead of a profile's: for everyone, a group or a user.

Promises: pure; a user's own come before a group's, those before the profile's, and ``everyone`` stands in only
where the profile says nothing. Of several groups the longest counts (none is longer than any), and of their
modes the one that stops least.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..units import parse_duration
from .fields import ENFORCEMENT
from .model import Profile

#: The keys of one entry, as in profiles.yaml.
DURATIONS = ("idle_stop", "max_session")


def limited(
    profile: Profile, limits: Mapping[str, Mapping[str, Any]], groups: Collection[str], user: str
) -> Profile:
    """The profile with the limits that this person has."""
    if not limits:
        return profile
    mine = dict(limits.get(f"user:{user}", {}))
    shared = _widest([limits[f"group:{name}"] for name in sorted(groups) if f"group:{name}" in limits])
    everyone = limits.get("everyone", {})
    values: dict[str, Any] = {}
    for key in DURATIONS:
        name = f"{key}_seconds"
        if key in mine:
            values[name] = parse_duration(mine[key])
        elif key in shared:
            values[name] = parse_duration(shared[key])
        elif key in everyone and name not in profile.model_fields_set:
            values[name] = parse_duration(everyone[key])
    mode = mine.get("enforcement") or shared.get("enforcement")
    mode = mode or (profile.enforcement or everyone.get("enforcement"))
    if mode:
        values["enforcement"] = mode
    return profile.model_copy(update=values) if values else profile


def _widest(entries: Collection[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in DURATIONS:
        given = [entry[key] for entry in entries if key in entry]
        if given:
            found[key] = max(given, key=lambda text: parse_duration(text) or float("inf"))
    modes = [entry["enforcement"] for entry in entries if "enforcement" in entry]
    if modes:
        found["enforcement"] = max(modes, key=ENFORCEMENT.index)
    return found
