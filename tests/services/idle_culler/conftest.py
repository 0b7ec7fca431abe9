"""A ledger with sessions in it, a Hub that counts, notebooks that answer, and a clock that tests turn."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jupyterhub_notebooks.contract import Signal
from jupyterhub_notebooks.enforcement import rules
from jupyterhub_notebooks.enforcement.rules import Limits
from jupyterhub_notebooks.enforcement.verdict import Before, counted_of, judge
from jupyterhub_notebooks.errors import HubAway
from jupyterhub_notebooks.ledger import Ledger, Session, clocks, intents, notebooks, sessions, upgrade, users
from jupyterhub_notebooks.names import new_id
from jupyterhub_notebooks.services.idle_culler.culling import Culler
from jupyterhub_notebooks.settings import Settings

BEGAN = datetime(2026, 10, 14, 8, 0, tzinfo=UTC)
LAUNCH = {"profile": "p", "version": "v", "idle_stop_seconds": 1800, "max_session_seconds": 8 * 3600}


class Turned:
    """A clock that goes only when it is turned; monotonic with it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def turn(self, **by: float) -> None:
        self.seconds += timedelta(**by).total_seconds()


class CountingHub:
    """Takes stops as the Hub does: the spawner writes that one was asked for. away: answers nothing.

    forgets: takes a stop and then does nothing about it. takes_seconds: how long a stop takes.
    """

    def __init__(self, ledger: Ledger, clock: Turned) -> None:
        self.ledger, self.clock = ledger, clock
        self.away = self.forgets = False
        self.takes_seconds = 0.0
        self.stops: list[tuple[str, str]] = []
        self.most_at_once = self._now = 0
        self.asked = 0

    async def version(self) -> str:
        self.asked += 1
        if self.away:
            raise HubAway("The Hub does not answer")
        return "6"

    async def stop_server(self, user: str, server: str) -> bool:
        if self.away:
            raise HubAway("The Hub does not answer")
        self.stops.append((user, server))
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        await asyncio.sleep(self.takes_seconds)
        self._now -= 1
        if not self.forgets:
            await self.ledger.run(self._stopped, user, server)
        return True

    def _stopped(self, ledger: Ledger, user: str, server: str) -> None:
        owner = users.by_name(ledger, user)
        assert owner is not None
        notebook = notebooks.find(ledger, owner.id, server)
        assert notebook is not None
        row = sessions.open_of_notebook(ledger, notebook.id)
        assert row is not None
        stop = intents.last_stop(ledger, row.id)
        assert stop is not None
        sessions.stop_asked(ledger, row.id, self.clock.now())
        sessions.close(ledger, row.id, self.clock.now(), stop.cause)
        intents.done_all(ledger, row.id, self.clock.now())


class World:
    """What a test holds. ``says``: what each notebook answers when it is asked; None: it does not answer."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.url = f"sqlite:///{folder}/ledger.sqlite"
        self.ledger = Ledger(self.url)
        upgrade(self.ledger)
        self.clock = Turned()
        self.hub = CountingHub(self.ledger, self.clock)
        self.settings = Settings(
            ledger=self.url,
            store=f"file://{folder}/store",
            profiles="none",
            agents_url="http://127.0.0.1:1",
            agents_api_token="a",
            signing_key="k",
            **settings,
        )
        self.says: dict[str, tuple[Signal, ...] | None] = {}
        self.culler = self.new_culler()

    def new_culler(self) -> Culler:
        return Culler(self.settings, self.ledger, self.hub, self.clock)

    def session(self, user: str, kernel: str | None = "idle", **launch: Any) -> str:
        """A session that is ready now and says this about its kernels."""
        now = self.clock.now()
        owner = users.seen(self.ledger, user, "2026-01-01T00:00:00Z", now)
        notebook = notebooks.ensure(self.ledger, owner.id, "", now)
        id = new_id(now, os.urandom)
        sessions.begin(self.ledger, id, notebook.id, {**LAUNCH, **launch}, id.ljust(64, "0"), now)
        sessions.ready(self.ledger, id, now)
        self.set(id, kernel)
        self.beat(id)
        return id

    def set(self, id: str, kernel: str | None) -> None:
        self.says[id] = (Signal("kernel", kernel),) if kernel is not None else None

    def beat(self, id: str) -> None:
        """A heartbeat as services/agents takes it in."""
        signals, now = self.says[id], self.clock.now()
        if signals is None:
            return

        def decide(row: Session) -> clocks.Change:
            known = tuple(Signal.from_json(one) for one in row.signals or ())
            before = Before(row.verdict, row.verdict_since, row.verdict_at, row.quiet_since, known)
            judged = judge(signals, counted_of((), False), before, now)
            values: dict[str, Any] = {
                "verdict": judged.value,
                "verdict_at": now,
                "heard_at": now,
                "quiet_since": judged.quiet_since,
                "signals": [one.to_json() for one in signals],
            }
            limits = Limits.of(row.launch, self.settings.enforcement)
            end = rules.ends(_With(row, values), limits)
            return clocks.Change({**values, "idle_ends_at": end.idle_at, "session_ends_at": end.session_at})

        clocks.change(self.ledger, id, decide, now)

    def seen(self, id: str) -> None:
        """Its user has seen the warning."""
        clocks.reached(self.ledger, [id], self.clock.now())

    def row(self, id: str) -> Session:
        return sessions.get(self.ledger, id)

    def _answer(self) -> None:
        for order in intents.open_everywhere(self.ledger):
            if order.do == "report" and self.says.get(order.session) is not None:
                self.beat(order.session)
                intents.done(self.ledger, order.id, self.clock.now())

    async def look(self, culler: Culler | None = None) -> Any:
        """One look and all that comes of it, with notebooks that answer meanwhile."""
        culler = culler or self.culler
        found = await culler.look()
        settled = asyncio.create_task(culler.settled())
        while not settled.done():
            await asyncio.to_thread(self._answer)
            await asyncio.wait([settled], timeout=0.02)
        return found


class _With:
    def __init__(self, row: Session, values: dict[str, Any]) -> None:
        self._row, self._values = row, values

    def __getattr__(self, name: str) -> Any:
        return self._values[name] if name in self._values else getattr(self._row, name)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    with contextlib.suppress(Exception):
        await made.culler.close()
    made.ledger.close()
