"""How a session begins: its volume is this agent's alone, and services/agents has answered with a lease.

Promises: what is waited for is said once, in the log and with the notebook; an end that is asked for meanwhile ends the wait.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

from .. import __version__
from ..contract import HelloAnswer
from ..errors import NotebooksError, StorageAway
from ..retrying import delays
from ..workspace.volume import Volume
from . import begin
from .errors import OpenElsewhere, ServiceAway, TooOld
from .heart import Heart
from .lease import HeldLease
from .log import SessionLog
from .service import Service
from .standing import Standing

#: A lease ends by itself after 120 s: who still holds it then is alive.
HELD_SECONDS = 150.0
#: How long a start waits for services/agents.
AWAY_SECONDS = 300.0
#: How long it waits for storage, which is said before the start counts as stuck.
STORAGE_AWAY_SECONDS = 60.0

#: Waits so many seconds. Raises Interrupted when the session's end is asked for.
Pause = Callable[[float], None]


def lock(state: Path, pause: Pause) -> int:
    """One agent a volume on this machine, also before there is a lease: the open file that holds it. Raises OpenElsewhere."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    held = os.open(state / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    end = time.monotonic() + HELD_SECONDS
    while True:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return held
        except BlockingIOError:
            pause(0.5)
            if time.monotonic() > end:
                raise OpenElsewhere(
                    "This notebook still runs on this machine",
                    "Another process saves its files.",
                    ["Wait until it has ended, then start again"],
                ) from None


class Greeting:
    """The first request of a session, until it is answered."""

    def __init__(
        self,
        service: Service,
        standing: Standing,
        lease: HeldLease,
        log: SessionLog,
        volume: Volume,
        heart: Heart,
        pause: Pause,
    ) -> None:
        self._service, self._standing, self._lease = service, standing, lease
        self._log, self._volume, self._heart, self._pause = log, volume, heart, pause

    def hello(self, python: str) -> HelloAnswer:
        """The first answer with a lease. Raises OpenElsewhere, ServiceAway, SessionClosed, TooOld, Interrupted."""
        hello = begin.hello_of(self._volume, __version__, python)
        began = time.monotonic()
        said = waiting = ""
        for wait in delays(0.2, 5.0):
            asked_at = time.monotonic()
            try:
                answer = self._service.post("v1/hello", hello, HelloAnswer)
            except TooOld as error:
                return self._without_service(hello.volume, error)
            except StorageAway as error:  # ServiceAway is one too
                most = AWAY_SECONDS if isinstance(error, ServiceAway) else STORAGE_AWAY_SECONDS
                if time.monotonic() - began > most:
                    raise
                said = self._say_once(said, error.sentence())
                if not isinstance(error, ServiceAway):
                    waiting = self._now_waiting(waiting, f"{error.title}. It is tried again by itself.")
                self._pause(wait)
                continue
            if answer.lease is not None:
                self._service.wire.trust(answer.store_authority)
                self._lease.renewed(answer.lease, asked_at)
                self._standing.take_back(waiting)
                return answer
            if answer.held_volume or time.monotonic() - began > HELD_SECONDS:
                raise begin.refused(answer)
            said = self._say_once(said, f"This notebook waits for its files: {answer.held_by}")
            waiting = self._now_waiting(waiting, f"Waiting: {answer.held_by.split(';')[0]}")
            self._pause(wait)
        raise AssertionError("delays never ends")

    def _now_waiting(self, before: str, sentence: str) -> str:
        """What the start waits for stands with the notebook, in place of what it waited for before."""
        if sentence != before:
            self._standing.take_back(before)
        self._standing.tell(warnings=(sentence,))
        try:
            self._heart.beat()
        except NotebooksError as error:
            self._log.say(error.sentence())
        return sentence

    def _without_service(self, situation: str, error: TooOld) -> HelloAnswer:
        """An agent too old to be served goes on where the files are here, saves nowhere else, and says so."""
        if situation != "kept":
            raise error
        self._log.say(
            f"{error.sentence()} The notebook runs on the files of this machine; nothing else is saved"
        )
        return HelloAnswer(workspace=self._volume.marker() or "", head=self._volume.base or 0)

    def _say_once(self, said: str, sentence: str) -> str:
        if said.split(";")[0] != sentence.split(";")[0]:
            self._log.say(sentence)
        return sentence
