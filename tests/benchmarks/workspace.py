"""How fast workspaces are saved and restored, beside restic, rclone, s5cmd, ``aws s3 sync`` and ``cp -a``.

    python tests/benchmarks/workspace.py [--trees venv,large] [--tools ours,restic,…] [--rounds 3]
        [--latency-ms 20] [--encryption] [--count] [--folder DIR] [--results FILE] [--report] [--tree DIR]

Two trees (a real virtualenv of at least 50,000 files; 2.2 GB in large files) and one versitygw on 127.0.0.1. In each round every
tool, in turns, saves into an empty place, saves again, saves after one file in a hundred changed, and restores into an empty
directory; before each first save every file of the tree is read once, before each step everything is on the disk, and before each
first save and restore memory is touched that is then free: a virtual machine may have given free pages back to its host, and
whoever takes them first waits for the host. What was restored is removed at the end of the run only: ext4 goes round inodes that
were freed in the last five minutes, one by one, at the cost of whoever makes files next. --count sends one round through a
counting proxy, untimed: requests and bytes. Rows are appended to --results, so that a full run can be done in parts; --report
prints all of them as ratios of medians.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    __package__ = "tests.benchmarks"

from .. import s3
from ..tools import prepare
from . import s3_proxy, workspace_report, workspace_trees
from .workspace_peers import TOOLS, Place, Took, command_start, versions

STEPS = ("first", "again", "changed", "restore")
#: Trees of at most so many files are removed at once, for the room they take.
_FEW_FILES = 1000
#: Free memory that is not touched before a step.
_LEFT_BYTES = 2**30
_TOUCH = """
import mmap, sys
mmap.mmap(-1, int(sys.argv[1]), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)
"""


class Run:
    """The rounds of one call. write: takes each row."""

    def __init__(
        self, asked: argparse.Namespace, base: Path, write: Callable[[dict[str, Any]], None]
    ) -> None:
        self._asked, self._base, self._write = asked, base, write
        self._counts: Callable[[], dict[str, Any]] | None = None
        self._way = "counted" if asked.count else "timed"
        if asked.latency_ms:
            self._way += f", +{asked.latency_ms:g} ms"
        if asked.encryption:
            self._way += ", encrypted"

    def round(self, server: s3.S3, folder: Path, name: str, seed: int) -> None:
        """All tools, in turns, over one tree."""
        tree = self._tree(name)
        files, size = workspace_trees.sizes(tree)
        place = folder / f"{name}-{seed}"
        tools = {}
        asked = (
            self._asked.tools[seed % len(self._asked.tools) :]
            + self._asked.tools[: seed % len(self._asked.tools)]
        )
        try:
            for tool in asked:
                (place / tool).mkdir(parents=True)
                tools[tool] = TOOLS[tool](
                    Place(server, place / tool, f"{tool}-{name}-{seed}", self._asked.encryption)
                )
            row = {"tree": name, "files": files, "bytes": size, "way": self._way, "seed": seed}
            for step in ("first", "again"):
                self._step(row, step, tools, lambda tool: tool.save(tree))
            changed = workspace_trees.change(tree, seed)
            row |= {"changed_files": changed.files, "changed_bytes": changed.bytes}
            self._step(row, "changed", tools, lambda tool: tool.save(tree))
            self._step(row, "restore", tools, lambda tool: _restored(tool, place, tree))
        finally:
            for one in tools.values():
                one.close()
            if files <= _FEW_FILES:
                shutil.rmtree(place, ignore_errors=True)
                for tool in asked:
                    shutil.rmtree(server.folder / s3.BUCKET / f"{tool}-{name}-{seed}", ignore_errors=True)

    def _tree(self, name: str) -> Path:
        return self._asked.tree if self._asked.tree else workspace_trees.TREES[name](self._base)

    def _step(
        self, row: dict[str, Any], step: str, tools: dict[str, Any], act: Callable[[Any], Took]
    ) -> None:
        for name, tool in tools.items():
            if name == "cp" and (step != "restore" or self._counts):
                tool.save(self._tree(row["tree"]))
                continue
            if step == "first":  # what others stored meanwhile may have taken its place in the cache
                workspace_trees.read(self._tree(row["tree"]))
            os.sync()
            if self._counts:
                self._counts()
            elif step in ("first", "restore"):
                touch_memory()
            took = act(tool)
            counted = self._counts() if self._counts else {}
            stored = _stored(self._server.folder / s3.BUCKET / f"{name}-{row['tree']}-{row['seed']}")
            self._write(
                {**row, "tool": name, "step": step, **dataclasses.asdict(took), **counted, "stored": stored}
            )

    @contextlib.contextmanager
    def server(self, folder: Path) -> Iterator[s3.S3]:
        """The S3 server, behind the proxy where one is asked for."""
        with s3.running(folder) as server:
            self._server = server
            if not (self._asked.count or self._asked.latency_ms):
                yield server
                return
            port = s3.free_port()
            with s3_proxy.proxy(
                port, int(server.endpoint.rpartition(":")[2]), self._asked.latency_ms
            ) as counts:
                self._counts = counts if self._asked.count else None
                yield dataclasses.replace(server, endpoint=f"http://127.0.0.1:{port}")


def touch_memory() -> None:
    """All that is free but a little is had and given back by a process of its own: of half of it, others might get the other."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    subprocess.run([sys.executable, "-c", _TOUCH, str(max(free - _LEFT_BYTES, 2**20))], check=True)


def _restored(tool: Any, place: Path, tree: Path) -> Took:
    into = place / f"back-{type(tool).__name__.lower()}"
    took: Took = tool.restore(into)
    found, wanted = workspace_trees.sizes(into), workspace_trees.sizes(tree)
    if found != wanted:
        print(f"  {type(tool).__name__}: restored {found}, not {wanted} (files, bytes)", flush=True)
    if wanted[0] <= _FEW_FILES:
        shutil.rmtree(into)
    return took


def _stored(folder: Path) -> int:
    return workspace_trees.sizes(folder)[1] if folder.exists() else 0


def _list(known: Any) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        names = text.split(",")
        if wrong := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"{wrong[0]} is none of {', '.join(known)}")
        return names

    return read


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trees", type=_list(workspace_trees.TREES), default=list(workspace_trees.TREES))
    parser.add_argument("--tools", type=_list(TOOLS), default=list(TOOLS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--first-seed", type=int, default=0, help="number of the first round, where run in parts"
    )
    parser.add_argument("--latency-ms", type=float, default=0.0, help="added to each request")
    parser.add_argument("--encryption", action="store_true", help="ours encrypted; restic always is")
    parser.add_argument("--count", action="store_true", help="count requests and bytes; nothing is timed")
    parser.add_argument(
        "--folder", type=Path, default=None, help="where trees are kept and everything is done"
    )
    parser.add_argument(
        "--tree", type=Path, default=None, help="this directory instead; its files are changed"
    )
    parser.add_argument("--results", type=Path, default=None, help="file of rows, appended to")
    parser.add_argument("--report", action="store_true", help="measure nothing, print what --results holds")
    asked = parser.parse_args()
    if asked.tree:
        asked.trees = [asked.tree.name]
    return asked


def main() -> int:
    asked = parsed()
    if asked.report:
        print(workspace_report.text(asked.results))
        return 0
    with contextlib.ExitStack() as stack:
        base = asked.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
        results = asked.results or base / "results.jsonl"
        base.mkdir(parents=True, exist_ok=True)

        def write(row: dict[str, Any]) -> None:
            with open(results, "a") as file:
                file.write(json.dumps(row) + "\n")
            print("  " + workspace_report.line(row), flush=True)

        try:
            print("\n".join(versions(asked.tools)), flush=True)
        except prepare.Missing as missing:
            print(missing, file=sys.stderr)
            return 11
        print(f"our command's own start: {command_start():.2f} s", flush=True)
        run = Run(asked, base, write)
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="work-", dir=base)))
        server = stack.enter_context(run.server(work / "s3"))
        for seed in range(asked.first_seed, asked.first_seed + asked.rounds):
            for name in asked.trees:
                run.round(server, work, name, seed)
        print(workspace_report.text(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
