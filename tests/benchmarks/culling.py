"""10,000 running sessions of which 1,000 are due, stops that take 2 s each: services/idle_culler and jupyterhub-idle-culler.

    .venv/bin/python -m tests.benchmarks.culling [--sessions 10000] [--due 1000] [--stop-seconds 2] [--peer-due 100]

One simulated Hub for both, over HTTP on 127.0.0.1: its users, and a DELETE that takes its time. Ours has a ledger in
SQLite with every session in it, and notebooks that answer when they are asked. Printed: the time of a look, requests,
memory, and the time until all that are due are stopped. The peer is measured on --peer-due stops and scaled, because
it stops users one after the other; it runs where its package is installed (pip install jupyterhub-idle-culler).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, update
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from jupyterhub_notebooks.clock import SYSTEM_CLOCK, to_text
from jupyterhub_notebooks.hubapi import HubApi
from jupyterhub_notebooks.ledger import Ledger, upgrade
from jupyterhub_notebooks.ledger.tables import intents, notebooks, sessions, users
from jupyterhub_notebooks.services.idle_culler.culling import Culler
from jupyterhub_notebooks.settings import Settings

LAUNCH = {"profile": "p", "idle_stop_seconds": 1800, "max_session_seconds": 8 * 3600}


class Hub:
    """Users with one server each; ``requests`` counts, ``stopped`` are those whose stop is over."""

    def __init__(self, number: int, due: int, stop_seconds: float) -> None:
        now = datetime.now(UTC)
        old = to_text(now - timedelta(hours=2))
        self.names = [f"user{n:05d}" for n in range(number)]
        self.idle = set(self.names[:: max(1, number // due)][:due])
        self.last = {name: old if name in self.idle else to_text(now) for name in self.names}
        self.stop_seconds, self.requests = stop_seconds, 0
        self.stopped: dict[str, float] = {}

    def model(self, name: str) -> dict[str, Any]:
        shared = {"last_activity": self.last[name], "pending": None, "ready": True}
        server = {"name": "", "started": self.last[name], "url": f"/user/{name}/", "state": {}, **shared}
        return {"name": name, "admin": False, "created": self.last[name], "servers": {"": server}, **shared}


class Handler(RequestHandler):
    def initialize(self, hub: Hub) -> None:
        self.hub = hub
        hub.requests += 1

    def get(self, path: str) -> None:
        if path.strip("/") != "users":
            self.finish({"version": "6.1.1"})
            return
        offset, limit = int(self.get_argument("offset", "0")), int(self.get_argument("limit", "50"))
        names = [name for name in self.hub.names if name not in self.hub.stopped]
        after = offset + limit
        url = f"http://{self.request.host}/hub/api/users?offset={after}&limit={limit}&state=ready"
        following = {"offset": after, "limit": limit, "url": url} if after < len(names) else None
        items = [self.hub.model(name) for name in names[offset:after]]
        self.finish(
            json.dumps(
                {
                    "items": items,
                    "_pagination": {"total": len(names), "offset": offset, "limit": limit, "next": following},
                }
            )
        )

    async def delete(self, path: str) -> None:
        await asyncio.sleep(self.hub.stop_seconds)
        self.hub.stopped[path.split("/")[1]] = time.monotonic()
        self.set_status(204)
        self.finish()


def serve(hub: Hub) -> tuple[HTTPServer, str]:
    sockets = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(Application([(r"/hub/api/(.*)", Handler, {"hub": hub})]))
    server.add_sockets(sockets)
    return server, f"http://127.0.0.1:{sockets[0].getsockname()[1]}/hub/api"


def fill(ledger: Ledger, hub: Hub) -> None:
    """A row for each session: due ones quiet for an hour, all others at work."""
    now = datetime.now(UTC)
    ids = {name: f"{n:026d}" for n, name in enumerate(hub.names)}
    quiet = now - timedelta(hours=1)
    common: dict[str, Any] = {"kind": "work", "profile": "p", "profile_version": "v", "launch": LAUNCH}
    common |= {
        "asked_at": quiet,
        "ready_at": quiet,
        "session_ends_at": quiet + timedelta(hours=8),
        "phase": "running",
    }
    rows = []
    for name, id in ids.items():
        idle = name in hub.idle
        clock = {"verdict": "quiet" if idle else "working", "verdict_at": now - timedelta(seconds=20)}
        clock |= {"quiet_since": quiet if idle else None, "reached_at": now if idle else None}
        clock["idle_ends_at"] = quiet + timedelta(minutes=30) if idle else None
        rows.append(
            {"id": id, "notebook": id, "workspace": id, "user": id, "token_hash": id, **common, **clock}
        )
    with ledger.write() as connection:
        connection.execute(
            insert(users), [{"id": id, "hub_name": name, "hub_created": ""} for name, id in ids.items()]
        )
        books = {"server_name": "", "title": "Main", "options": {}, "created_at": quiet}
        connection.execute(
            insert(notebooks), [{"id": id, "user": id, "workspace": id, **books} for id in ids.values()]
        )
        connection.execute(insert(sessions), rows)


def answer(ledger: Ledger) -> None:
    """What services/agents writes when the notebooks that were asked report."""
    open_ones = select(intents.c.session).where(intents.c.do == "report", intents.c.done_at.is_(None))
    with ledger.write() as connection:
        asked = list(connection.execute(open_ones).scalars())
        now = datetime.now(UTC)
        if asked:
            connection.execute(update(sessions).where(sessions.c.id.in_(asked)).values(verdict_at=now))
            connection.execute(
                update(intents)
                .where(intents.c.do == "report", intents.c.session.in_(asked))
                .values(done_at=now)
            )


async def ours(folder: Path, hub: Hub) -> tuple[float, float]:
    """(seconds of a look, seconds until all are stopped)."""
    server, url = serve(hub)
    ledger = Ledger(f"sqlite:///{folder}/ledger.sqlite")
    upgrade(ledger)
    fill(ledger, hub)
    settings = Settings(str(ledger.url), f"file://{folder}", "p", "http://127.0.0.1:1", "a", "k")
    client = HubApi(url, "token", at_once=settings.culler_at_once)
    culler = Culler(settings, ledger, client, SYSTEM_CLOCK)
    notebooks_of_all = Ledger(str(ledger.url))

    async def answering() -> None:
        while True:
            await notebooks_of_all.run(answer)
            await asyncio.sleep(0.1)

    answers = asyncio.create_task(answering())
    began = time.monotonic()
    await culler.look()
    looked = time.monotonic() - began
    await culler.settled()
    while len(hub.stopped) < len(hub.idle):  # what was not fresh any more is due at the next look
        await culler.look()
        await culler.settled()
    took = max(hub.stopped.values()) - began
    answers.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await answers
    await culler.close()
    client.close()
    server.stop()
    ledger.close()
    notebooks_of_all.close()
    return looked, took


async def peer(hub: Hub) -> float:
    """Seconds of jupyterhub-idle-culler's one pass."""
    server, url = serve(hub)
    command = [
        sys.executable,
        "-m",
        "jupyterhub_idle_culler",
        "--timeout=1800",
        "--cull-every=1800",
        f"--url={url}",
    ]
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, "JUPYTERHUB_API_TOKEN": "token", "JUPYTERHUB_API_URL": url},
        stderr=asyncio.subprocess.DEVNULL,
    )
    while len(hub.stopped) < len(hub.idle) and process.returncode is None:  # noqa: ASYNC110  stops end elsewhere
        await asyncio.sleep(0.1)
    took = time.monotonic() - began
    if process.returncode is None:
        process.terminate()
        await process.wait()
    server.stop()
    return took


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--due", type=int, default=1_000)
    parser.add_argument("--stop-seconds", type=float, default=2.0)
    parser.add_argument("--peer-due", type=int, default=100)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        hub = Hub(given.sessions, given.due, given.stop_seconds)
        looked, took = asyncio.run(ours(Path(folder), hub))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(
            f"ours: a look {looked:.2f} s, {hub.requests} requests, {given.due} stopped in {took:.1f} s,"
            f" {memory} MB with the simulated Hub"
        )
    if importlib.util.find_spec("jupyterhub_idle_culler") is None:
        print("peer: not installed; pip install jupyterhub-idle-culler")
        return
    hub = Hub(given.sessions, given.peer_due, given.stop_seconds)
    scaled = asyncio.run(peer(hub)) * given.due / given.peer_due
    print(
        f"peer: {hub.requests} requests for {given.peer_due} stops, {scaled:.0f} s for {given.due} when scaled"
    )
    print(f"ours is {scaled / took:.0f} times faster")


if __name__ == "__main__":
    main()
