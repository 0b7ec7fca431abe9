"""How much the programs of a session compute: the signal ``cpu``.

Counted is everything that the agent started, down to the last descendant, and what left its parent; not counted
are the agent and the server themselves. Busy is a session that used ``BUSY_CORES`` of one core, in the mean of the
last ``WINDOW_SECONDS``: a job that computes for three seconds in thirty does. A process below ``REST_CORES`` is at rest
and adds nothing: it wakes up now and then, and so do the many workers of a cluster that has no task, and many open
kernels. What writes ``BUSY_BYTES_PER_SECOND`` to disks is busy too: a copy or a download takes hardly any of a core. So
is what would compute and waits for its turn on a machine that is full.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ..contract import LocalSignal
from ..units import show_size

BUSY_CORES = 0.1
REST_CORES = 0.05
#: What computes or waits for its turn for so much of the time would compute all the time.
WANTING_CORES = 0.9
BUSY_BYTES_PER_SECOND = 10_000.0
#: Of the time for which a program waits for a processor, so many times what it got counts: what wakes up now and then
#: waits too on a full machine.
WAIT_FACTOR = 4.0
WINDOW_SECONDS = 30.0
#: Before so much of the window is known, nothing is said.
LEAST_SECONDS = 2.0
#: Where they stand in a step.
_COMPUTED, _WRITTEN, _WAITED = 0, 1, 2


@dataclass(frozen=True)
class Usage:
    """One process: seconds it computed, seconds of its children that have ended, bytes it wrote to disks, and seconds
    for which it waited for a processor."""

    parent: int
    name: str
    own: float
    ended: float
    written: float = 0.0
    waited: float = 0.0


#: (pid, start) -> usage: a pid that was given again is another process.
Key = tuple[int, float]
Usages = Mapping[Key, Usage]


def used(before: Usages, after: Usages, spared: Collection[int]) -> dict[Key, float]:
    """Seconds computed between two readings, by process; never of the spared pids themselves.

    What a child used until the first reading came with it; when it has ended, its parent's ``ended`` has all of it.
    """
    gone: dict[int, float] = {}
    for key, usage in before.items():
        if key not in after:
            gone[usage.parent] = gone.get(usage.parent, 0.0) + usage.own + usage.ended
    made: dict[Key, float] = {}
    for key, usage in after.items():
        old = before.get(key)
        own = usage.own - (old.own if old else 0.0)
        # Without an earlier reading, what its children used before it was seen is its own matter too.
        ended = usage.ended - (old.ended + gone.get(key[0], 0.0) if old else 0.0)
        seconds = (0.0 if key[0] in spared else max(0.0, own)) + max(0.0, ended)
        if seconds:
            made[key] = seconds
    return made


def wrote(before: Usages, after: Usages, spared: Collection[int]) -> dict[Key, float]:
    """Bytes written to disks between two readings, by process; never by the spared pids."""
    made: dict[Key, float] = {}
    for key, usage in after.items():
        more = usage.written - (before[key].written if key in before else 0.0)
        if key[0] not in spared and more > 0:
            made[key] = more
    return made


def awaited(before: Usages, after: Usages, spared: Collection[int]) -> dict[Key, float]:
    """Seconds for which processes waited for a processor; never of the spared pids."""
    made: dict[Key, float] = {}
    for key, usage in after.items():
        old = before.get(key)
        if key[0] not in spared and old is not None and usage.waited > old.waited:
            made[key] = usage.waited - old.waited
    return made


def heirs_of(before: Usages, after: Usages) -> dict[Key, Key]:
    """Processes that have ended between two readings, and the parent that goes on, for whom they worked."""
    there = {key[0]: key for key in after}
    gone = {key: there.get(usage.parent) for key, usage in before.items() if key not in after}
    return {key: heir for key, heir in gone.items() if heir is not None}


def wanted(cores: Mapping[Key, float], waits: Mapping[Key, float]) -> float:
    """Cores that the processes would use, those at rest left out."""
    total = 0.0
    for key, own in cores.items():
        waited = waits.get(key, 0.0)
        if own >= REST_CORES or own + waited >= WANTING_CORES:
            total += own + min(waited, WAIT_FACTOR * own)
    return total


def read_tree(root: int) -> Usages:
    """The process root and all its descendants now; without those that may not be read."""
    import psutil

    found: dict[tuple[int, float], Usage] = {}
    try:
        top = psutil.Process(root)
        family = [top, *top.children(recursive=True)]
    except psutil.Error:
        return found
    for process in family:
        try:
            with process.oneshot():
                times = process.cpu_times()
                found[process.pid, process.create_time()] = Usage(
                    process.ppid(),
                    process.name(),
                    times.user + times.system,
                    getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0),
                    _written(process),
                    _waited(process.pid),
                )
        except (psutil.Error, OSError):
            continue
    return found


def _written(process: Any) -> float:
    """Bytes that it gave to disks (not to terminals, pipes and sockets); 0 where the system does not say."""
    import psutil

    try:
        return float(process.io_counters().write_bytes)
    except (psutil.Error, AttributeError, OSError):
        return 0.0


def _waited(pid: int) -> float:
    """Seconds for which all its threads waited for a processor; 0 where the system does not say."""
    seconds = 0.0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat", "rb") as stat:
                seconds += int(stat.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return seconds
    return seconds


class Computing:
    """``look`` takes a reading, ``signal`` says what the last ones mean."""

    def __init__(
        self,
        spared: Callable[[], Collection[int]],
        read: Callable[[], Usages] = lambda: read_tree(os.getpid()),
        monotonic: Callable[[], float] = time.monotonic,
        busy_cores: float = BUSY_CORES,
        window_seconds: float = WINDOW_SECONDS,
    ) -> None:
        self._spared, self._read, self._monotonic = spared, read, monotonic
        self._busy_cores, self._window = busy_cores, window_seconds
        self._last: tuple[float, Usages] | None = None
        #: (from, to, (seconds computed, bytes written, seconds waited), each by process).
        self._steps: deque[tuple[float, float, tuple[dict[Key, float], ...]]] = deque()
        self._names: dict[Key, str] = {}
        self._heirs: dict[Key, Key] = {}
        self._state = "unknown"
        self._since = monotonic()
        self._cores = 0.0
        self._wants = False

    def look(self) -> None:
        """One reading."""
        now, after = self._monotonic(), self._read()
        if self._last is not None:
            at, before = self._last
            spared = self._spared()
            step = (used(before, after, spared), wrote(before, after, spared), awaited(before, after, spared))
            self._steps.append((at, now, step))
            while len(self._steps) > 1 and self._steps[0][1] <= now - self._window:
                self._steps.popleft()
            self._heirs |= heirs_of(before, after)
            known = {key for _, _, parts in self._steps for part in parts for key in part} | set(after)
            self._heirs = {key: heir for key, heir in self._heirs.items() if key in known}
            self._names = {key: name for key, name in self._names.items() if key in known}
        self._names |= {key: usage.name for key, usage in after.items()}
        self._last = (now, after)
        self._judge(now)

    def parents(self) -> dict[int, int]:
        """The processes of the session at the last look, own ones among them: pid -> its parent's."""
        return {pid: usage.parent for (pid, _), usage in (self._last[1] if self._last else {}).items()}

    def cores(self) -> float:
        """Used by the programs, in the mean of the window, as of the last look; from any thread."""
        return self._cores

    def _rates(self, part: int) -> dict[Key, float]:
        """Of a part of the steps, per second in the mean of the window; what has ended counts for its parent."""
        span, sums = self._span(), dict[Key, float]()
        for _, _, parts in self._steps:
            for key, amount in parts[part].items():
                for _ in range(100):
                    if key not in self._heirs:
                        break
                    key = self._heirs[key]
                sums[key] = sums.get(key, 0.0) + amount
        return {key: amount / span for key, amount in sums.items()} if span > 0 else {}

    def _span(self) -> float:
        """Seconds looked at."""
        return self._steps[-1][1] - self._steps[0][0] if self._steps else 0.0

    def _named(self, part: int) -> dict[str, float]:
        """The rates, by the name of the program."""
        sums: dict[str, float] = {}
        for key, amount in self._rates(part).items():
            name = self._names.get(key, "a program")
            sums[name] = sums.get(name, 0.0) + amount
        return sums

    def _judge(self, now: float) -> None:
        cores = self._rates(_COMPUTED)
        self._cores = sum(cores.values())
        if self._span() < LEAST_SECONDS:
            return
        written = sum(self._rates(_WRITTEN).values())
        self._wants = wanted(cores, self._rates(_WAITED)) >= self._busy_cores
        busy = self._wants or written >= BUSY_BYTES_PER_SECOND
        state = "busy" if busy else "idle"
        if state != self._state:
            # The first word of a session at rest: it rests since it is looked at.
            self._since = self._since if self._state == "unknown" else now
            self._state = state

    def signal(self) -> LocalSignal:
        """What goes up."""
        since = self._monotonic() - self._since
        if self._state == "unknown":
            return LocalSignal("cpu", "unknown", None, "The processes were not measured yet")
        span = self._span()
        if self._state == "busy" and not self._wants:
            return LocalSignal("cpu", self._state, since, written_in_words(self._named(_WRITTEN), span))
        return LocalSignal("cpu", self._state, since, in_words(self._state, self._named(_COMPUTED), span))


def written_in_words(rates: Mapping[str, float], span: float) -> str:
    """Such as ``python3 writes 64 kB a second over the last 30 s``."""
    if not rates:
        return f"The programs wrote nothing over the last {span:.0f} s"
    first = max(rates, key=lambda name: rates[name])
    return f"{first} writes {show_size(round(sum(rates.values())))} a second over the last {span:.0f} s"


def in_words(state: str, cores: Mapping[str, float], span: float) -> str:
    """Such as ``python3 computes: 0.98 cores over the last 30 s``."""
    total = sum(cores.values())
    if state != "busy" or not cores:
        return f"The programs used {total:.2f} cores over the last {span:.0f} s"
    first = max(cores, key=lambda name: cores[name])
    return f"{first} computes: {total:.2f} cores over the last {span:.0f} s"
