"""Runs the tests that did not pass in `make test` once more, each alone: ``python -m tests.tools.again STATUS``.

Three test files at once keep two processors busy, and a real Hub, browser or database then answers later than a test
waits. What passes alone is named at the end as *unsteady*: it passes this time, and is to be mended. More than a few of
them are no accident, and nothing is run again. STATUS: pytest's exit status; the exit status here is 0 only if every
one passed alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

#: Where `make test` lets pytest write down what did not pass.
FAILED = Path(".pytest_cache/suite/v/cache/lastfailed")
MOST = 4
_SOME_FAILED = 1


def failed(path: Path) -> list[str]:
    """Names of the tests that did not pass, as pytest wrote them down."""
    try:
        return sorted(json.loads(path.read_text()))
    except FileNotFoundError:
        return []


def passes(test: str) -> bool:
    """Whether it passes with nothing else running; its output goes to the terminal."""
    return subprocess.run([sys.executable, "-m", "pytest", "-q", test]).returncode == 0


def again(status: int, tests: Sequence[str], run: Callable[[str], bool]) -> tuple[int, list[str]]:
    """(exit status, lines to print). status: pytest's. run: whether a test passes alone."""
    if status != _SOME_FAILED or not tests:
        return status, []
    if len(tests) > MOST:
        return status, [f"{len(tests)} tests did not pass: too many to be accidents, none is run again."]
    alone = {test: run(test) for test in tests}
    lines = [
        f"unsteady: {test} passed alone, after it had not passed beside others."
        if passed
        else f"not passed, also alone: {test}"
        for test, passed in alone.items()
    ]
    return (0 if all(alone.values()) else _SOME_FAILED), lines


def main() -> int:
    status, lines = again(int(sys.argv[1]), failed(FAILED), passes)
    for line in lines:
        print(line)
    return status


if __name__ == "__main__":
    sys.exit(main())
