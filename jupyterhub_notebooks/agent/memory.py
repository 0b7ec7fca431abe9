"""How much memory a session holds, which kernel holds most, and that kernel's end before the container's.

At 90 % of the limit the biggest kernel is named; at 97 % it is ended, if it holds enough for that to help: a kernel
starts again by itself, while a container that runs out takes every kernel, the server and this process with it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .. import messages
from ..contract import LocalKernel, Notice
from ..units import show_size
from .processes import out_of_memory_count

NAME_AT, END_AT, CALM_AT = 0.90, 0.97, 0.85
#: Ending a kernel that holds less than this part of the limit would help nobody.
WORTH = 0.10
#: Between two looks, and between two where the limit is near.
FAR_SECONDS, NEAR_SECONDS, NEAR_AT = 2.0, 0.25, 0.60
#: After an end, the system takes a moment to have the memory back.
PAUSE_SECONDS = 3.0
#: So long after an end by the system its kernel is looked for: which processes there are is known every few seconds.
SETTLE_SECONDS = 8.0
MOST_KERNELS = 256
#: (file of the limit, file of what is used, file with inactive_file, its line) of a container, version 2 then 1.
_CGROUPS = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
)


@dataclass(frozen=True)
class Held:
    """A kernel and what its processes hold."""

    kernel: LocalKernel
    bytes: int


@dataclass(frozen=True)
class Decision:
    """do: ``calm`` (nothing is near), ``keep`` (as it is), ``name`` or ``end``; kernel: the biggest."""

    do: str
    kernel: Held | None = None


def decide(used_bytes: int, limit_bytes: int, kernels: Sequence[Held]) -> Decision:
    """What follows from a look. Pure."""
    if not limit_bytes or used_bytes < CALM_AT * limit_bytes:
        return Decision("calm")
    biggest = max(kernels, key=lambda one: one.bytes, default=None)
    if used_bytes < NAME_AT * limit_bytes:
        return Decision("keep", biggest)
    ends = used_bytes >= END_AT * limit_bytes and biggest is not None and biggest.bytes >= WORTH * limit_bytes
    return Decision("end" if ends else "name", biggest)


def near_notice(used_bytes: int, limit_bytes: int, biggest: Held | None) -> Notice:
    """Named before anything is ended."""
    title = f"Memory is nearly used up: {show_size(used_bytes)} of {show_size(limit_bytes)}"
    if biggest is None:
        return Notice(
            "memory",
            "memory_soon",
            title,
            "Programs outside of kernels hold it.",
            ("Close what is not needed",),
        )
    why = (
        f"{biggest.kernel.name or 'A kernel'} holds {show_size(biggest.bytes)}. Before the notebook runs out, its kernel"
        " is ended; its variables are gone then, its files are not."
    )
    return Notice(
        f"memory-{biggest.kernel.id}", "memory_soon", title, why, ("Delete variables that are not needed",)
    )


def ended_notice(number: int, limit_bytes: int, ended: Held) -> Notice:
    """Said after the end of a kernel."""
    why = (
        f"{ended.kernel.name or 'A kernel'} held {show_size(ended.bytes)} of {show_size(limit_bytes)}, and its kernel was"
        " ended before the whole notebook was. Files are as they were; its variables are gone."
    )
    steps = ("Start with a larger profile",)
    return Notice(
        f"memory-ended-{number}", "out_of_memory", messages.title("out of memory"), why, steps, colour="err"
    )


def killed_notice(number: int, limit_bytes: int, peak_bytes: int, kernel: LocalKernel | None) -> Notice:
    """Said after the system ended a process: memory was full before anything could be ended in time. kernel: the one that is
    gone since, None where it was another program."""
    whose = f"{kernel.name or 'A kernel'} wanted more" if kernel is not None else "A program wanted more"
    gone = (
        "Files are as they were; its variables are gone." if kernel is not None else "Files are as they were."
    )
    used = f"The notebook had used {show_size(peak_bytes)}. " if peak_bytes else ""
    title = messages.title("out of memory") if kernel is not None else "A program ran out of memory"
    why = f"{whose} than the {show_size(limit_bytes)} that the profile gives, and the system ended it. {used}{gone}"
    steps = ("Start with a larger profile",)
    return Notice(f"memory-ended-{number}", "out_of_memory", title, why, steps, colour="err")


def peak(root: Path = Path("/sys/fs/cgroup")) -> int:
    """The most that this container has used, in bytes; 0 where the system does not say."""
    for name in ("memory.peak", "memory/memory.max_usage_in_bytes"):
        with suppress(OSError, ValueError):
            return int((root / name).read_text())
    return 0


def container(root: Path = Path("/sys/fs/cgroup")) -> tuple[int, int] | None:
    """(used, limit) in bytes of this container; None where there is no limit. What can be dropped is not used."""
    for limit_name, used_name, stat_name, line in _CGROUPS:
        try:
            text = (root / limit_name).read_text().strip()
            limit = 0 if text == "max" else int(text)
            if not 0 < limit < 1 << 60:
                return None
            stat = dict(row.split() for row in (root / stat_name).read_text().splitlines())
            return int((root / used_name).read_text()) - int(stat.get(line, 0)), limit
        except (OSError, ValueError):
            continue
    return None


def resident(pid: int) -> int:
    """Bytes of a process that are its own; 0 when it is gone."""
    try:
        parts = Path(f"/proc/{pid}/statm").read_text().split()
        return (int(parts[1]) - int(parts[2])) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return _resident_elsewhere(pid)


def _resident_elsewhere(pid: int) -> int:
    import psutil

    if psutil.LINUX:
        return 0
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


def family(pid: int, parents: Mapping[int, int]) -> set[int]:
    """A process and its descendants. parents: of each process."""
    found, more = {pid}, [pid]
    children: dict[int, list[int]] = {}
    for child, parent in parents.items():
        children.setdefault(parent, []).append(child)
    while more:
        for child in children.get(more.pop(), ()):
            if child not in found:
                found.add(child)
                more.append(child)
    return found


class Memory:
    """``start`` watches until ``stop``. processes: pid -> parent's pid of the session's processes, own ones among them."""

    def __init__(
        self,
        processes: Callable[[], Mapping[int, int]],
        say: Callable[[str], None],
        warn: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
        kills: Callable[[], int] = out_of_memory_count,
    ) -> None:
        self._processes, self._say, self._warn, self._monotonic = processes, say, warn, monotonic
        self._kills, self._killed = kills, kills()
        self._seen: dict[int, LocalKernel] = {}
        self._kernels: tuple[LocalKernel, ...] = ()
        self._notices: dict[str, Notice] = {}
        self._limit = self._used = 0
        self._ended = 0
        self._stopping = threading.Event()

    def start(self, limit_bytes: int) -> None:
        """limit_bytes: the profile's, 0 for none; a container's own counts where it is lower."""
        own = container()
        self._limit = min((one for one in (limit_bytes, own[1] if own else 0) if one), default=0)
        threading.Thread(target=self._watch, name="memory", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()

    def kernels(self, kernels: Sequence[LocalKernel]) -> None:
        """Those that run now, as the server says."""
        self._kernels = tuple(kernels[:MOST_KERNELS])

    @property
    def used_bytes(self) -> int:
        return self._used

    @property
    def limit_bytes(self) -> int:
        return self._limit

    def notices(self) -> tuple[Notice, ...]:
        return tuple(self._notices.values())

    def shown(self, ids: Sequence[str]) -> None:
        """What was read is not said again; what is still so stays."""
        for id in ids:
            if id.startswith("memory-ended-"):
                self._notices.pop(id, None)

    def _watch(self) -> None:
        while True:
            wait = self.look()
            if self._stopping.wait(wait):
                return

    def look(self) -> float:
        """One look and what follows; how long until the next, in seconds."""
        parents = dict(self._processes())
        own = container()
        self._used = own[0] if own and own[1] == self._limit else sum(resident(pid) for pid in parents)
        held = [
            Held(one, sum(resident(pid) for pid in family(one.pid, parents)))
            for one in self._kernels
            if one.pid in parents
        ]
        self._look_for_killed(parents)
        decision = decide(self._used, self._limit, held)
        self._notices = {id: one for id, one in self._notices.items() if one.reason != "memory_soon"}
        if decision.do in ("name", "end") or (decision.do == "keep" and self._warned):
            notice = near_notice(self._used, self._limit, decision.kernel)
            self._notices[notice.id] = notice
        self._warned = decision.do != "calm" and (self._warned or decision.do != "keep")
        if decision.do == "end" and decision.kernel is not None:
            self._end(decision.kernel, parents)
            return PAUSE_SECONDS
        return NEAR_SECONDS if self._limit and self._used > NEAR_AT * self._limit else FAR_SECONDS

    _warned = False
    _full_at: float | None = None

    def _look_for_killed(self, parents: Mapping[int, int]) -> None:
        """Whether the system ended a process for want of memory since the last look, and which kernel is gone since."""
        killed, before = self._kills(), self._killed
        gone = next((one for pid, one in self._seen.items() if pid not in parents), None)
        known = {**self._seen, **{one.pid: one for one in self._kernels}}
        self._seen = {pid: one for pid, one in known.items() if pid in parents}
        self._killed, now = killed, self._monotonic()
        if killed > before and self._limit:
            self._full_at = now
        if self._full_at is None or (gone is None and now - self._full_at < SETTLE_SECONDS):
            return
        self._full_at = None
        self._ended += 1
        self._tell(killed_notice(self._ended, self._limit, peak(), gone))

    def _tell(self, notice: Notice) -> None:
        self._notices[notice.id] = notice
        self._say(f"{notice.title}: {notice.why}")
        self._warn(f"{notice.title}: {notice.why}")

    def _end(self, held: Held, parents: Mapping[int, int]) -> None:
        import psutil

        self._ended += 1
        notice = ended_notice(self._ended, self._limit, held)
        self._tell(notice)
        for pid in family(held.kernel.pid, parents):
            with suppress(psutil.Error):
                psutil.Process(pid).kill()
