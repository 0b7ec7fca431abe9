"""What goes on in a notebook, judged by this product and by jupyterhub-idle-culler, each in its own real Hub, in one run.

    .venv/bin/python -m tests.benchmarks.activity [--at-once 8] [--only NAME …] [--part 1/8] [--json FILE]
    .venv/bin/python -m tests.benchmarks.activity --report FILE …

Each scenario of activity_labels.yaml (its text and label were written before the scenarios and without the rules in
sight, ten of them by a reader who had seen nothing but the product's description) runs in a real server of either Hub: real kernels, terminals, transfers, connections. The clocks are
short: an idle limit of 60 s for half an hour, and Jupyter's own, the peer's and ours by the same factor. Looked at is
whether the server is there two idle limits after the scenario was set up, and what ours said of it then, or
when it stopped it. A browser's tab is played: its polls, its connection to the kernel, and what it tells of input.

On a machine with few cores it is run in parts, each with both Hubs: --json adds to a file, --report reads it.
TMPDIR has to lie on a disk: what is written into memory is not counted as written (copying-thread).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from tornado.httpclient import AsyncHTTPClient

from .activity_hubs import IDLE_SECONDS, Ours, Peer
from .activity_places import Place
from .activity_reader import SCENARIOS
from .activity_scenarios import PROFILE

LABELS = Path(__file__).with_name("activity_labels.yaml")
LOOK_SECONDS = 2 * IDLE_SECONDS
STARTS_AT_ONCE = 3


def labels() -> list[dict[str, Any]]:
    """Each label, with the set it belongs to."""
    read = YAML(typ="safe").load(LABELS.read_text(encoding="utf-8"))
    return [{**one, "set": part} for part in ("first", "reader") for one in read[part]]


async def one(label: dict[str, Any], sides: tuple[Ours, Peer], starting: asyncio.Semaphore) -> dict[str, Any]:
    """One scenario on both Hubs: its label, and what was seen."""
    name = label["name"]
    seen = await asyncio.gather(*(on(side, name, starting) for side in sides), return_exceptions=True)
    found: dict[str, Any] = dict(label)
    for side, result in zip(sides, seen, strict=True):
        if isinstance(result, BaseException):
            found[side.name] = {"verdict": "", "outcome": f"{type(result).__name__}: {result}"[:200], "at": 0}
        else:
            found[side.name] = result
    print(line(found), flush=True)
    return found


async def on(side: Ours | Peer, name: str, starting: asyncio.Semaphore) -> dict[str, Any]:
    """Verdict and outcome of one scenario on one Hub."""
    place = Place(side, name, PROFILE.get(name, "plain"))
    try:
        async with starting:
            await place.start()
        await SCENARIOS[name](place)
        began = time.monotonic()
        while True:
            verdict, outcome = await place.outcome()
            at = time.monotonic() - began
            if outcome != "runs" or at >= LOOK_SECONDS:
                return {"verdict": verdict, "outcome": outcome, "at": round(at)}
            await asyncio.sleep(1)
    finally:
        await place.end()


def right(found: dict[str, Any], side: str) -> tuple[bool, bool]:
    """(verdict, outcome) as labelled. The peer has no verdict, and one limit for all: a stop is a stop."""
    got, wanted = found[side], found["verdict"]
    good = got["verdict"] in (wanted if isinstance(wanted, list) else [wanted])
    if side == "peer":
        return True, (got["outcome"] == "stopped") == (found["outcome"] != "runs") and got["outcome"] in (
            "stopped",
            "runs",
        )
    return good, got["outcome"] == found["outcome"]


def line(found: dict[str, Any]) -> str:
    wanted = found["verdict"] if isinstance(found["verdict"], str) else "|".join(found["verdict"])
    ours, peer = found["ours"], found["peer"]
    marks = ["" if good else "  WRONG" for good in (all(right(found, "ours")), all(right(found, "peer")))]
    return (
        f"{found['name']:32} label {wanted + ', ' + found['outcome']:24} ours {ours['verdict'] + ', ' + ours['outcome']:24}"
        f"{ours['at']:4.0f} s{marks[0]:8} peer {peer['outcome']:8}{peer['at']:4.0f} s{marks[1]}"
    )


async def measured(
    wanted: list[dict[str, Any]], at_once: int, folder: Path, keep: Callable[[dict[str, Any]], None]
) -> list[dict[str, Any]]:
    AsyncHTTPClient.configure(None, max_clients=1000)
    ours = await asyncio.to_thread(Ours, folder / "ours")
    try:
        peer = await asyncio.to_thread(Peer, folder / "peer")
        try:
            relay = await ours.relay()
            slots, starting = asyncio.Semaphore(at_once), asyncio.Semaphore(STARTS_AT_ONCE)

            async def in_turn(label: dict[str, Any]) -> dict[str, Any]:
                async with slots:
                    found = await one(label, (ours, peer), starting)
                    keep(found)
                    return found

            async with relay:
                return list(await asyncio.gather(*(in_turn(label) for label in wanted)))
        finally:
            await asyncio.to_thread(peer.stop)
    finally:
        await asyncio.to_thread(ours.stop)


def summary(found: list[dict[str, Any]]) -> str:
    lines = []
    for part in ("first", "reader"):
        some = [one for one in found if one["set"] == part]
        if not some:
            continue
        verdicts = sum(right(one, "ours")[0] for one in some)
        outcomes = {side: sum(right(one, side)[1] for one in some) for side in ("ours", "peer")}
        lost = {
            side: sum(one[side]["outcome"] != "runs" for one in some if one["outcome"] == "runs")
            for side in outcomes
        }
        kept = {
            side: sum(one[side]["outcome"] == "runs" for one in some if one["outcome"] != "runs")
            for side in outcomes
        }
        lines.append(
            f"{part}: {len(some)} scenarios; ours: {verdicts} verdicts and {outcomes['ours']} outcomes as labelled, "
            f"{lost['ours']} stopped that should run, {kept['ours']} left running; idle-culler: {outcomes['peer']} outcomes, "
            f"{lost['peer']} stopped that should run, {kept['peer']} left running"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--at-once", type=int, default=8, help="scenarios at a time (8)")
    parser.add_argument("--only", nargs="*", help="names of scenarios (all)")
    parser.add_argument("--part", default="1/1", help="K/N: every N-th scenario, beginning with the K-th")
    parser.add_argument("--json", type=Path, help="where everything seen is written, beside what is there")
    parser.add_argument("--report", type=Path, nargs="+", help="runs nothing: tells what such files hold")
    given = parser.parse_args()
    if given.report:
        told([one for path in given.report for one in json.loads(path.read_text())])
    part, parts = (int(one) for one in given.part.split("/"))
    wanted = [one for one in labels()[part - 1 :: parts] if not given.only or one["name"] in given.only]
    assert all(one["name"] in SCENARIOS for one in wanted), [
        one["name"] for one in wanted if one["name"] not in SCENARIOS
    ]
    wanted.sort(key=lambda one: one["name"] != "result-just-finished")  # it takes longest to set up
    with tempfile.TemporaryDirectory(prefix="act") as folder:
        found = asyncio.run(measured(wanted, given.at_once, Path(folder), partial(kept, given.json)))
    print(summary(found))
    sys.exit(0 if all(all(right(one, "ours")) for one in found) else 1)


def kept(path: Path | None, found: dict[str, Any]) -> None:
    """Adds what was seen of a scenario to a file, in place of what was seen of it before."""
    if path is not None:
        seen = json.loads(path.read_text()) if path.exists() else []
        path.write_text(json.dumps([*(one for one in seen if one["name"] != found["name"]), found], indent=1))


def told(seen: list[dict[str, Any]]) -> None:
    """All that was seen, in the labels' order, judged by the labels as they are now; ends the program."""
    by_name = {one["name"]: one for one in seen}
    found = [{**by_name[one["name"]], **one} for one in labels() if one["name"] in by_name]
    for one in found:
        print(line(one))
    print(summary(found))
    left = [one["name"] for one in labels() if one["name"] not in by_name]
    print(f"not run: {', '.join(left)}" if left else "all scenarios were run")
    sys.exit(0 if not left and all(all(right(one, "ours")) for one in found) else 1)


if __name__ == "__main__":
    main()
