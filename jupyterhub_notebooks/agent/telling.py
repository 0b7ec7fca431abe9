"""What editors are told besides the clocks: saves, what is used of what there is, memory that runs out, the last stop."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from ..contract import HelloAnswer, Meter, Notice, SignalsReport
from .computing import Computing
from .egress import Egress
from .gpu import Gpu
from .memory import Memory
from .showing import cores, gpu_meters, meter, saved_shown
from .standing import Standing


class Telling:
    """``introduce`` once the service answered, ``start`` with the server; ``took`` each report of an editor."""

    def __init__(
        self,
        standing: Standing,
        computing: Callable[[], Computing],
        gpus: Callable[[], Sequence[Gpu]],
        say: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
        egress: Egress | None = None,
    ) -> None:
        self._egress = egress
        self._standing, self._computing, self._gpus, self._monotonic = standing, computing, gpus, monotonic
        self._answer = HelloAnswer("")
        self._last_stop: Notice | None = None
        self.memory = Memory(lambda: computing().parents(), say, lambda text: standing.tell(warnings=(text,)))
        self._unsaved: dict[str, tuple[str, ...]] = {}

    def introduce(self, answer: HelloAnswer) -> None:
        """What the first answer of services/agents says of the notebook."""
        self._answer, self._last_stop = answer, answer.last_stop
        if self._egress is not None:
            self._egress.introduce(answer.profile, answer.environment)

    def start(self) -> None:
        self.memory.start(self._answer.memory_bytes)
        if self._egress is not None:
            self._egress.start()

    def stop(self) -> None:
        self.memory.stop()
        if self._egress is not None:
            self._egress.stop()

    def took(self, report: SignalsReport) -> None:
        """A report came: what was shown, what is not saved in editors, which kernels run."""
        self._unsaved[report.source] = report.unsaved
        if report.source == "lab":
            self.memory.kernels(report.kernels)
        if report.shown_notices:
            if self._last_stop is not None and self._last_stop.id in report.shown_notices:
                self._last_stop = None
            self.memory.shown(report.shown_notices)
            if self._egress is not None:
                self._egress.shown(report.shown_notices)
            self._standing.was_shown(report.shown_notices)

    @property
    def unsaved(self) -> tuple[str, ...]:
        """Documents with changes in an editor that are not in their file."""
        return tuple(name for names in self._unsaved.values() for name in names)

    def fields(self) -> dict[str, Any]:
        """Fields of SessionState."""
        standing = self._standing
        return {
            "title": self._answer.title,
            "profile": self._answer.profile,
            "saving": saved_shown(
                standing.saved,
                standing.size_bytes,
                standing.phase,
                standing.progress_now,
                standing.saving_seconds,
            ),
            "meters": self.meters(),
        }

    def notices(self) -> tuple[Notice, ...]:
        """Those that the agent has itself."""
        last = (self._last_stop,) if self._last_stop is not None else ()
        blocked = self._egress.notices() if self._egress is not None else ()
        return (*last, *self.memory.notices(), *blocked)

    def meters(self) -> tuple[Meter, ...]:
        """What is used of what there is: the profile's limit, else what the machine has."""
        used = self._standing.size_bytes
        disk = () if used is None else (meter("disk", "Space", used, self._answer.limit_bytes),)
        limit = self.memory.limit_bytes or _machine_bytes()
        return (
            meter("memory", "Memory", self.memory.used_bytes, limit),
            cores(self._computing().cores(), self._answer.cpus or os.cpu_count() or 0),
            *disk,
            *gpu_meters(self._gpus()),
        )


def _machine_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return 0
