"""The extension itself: hooks into the running server, a report every few seconds, and the page's one address.

Promises: nothing here keeps a server from starting or ends it; without an agent (NOTEBOOK_AGENT_SOCKET is not set,
or nobody listens) the server works as it would alone. Undoes its hooks when the server ends.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_server.utils import url_path_join
from tornado.ioloop import IOLoop
from traitlets import Float
from traitlets.config import LoggingConfigurable

from ..contract import Answered, LocalSignal, SessionState, SignalsReport
from ..errors import NotFound
from .activity import is_active
from .kernels import CELL_SECONDS, Kernels, watch_input, watch_server_side_input
from .link import Link
from .pages import AskHandler, LiveHandler, Pages, PresenceHandler
from .presence import INPUT_SECONDS, Presence
from .reviving import watch_restarts
from .terminals import Terminals
from .transfers import SAVED_SECONDS, STILL_SECONDS, Transfers, watch_downloads, watch_saves
from .variables.handler import VariablesHandler
from .variables.keeping import Keeping
from .variables.requests import Requests

SOCKET = "NOTEBOOK_AGENT_SOCKET"
LAST_ACTIVITY = "notebooks_busy_last_activity"
NAMES_SECONDS = 30.0


class NotebooksSignals(LoggingConfigurable):
    """Signals of one server. ``start`` once; ``stop`` when it ends."""

    report_seconds = Float(5.0, min=0.1, help="Seconds between two reports to the agent.").tag(config=True)
    cell_seconds = Float(
        CELL_SECONDS, min=0, help="For how many seconds somebody who ran a cell counts as present."
    ).tag(config=True)
    input_seconds = Float(
        INPUT_SECONDS, min=0, help="For how many seconds somebody who typed or clicked counts as present."
    ).tag(config=True)
    saved_seconds = Float(
        SAVED_SECONDS, min=0, help="For how many seconds somebody who saved a document counts as present."
    ).tag(config=True)

    still_seconds = Float(
        STILL_SECONDS, min=0, help="A transfer of which no byte has moved for so many seconds is forgotten."
    ).tag(config=True)

    def __init__(self, server: Any, socket: Path | None, **named: Any) -> None:
        super().__init__(**named)
        self._server, self._settings = server, server.web_app.settings
        self.kernels = Kernels(server.kernel_manager, present_seconds=self.cell_seconds)
        self.terminals = Terminals(lambda: self._settings.get("terminal_manager"))
        self.transfers = Transfers(present_seconds=self.saved_seconds, still_seconds=self.still_seconds)
        self.presence = Presence(present_seconds=self.input_seconds)
        self.pages = Pages(self.state, self.presence, os.environ)
        manager = server.kernel_manager
        self.keeping = Keeping(manager, self.kernels, Path.home(), self._paths, self.log)
        self._link = self._linked(socket) if socket else None
        self._undo: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._gathering = asyncio.Lock()
        self._names_at = -NAMES_SECONDS

    def start(self) -> None:
        """Hooks in; reports begin with the event loop."""
        from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection

        self.kernels.watch()
        self._undo += [
            self.kernels.unwatch,
            watch_input(ZMQChannelsWebsocketConnection, lambda: self.kernels),
            watch_server_side_input(sys.modules, lambda: self.kernels),
            watch_restarts(self._server.kernel_manager, sys.modules),
            watch_saves(self._server.contents_manager, self.transfers),
            self._watch_requests(),
        ]
        files = self._server.contents_manager.files_handler_class
        if files is not None:
            self._undo.append(watch_downloads(files, lambda: self.transfers))
        base = url_path_join(self._settings["base_url"], "notebooks")
        handlers = [
            (f"{base}/presence", PresenceHandler, {"pages": self.pages}),
            (f"{base}/live", LiveHandler, {"pages": self.pages}),
            (f"{base}/ask", AskHandler, {"ask": self.ask}),
            (f"{base}/variables", VariablesHandler, {"keeping": self.keeping}),
        ]
        self._server.web_app.add_handlers(".*$", handlers)
        IOLoop.current().add_callback(self._run)

    def _linked(self, socket: Path) -> Link:
        def more(report: SignalsReport) -> SignalsReport:
            return requests.more(self.pages.more(report, self.kernels.processes()))

        def sent(report: SignalsReport) -> None:
            self.pages.sent(report)
            requests.sent(report)

        def news(state: SessionState) -> None:
            self.pages.news(state)
            requests.heard(state)

        link = Link(
            socket,
            self.gather,
            self.report_seconds,
            self.log,
            more=more,
            sent=sent,
            news=news,
        )
        requests = Requests(self.keeping, link.report_soon)
        self.pages.changed = link.report_soon
        return link

    async def _paths(self) -> dict[str, str]:
        """The notebook of each kernel, by its path."""
        found = await self._server.session_manager.list_sessions()
        return {str(one["kernel"]["id"]): str(one.get("path") or "") for one in found if one.get("kernel")}

    async def ask(self, do: str, arguments: dict[str, Any], timeout_seconds: float) -> Answered:
        """What the agent answers. Raises NotFound without one, StorageAway where it is silent."""
        if self._link is None:
            raise NotFound("This server runs without a notebook's agent")
        return await self._link.ask(do, arguments, timeout_seconds)

    def state(self) -> SessionState:
        """What the session's clocks say, as far as it was heard."""
        return self._link.state() if self._link is not None else SessionState()

    async def gather(self) -> tuple[LocalSignal, ...]:
        """All signals of this server now. One that cannot be had is unknown, and why is its detail."""
        async with self._gathering:
            return await self._gathered()

    async def _gathered(self) -> tuple[LocalSignal, ...]:
        await self._learn_names()
        signals: list[LocalSignal] = []
        for names, make in (
            (("kernel", "cell"), self.kernels.signals),
            (("browser",), lambda: (self.presence.signal(),)),
            (("download", "editor"), self.transfers.signals),
        ):
            try:
                signals += make()
            except Exception as error:  # a change in Jupyter must cost one signal, not all
                signals += self._unknown(names, error)
        try:
            signals.append(await asyncio.to_thread(self.terminals.signal))
        except Exception as error:
            signals += self._unknown(("terminal",), error)
        if is_active(self.state(), signals):
            from jupyter_server._tz import utcnow

            self._settings[LAST_ACTIVITY] = utcnow()
        return tuple(signals)

    def _unknown(self, names: tuple[str, ...], error: Exception) -> list[LocalSignal]:
        self.log.debug("A signal could not be read", exc_info=error)
        return [LocalSignal(one, "unknown", None, f"{type(error).__name__}: {error}"[:200]) for one in names]

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()

    async def _run(self) -> None:
        if self._link is not None:
            self._task = asyncio.create_task(self._link.run(), name="notebooks-signals")

    async def _learn_names(self) -> None:
        """Which notebook each kernel belongs to; asked when a new kernel is there, and rarely else."""
        now = time.monotonic()
        if now - self._names_at < (self.report_seconds if self.kernels.unknown_names() else NAMES_SECONDS):
            return
        self._names_at = now
        try:
            sessions = await self._server.session_manager.list_sessions()
            self.kernels.names = {
                str(one["kernel"]["id"]): os.path.basename(str(one.get("path") or one.get("name") or ""))
                for one in sessions
                if one.get("kernel")
            }
        except Exception as error:  # names are a kindness
            self.log.debug("The kernels' notebooks could not be listed", exc_info=error)

    def _watch_requests(self) -> Callable[[], None]:
        """Sees that a browser asks something; programs of the platform are no browsers."""
        before = self._settings.get("log_function")

        def noting(handler: Any) -> None:
            if handler.request.headers.get("User-Agent", "").startswith("Mozilla/") and getattr(
                handler, "_jupyter_current_user", None
            ):
                self.presence.requested()
            if before is not None:
                before(handler)

        self._settings["log_function"] = noting

        def undo() -> None:
            self._settings["log_function"] = before

        return undo


def release_workers() -> None:
    """Lets helper threads of anyio end: they outlive an event loop that was stopped, and the server would wait for them.

    Seen with open shared documents (jupyter_server_ydoc 3.0): after SIGTERM such a server never ended.
    """
    for thread in threading.enumerate():
        queue = getattr(thread, "queue", None)
        if type(thread).__module__.startswith("anyio.") and queue is not None:
            queue.put_nowait(None)


def load(server: Any) -> NotebooksSignals:
    """Called by the server once, when it is set up."""
    # The one hook before Python waits for its threads; where it is gone one day, the agent's patience is what is left.
    register = getattr(threading, "_register_atexit", None)
    if register is not None:
        register(release_workers)
    path = os.environ.get(SOCKET)
    signals = NotebooksSignals(server, Path(path) if path else None, parent=server)
    signals.start()
    return signals
