"""One session from its first request to its last: the order of things, and what ends it.

Promises: nothing is saved before the workspace is whole, and nothing without the lease; the server is never ended
because a service is away; a second request to end does not interrupt a save; the exit status says whether all is saved.
"""

from __future__ import annotations

import shutil
import socket
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from .. import messages
from ..contract import HelloAnswer, Order, Release
from ..errors import NotebooksError
from ..retrying import delays
from ..workspace.volume import Volume
from . import begin, greeting, interpreter, processes, safe
from .activity import Activity
from .bell import Bell
from .beside import GONE, Beside, place_of, servers
from .context import Context
from .egress import Egress
from .errors import (
    EXIT_NOT_SAVED,
    Interrupted,
    OpenElsewhere,
    ServiceAway,
    SessionClosed,
    SnapshotDamaged,
    TooOld,
    VolumeAway,
)
from .greeting import Greeting
from .heart import Heart
from .lease import HeldLease
from .log import SessionLog
from .options import Options
from .preparing import Preparing
from .saving import PeriodicSaves, last
from .server import Server, end_in_words, plain_line
from .service import Service
from .standing import Standing

SERVER_END_SECONDS = 10.0
#: How long open editors have to save what they hold, where they hold something.
EDITORS_SECONDS = 3.0
RELEASE_SECONDS = 60.0
LOOK_SECONDS = 5.0
AGAIN = "Everything in the notebook's container was killed at once; its files were saved after that"


class Agent:
    """``run`` does all of it and returns the exit status. ``ask_to_end`` may be called by a signal handler."""

    def __init__(self, options: Options, own_environment: Mapping[str, str], began: float) -> None:
        self.options, self._own, self._began = options, own_environment, began
        options.run_dir.mkdir(parents=True, exist_ok=True)
        self.log = SessionLog(options.log, options.run_dir)
        self.service = Service(options.service_url, options.token)
        self.standing = Standing()
        self.lease = HeldLease()
        self.volume = Volume(options.files, options.state)
        ears = own_environment.get("NOTEBOOK_AGENT_SOCKET")
        self.beside = Beside(place_of(options.beside, own_environment)) if options.beside else None
        egress = Egress(options.egress, self.standing.blocked, self.log.say) if options.egress else None
        self.activity = Activity(
            Path(ears) if ears else None,
            self._server_pid,
            self.standing,
            self.log.say,
            beside=self.beside,
            egress=egress,
        )
        self.standing.signals = self.activity.signals
        self.heart = Heart(
            self.service, self.standing, self.lease, self.log, self._ordered, self.activity.heard
        )
        self._bell = Bell()
        self._served = options.run_dir / f"served-{options.session}"
        self._end: tuple[str, str] | None = None
        self._periodic: PeriodicSaves | None = None
        self._early_saves: list[str] = []
        self._server: Server | None = None
        self._answer: HelloAnswer | None = None
        self._lock_file: int | None = None

    def ask_to_end(self, cause: str, detail: str) -> None:
        """The first cause stays. Takes no lock."""
        if self._end is None:
            self._end = (cause, detail)
        self._bell.ring()

    def _stopped(self) -> bool:
        return self._end is not None

    def _server_pid(self) -> int | None:
        return self._server.pid if self._server is not None else None

    def run(self) -> int:
        """The whole session."""
        try:
            return self._session()
        except Interrupted as error:
            self.log.say(error.title)
            return self._release(self._cause(), 0)
        except NotebooksError as error:
            return self._not_started(error)
        except Exception as error:
            return self._not_started(_unexpected(self.log, error))
        finally:
            self.heart.stop()
            self.log.close()
            for name in ("tmp", "runtime", "safe", "front"):
                shutil.rmtree(self.options.run_dir / name, ignore_errors=True)

    def _session(self) -> int:
        self._lock_file = greeting.lock(self.options.state, self._pause)
        python = interpreter.of_command(self.options.command, self._own.get("PATH"))
        greet = Greeting(
            self.service, self.standing, self.lease, self.log, self.volume, self.heart, self._pause
        )
        answer = greet.hello(python.version)
        self.activity.introduce(answer)
        self._answer = answer
        context = Context(
            self.service, self.standing, self.lease, self.log, self.volume, answer, self._stopped
        )
        known = answer.head > 0 or self.volume.situation() != "empty"
        self.log.start(self.service)
        if answer.lease is not None:
            self.heart.start()
            begin.begin(context)
        if (
            self._served.exists()
        ):  # its container was killed and started again in place: nobody works in it any more
            self.ask_to_end("agent_died", AGAIN)
        try:
            self._serve(context, python, known)
        except Interrupted as error:
            self.log.say(error.title)
        except Exception as error:
            trouble = error if isinstance(error, NotebooksError) else _unexpected(self.log, error)
            self.ask_to_end("not_started", trouble.sentence())
        return self._finish(context)

    def _pause(self, seconds: float) -> None:
        """Raises Interrupted when the end is asked for meanwhile."""
        if not self._stopped():
            self._bell.wait(seconds)
        self._go_on()

    def _go_on(self) -> None:
        if self._stopped():
            raise Interrupted("The start was stopped before the server was started")

    def _serve(self, context: Context, python: interpreter.Interpreter, known: bool) -> None:
        """Initializes, runs the script, starts the server, and waits until something ends the session."""
        self._go_on()
        processes.adopt_orphans()  # also what the startup script leaves running
        variables = Preparing(self.options, self._own, context, self.beside).environment(python, known)
        self._go_on()
        self.standing.enter("starting")
        self.activity.start()
        before = processes.out_of_memory_count()
        self._served.touch()
        try:
            elsewhere = "safe" if self.options.safe else "front" if self.beside else ""
            where = self.options.run_dir / elsewhere if elsewhere else self.options.files
            self._server = Server(self.options.command, variables, where, self.log.write)
        except OSError as error:
            self.ask_to_end(
                "server_died", f"The server could not be started: {error.strerror}: {self.options.command[0]}"
            )
            return
        self._server.watch(lambda: self._server_ended(before))
        self.log.say(f"The server was started {time.monotonic() - self._began:.3f} s after the notebook")
        threading.Thread(target=self._await_server, name="ready", daemon=True).start()
        if context.answer.lease is not None and not context.answer.set_aside:
            self._periodic = PeriodicSaves(context)
            self._periodic.start()
            for order in self._early_saves:
                self._periodic.ask(order)
        self.activity.asking.begin(context, self._periodic)
        while not self._stopped():
            self._bell.wait(LOOK_SECONDS)
            processes.reap_orphans({self._server.pid})

    def _await_server(self) -> None:
        """Says ``running`` when the server's port takes connections, at once where it has none that is known."""
        assert self._server is not None
        parts = urlsplit(self._own.get("JUPYTERHUB_SERVICE_URL", ""))
        while parts.scheme == "http" and parts.hostname and parts.port:
            try:
                host = "127.0.0.1" if parts.hostname in ("0.0.0.0", "::") else parts.hostname
                socket.create_connection((host, parts.port), 2.0).close()
                break
            except OSError:
                if self._server.ended.wait(0.1) or self._stopped():
                    return
        came = False
        while self.beside is not None and not self.beside.listens():
            if self._server.ended.wait(0.1) or self._stopped():
                return
            there = bool(servers())
            if came and not there:
                self.ask_to_end("server_died", GONE)
                return
            came = came or there
        if not self._stopped():
            self.standing.enter("running")
            if self.beside is not None:
                self.beside.watch(lambda: self.ask_to_end("server_died", GONE))

    def _server_ended(self, before: int) -> None:
        assert self._server is not None
        if self._server.status and safe.is_full(self.options.files):
            self.ask_to_end("disk_full", messages.title("disk full"))
            return
        out_of_memory = processes.out_of_memory_count() > before
        cause, words = end_in_words(self._server.status or 0, out_of_memory)
        if self.standing.phase == "starting":  # why it did not come up is the last that it says
            self._server.drain()
            words = f"{words}: {said}" if (said := plain_line(self._server.last_line)) else words
        self.ask_to_end(cause, words)

    def _ordered(self, order: Order) -> None:
        if order.do == "finish":
            self.standing.done(order.id)
            self.ask_to_end(order.cause or "stopped", "")
        elif order.do == "report":
            threading.Thread(target=self._report_anew, args=(order.id,), name="report", daemon=True).start()
        elif order.do == "checkpoint":
            threading.Thread(target=self._checkpoint, args=(order,), name="checkpoint", daemon=True).start()
        elif order.do == "restore":
            self._bring(order)
        elif self._periodic is not None:
            self._periodic.ask(order.id)
        else:
            self._early_saves.append(order.id)

    def _bring(self, order: Order) -> None:
        from .bringing import bring

        if self._periodic is None:
            self.standing.done(order.id, {"error": "The notebook is not ready yet."})
        else:
            self._periodic.ask(order.id, lambda context: bring(context, order))

    def _checkpoint(self, order: Order) -> None:
        answer = self._answer
        if answer is not None:
            bound = (answer.variables_seconds, answer.variables_bytes)
            kept = self.activity.keep_variables(*bound, order.cause)
            self.standing.kept_variables(kept)
            if kept.saved or kept.lost:
                self.log.say(f"{kept.saved} variables kept, {len(kept.lost)} not, in {kept.seconds:.1f} s")
        self.standing.done(order.id)

    def _report_anew(self, order: str) -> None:
        self.activity.gather()
        self.standing.done(order)

    def _cause(self) -> tuple[str, str]:
        return self._end or ("stopped", "")

    def _finish(self, context: Context) -> int:
        """Ends what runs, saves what changed, gives the lease back."""
        cause, detail = self._cause()
        self.log.say(f"The session ends: {detail or cause}")
        self.standing.enter("saving")
        if cause != "stopped":
            self.standing.end(cause, detail)
        self.activity.settle(EDITORS_SECONDS)
        self.activity.stop()
        if self.beside is not None:
            self.beside.stop()
        mapped = processes.mapped_writable(self.options.session, self.options.files)
        if self._periodic is not None:
            self._periodic.stop()
        if self._server is not None:
            self._server.end(SERVER_END_SECONDS)
        processes.end_all(self.options.session, self.log.say)
        if self._server is not None:
            self._server.drain()
        if context.answer.lease is None:
            self.log.say("The files are on this machine only: nothing was saved")
            return EXIT_NOT_SAVED
        if context.answer.set_aside:  # what was to be kept is kept; nothing here may follow the newest save
            return self._release((cause, detail), 0)
        why = last(context, mapped, context.answer.save_timeout_seconds, lambda: False)
        return self._release((cause, detail), EXIT_NOT_SAVED if why is not None else 0)

    def _release(self, end: tuple[str, str], status: int) -> int:
        """The session's row closes. Tried for a minute; the janitor closes what never arrives."""
        cause, detail = end
        saved = self.standing.saved
        body = Release(
            saved.number,
            cause,
            detail or (saved.error or ""),
            saved.pending_files,
            saved.pending_bytes,
        )
        self.heart.stop()
        end_at = time.monotonic() + RELEASE_SECONDS
        self.log.say(f"The notebook ends with exit status {status}")
        self.log.close()
        for wait in delays(0.2, 5.0):
            try:
                self.service.tell("v1/release", body)
                return status
            except ServiceAway:
                if time.monotonic() + wait > end_at:
                    return status
            except NotebooksError as error:
                print(error.sentence(), file=sys.stderr)
                return status
            time.sleep(wait)
        raise AssertionError("delays never ends")

    def _not_started(self, error: NotebooksError) -> int:
        """The workspace could not be made ready: said, released, never saved."""
        sentence = error.sentence()
        cause = (
            error.reason
            if isinstance(error, OpenElsewhere | SnapshotDamaged | TooOld | VolumeAway)
            else "not_restored"
        )
        self.log.say(f"The notebook did not start: {sentence}")
        if isinstance(error, SessionClosed | ServiceAway) and self.lease.seconds_left() < 0:
            return error.exit_code
        self.standing.end(cause, sentence)
        self.heart.stop()
        try:
            self.heart.beat(10.0)
        except NotebooksError as trouble:
            self.log.say(trouble.sentence())
        self._release((cause, sentence), error.exit_code or 1)
        return error.exit_code or 1


def _unexpected(log: SessionLog, error: Exception) -> NotebooksError:
    """An error of ours, or of the disk, as a sentence; its trace goes to the log."""
    if isinstance(error, OSError):
        return NotebooksError(
            "The workspace cannot be used", f"{error.strerror or error}: {error.filename or ''}"
        )
    import traceback

    for line in traceback.format_exception(error):
        log.write(line.rstrip("\n"))
    return NotebooksError("This was not expected", f"{type(error).__name__}; the session's log has more")
