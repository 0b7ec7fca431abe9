"""What is shown of saves and of what the notebook uses, in words: pure; the same in every editor."""

from __future__ import annotations

from collections.abc import Sequence

from ..contract import Meter, Part, Progress, Saved, SavedShown
from ..units import NBSP, be, count, show_progress, show_size
from .gpu import Gpu

WAIT_PERCENT, FULL_PERCENT = 80, 90
#: A save that takes no longer is not shown while it runs.
SHOWN_AFTER_SECONDS = 2.0
_LONGEST_REASON = 60


def saved_shown(
    saved: Saved, size_bytes: int | None, phase: str, progress: Progress, saving_seconds: float | None
) -> SavedShown:
    """saving_seconds: for how long a save has been under way, None where none is."""
    percent = 100 * progress.done_bytes // progress.total_bytes if progress.total_bytes else None
    share = f" {percent}\u00a0%" if percent is not None else ""
    done = f"{show_progress(progress.done_bytes, progress.total_bytes)}. " if progress.total_bytes else ""
    if phase in ("saving", "ended"):
        lines = (f"{done}The notebook is being stopped; everything is saved first.",)
        return SavedShown(
            "spinner",
            "rest",
            (Part(f"Stopping, saving{share}"),),
            "Saving",
            _part(share),
            lines,
            percent or 0,
        )
    if saving_seconds is not None and saving_seconds >= SHOWN_AFTER_SECONDS:
        lines = (f"{done}Go on working; what you change now comes with the next save.",)
        bar = (Part(f"Saving{share}"),)
        return SavedShown("arrow-up", "rest", bar, "Saving", _part(share), lines, percent or 0)
    if saved.error:
        return _not_saved(saved)
    if saved.at is None:
        bar = (Part("Not saved yet"),)
        return SavedShown("circle", "rest", bar, "Saved", (Part("not yet"),), ("The first save comes soon.",))
    ago = Part(at=saved.at, form="ago")
    size = f"{show_size(size_bytes)}. " if size_bytes is not None else ""
    since = f"{count(saved.pending_files, 'file')} changed since." if saved.pending_files else ""
    said = f"{size}{since}".strip()
    return SavedShown("check", "rest", (Part("Saved "), ago), "Saved", (ago,), (said,) if said else ())


def _not_saved(saved: Saved) -> SavedShown:
    reason = (saved.error or "").strip()
    first = reason.split(". ")[0].rstrip(".")
    short = first if len(first) <= _LONGEST_REASON else first[: _LONGEST_REASON - 1] + "…"
    number = max(1, saved.pending_files)
    size = f" ({show_size(saved.pending_bytes)})" if saved.pending_bytes else ""
    kept = f"{count(number, 'file')}{size} {be(number)} only on this machine for now. You can go on working; it is tried again."
    end = (Part("since "), Part(at=saved.at)) if saved.at else ()
    bar = (Part(f"Not saved: {short[:1].lower()}{short[1:]}"),)
    return SavedShown("triangle-exclamation", "err", bar, "Not saved", end, (reason, kept))


def _part(text: str) -> tuple[Part, ...]:
    return (Part(text.strip()),) if text.strip() else ()


def meter(name: str, label: str, used_bytes: int, limit_bytes: int) -> Meter:
    """Bytes of so many; a limit of 0: none."""
    if not limit_bytes:
        return Meter(name, label, show_size(used_bytes))
    percent = round(100 * used_bytes / limit_bytes)
    return Meter(name, label, of(used_bytes, limit_bytes), percent, colour_of(percent))


def of(used_bytes: int, limit_bytes: int) -> str:
    """``2.2 of 10 GB``, ``140 MB of 3 GB``."""
    used, limit = show_size(used_bytes), show_size(limit_bytes)
    number, unit = used.split(NBSP)
    return f"{number if limit.endswith(NBSP + unit) else used} of {limit}"


def cores(used: float, limit: float) -> Meter:
    """Processors; amber means nothing here: to use all of them is what they are for."""
    percent = round(100 * used / limit) if limit else None
    text = f"{used:.1f} of {limit:g} cores" if limit else f"{used:.1f} cores"
    return Meter("cpu", "CPU", text, percent)


def gpu_meter(number: int, gpu: Gpu) -> Meter:
    """One GPU: the meter is its memory, the text says its use too."""
    memory = meter("", "", gpu.used_bytes, gpu.total_bytes)
    use = f"{gpu.percent}\u00a0% used, " if gpu.percent is not None else ""
    return Meter(f"gpu{number}", f"GPU {number}", f"{use}{memory.text}", memory.percent, memory.colour)


def gpu_meters(gpus: Sequence[Gpu]) -> tuple[Meter, ...]:
    return tuple(gpu_meter(number, one) for number, one in enumerate(gpus))


def colour_of(percent: int) -> str:
    return "err" if percent >= FULL_PERCENT else "wait" if percent >= WAIT_PERCENT else "rest"
