"""What workspace.py measured, as text: medians, ratios of medians, and the targets with what was reached."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

STEPS = {"first": "first save", "again": "no-change save", "changed": "1 % changed", "restore": "restore"}
#: (step, peer, at most)
TARGETS = (
    ("restore", "cp", 1.0),
    ("restore", "restic", 0.25),
    ("restore", "rclone", 0.10),
    ("again", "restic", 0.10),
    ("first", "restic", 0.45),
)
MOST_SENT = 1.2
Rows = list[dict[str, Any]]


def line(row: dict[str, Any]) -> str:
    """One row for who watches."""
    said = f"{row['tree']:<6} {row['way']:<24} {row['tool']:<7} {STEPS[row['step']]:<15}"
    if "requests" in row:
        return f"{said} {sum(row['requests'].values()):>8,} requests, {row['sent'] / 1e6:9.2f} MB sent"
    disk = f", then {row['disk_seconds']:.2f} s until on the disk" if row["disk_seconds"] else ""
    return f"{said} {row['seconds']:8.2f} s ({row['cpu_seconds']:.2f} s of processor), {row['peak_bytes'] / 1e6:6.0f} MB{disk}"


def text(results: Path) -> str:
    """The tables of all rows that were written so far."""
    rows = [json.loads(one) for one in results.read_text().splitlines()]
    parts = []
    for key, group in _by(rows, "tree", "way").items():
        parts += [f"\n{key[0]}, {key[1]}: {group[0]['files']:,} files, {group[0]['bytes'] / 1e9:.2f} GB"]
        parts += _counted(group) if "requests" in group[0] else _timed(group)
    return "\n".join(parts)


def _by(rows: Rows, *names: str) -> dict[tuple[Any, ...], Rows]:
    groups: dict[tuple[Any, ...], Rows] = defaultdict(list)
    for row in rows:
        groups[tuple(row[name] for name in names)].append(row)
    return groups


def _timed(rows: Rows) -> list[str]:
    medians = {
        key: statistics.median(_column(group, "seconds")) for key, group in _by(rows, "tool", "step").items()
    }
    tools = list(dict.fromkeys(row["tool"] for row in rows))
    lines = [
        f"{'':<8}"
        + "".join(f"{title:>17}" for title in STEPS.values())
        + f"{'peak':>9}{'stored':>10}  rounds"
    ]
    for tool in tools:
        own = [row for row in rows if row["tool"] == tool]
        cells = "".join(
            f"{medians[tool, step]:>15.2f} s" if (tool, step) in medians else f"{'-':>17}" for step in STEPS
        )
        peak, stored = max(_column(own, "peak_bytes")), statistics.median(_column(own, "stored"))
        rounds = len({row["seed"] for row in own})
        lines.append(f"{tool:<8}{cells}{peak / 1e6:>6.0f} MB{stored / 1e6:>7.0f} MB  {rounds}")
    lines += _ratios(medians, tools)
    processor = {
        key: statistics.median(_column(group, "cpu_seconds"))
        for key, group in _by(rows, "tool", "step").items()
    }
    lines += ["the same of processor time, which a busy machine changes less (the server's is in neither):"]
    lines += _ratios(processor, tools)
    for tool, group in _by([row for row in rows if row["disk_seconds"]], "tool").items():
        lines.append(
            f"{tool[0]}: {statistics.median(_column(group, 'disk_seconds')):.2f} s more until a restore is on the disk"
        )
    return [*lines, *_targets(medians)]


def _ratios(medians: dict[tuple[Any, ...], float], tools: Iterable[str]) -> list[str]:
    lines = []
    for tool in tools:
        cells = [
            f"{medians['ours', step] / medians[tool, step]:>17.3f}"
            if ("ours", step) in medians and medians.get((tool, step))
            else f"{'-':>17}"
            for step in STEPS
        ]
        if tool != "ours":
            lines.append(f"ours / {tool:<7}"[:8].ljust(8) + "".join(cells) + f"  ours as a part of {tool}")
    return lines


def _targets(medians: dict[tuple[Any, ...], float]) -> list[str]:
    lines = []
    for step, peer, most in TARGETS:
        if ("ours", step) in medians and medians.get((peer, step)):
            ratio = medians["ours", step] / medians[peer, step]
            lines.append(
                f"{'holds ' if ratio <= most else 'MISSED'} {STEPS[step]} {ratio:.3f} of {peer}, at most {most}"
            )
    return lines


def _counted(rows: Rows) -> list[str]:
    lines = []
    for (tool, step), group in _by(rows, "tool", "step").items():
        row = group[-1]
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(row["requests"].items()))
        said = f"{tool:<8}{STEPS[step]:<15} {row['sent'] / 1e6:9.2f} MB sent, {row['received'] / 1e6:9.2f} MB received, {kinds}"
        lines.append(said)
        if step == "changed":
            ratio = row["sent"] / row["changed_bytes"]
            mark = (
                ""
                if tool != "ours"
                else f" ({'holds' if ratio <= MOST_SENT else 'MISSED'}, at most {MOST_SENT})"
            )
            lines.append(
                f"{'':<23} {ratio:.2f} of the {row['changed_bytes'] / 1e6:.2f} MB that changed{mark}"
            )
    return lines


def _column(rows: Rows, name: str) -> list[float]:
    return [row[name] for row in rows]
