"""Sizes, durations, money and times: parsed strictly, shown the way the pages and commands write them.

Sizes are bytes, decimal when shown (1 GB = 10^9 bytes). Durations are seconds. A no-break space stands
between number and unit on screen.
"""

from __future__ import annotations

import re
from datetime import datetime

from .errors import BadInput

NBSP = "\u00a0"
_DECIMAL = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15}
_BINARY = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMGTP]?i?B)")
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(min|[shd])\s*")


def parse_size(text: str | int, field: str | None = None) -> int:
    """Bytes of ``8 GB``, ``500MB``, ``1.5 GiB`` or a plain number of bytes. Raises BadInput."""
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    match = _SIZE.fullmatch(str(text).strip())
    scale = {**_DECIMAL, **_BINARY}.get(match[2]) if match else None
    if match is None or scale is None:
        raise BadInput(
            f"{text!r} is not a size", next=["Write a number and a unit, such as 8 GB or 500 MB"], field=field
        )
    return int(float(match[1]) * scale)


def parse_duration(text: str | int, field: str | None = None) -> int:
    """Seconds of ``15min``, ``6h``, ``1h 30min``, ``90s`` or ``0`` (none). Raises BadInput."""
    plain = str(text).strip()
    if not isinstance(text, bool) and plain == "0":
        return 0
    parts = _PART.findall(plain)
    if not parts or _PART.sub("", plain):
        raise BadInput(
            f"{text!r} is not a duration",
            next=["Write a number and a unit, such as 15min or 6h, or 0 for none"],
            field=field,
        )
    return int(sum(float(number) * _SECONDS[unit] for number, unit in parts))


def show_size(size_bytes: int) -> str:
    """Decimal with at most three digits: ``64 kB``, ``38 MB``, ``1.2 GB``."""
    if size_bytes < 1000:
        return f"{size_bytes}{NBSP}B"
    value = float(size_bytes)
    for unit in ("kB", "MB", "GB", "TB", "PB"):
        value /= 1000
        if value < 999.5 or unit == "PB":
            break
    return f"{_three(value)}{NBSP}{unit}"


def _three(value: float) -> str:
    text = f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
    return text.removesuffix(".0")


def show_progress(done_bytes: int, total_bytes: int) -> str:
    """``312 of 840 MB``: both in the unit of the total."""
    total = show_size(total_bytes)
    number, unit = total.split(NBSP)
    scale = _DECIMAL[unit]
    done = min(done_bytes, total_bytes) / scale
    return f"{_three(done) if '.' in number else f'{done:.0f}'} of {total}"


def show_duration(seconds: float) -> str:
    """``5 h 10 min``, ``8 min``, ``40 s``; parts that are zero are left out; days from 48 h on."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}{NBSP}s"
    minutes = whole // 60
    if minutes < 60:
        return f"{minutes}{NBSP}min"
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        days, hours = divmod(hours, 24)
        return f"{days}{NBSP}d" + (f" {hours}{NBSP}h" if hours else "")
    return f"{hours}{NBSP}h" + (f" {minutes}{NBSP}min" if minutes else "")


def show_ago(then: datetime, now: datetime) -> str:
    """``just now``, ``28 min ago``, ``2 h ago``, ``Mon 17:40``, ``9 Oct``, ``9 Oct 2024``; zone as given."""
    seconds = (now - then).total_seconds()
    if seconds < 45:
        return "just now"
    if seconds < 3600:
        return f"{max(1, round(seconds / 60))}{NBSP}min ago"
    if seconds < 12 * 3600:
        return f"{round(seconds / 3600)}{NBSP}h ago"
    if seconds < 6 * 86400:
        return then.strftime("%a %H:%M")
    day = f"{then.day}{NBSP}{then.strftime('%b')}"
    return day if then.year == now.year else f"{day}{NBSP}{then.year}"


def be(number: int) -> str:
    """``is`` of one, ``are`` of several."""
    return "is" if number == 1 else "are"


def count(number: int, one: str, many: str | None = None) -> str:
    """``1 file``, ``2 files``, ``12,406 files``."""
    return f"{number:,}{NBSP}{one if number == 1 else many or one + 's'}"
