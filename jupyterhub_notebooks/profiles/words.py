"""How flavors, prices and limits are written on pages and in commands: one wording for all."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

from ..units import NBSP, show_duration, show_size
from .model import Flavor, Profile

EDITOR_NAMES = {"jupyterlab": "JupyterLab", "vscode": "VS Code"}


def show_money(amount: Decimal, currency: str) -> str:
    """``€0.65``; a currency of letters stands behind: ``0.65 CHF``."""
    number = f"{amount.quantize(Decimal('0.01'), rounding=ROUND_HALF_UP):,}"
    return f"{number}{NBSP}{currency}" if currency.isalpha() else f"{currency}{number}"


def show_price(flavor: Flavor, currency: str) -> str:
    """``€0.65 an hour``, or ``no charge``."""
    if not flavor.price_per_hour:
        return f"no{NBSP}charge"
    return f"{show_money(flavor.price_per_hour, currency)} an{NBSP}hour"


def show_memory(size_bytes: int) -> str:
    """Memory as the flavor says it: ``8 GB``, and ``8 GiB`` where it was given in powers of two."""
    if size_bytes % 2**30 == 0 and size_bytes % 10**6:
        return f"{size_bytes // 2**30}{NBSP}GiB"
    return show_size(size_bytes)


def show_cpu(cpu: float) -> str:
    return f"{cpu:g}{NBSP}CPU"


def show_gpu(flavor: Flavor) -> str:
    """``1 × T4 16 GB``, '' without one."""
    if flavor.gpu is None:
        return ""
    text = f"{flavor.gpu.count}{NBSP}×{NBSP}{flavor.gpu.kind}"
    return f"{text} {show_memory(flavor.gpu.memory_bytes)}" if flavor.gpu.memory_bytes else text


def show_limits(flavor: Flavor) -> str:
    """``4 CPU, 16 GB, 1 × T4 16 GB``"""
    parts = [show_cpu(flavor.cpu), show_memory(flavor.memory_bytes), show_gpu(flavor)]
    return ", ".join(part for part in parts if part)


def show_clock(profile: Profile) -> str:
    """``Idle stop 30 min, session 8 h``"""
    idle = show_duration(profile.idle_stop_seconds)
    whole = show_duration(profile.max_session_seconds)
    first = f"Idle stop {idle}" if profile.idle_stop_seconds else "No idle stop"
    return f"{first}, " + (f"session {whole}" if profile.max_session_seconds else "session without end")


def show_most(profile: Profile, flavor: Flavor, currency: str) -> str:
    """``At most €0.80 for a full 8 h session.``, '' where there is no price or no end."""
    if not flavor.price_per_hour or not profile.max_session_seconds:
        return ""
    most = flavor.price_per_hour * profile.max_session_seconds / 3600
    return f"At most {show_money(most, currency)} for a full {show_duration(profile.max_session_seconds)} session."


def a_gpu(kind: str, count: int = 1) -> str:
    """``a T4``, ``an A100``, ``2 × A100``"""
    if count > 1:
        return f"{count}{NBSP}×{NBSP}{kind}"
    return f"{'an' if kind[:1].upper() in 'AEFHILMNORSX8' else 'a'} {kind}"


def join_words(words: Iterable[str], last: str = "and") -> str:
    """``a, b and c``"""
    items = list(words)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}" if items else ""
