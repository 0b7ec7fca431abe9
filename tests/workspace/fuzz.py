"""A fuzzer on what is read of a store: blocks, pages, snapshots and the JSON objects beside them, and on what reads them.

    python -m tests.workspace.fuzz [--cpu-seconds 600] [--seed N]

Each round takes a whole workspace, changes some of its objects (bits, lengths, fields, rows, nesting; often with names and
checks made right again, as somebody who may write the workspace could), and lets check, browse, compare, export, measure,
prune, repair and restore loose on it. What they may do: succeed, or raise an error of ours. What ends it: any other
exception, a round that takes too long, a byte outside the directory, memory that grows.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from jupyterhub_notebooks.errors import NotebooksError, NotFound
from jupyterhub_notebooks.workspace import (
    Contents,
    Rule,
    Volume,
    WorkspaceStore,
    check,
    differences,
    export_zip,
    prune,
    read_file,
    repair,
    restore,
)
from jupyterhub_notebooks.workspace.blocks import decode, decode_in_place, hash_of
from jupyterhub_notebooks.workspace.keys import OPEN
from jupyterhub_notebooks.workspace.layout import (
    parse_condemned,
    parse_lease,
    parse_name,
    parse_workspace_json,
)
from jupyterhub_notebooks.workspace.measuring import measure
from jupyterhub_notebooks.workspace.pages import blocks_of, children_of, entries_of
from jupyterhub_notebooks.workspace.snapshots import head_of, parse_snapshot

from .conftest import NOW
from .hostile import Changing, Memory, seed_objects

ROUND_SECONDS = 60.0  # of processor time, of one reader
HANG_SECONDS = 1200.0
MOST_GROWTH = 150 * 2**20
MOST_FILE = 256 * 2**20  # a restore that writes what it is told to meets a full disk


class Sink:
    """A socket that takes everything."""

    def write(self, data: bytes) -> int:
        return len(data)

    def flush(self) -> None:
        """Nothing is kept."""


def readers(space: WorkspaceStore, folder: Path, chance: random.Random) -> dict[str, Callable[[], object]]:
    """What is let loose, by name."""

    def numbers() -> list[int]:
        found = space.numbers()
        if not found:
            raise NotFound("There is no snapshot")
        return found

    def written() -> WorkspaceStore:
        space.break_lease("a fuzzer", NOW)
        space.take_lease("a fuzzer", NOW)
        return space

    def browse() -> None:
        for number in numbers()[:4]:
            contents = Contents(space, space, number)
            for entry in contents.children(b"", most=50):
                if entry.kind == "directory":
                    contents.children(entry.path, most=20)
                elif entry.kind == "file":
                    for at, part in enumerate(read_file(space, entry, start=0, length=2**20)):
                        if at > 4 or not part:
                            break

    def compare() -> None:
        one, other = chance.choice(numbers()), chance.choice(numbers())
        for at, _ in enumerate(differences(space, space, one, other)):
            if at > 5000:
                break

    def zipped() -> None:
        export_zip(space, space, max(numbers()), Sink(), most_bytes=64 * 2**20)  # type: ignore[arg-type]

    def restored() -> None:
        shutil.rmtree(folder / "back", ignore_errors=True)
        volume = Volume(folder / "back" / "files", folder / "back" / "state")
        number = chance.choice(numbers())
        if head_of(space, number).size_bytes < 64 * 2**20:
            restore(volume, space, space, number)

    return {
        "check": lambda: check(
            space, space, read_data=True, stored=space.block_sizes(), strange=space.strange_keys()
        ),
        "browse": browse,
        "compare": compare,
        "export": zipped,
        "measure": lambda: measure(
            space, [head_of(space, n) for n in space.numbers()], dict(space.block_sizes())
        ),
        "prune": lambda: prune(
            written(), now=NOW + timedelta(days=9), rule=Rule(0, 2, 0), named=space.names()
        ),
        "restore": restored,
        "repair": lambda: repair(written(), now=NOW, created_by="a fuzzer", remove_damaged=True),
        "facts": lambda: (space.facts(), space.current_lease(), space.names()),
    }


PARSERS: dict[str, Callable[[bytes], object]] = {
    "block": lambda body: decode(hash_of(body), body, 100),
    "block into": lambda body: decode_in_place(hash_of(body), body, 100, OPEN, memoryview(bytearray(100))),
    "page": lambda body: list(entries_of([_ref(body)], [body])),
    "node": lambda body: children_of(_ref(body, 1), body),
    "table": blocks_of,
    "snapshot": parse_snapshot,
    "workspace": parse_workspace_json,
    "lease": parse_lease,
    "condemned": parse_condemned,
    "name": lambda body: parse_name(body, 1),
}


def _ref(body: bytes, level: int = 0) -> Any:
    from jupyterhub_notebooks.workspace.pages import PageRef

    return PageRef(bytes(32), len(body), level, b"", 1, 1, 0)


class Fuzz:
    """Runs rounds until the CPU time is used; ``outcomes`` counts what each reader did."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.chance = folder, random.Random(seed)
        (folder / "seed").mkdir()
        self.changing = Changing(seed_objects(folder / "seed"), self.chance)
        self.outcomes: dict[str, Counter[str]] = {}
        self.rounds = 0
        self.failures: list[str] = []
        self.began_bytes = self.most_bytes = 0

    def run(self, cpu_seconds: float, seconds: float = 1e9) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_FILE, resource.RLIM_INFINITY))
        end, over = time.process_time() + cpu_seconds, time.monotonic() + seconds
        while time.process_time() < end and time.monotonic() < over and not self.failures:
            self.round()
            if self.rounds == 60:
                self.began_bytes = rss()
            self.most_bytes = max(self.most_bytes, rss())

    @property
    def growth(self) -> int:
        return self.most_bytes - self.began_bytes if self.began_bytes else 0

    def round(self) -> None:
        self.rounds += 1
        objects = self.changing.one()
        outside = self.folder / "outside"
        for name in readers(WorkspaceStore(Memory(objects)), self.folder, self.chance):  # type: ignore[arg-type]
            space = WorkspaceStore(Memory(objects))  # type: ignore[arg-type]
            self._one(name, readers(space, self.folder, self.chance)[name], objects)
        for name, parse in PARSERS.items():
            body = self.changing.mangled(self.chance.choice(sorted(objects.values())))
            self._one(f"parse {name}", lambda parse=parse, body=body: parse(body), objects)
        if outside.exists() or set(os.listdir(self.folder)) - {"seed", "back"}:
            self.failures.append(f"round {self.rounds}: something was written outside")

    def _one(self, name: str, act: Callable[[], object], objects: dict[str, bytes]) -> None:
        count = self.outcomes.setdefault(name, Counter())
        began = time.process_time()
        overdue = threading.Timer(HANG_SECONDS, _hang, (name,))
        overdue.daemon = True
        overdue.start()
        try:
            act()
            count["well"] += 1
        except NotebooksError as error:
            count[type(error).__name__] += 1
            if not error.sentence():
                self.failures.append(f"{name}: an error without a word")
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            self.failures.append(f"round {self.rounds}, {name}: {''.join(traceback.format_exception(error))}")
        finally:
            overdue.cancel()
        if time.process_time() - began > ROUND_SECONDS:
            self.failures.append(f"round {self.rounds}, {name}: took {time.process_time() - began:.0f} s")

    def report(self) -> str:
        lines = [f"{self.rounds} hostile workspaces"]
        for name, count in self.outcomes.items():
            lines.append(
                f"  {name:<16} " + ", ".join(f"{what} {number}" for what, number in count.most_common())
            )
        lines.append(
            f"memory: {self.began_bytes / 2**20:.0f} MiB after 60 rounds, at most {self.most_bytes / 2**20:.0f} MiB"
        )
        return "\n".join([*lines, *self.failures])


def _hang(name: str) -> None:
    os.write(2, f"{name} hangs\n".encode())
    os._exit(3)


def rss() -> int:
    """Bytes of memory that this process has now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cpu-seconds", type=float, default=600)
    parser.add_argument("--seconds", type=float, default=1e9, help="end after so long, whatever CPU was used")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        fuzz = Fuzz(Path(made), given.seed)
        fuzz.run(given.cpu_seconds, given.seconds)
    print(fuzz.report())
    print(f"seed {given.seed}, {time.process_time():.0f} s of CPU, growth {fuzz.growth / 2**20:.0f} MiB")
    if fuzz.failures or fuzz.growth > MOST_GROWTH:
        sys.exit("It ended badly")


if __name__ == "__main__":
    main()
