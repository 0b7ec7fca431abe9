"""When safe mode is offered, and why: decided from how the last sessions of a notebook ended.

Pure. It is offered after a full disk, after a server that ended before it was ready, and after two starts that failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

#: Ends that a broken environment or a full disk brings about.
BROKEN = ("server_died", "server_exited", "did_not_start", "not_started", "no_progress")
FULL = "disk_full"
#: Ends of a start that say nothing against the workspace.
NOT_ITS_FAULT = (
    "cancelled",
    "stopped",
    "admin",
    "shutdown",
    "hub_stopped",
    "lease_held",
    "volume_away",
    "not_restored",
    "snapshot_damaged",
    "image_missing",
    "image_login",
    "image_denied",
    "image_limited",
    "image_name",
    "image_without_agent",
    "registry_away",
    "no_place",
    "no_gpu",
    "no_machine",
    "machine_full",
    "config_missing",
    "profile_field",
    "policy",
    "limit_of_namespace",
    "quota_of_namespace",
    "missing_there",
    "cluster_login",
    "cluster_rights",
    "cluster_away",
    "not_created",
    "volume_missing",
    "volume_elsewhere",
    "volume_not_attached",
    "evicted",
    "evicted_disk",
    "preempted",
    "drained",
    "deadline",
    "killed",
    "lost",
)
FAILED_STARTS = 2


class Ended(Protocol):
    """A session's row."""

    @property
    def kind(self) -> str: ...
    @property
    def cause(self) -> str | None: ...
    @property
    def ready_at(self) -> datetime | None: ...
    @property
    def closed_at(self) -> datetime | None: ...
    @property
    def launch(self) -> Mapping[str, Any]: ...


def offer(newest_first: Sequence[Ended]) -> str:
    """Why safe mode is offered, one sentence; '' where it is not."""
    past = [one for one in newest_first if one.kind == "work"]
    if not past or past[0].closed_at is None:
        return ""
    last = past[0]
    if last.cause == FULL:
        return "The disk was full: in safe mode the editor needs no space in your workspace, and you can delete there."
    if is_safe(last):
        return ""
    if last.ready_at is None and last.cause in BROKEN:
        return (
            "Something in your workspace may keep the editor from starting: safe mode leaves out your packages,"
            " settings and startup script, and says what to remove."
        )
    failed = 0
    for one in past:
        if one.ready_at is not None or one.cause in NOT_ITS_FAULT:
            break
        failed += 1
    if failed >= FAILED_STARTS:
        return f"The last {failed} starts failed: safe mode leaves out your packages, settings and startup script."
    return ""


def is_safe(session: Ended | None) -> bool:
    """Whether a session runs, or ran, in safe mode."""
    return session is not None and session.launch.get("run") == "safe"
