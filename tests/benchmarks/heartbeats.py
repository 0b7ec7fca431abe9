"""Heartbeats of 1,000 running notebooks on one services/agents: how many a second, and at what cost.

    .venv/bin/python -m tests.benchmarks.heartbeats [--sessions 1000] [--seconds 20] [--rate 1000] [--ledger sqlite postgresql]

The service is the real one, a process of its own; each session has two connections, as an agent has: one for its
heartbeats, one on which it waits for orders. Every twentieth heartbeat changes its verdict. Printed for each database:
what happens when exactly --rate heartbeats come each second (answered a second, how long an answer took from the time
at which its heartbeat was due, processor, memory, transactions a second), and how many are answered at most.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from jupyterhub_notebooks.clock import SYSTEM_CLOCK, to_text
from jupyterhub_notebooks.contract import Heartbeat, Saved, Signal
from jupyterhub_notebooks.ledger import sessions
from jupyterhub_notebooks.services import running
from jupyterhub_notebooks.services.agents.app import service as agents
from tests import postgres
from tests.agents_service import MadeSession, RunningAgents, start_agents_service

COUNTS = "HEARTBEATS_COUNTS"
AT_MOST = 128  # heartbeats under way at once where as many are sent as are answered


def serve() -> int:
    """services/agents with its transactions counted; SIGUSR1 writes the counts to the file that COUNTS names."""
    counts = {"read": 0, "write": 0}

    def ended(connection: Connection) -> None:
        counts["write" if connection.get_execution_options().get("ledger_writes") else "read"] += 1

    def tell(number: int, frame: object) -> None:
        path = Path(os.environ[COUNTS])
        path.with_suffix(".new").write_text(json.dumps(counts))
        path.with_suffix(".new").replace(path)

    for name in ("commit", "rollback"):
        event.listen(Engine, name, ended)
    signal.signal(signal.SIGUSR1, tell)
    return running.main("agents", agents, ["--ends-with-parent"])


@dataclass
class Wire(asyncio.Protocol):
    """One kept connection; ``ask`` sends a request and awaits its whole answer."""

    answer: asyncio.Future[int] | None = None
    got: bytearray = field(default_factory=bytearray)
    transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def ask(self, request: bytes) -> asyncio.Future[int]:
        """The status, once the answer is there."""
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.answer

    def data_received(self, data: bytes) -> None:
        self.got += data
        head, found, body = self.got.partition(b"\r\n\r\n")
        if not found or self.answer is None or self.answer.done():
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(body) >= length:
            self.got.clear()
            self.answer.set_result(int(head[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(error or ConnectionError("closed"))


@dataclass
class Notebook:
    """A session as its agent speaks: heartbeats on one connection, waiting for orders on another."""

    made: MadeSession
    number: int
    host: str
    path: str
    sequence: int = 0
    beats: Wire = field(default_factory=Wire)
    orders: Wire = field(default_factory=Wire)
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def connect(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        for wire in (self.beats, self.orders):
            await loop.create_connection(lambda wire=wire: wire, "127.0.0.1", port)  # type: ignore[misc]

    def _request(self, method: str, path: str, body: bytes = b"") -> bytes:
        head = f"{method} {self.path}v1/{path} HTTP/1.1\r\nHost: {self.host}\r\nAuthorization: Bearer "
        head += f"{self.made.token}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    async def beat(self) -> None:
        """One heartbeat, answered."""
        async with self.busy:
            self.sequence += 1
            body = json.dumps(self._body().to_json(), separators=(",", ":")).encode()
            status = await self.beats.ask(self._request("POST", "heartbeat", body))
        if status != 200:
            raise RuntimeError(f"a heartbeat was answered with {status}")

    def _body(self) -> Heartbeat:
        """A kernel at work or not (another verdict every twentieth time), a terminal, a person now and then."""
        works = (self.sequence // 20 + self.number) % 2 == 0
        now = SYSTEM_CLOCK.now()
        signals = (
            Signal("kernel", "busy" if works else "idle", to_text(now), "train.ipynb has run for a while"),
            Signal("terminal", "idle", "2026-01-01T00:00:00Z", ""),
            Signal("cpu", "busy" if works else "idle", to_text(now), "1.2 of 2 processors"),
            Signal("browser", "idle", "2026-01-01T00:00:00Z", ""),
        )
        saved = Saved(3, to_text(now), pending_bytes=self.sequence * 1000, pending_files=self.sequence % 9)
        return Heartbeat(self.sequence, "running", agent_version="0.1", signals=signals, saved=saved)

    async def wait_for_orders(self) -> None:
        """Until cancelled."""
        while True:
            await self.orders.ask(self._request("GET", "orders?after="))


@dataclass
class Took:
    """What the answers took, in seconds from when each was due."""

    seconds: list[float] = field(default_factory=list)

    def at(self, share: float) -> float:
        found = sorted(self.seconds)
        return found[min(len(found) - 1, int(share * len(found)))]


async def at_a_rate(notebooks: Sequence[Notebook], rate: float, seconds: float) -> Took:
    """Each notebook in its turn, so many a second in all, whether or not those before were answered."""
    took, began = Took(), time.monotonic()

    async def one(notebook: Notebook, due: float) -> None:
        await notebook.beat()
        took.seconds.append(time.monotonic() - due)

    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            due = began + number / rate
            wait = due - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            group.create_task(one(notebooks[number % len(notebooks)], due))
    return took


async def at_most(notebooks: Sequence[Notebook], seconds: float) -> int:
    """How many are answered when the next follows each answer."""
    end, count, turn = time.monotonic() + seconds, 0, iter(range(10**9))

    async def one() -> None:
        nonlocal count
        while time.monotonic() < end:
            await notebooks[next(turn) % len(notebooks)].beat()
            count += 1

    await asyncio.gather(*(one() for _ in range(AT_MOST)))
    return count


class Meter:
    """Processor, memory and transactions of the service between ``begin`` and ``end``."""

    def __init__(self, service: RunningAgents, counts: Path) -> None:
        assert service.process is not None
        self.process, self.counts = psutil.Process(service.process.pid), counts

    def _now(self) -> tuple[float, float, dict[str, int]]:
        self.counts.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        while not self.counts.exists():
            time.sleep(0.01)
        times = self.process.cpu_times()
        return time.monotonic(), times.user + times.system, json.loads(self.counts.read_text())

    def begin(self) -> None:
        self.began = self._now()

    def end(self, answered: int) -> str:
        """answered: heartbeats meanwhile."""
        now = self._now()
        seconds = now[0] - self.began[0]
        busy = 100 * (now[1] - self.began[1]) / seconds
        reads, writes = ((now[2][name] - self.began[2][name]) / seconds for name in ("read", "write"))
        memory = self.process.memory_info().rss / 2**20
        return (
            f"{busy:.0f} % of a processor ({1e6 * (now[1] - self.began[1]) / answered:.0f} µs each), {memory:.0f} MB,"
            f" {reads:.0f} reading and {writes:.0f} writing transactions a second"
        )


async def measure(service: RunningAgents, made: Sequence[MadeSession], given: Any, counts: Path) -> None:
    parts = urlsplit(service.url)
    assert parts.port is not None
    notebooks = [Notebook(one, n, parts.netloc, parts.path) for n, one in enumerate(made)]
    for one in notebooks:
        await one.connect(parts.port)
    waiting = [asyncio.create_task(one.wait_for_orders()) for one in notebooks]
    await asyncio.gather(*(one.beat() for one in notebooks))
    meter = Meter(service, counts)
    meter.begin()
    began = time.monotonic()
    took = await at_a_rate(notebooks, given.rate, given.seconds)
    rate = len(took.seconds) / (time.monotonic() - began)
    milliseconds = [took.at(share) * 1000 for share in (0.5, 0.99, 1)]
    print(
        f"  {given.rate} a second due: {rate:.0f} a second answered, within {milliseconds[0]:.0f} ms (half),"
        f" {milliseconds[1]:.0f} ms (99 %), {milliseconds[2]:.0f} ms (all); {meter.end(len(took.seconds))}"
    )
    meter.begin()
    count = await at_most(notebooks, given.seconds)
    print(f"  as many as it takes: {count / given.seconds:.0f} a second; {meter.end(count)}", flush=True)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


def begin(service: RunningAgents, number: int) -> list[MadeSession]:
    """So many running sessions that have said hello."""
    made = [service.new_session(f"user{n}", "main") for n in range(number)]
    now = SYSTEM_CLOCK.now()
    sessions.report(service.ledger, [sessions.Report(one.id, {"ready_at": now}) for one in made])

    def hello(one: MadeSession) -> None:
        status, answer = service.call(one, "POST", "hello", {"agent_version": "0.1"}, timeout=600)
        if status != 200:
            raise RuntimeError(f"hello was answered with {status}: {answer}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hello, made))
    return made


@contextlib.contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder}/ledger.sqlite"
        return
    with postgres.running(durable=True) as server:
        yield server.new_database()


def run(kind: str, given: Any) -> None:
    with tempfile.TemporaryDirectory() as made, database(kind, Path(made)) as url:
        counts = Path(made) / "counts.json"
        os.environ[COUNTS] = str(counts)
        service = start_agents_service(
            Path(made), ledger=url, command=(sys.executable, "-m", "tests.benchmarks.heartbeats", "--serve")
        )
        try:
            began = time.monotonic()
            notebooks = begin(service, given.sessions)
            print(f"{kind}: {given.sessions} sessions, begun in {time.monotonic() - began:.0f} s", flush=True)
            asyncio.run(measure(service, notebooks, given, counts))
        finally:
            service.close()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument(
        "--ledger", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite", "postgresql"]
    )
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.serve:
        return serve()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for kind in given.ledger:
        run(kind, given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
