"""``kill -9`` at random moments of save, prune and restore, and what must hold after each.

    python -m tests.workspace.killing [--rounds 210] [--seed 1] [--store directory|s3]

prints how many died in which phase. After each death: every committed snapshot restores whole, ``check`` with all data
read finds nothing but hints, a half restore is never saved, and the next save or restore goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from jupyterhub_notebooks.errors import BadInput, Refusal
from jupyterhub_notebooks.workspace import Volume, WorkspaceStore, check, open_store, restore, save

from .. import s3
from .conftest import NOW, WORKSPACE, tree
from .killed import PHASES

#: From so many on every phase must have been met.
ALL_ROUNDS = 100
Histogram = dict[str, dict[str, int]]


class Killing:
    """One workspace that is saved, pruned and restored by processes which are killed."""

    def __init__(self, folder: Path, url: str, options: Mapping[str, str], seed: int) -> None:
        self.folder, self.url, self.options = folder, url, dict(options)
        self.chance = random.Random(seed)
        self.space = WorkspaceStore(open_store(url, self.options))
        self.space.create(WORKSPACE, lease="objects", now=NOW)
        self.day = 0
        self.trees: dict[int, dict[bytes, tuple[Any, ...]]] = {}
        self.lasted: dict[tuple[str, str], float] = {}
        self.hit: Histogram = {do: dict.fromkeys(phases, 0) for do, phases in PHASES.items()}
        self.ended = self.by_hands = 0
        for _ in range(4):
            self._change()
            self._save()

    def round(self, do: str, target: str) -> None:
        """Kills one, at a random moment of that phase as far as that can be met, and holds what is left to the promises."""
        self._change()
        asked = self._asked(do)
        phase = self._kill(asked, target)
        if phase is None:
            self.ended += 1
        else:
            self.hit[do][phase] += 1
            self.by_hands += asked["hands"] and do != "prune"
        if do.startswith("restore"):
            self._after_restore(asked)
        self._sound()
        if do == "save":
            self._save()
        self._sound_trees()

    def _asked(self, do: str) -> dict[str, Any]:
        name = "one" if do in ("save", "prune") else do
        numbers = self.space.numbers()
        number = max(numbers) + 1 if do == "save" else self.chance.choice(numbers)
        if do == "save":
            self.trees[number] = tree(self._volume("one").files)
        if do == "prune":
            for _ in range(3):
                self._change()
                self._save()
        if do == "restore":
            shutil.rmtree(self.folder / name, ignore_errors=True)
        now = NOW + timedelta(days=self.day)
        if do == "prune":
            self.day += 3
        return {
            "do": do,
            "url": self.url,
            "options": self.options,
            "folder": str(self.folder / name),
            "number": number,
            "workspace": WORKSPACE,
            "now": now.isoformat(),
            "hands": self._with_hands(),
        }

    def _with_hands(self) -> bool:
        """Every other time small files are read and made by processes of their own, which outlive the killed one."""
        return self.chance.random() < 0.5

    def _kill(self, asked: dict[str, Any], target: str) -> str | None:
        """The phase in which it died; None where it ended before."""
        command = [sys.executable, "-m", "tests.workspace.killed", json.dumps(asked)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        said: list[tuple[str, int]] = []
        do = asked["do"]
        while not said or said[-1][0] != target:
            line = process.stdout.readline().split()
            if not line:
                break
            said.append((line[0].decode(), int(line[1])))
        else:
            time.sleep(self.chance.random() * self.lasted.get((do, target), 0.02))
            process.send_signal(signal.SIGKILL)
        rest = process.communicate()[0].decode().splitlines()
        said += [
            (line.split()[0], int(line.split()[1])) for line in rest if line.endswith(tuple("0123456789"))
        ]
        for (phase, begun), (_, over) in itertools.pairwise(said[1:]):
            lasted = max((over - begun) / 1e9, self.lasted.get((do, phase), 0) / 2)
            self.lasted[(do, phase)] = min(0.5, lasted)
        if process.returncode != -signal.SIGKILL:
            assert process.returncode == 0, f"{do} ended with {process.returncode}"
            return None
        return said[-1][0] if said[-1][0] != "ready" else None

    def _after_restore(self, asked: dict[str, Any]) -> None:
        volume = Volume(Path(asked["folder"]) / "files", Path(asked["folder"]) / "state")
        if volume.situation() == "restoring":
            with contextlib.suppress(Refusal, BadInput):
                self._save_of(volume, "recovery", max(self.space.numbers()) + 1)
                raise AssertionError("a half restore was saved")
        restore(volume, self.space, self.space, asked["number"])
        assert tree(volume.files) == self.trees[asked["number"]]
        assert volume.situation() == "kept"

    def _sound(self) -> None:
        report = check(self.space, self.space, read_data=True, stored=self.space.block_sizes())
        assert not report.errors, report.errors

    def _sound_trees(self) -> None:
        numbers = self.space.numbers()
        for number in numbers:
            shutil.rmtree(self.folder / "back", ignore_errors=True)
            back = self._volume("back")
            restore(back, self.space, self.space, number)
            assert tree(back.files) == self.trees[number], f"snapshot {number} is not what was saved"

    def _save(self) -> None:
        """A save by a process that lives: whatever was left before, it goes on."""
        volume = self._volume("one")
        now = NOW + timedelta(days=self.day)
        self.space.break_lease("the next", now)
        self.space.take_lease("a test", now)
        number = max(self.space.numbers(), default=0) + 1
        saved = self._save_of(volume, "save", number)
        self.space.release_lease(now)
        if saved:
            self.trees[saved] = tree(volume.files)
        last = max(self.space.numbers())
        assert self.trees[last] == tree(volume.files), "the newest snapshot is not what lies there"

    def _save_of(self, volume: Volume, kind: str, number: int) -> int:
        now = NOW + timedelta(days=self.day)
        known = {"parent": volume.base, "workspace_id": WORKSPACE, "created_by": "a test"}
        return save(volume, self.space, self.space, number=number, kind=kind, now=now, **known).number

    def _change(self) -> None:
        """Other bytes in some files, one gone, one new; a large one of two slices."""
        self.day += 1
        files = self._volume("one").files
        for at in self.chance.sample(range(40), 8):
            path = files / f"d{at % 4}" / f"f{at}"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(self.chance.randbytes(20_000 + at))
        gone = files / "d1" / f"f{self.chance.randrange(40)}"
        gone.unlink(missing_ok=True)
        link = files / f"link{self.day % 3}"
        if not link.is_symlink():
            link.symlink_to("d1")
        big = files / "big"
        if not big.exists() or self.chance.random() < 0.3:
            big.write_bytes(self.chance.randbytes(2**20) * 9)

    def _volume(self, name: str) -> Volume:
        made = Volume(self.folder / name / "files", self.folder / name / "state")
        made.files.mkdir(parents=True, exist_ok=True)
        return made


def killed(folder: Path, url: str, options: Mapping[str, str], rounds: int, seed: int = 1) -> Killing:
    """So many deaths, in turn in each phase of each operation; more where one of them was not met."""
    one = Killing(folder, url, options, seed)
    most = max(len(phases) for phases in PHASES.values())
    targets = [(do, phases[at]) for at in range(most) for do, phases in PHASES.items() if at < len(phases)]
    at = 0
    while deaths(one.hit) < rounds:
        one.round(*targets[at % len(targets)])
        at += 1
        assert at < 3 * rounds + 30, "most of them ended before they were killed"
    if rounds >= ALL_ROUNDS:
        for _ in range(10 * len(targets)):
            missed = [
                (do, phase) for do, phases in one.hit.items() for phase, count in phases.items() if not count
            ]
            if not missed:
                break
            one.round(*one.chance.choice(missed))
    return one


def deaths(hit: Histogram) -> int:
    return sum(sum(phases.values()) for phases in hit.values())


def show(hit: Histogram) -> str:
    lines = []
    for do, phases in hit.items():
        lines.append(f"{do}: {sum(phases.values())} killed")
        lines += [f"  {phase:<12} {count:>4}  {'#' * count}" for phase, count in phases.items()]
    return "\n".join(lines)


@contextlib.contextmanager
def place(folder: Path, kind: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The address of an empty store, with its options."""
    if kind == "directory":
        yield (folder / "store").as_uri(), {}
        return
    with s3.running(folder / "s3") as server:
        yield f"s3://{s3.BUCKET}/killed", server.options


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=210)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--store", choices=("directory", "s3"), default="directory")
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as made, place(Path(made), given.store) as (url, options):
        one = killed(Path(made), url, options, given.rounds, given.seed)
        print(show(one.hit))
        snapshots = one.space.numbers()
    total, seconds = deaths(one.hit), time.monotonic() - began
    print(
        f"{total} killed with SIGKILL ({given.store} store, seed {given.seed}) in {seconds:.0f} s; {one.ended} ended before it;"
        f" {one.by_hands} had hands."
    )
    print(
        f"After each: all snapshots restored whole, check --read-data without errors. At the end: {snapshots}."
    )
    empty = [
        f"{do} {phase}" for do, phases in one.hit.items() for phase, count in phases.items() if not count
    ]
    if empty and given.rounds >= ALL_ROUNDS:
        sys.exit(f"Never hit: {', '.join(empty)}")


if __name__ == "__main__":
    main()
