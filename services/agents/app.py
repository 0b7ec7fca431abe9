"""The service put together: what it holds, its addresses, how it begins and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from tornado.web import Application, RequestHandler

from jupyterhub_notebooks.clock import SYSTEM_CLOCK, Clock
from jupyterhub_notebooks.enforcement.rules import Limits
from jupyterhub_notebooks.errors import DatabaseAway, StorageAway
from jupyterhub_notebooks.ledger import Ledger, Session, hub, wait_for_revision
from jupyterhub_notebooks.ledger.locks import Locks
from jupyterhub_notebooks.settings import Settings

from .. import running
from ..keys import wrapping_key
from . import clocking, directory, handlers, store_handlers
from .allowance import Allowance
from .awaiting import awaited
from .handling import Health, Nothing
from .heartbeats import Heartbeats
from .orders import Waiting
from .signing import Signer
from .storage import Objects, authority_of, open_objects, root_of, signer_of

log = logging.getLogger("agents")

MOST_BODY_BYTES = 9 * 10**6
END_SECONDS = 10.0
#: A commit waits so long for a removal that works on the same workspace, and looks so often; then its agent tries again.
ALONE_SECONDS = 20.0
LOOK_SECONDS = 0.05
THREADS = 32  # each waits for a disk or a store, not for the processor


class Agents:
    """All that the addresses share. root: the directory store's folder, None where objects lie elsewhere.

    authority: certificates that agents need beside the system's to reach the store, as text.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        objects: Objects,
        signer: Signer,
        *,
        root: Path | None,
        authority: str = "",
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.settings = settings
        self.ledger = ledger
        self.objects = objects
        self.signer = signer
        self.root = root
        self.authority = authority
        self.clock = clock
        self.heartbeats = Heartbeats(ledger)
        self.waiting = Waiting(ledger)
        self.allowance = Allowance()
        self.locks = Locks(ledger)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._requests: set[RequestHandler] = set()

    def lock(self, workspace: str) -> asyncio.Lock:
        """One at a time for each workspace, in this process; the ledger and the store guard the rest."""
        return self._locks.setdefault(workspace, asyncio.Lock())

    @contextlib.asynccontextmanager
    async def alone(self, workspace: str) -> AsyncIterator[None]:
        """Nobody else works on the workspace's objects, in no process: a commit, or a removal. Raises StorageAway where
        another does for long."""
        async with self.lock(workspace):
            end = self.clock.monotonic() + ALONE_SECONDS
            while not await asyncio.to_thread(self.locks.take, workspace):
                if self.clock.monotonic() > end:
                    raise StorageAway(
                        "Old snapshots of this workspace are being removed",
                        "That takes longer than usual.",
                        ["It is tried again by itself"],
                    )
                await asyncio.sleep(LOOK_SECONDS)
            try:
                yield
            finally:
                await asyncio.to_thread(self.locks.give, workspace)

    def limits(self, session: Session) -> Limits:
        """The limits of a session."""
        return clocking.limits_of(session, self.settings.enforcement, self.settings.unsaved_idle_seconds)

    def in_thread(self, act: Callable[[], object]) -> None:
        """Runs act in a thread, awaited at the end."""
        task = asyncio.ensure_future(asyncio.to_thread(act))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def began(self, request: RequestHandler) -> None:
        self._requests.add(request)

    def finished(self, request: RequestHandler) -> None:
        self._requests.discard(request)

    async def settled(self, seconds: float) -> None:
        """Returns once every request is answered and every thread is done, or after seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._requests or self._tasks:  # noqa: ASYNC110  requests end in many places
                    await asyncio.sleep(0.02)


def make_app(agents: Agents) -> Application:
    """Every address below the path of ``agents_url``."""
    base = urlsplit(agents.settings.agents_url).path.rstrip("/")
    shared = {"agents": agents}
    routes = [
        ("/health", Health),
        ("/v1/hello", handlers.HelloHandler),
        ("/v1/heartbeat", handlers.HeartbeatHandler),
        ("/v1/orders", handlers.OrdersHandler),
        ("/v1/urls", handlers.UrlsHandler),
        ("/v1/commit", handlers.CommitHandler),
        ("/v1/release", handlers.ReleaseHandler),
        ("/v1/snapshots", handlers.SnapshotsHandler),
        ("/v1/extend", handlers.ExtendHandler),
        ("/v1/log", handlers.LogHandler),
        ("/v1/store/" + store_handlers.KEYS, store_handlers.StoreHandler),
    ]
    return Application(
        [(base + path, handler, shared) for path, handler in routes],
        default_handler_class=Nothing,
        default_handler_args=shared,
        log_function=_log_request,
    )


def _log_request(handler: RequestHandler) -> None:
    """Without the query, which holds signatures."""
    request = handler.request
    session = getattr(handler, "session", None)
    log.debug(
        "%s %s %s",
        handler.get_status(),
        request.method,
        request.path,
        extra={"session": session.id if session else None},
    )


@contextlib.asynccontextmanager
async def service(settings: Settings) -> AsyncIterator[None]:
    """Runs it. At the end no new request is taken, those begun are answered, what is due is written."""
    ledger = Ledger(settings.ledger)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "agents"))
    try:
        await ledger.run(wait_for_revision)
        now = SYSTEM_CLOCK.now()
        hub_id = await ledger.run(hub.hub_id, now)
        if settings.encryption_key:
            wrapping_key(settings.encryption_key)  # said at the start, not to the first user
        signer = signer_of(settings, SYSTEM_CLOCK)
        async with awaited(partial(open_objects, settings, hub_id, now)) as objects:
            agents = Agents(
                settings, ledger, objects, signer, root=root_of(settings), authority=authority_of(settings)
            )
            sockets = await running.bind(settings.agents_url, setting="agents_url")
            if agents.root is not None:  # the port is ours, so no other process writes there
                await asyncio.to_thread(directory.sweep, agents.root)
            server = await running.listen(
                make_app(agents), settings.agents_url, max_body_bytes=MOST_BODY_BYTES, sockets=sockets
            )
            writing = asyncio.create_task(agents.heartbeats.run(SYSTEM_CLOCK.monotonic))
            try:
                yield
            finally:
                server.stop()
                await agents.waiting.close()
                await agents.settled(END_SECONDS)
                await server.close_all_connections()
                writing.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await writing
                try:
                    await agents.heartbeats.flush()
                except DatabaseAway as error:
                    log.warning("the last heartbeats were not written: %s", error.sentence())
                agents.locks.close()
    finally:
        ledger.close()
