"""What became of the kernels' variables at a stop, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: So many of those that are lost are named in one line.
MOST_NAMED = 3


def in_words(kept: Mapping[str, Any] | None) -> str:
    """``5 of 6 variables can come back; con was not kept.``; '' where there were none.

    kept: the session row's ``variables``.
    """
    if not kept:
        return ""
    lost = [one for one in kept.get("lost") or () if isinstance(one, Mapping)]
    names = [str(one.get("name") or one.get("notebook") or "a kernel") for one in lost]
    saved = int(kept.get("saved") or 0)
    if not saved and not names:
        return ""
    named = ", ".join(names[:MOST_NAMED]) + (
        f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    )
    was = "was" if len(names) == 1 else "were"
    if not saved:
        return f"No variables can come back: {named} {was} not kept."
    every = saved + sum(1 for one in lost if one.get("name"))
    count = f"{saved} of {every}" if names else f"All {saved}" if saved > 1 else "1"
    first = f"{count} variable{'' if every == 1 else 's'} can come back"
    return f"{first}; {named} {was} not kept." if names else f"{first}."


def in_lines(kept: Mapping[str, Any] | None) -> list[str]:
    """Each that is lost with why, for a page with room or a terminal."""
    lines = []
    for one in (kept or {}).get("lost") or ():
        where = f" of {one['notebook']}" if one.get("notebook") else ""
        lines.append(f"{one.get('name') or 'All'}{where}: {one.get('why', '')}.")
    return lines
