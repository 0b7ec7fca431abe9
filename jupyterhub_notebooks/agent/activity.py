"""What goes on in the notebook: signals of the server's extension, of the processes and of the GPU, for the heartbeat.

Promises: a signal whose reporter is silent is ``unknown``, never its last word; when a report is ordered, all are
gathered anew within ``ASK_SECONDS`` or are ``unknown``; a beginning is told in services/agents' time, counted on
the monotonic clock, so that a clock that jumps in the notebook neither lengthens nor shortens anything.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from ..clock import from_text, to_text
from ..contract import (
    Clock,
    HeartbeatAnswer,
    HelloAnswer,
    KeptVariables,
    LocalSignal,
    Notice,
    Part,
    SessionState,
    Signal,
    SignalsReport,
)
from .asking import Asking
from .beside import Beside, read_beside, servers
from .checkpointing import Checkpointing
from .computing import Computing, read_tree
from .ears import Ears, Heard
from .egress import Egress
from .gpu import Gpus, find_reader
from .standing import Standing
from .telling import Telling

LOOK_SECONDS = 5.0
#: What changed is told this often.
TELL_SECONDS = 1.0
#: A clock that was not heard of for so long is not known any more, and nothing is stopped as idle then.
NOT_HEARD_SECONDS = 120.0
NOT_KNOWN = Clock(
    badge="not known",
    bar=(Part("Clock not known"),),
    title=(Part("Clock not known"),),
    sentence=(
        Part("The service that runs the clocks does not answer. Nothing is stopped as idle meanwhile."),
    ),
)
#: Once a stop has begun no clock runs; what is left is the save, which says how far it is.
STOPPING = Clock(badge="stopping", icon="spinner", title=(Part("Stopping"),))
STOP_PHASES = ("saving", "ended")
WARNINGS = ("idle_soon", "limit_soon")
#: The extension reports every 5 s; a server that is held up for longer than this is not believed any more.
SILENT_SECONDS = 20.0
#: A stop is decided on a heartbeat that is younger than 5 s: asking must leave time for it.
ASK_SECONDS = 2.0
#: The service's clock may be read late by a slow answer; only what is further off is another time.
CLOCK_SECONDS = 30.0
#: What only the server's extension can know.
OF_SERVER = ("kernel", "cell", "terminal", "browser", "editor", "download")
_RANK = {"busy": 2, "idle": 1, "unknown": 0}

JUST_STARTED = Clock(badge="", icon="circle", bar=(Part("Just started"),), title=(Part("Just started"),))


class ServiceTime:
    """services/agents' time, counted on from the moment it was last heard."""

    def __init__(self) -> None:
        self._base: datetime | None = None

    def heard(self, server_time: str, monotonic: float) -> None:
        """An answer said so at monotonic. A time that agrees with what is known changes nothing."""
        try:
            base = from_text(server_time) - timedelta(seconds=monotonic)
        except (ValueError, OverflowError):
            return
        if self._base is None or abs((base - self._base).total_seconds()) > CLOCK_SECONDS:
            self._base = base

    def at(self, monotonic: float) -> str | None:
        """The time at monotonic, in whole seconds; None while the service was not heard."""
        if self._base is None:
            return None
        return to_text((self._base + timedelta(seconds=monotonic)).replace(microsecond=0))


class Activity:
    """``start`` to ``stop``. server: the pid of the server, None before it runs."""

    def __init__(
        self,
        socket_path: Path | None,
        server: Callable[[], int | None],
        standing: Standing,
        say: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
        beside: Beside | None = None,
        egress: Egress | None = None,
    ) -> None:
        self._server, self._standing, self._say, self._monotonic = server, standing, say, monotonic
        self._beside, self._seen_beside = beside, Heard(SignalsReport(), monotonic())
        self._answer: tuple[float, HeartbeatAnswer] | None = None
        self._time = ServiceTime()
        self.asking = Asking()
        self.telling = Telling(
            standing, lambda: self._computing, lambda: self._gpus.last(), say, monotonic, egress
        )
        self.checkpointing = Checkpointing(self._tell, monotonic)
        ears = (self.state, say, monotonic, self._took, self.asking.answer)
        self._ears = Ears(socket_path, *ears) if socket_path is not None else None
        self._looking = threading.Lock()
        read = read_beside if beside is not None else lambda: read_tree(os.getpid())
        self._computing = Computing(self._spared, read, monotonic)
        self._gpus = Gpus(None, monotonic=monotonic)
        self._asked_at: float | None = None
        self._began = monotonic()
        self._stopping = threading.Event()
        self._started = False

    def start(self) -> None:
        """Listens and looks from now on. A socket that cannot be made is said, and costs its signals only."""
        self._began = self._monotonic()
        if self._ears is not None:
            try:
                self._ears.start()
            except OSError as error:
                self._say(f"What goes on in the server is not known: its socket: {error.strerror or error}")
        self._started = True
        threading.Thread(target=self._look_on, name="activity", daemon=True).start()
        threading.Thread(target=self._tell_on, name="telling", daemon=True).start()
        self.telling.start()

    def introduce(self, answer: HelloAnswer) -> None:
        """What services/agents says of the notebook, once it has answered."""
        self.telling.introduce(answer)

    def settle(self, seconds: float) -> None:
        """Before the end: open editors are told, and save what they have, within seconds."""
        if self._ears is None or not self._started:
            return
        self._ears.tell()
        end = self._monotonic() + seconds
        while self.telling.unsaved and self._monotonic() < end:
            time.sleep(0.05)

    def stop(self) -> None:
        self._stopping.set()
        self.telling.stop()
        if self._ears is not None:
            self._ears.stop()

    def signals(self) -> tuple[Signal, ...]:
        """All signals as they are known now; none before the start."""
        if not self._started:
            return ()
        now = self._monotonic()
        heard = self._ears.heard() if self._ears is not None else {}
        if self._beside is not None:
            heard = {"beside": self._seen_beside}
        with self._looking:
            own = (self._computing.signal(), self._gpus.signal())
        told = merged(
            of_reports(heard, now, self._asked_at),
            OF_SERVER,
            "The server has not said yet what goes on in it"
            if now - self._began < SILENT_SECONDS and self._beside is None
            else "The server does not say what goes on in it",
        )
        return tuple(self._stamped(one, now) for one in (*told, *own))

    def gather(self) -> None:
        """All signals anew, within ASK_SECONDS; a server that did not answer is not believed from here on."""
        asked_at = self._monotonic()
        thread = threading.Thread(target=self._look, args=(True,), name="look", daemon=True)
        thread.start()
        if self._beside is not None or (self._ears is not None and self._ears.ask(ASK_SECONDS)):
            self._asked_at = None
        else:
            self._asked_at = asked_at
        thread.join(max(0.0, ASK_SECONDS - (self._monotonic() - asked_at)))

    def heard(self, answer: HeartbeatAnswer, asked_at: float) -> None:
        """services/agents answered a heartbeat sent at asked_at; whoever listens is told."""
        self._time.heard(answer.server_time, asked_at)
        self._answer = (asked_at, answer)
        if self._ears is not None and self._started:
            self._ears.tell()

    def state(self) -> SessionState:
        """What the session's clocks say now."""
        known = self._answer
        plain = SessionState(
            phase=self._standing.phase,
            saved=self._standing.saved,
            warnings=self._standing.warnings,
            notices=self.telling.notices(),
            clock=NOT_KNOWN,
            signals=self.signals(),
            checkpoint=self.checkpointing.wanted,
            **self.telling.fields(),
        )
        if known is None:
            return plain
        at, answer = known
        silent = self._monotonic() - at
        clock, notices = shown(answer, plain.phase, silent)
        return replace(
            plain,
            server_time=answer.server_time,
            heard_seconds_ago=round(silent, 3),
            verdict=answer.verdict,
            idle_ends_at=answer.idle_ends_at,
            session_ends_at=answer.session_ends_at,
            notices=(*notices, *plain.notices),
            quota=answer.quota,
            clock=clock,
        )

    def keep_variables(self, seconds: float, size_bytes: int, cause: str) -> KeptVariables:
        """Those of the kernels, before a stop; within seconds and a little more."""
        heard = self._ears.heard().get("lab") if self._ears is not None else None
        there = heard is not None and self._monotonic() - heard.at <= SILENT_SECONDS
        return self.checkpointing.run(seconds, size_bytes, cause, there=there)

    def _tell(self) -> None:
        if self._ears is not None:
            self._ears.tell()

    def _took(self, report: SignalsReport) -> None:
        self.telling.took(report)
        self.checkpointing.took(report)

    def _spared(self) -> set[int]:
        server = self._server()
        beside = set(servers()) if self._beside is not None else set()
        return {os.getpid(), *beside} | ({server} if server is not None else set())

    def _stamped(self, one: LocalSignal, now: float) -> Signal:
        since = None if one.since_seconds is None else self._time.at(now - one.since_seconds)
        return Signal(one.name, one.state, since, one.detail)

    def _look_on(self) -> None:
        reader, least = find_reader()
        if reader is not None:
            with self._looking:
                self._gpus = Gpus(reader, least, self._monotonic)
        while not self._stopping.is_set():
            self._look()
            self._stopping.wait(LOOK_SECONDS)

    def _tell_on(self) -> None:
        """What changed here by itself, such as how far a save is, goes to editors without their asking."""
        told: object = None
        while not self._stopping.wait(TELL_SECONDS):
            standing, fields = self._standing, self.telling.fields()
            now = (
                standing.phase,
                standing.saved,
                standing.warnings,
                fields["saving"],
                self.telling.notices(),
            )
            if told is not None and now != told and self._ears is not None:
                self._ears.tell()
            told = now

    def _look(self, at_once: bool = False) -> None:
        if self._beside is not None:
            self._seen_beside = Heard(
                SignalsReport("beside", tuple(self._beside.signals())), self._monotonic()
            )
        with self._looking:
            self._computing.look()
            self._gpus.look(at_once)


def shown(answer: HeartbeatAnswer, phase: str, silent_seconds: float) -> tuple[Clock, tuple[Notice, ...]]:
    """The clock and the notices of the last answer as they hold now."""
    if phase in STOP_PHASES:
        return STOPPING, tuple(one for one in answer.notices if one.reason not in WARNINGS)
    if silent_seconds >= NOT_HEARD_SECONDS:
        return NOT_KNOWN, answer.notices
    return (answer.clock if answer.clock.bar else JUST_STARTED), answer.notices


def of_reports(
    heard: Mapping[str, Heard], now: float, asked_at: float | None
) -> list[tuple[LocalSignal, float]]:
    """What may be believed of each report, and how old it is. asked_at: an order that was not answered in time."""
    found = []
    for one in heard.values():
        age = now - one.at
        silent = age > SILENT_SECONDS or (asked_at is not None and one.at < asked_at)
        for signal in one.report.signals:
            if silent:
                found.append((LocalSignal(signal.name, "unknown", None, "The server does not answer"), age))
            else:
                found.append((signal, age))
    return found


def merged(
    told: Iterable[tuple[LocalSignal, float]], expected: Collection[str], silence: str
) -> list[LocalSignal]:
    """Each expected signal once: busy before idle before unknown; of two idle ones the later. Ages as of now.

    Others are left out: what the agent measures itself is nobody else's to say.
    """
    best: dict[str, LocalSignal] = {}
    for signal, age in told:
        if signal.name not in expected:
            continue
        since = None if signal.since_seconds is None else max(0.0, signal.since_seconds) + age
        now = LocalSignal(
            signal.name, signal.state if signal.state in _RANK else "unknown", since, signal.detail[:400]
        )
        had = best.get(now.name)
        if had is None or _outdoes(now, had):
            best[now.name] = now
    return [best.get(name, LocalSignal(name, "unknown", None, silence)) for name in expected]


def _outdoes(new: LocalSignal, old: LocalSignal) -> bool:
    if _RANK[new.state] != _RANK[old.state]:
        return _RANK[new.state] > _RANK[old.state]
    if new.since_seconds is None or old.since_seconds is None:
        return new.since_seconds is not None
    younger = new.since_seconds < old.since_seconds
    return younger if new.state == "idle" else not younger
