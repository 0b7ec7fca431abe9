"""What the workspace commands say, to people and as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from ..clock import to_text
from ..units import count, show_duration, show_size
from ..workspace import CheckReport, Entry, SaveReport, SnapshotHead, Volume, WorkspaceStore, listing
from ..workspace.checking import Problem
from ..workspace.differing import Difference
from ..workspace.entries import DIRECTORY, shown
from ..workspace.mending import Lost
from ..workspace.repairing import RepairReport
from .counting import after_the_first
from .workspace_opening import known

_SKIPPED_SHOWN = 10
_LOST_SHOWN = 100


def saved(report: SaveReport, volume: Volume, head: SnapshotHead | None) -> str:
    whole = f"{count(report.files, 'file')}, {show_size(report.size_bytes)}"
    if not report.number:
        newer = f" Snapshot {head.number} is newer." if head and head.number != volume.base else ""
        return f"Nothing changed since snapshot {volume.base}: {whole}.{newer}"
    if report.kind == "recovery":
        return (
            f"Saved as recovery snapshot {report.number} beside {head.number if head else 0}, because "
            f"{volume.files} does not come from that one: {whole}. To make it the newest state, run the command "
            "again with --onto-head; to go back to the other, restore it."
        )
    return (
        f"Saved snapshot {report.number}: {count(report.changed_files, 'changed file')}, "
        f"{show_size(report.stored_bytes)} stored; {whole} in all, in {seconds(report.seconds)}."
    )


def say_skipped(skipped: tuple[tuple[str, str], ...]) -> None:
    for path, why in skipped[:_SKIPPED_SHOWN]:
        print(f"{path}: {why}.", file=sys.stderr)
    if len(skipped) > _SKIPPED_SHOWN:
        print(f"{len(skipped) - _SKIPPED_SHOWN} more were left out; --json lists all.", file=sys.stderr)


def list_files(space: WorkspaceStore, number: int, as_json: bool) -> None:
    known(space, number)
    for entry in after_the_first(
        "Reading", as_json, space, lambda counted: listing(counted, counted, number)
    ):
        print(json.dumps(entry_json(entry)) if as_json else _entry_line(entry))


def _entry_line(entry: Entry) -> str:
    path = shown(entry.path) + ("/" if entry.kind == DIRECTORY else "")
    target = f" -> {shown(entry.target)}" if entry.target else ""
    return f"{entry.mode:04o}  {show_size(entry.size):>8}  {_time(entry.mtime_ns)}  {path}{target}"


def _time(mtime_ns: int) -> str:
    try:
        return to_text(datetime.fromtimestamp(mtime_ns // 10**9, UTC))
    except (ValueError, OverflowError, OSError):
        return f"{mtime_ns // 10**9:>20}"


def entry_json(entry: Entry) -> dict[str, Any]:
    """One line of JSON for each entry; a path that is no UTF-8 has its odd bytes escaped."""
    return {
        "path": shown(entry.path),
        "kind": entry.kind,
        "mode": f"{entry.mode:04o}",
        "mtime_ns": entry.mtime_ns,
        "size_bytes": entry.size,
        "content": entry.content.hex(),
        "target": shown(entry.target),
    }


_SIGNS = {"added": "+", "removed": "-", "changed": "M", "attributes": "a"}


def difference_line(one: Difference) -> str:
    entry = one.after or one.before
    assert entry is not None
    return f"{_SIGNS[one.what]} {show_size(entry.size):>8}  {shown(one.path)}" + "/" * (
        entry.kind == DIRECTORY
    )


def difference_json(one: Difference) -> str:
    """One line of JSON."""
    before = entry_json(one.before) if one.before else None
    after = entry_json(one.after) if one.after else None
    return json.dumps({"path": shown(one.path), "what": one.what, "before": before, "after": after})


def say_lost(lost: Sequence[Lost]) -> None:
    for one in lost[:_LOST_SHOWN]:
        older = f" An older version is in snapshot {one.older}." if one.older else ""
        print(f"Lost: {one.path}, {show_size(one.size_bytes)} ({one.why}).{older}")
    if len(lost) > _LOST_SHOWN:
        print(f"{len(lost) - _LOST_SHOWN:,} more are lost; --json lists all.")


def head_json(head: SnapshotHead, is_base: bool) -> dict[str, Any]:
    return {
        "number": head.number,
        "kind": head.kind,
        "parent": head.parent,
        "at": to_text(head.at),
        "size_bytes": head.size_bytes,
        "files": head.files,
        "stored_bytes": head.stored_bytes,
        "created_by": head.created_by,
        "is_base": is_base,
    }


def print_check(report: CheckReport, repair: str) -> None:
    """repair: the command that helps against errors."""
    for problem in report.errors:
        print(f"Error: {_told(problem)}")
    for problem in report.hints:
        print(f"Hint: {_told(problem)}")
    how = "all data read" if report.read_data else "data not read, see --read-data"
    sound = "sound" if not report.errors else f"{count(len(report.errors), 'error')}"
    print(
        f"{count(report.snapshots, 'snapshot')}, {count(report.blocks, 'block')}, "
        f"{show_size(report.stored_bytes)} stored ({how}): {sound}."
    )
    if report.errors:
        print(f"To save what can be saved, and see what is lost: {repair}.")


def _told(problem: Problem) -> str:
    return " ".join(text.rstrip(".") + "." for text in (problem.what, problem.cost) if text)


def print_repair(report: RepairReport, command: str, lost: str) -> None:
    """command: how this repair is run again, such as ``workspace repair``. lost: what can be done about lost files."""
    say_lost(report.lost)
    if report.unreadable:
        print(f"Cannot be read at all: {snapshots(report.unreadable)}.")
    others = {*report.damaged} - {report.of}
    for problem in report.problems:
        if {*problem.snapshots} & others:
            print(f"Error: {_told(problem)}")
    if not report.number:
        whole = "cannot be restored whole" if report.of in report.left else "is whole"
        print(f"Snapshot {report.of} {whole}: {count(report.files, 'file')}, {show_size(report.size_bytes)}.")
    elif report.of in report.damaged:
        mended = count(report.mended_files, "file")
        taken = f", {mended} taken from other snapshots" if report.mended_files else ""
        print(
            f"Saved what is left of snapshot {report.of} as snapshot {report.number}: "
            f"{count(report.files, 'file')}, {show_size(report.size_bytes)}{taken}; "
            f"{count(len(report.lost), 'loss', 'losses')}."
        )
    else:
        print(
            f"Saved snapshot {report.of} again as snapshot {report.number}, because the newest cannot be read: "
            f"{count(report.files, 'file')}, {show_size(report.size_bytes)}."
        )
    if report.lost:
        print(lost)
    if report.removed_snapshots:
        print(f"Removed {snapshots(report.removed_snapshots)}.")
    _say_left(report, command)


def _say_left(report: RepairReport, command: str) -> None:
    if not report.left:
        return
    print(f"Still damaged: {snapshots(report.left)}.")
    if [number for number in report.damaged if number in report.left and number != report.of]:
        print(f"To save what is left of one: {command} --snapshot N.")
    if report.removable:
        print(f"To remove {snapshots(report.removable)}: {command} --remove-damaged.")
    newer = sorted({*report.left} - {*report.removable})
    if newer:
        print(
            f"{snapshots(newer).capitalize()} cannot be removed: a newer version of this program wrote it, or it has "
            f"the highest number, which {command} without --snapshot makes up for."
        )


def snapshots(numbers: Sequence[int]) -> str:
    """``snapshot 3``, ``snapshots 3, 5-9``."""
    return f"snapshot{'s' * (len(numbers) != 1)} {ranges(numbers)}"


def ranges(numbers: Iterable[int]) -> str:
    """``3, 5-9``: numbers in words that stay short."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and runs[-1][-1] == number - 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return ", ".join("-".join(str(end) for end in run) for run in runs)


def day(at: datetime) -> str:
    """``2 May 2026``."""
    return f"{at.day} {at:%b %Y}"


def moment(at: datetime) -> str:
    """``2 May 2026, 14:05 UTC``."""
    return f"{day(at)}, {at.astimezone(UTC):%H:%M} UTC"


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2))


def seconds(seconds: float) -> str:
    return f"{seconds:.1f}\u00a0s" if seconds < 10 else show_duration(seconds)
