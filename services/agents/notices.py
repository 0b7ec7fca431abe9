"""What the user must read now: warnings before a stop, a GPU that is held without use. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from jupyterhub_notebooks.clock import from_text
from jupyterhub_notebooks.contract import Notice
from jupyterhub_notebooks.enforcement import rules, showing, telling, verdict
from jupyterhub_notebooks.enforcement.rules import GPU_UNUSED_SECONDS, Limits
from jupyterhub_notebooks.ledger import Session
from jupyterhub_notebooks.units import show_duration


def notices_of(row: Session, limits: Limits, now: datetime) -> tuple[Notice, ...]:
    """Those of a running session; a warning has a new id at each of the profile's stages."""
    found = []
    end = telling.ends_of(row, limits)
    if end.idle_at is not None and rules.warning_due(end.idle_at, limits.idle_seconds, limits, now):
        assert row.quiet_since is not None
        id = f"idle-{int(row.quiet_since.timestamp())}-{_stage(end.idle_at, limits, now)}"
        title = f"Idle stop in {telling.left(end.idle_at, now)}"
        why = f"{verdict.quiet_sentence(row.quiet_since, now)} Files are saved first."
        found.append(showing.idle_notice(id, row, end.idle_at, title, why))
    if end.session_at is not None and rules.warning_due(end.session_at, limits.max_seconds, limits, now):
        id = f"limit-{int(end.session_at.timestamp())}-{_stage(end.session_at, limits, now)}"
        title = f"Session ends in {telling.left(end.session_at, now)}"
        found.append(showing.limit_notice(id, row, limits, end.session_at, row.profile, title))
    unused = _gpu_unused_since(row)
    if unused is not None and now - unused >= timedelta(seconds=GPU_UNUSED_SECONDS):
        found.append(
            Notice(
                f"gpu-{int(unused.timestamp())}",
                "gpu_unused",
                f"The GPU has not been used for {show_duration((now - unused).total_seconds())}",
                "It is held for this notebook alone.",
                ("Start with a profile without a GPU",),
            )
        )
    return tuple(found)


def _stage(at: datetime, limits: Limits, now: datetime) -> int:
    """Which warning this is: the smallest one that is due."""
    left = (at - now).total_seconds()
    due = [seconds for seconds in limits.warn_seconds if left <= seconds]
    return int(min(due, default=limits.warn_seconds[0] if limits.warn_seconds else 0))


def _gpu_unused_since(row: Session) -> datetime | None:
    for one in row.signals or ():
        if one.get("name") == "gpu" and one.get("state") == "idle" and one.get("since"):
            try:
                return from_text(str(one["since"]))
            except ValueError:
                return None
    return None
