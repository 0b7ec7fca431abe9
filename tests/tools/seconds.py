"""Prints the tests and seconds of each room from a JUnit report: ``python -m tests.tools.seconds FILE``."""

from __future__ import annotations

import sys
from collections import defaultdict
from xml.etree import ElementTree


def by_room(report: str) -> dict[str, tuple[int, float]]:
    """room -> (number of tests, seconds)."""
    found: dict[str, tuple[int, float]] = defaultdict(lambda: (0, 0.0))
    for case in ElementTree.parse(report).iter("testcase"):
        parts = case.get("classname", "").split(".")
        room = parts[1] if len(parts) > 1 else "?"
        tests, seconds = found[room]
        found[room] = tests + 1, seconds + float(case.get("time", 0))
    return dict(found)


def main() -> None:
    rooms = sorted(by_room(sys.argv[1]).items(), key=lambda item: -item[1][1])
    for room, (tests, seconds) in rooms:
        print(f"{room:<24}{tests:>6} tests {seconds:>8.1f} s")


if __name__ == "__main__":
    main()
