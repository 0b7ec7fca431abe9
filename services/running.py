"""How every service of ours runs: its settings, its port, its log, and how it ends.

Promises: settings come from NOTEBOOKS_SETTINGS; a port that a predecessor still holds is waited for up to
10 s, then the holder is named; SIGTERM and SIGINT end the service in order; with ``--ends-with-parent`` (or
NOTEBOOKS_ENDS_WITH_PARENT=1) it also ends when the process that started it is gone, and takes from that
process the variables that settings name for a secret; an expected error is one line and the exit code of its class. The log is one JSON object a line, on standard error.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import json
import logging
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from urllib.parse import urlsplit

import psutil
import uvloop
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from jupyterhub_notebooks.clock import SYSTEM_CLOCK, to_text
from jupyterhub_notebooks.errors import ConfigError, NotebooksError, PortTaken
from jupyterhub_notebooks.listening import holder
from jupyterhub_notebooks.settings import Settings

PORT_WAIT_SECONDS = 10.0
ENDS_WITH_PARENT = "NOTEBOOKS_ENDS_WITH_PARENT"
LOG_LEVEL = "NOTEBOOKS_LOG_LEVEL"
#: The address to listen on, where the one in a service's url is of something in front of it (a Service of Kubernetes).
LISTEN = "NOTEBOOKS_LISTEN"
#: How many objects are made before rings among them are looked for, and how many such looks before older ones are looked at
#: too: by Python's own numbers a service that holds a thousand sessions spends a quarter of its time on it (seen with
#: tests/benchmarks/heartbeats.py); hardly anything here is a ring.
GARBAGE = (50_000, 50, 100)

Service = Callable[[Settings], AbstractAsyncContextManager[None]]


def main(name: str, service: Service, arguments: Sequence[str] | None = None) -> int:
    """Runs a service until a signal ends it; the exit code. service: entered once, left at the end."""
    arguments = sys.argv[1:] if arguments is None else arguments
    gc.set_threshold(*GARBAGE)
    log_to_stderr(name)
    log = logging.getLogger(name)
    watched = "--ends-with-parent" in arguments or os.environ.get(ENDS_WITH_PARENT) == "1"
    try:
        unknown = [one for one in arguments if one != "--ends-with-parent"]
        if unknown:
            raise ConfigError(
                "There is no such argument",
                next=["Leave it out; settings come by environment"],
                field=unknown[0],
            )
        settings = Settings.from_environment()
        if watched:
            inherit(settings)
        uvloop.run(_until_ended(service, settings, watched, log))
    except NotebooksError as error:
        log.critical(error.sentence())
        return error.exit_code
    return 0


def inherit(settings: Settings) -> None:
    """Takes the variables that ``env:NAME`` names and that are not set here from the process that started this one.

    The Hub hands a service only what it also writes into its database, and a secret is not to stand there.
    """
    references = (
        settings.ledger,
        settings.signing_key,
        settings.agents_api_token,
        *settings.store_options.values(),
    )
    names = {reference[4:] for reference in references if reference.startswith("env:")} - set(os.environ)
    if not names:
        return
    try:
        theirs = psutil.Process(os.getppid()).environ()
    except (psutil.Error, OSError):
        return  # the secret is told to be missing where it is used
    os.environ.update({name: theirs[name] for name in names if name in theirs})


async def _until_ended(service: Service, settings: Settings, watched: bool, log: logging.Logger) -> None:
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    watch = asyncio.create_task(_parent_gone(end, log)) if watched else None
    try:
        async with service(settings):
            log.info("started")
            await end.wait()
            log.info("ending")
    finally:
        if watch is not None:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch


async def _parent_gone(end: asyncio.Event, log: logging.Logger) -> None:
    """Sets end when the process that started this one is gone."""
    parent = os.getppid()
    while True:
        if os.getppid() != parent or parent == 1:
            break
        await asyncio.sleep(0.5)
    log.warning("the process that started this service is gone")
    end.set()


async def bind(
    url: str, *, wait_seconds: float = PORT_WAIT_SECONDS, setting: str = "url"
) -> list[socket.socket]:
    """The sockets of url's port, at its host or where NOTEBOOKS_LISTEN says. Raises PortTaken that names the holder after
    wait_seconds."""
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if parts.scheme != "http" or not host or not port:
        raise ConfigError(
            f"{url!r} is not an address to listen on", next=["Write http://HOST:PORT/PATH/"], field=setting
        )
    return await _bound(os.environ.get(LISTEN) or host, port, wait_seconds)


async def listen(
    app: Application,
    url: str,
    *,
    wait_seconds: float = PORT_WAIT_SECONDS,
    max_body_bytes: int = 1_000_000,
    setting: str = "url",
    sockets: list[socket.socket] | None = None,
) -> HTTPServer:
    """A server of app at url's host and port, or at sockets that ``bind`` gave. Raises as ``bind`` does."""
    if sockets is None:
        sockets = await bind(url, wait_seconds=wait_seconds, setting=setting)
    server = HTTPServer(
        app, max_body_size=max_body_bytes, max_buffer_size=max(max_body_bytes, 2**21), chunk_size=2**20
    )
    server.add_sockets(sockets)
    return server


async def _bound(host: str, port: int, wait_seconds: float) -> list[socket.socket]:
    loop = asyncio.get_running_loop()
    end = loop.time() + wait_seconds
    while True:
        try:
            return bind_sockets(port, host)
        except OSError as error:
            field = f"{host}:{port}"
            if error.errno != errno.EADDRINUSE:
                why = error.strerror or str(error)
                raise ConfigError("This address cannot be listened on", why, field=field) from None
            if loop.time() >= end:
                who = await asyncio.to_thread(holder, port) or "another program"
                raise PortTaken(
                    f"Port {port} is in use",
                    f"{who} holds it",
                    ["End it, or choose another port"],
                    field=field,
                ) from None
        await asyncio.sleep(0.1)


def needed(environment: Mapping[str, str], name: str) -> str:
    """A variable that the Hub sets for the services that it starts. Raises ConfigError."""
    value = environment.get(name)
    if not value:
        raise ConfigError(
            "This variable is not set",
            "The Hub sets it for the services that it starts",
            ["Let the Hub start this service, or set it as the service's README says"],
            field=name,
        )
    return value


class JsonLines(logging.Formatter):
    """One JSON object a line: at, level, service, message; session where ``extra`` names one."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": to_text(SYSTEM_CLOCK.now()),
            "level": record.levelname.lower(),
            "service": self.service,
            "message": record.getMessage(),
        }
        session = getattr(record, "session", None)
        if session is not None:
            line["session"] = session
        if record.exc_info:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def log_to_stderr(service: str) -> None:
    """Sends every log record of this process to standard error, in that form."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(os.environ.get(LOG_LEVEL, "INFO").upper())
    logging.getLogger("alembic").setLevel(logging.WARNING)
