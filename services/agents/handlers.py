"""The addresses of the agent's protocol, each a few lines: what they mean stands in contract/bodies.py."""

from __future__ import annotations

import asyncio

from jupyterhub_notebooks.clock import to_text
from jupyterhub_notebooks.contract import (
    Clock,
    Commit,
    Extend,
    Heartbeat,
    HeartbeatAnswer,
    Hello,
    Lease,
    Log,
    Order,
    Orders,
    Release,
    SnapshotRow,
    Snapshots,
    UrlsRequest,
)
from jupyterhub_notebooks.enforcement.showing import shown_clock
from jupyterhub_notebooks.enforcement.telling import ends_of
from jupyterhub_notebooks.errors import Unchecked
from jupyterhub_notebooks.ledger import sessions, snapshots

from . import clocking, reading
from .beating import Beat, beat
from .beginning import hello
from .committing import commit
from .ending import release
from .extending import extended
from .handling import SessionHandler
from .heartbeats import next_in_seconds
from .notices import notices_of
from .urls import signed

MOST_LINES = 1000


class HelloHandler(SessionHandler):
    async def act(self) -> None:
        body = self.body(Hello)
        reading.spoken(body.protocol)
        self.answer(await hello(self.agents, self.session, body))


class HeartbeatHandler(SessionHandler):
    async def act(self) -> None:
        body = self.body(Heartbeat)
        reading.spoken(body.protocol)
        said: Beat = await beat(self.agents, self.known, body)
        settings, now, row = self.agents.settings, self.agents.clock.now(), said.row
        limits = self.agents.limits(row)
        end = ends_of(row, limits)
        again = next_in_seconds(body.phase, settings.heartbeat_seconds, settings.heartbeat_soon_seconds)
        if body.phase == "running":
            again = clocking.next_in_seconds(
                settings.heartbeat_seconds, settings.heartbeat_soon_seconds, row, limits, now
            )
        self.answer(
            HeartbeatAnswer(
                to_text(now),
                verdict=clocking.verdict_of(row),
                idle_ends_at=to_text(end.idle_at) if end.idle_at else None,
                session_ends_at=to_text(end.session_at) if end.session_at else None,
                notices=notices_of(row, limits, now) if body.phase == "running" else (),
                lease=Lease(said.lease.number, said.lease.ends_in_seconds) if said.lease else None,
                orders=said.orders,
                next_in_seconds=again,
                clock=shown_clock(row, limits, now) if body.phase == "running" else Clock(),
            )
        )


class OrdersHandler(SessionHandler):
    method = "GET"
    _held: asyncio.Task[tuple[Order, ...]] | None = None

    async def act(self) -> None:
        after = self.get_query_argument("after", "")
        self._held = asyncio.create_task(self.agents.waiting.wait(self.session.id, after))
        try:
            self.answer(Orders(await self._held))
        except asyncio.CancelledError:
            if not self._held.cancelled():
                raise

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if self._held is not None:
            self._held.cancel()


class UrlsHandler(SessionHandler):
    most_bytes = 1_000_000
    _counted = 0

    async def allowed(self) -> None:
        await super().allowed()
        length = self.request.headers.get("Content-Length", "")
        size = min(int(length), self.most_bytes) if length.isdigit() else self.most_bytes
        now = self.agents.clock.monotonic()
        self._counted = self.agents.allowance.body(self.session.workspace, size, now)

    async def act(self) -> None:
        self.answer(signed(self.agents, self.session, self.body(UrlsRequest), self._counted))


class CommitHandler(SessionHandler):
    most_bytes = 4_000_000  # the names of blocks that were there already may be many

    async def act(self) -> None:
        self.answer(await commit(self.agents, self.session, self.body(Commit)))


class ReleaseHandler(SessionHandler):
    also_closed = True

    async def act(self) -> None:
        await release(self.agents, self.session, self.body(Release))
        self.answer({})


class SnapshotsHandler(SessionHandler):
    method = "GET"

    async def act(self) -> None:
        rows = await self.agents.ledger.run(snapshots.of_workspace, self.session.workspace)
        self.answer(
            Snapshots(
                tuple(
                    SnapshotRow(row.number, row.kind, to_text(row.at), row.size_bytes, row.files)
                    for row in rows
                )
            )
        )


class ExtendHandler(SessionHandler):
    async def act(self) -> None:
        self.answer(await extended(self.agents, self.session, self.body(Extend)))


class LogHandler(SessionHandler):
    async def act(self) -> None:
        body = self.body(Log)
        first = reading.number(body.first, "first")
        if len(body.lines) > MOST_LINES or first + len(body.lines) > reading.MOST_COUNT:
            raise Unchecked(f"At most {MOST_LINES:,} lines are taken at once", field="lines")
        lines = [reading.text(line, 4000) for line in body.lines]
        await self.agents.ledger.run(sessions.add_log, self.session.id, first, lines, self.agents.clock.now())
        self.answer({})
