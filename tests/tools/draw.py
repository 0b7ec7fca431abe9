"""Draws a few of the tests that take minutes, for the rooms that changed lately: ``python -m tests.tools.draw``.

Promises: the same commit draws the same tests; one kill of each row of the kill table whose rooms changed in the last
20 commits, then one test of each slow file of those rooms; what is drawn is printed with its reason; no test is begun
after 5 minutes, and what was left out for it is printed too. The exit status is pytest's.
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end.kills.table import ROOMS

COMMITS = 20
SECONDS = 300.0
KILL_TABLE = "tests/end_to_end/kills/test_kill_table.py"
_CELL = re.compile(r"\[round1-[a-z]+-(.+)\]$")


@dataclass(frozen=True)
class Drawn:
    """One test, by pytest's name of it, and why it is run."""

    test: str
    why: str


def room_of(path: str) -> str:
    """The room of a file, as its folder of tests is called; '' for what is in none, such as a document."""
    parts = path.split("/")
    if path.endswith(".md"):
        return ""
    if parts[0] == "tests":
        parts = parts[1:]
        if parts[:1] == ["services"] and len(parts) > 2:
            return "/".join(parts[:2])
        return parts[0] if len(parts) > 1 and parts[0] != "tools" else ""
    if parts[0] == "services":
        return "/".join(parts[:2]) if len(parts) > 2 else "services"
    if parts[0] == "jupyterhub_notebooks":
        return parts[1] if len(parts) > 2 else "foundation"
    return ""


def changed_rooms(commits: Iterable[Iterable[str]]) -> Counter[str]:
    """In how many of these commits each room changed. commits: the paths that each one touched."""
    return Counter(room for paths in commits for room in {room_of(path) for path in paths} if room)


def draw(tests: Sequence[str], rooms: Counter[str], seed: str) -> list[Drawn]:
    """What is run of these slow tests. seed: the commit."""
    chance = random.Random(seed)
    found = []
    for victim, its in ROOMS.items():
        named = victim.replace("/", "-")
        cells = [one for one in sorted(tests) if (cell := _CELL.search(one)) and cell[1] == named]
        touched = [room for room in its if rooms[room]]
        if cells and touched:
            found.append(Drawn(chance.choice(cells), f"a kill of the {victim}: {_times(touched[0], rooms)}"))
    files: dict[str, list[str]] = {}
    for one in sorted(tests):
        files.setdefault(one.partition("::")[0], []).append(one)
    others = []
    for file, within in files.items():
        room = room_of(file)
        if file != KILL_TABLE and rooms[room]:
            others.append(Drawn(chance.choice(within), _times(room, rooms)))
    chance.shuffle(others)
    return found + others


def _times(room: str, rooms: Counter[str]) -> str:
    return f"{room} changed in {rooms[room]} of the last {COMMITS} commits"


class Budget:
    """A plugin of pytest: no test is begun once so many seconds have passed."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self.left_out: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        if time.monotonic() < self._end:
            return None
        self.left_out.append(item.nodeid)
        return True


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout


def last_commits() -> tuple[str, list[list[str]]]:
    """The newest commit's name, and the paths that each of the last ones touched."""
    told = _git("log", f"-{COMMITS}", "--name-only", "--format=%x00")
    return _git("rev-parse", "HEAD").strip(), [one.split("\n") for one in told.split("\0")[1:]]


def slow_tests() -> list[str]:
    """All of them, by pytest's names."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "slow", "--no-header"]
    said = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if said.returncode:
        raise SystemExit(said.stdout + said.stderr)
    return [line for line in said.stdout.splitlines() if "::" in line]


def main() -> int:
    if not Path(".git").exists():
        print("Nothing is drawn: this is no checkout, and which rooms changed is not known")
        return 0
    commit, commits = last_commits()
    drawn = draw(slow_tests(), changed_rooms(commits), commit)
    print(f"Drawn for commit {commit[:12]}, of the tests that take minutes:")
    for one in drawn:
        print(f"  {one.test}\n      {one.why}")
    if not drawn:
        print("  none: no room that has such tests changed")
        return 0
    budget = Budget(SECONDS)
    status = int(pytest.main(["-q", "-m", "slow", *(one.test for one in drawn)], plugins=[budget]))
    for name in budget.left_out:
        print(f"left out, {SECONDS / 60:.0f} minutes were over: {name}")
    return status


if __name__ == "__main__":
    sys.exit(main())
