"""How fast URLs are signed, and what a hostile notebook can do to others by asking for them.

    .venv/bin/python -m tests.benchmarks.signing [--sessions 200] [--rate 200] [--seconds 10]

First the signers alone, in URLs a second of one processor. Then services/agents as a process of its own: --sessions notebooks
send heartbeats at --rate in all, alone, and then while one more notebook asks on eight connections as fast as it is answered:
for a thousand URLs at a time, with a megabyte of nonsense, and with a token that nobody has. Printed: how long the others'
answers took, how much the hostile one was given, and how often it was refused.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jupyterhub_notebooks.services.agents.signing import DirectorySigner, S3Signer, Signer
from tests.agents_service import MadeSession, start_agents_service

from .heartbeats import Notebook, Wire, at_a_rate, begin

CONNECTIONS = 8
BATCH = 1000
KEY = "workspaces/01m7z3t6v5jpxy9p9c37bhk0b8/blocks/ab/"


def signers() -> dict[str, Signer]:
    def now() -> datetime:
        return datetime.now(UTC)

    s3 = S3Signer(
        endpoint_url="https://s3.example.org",
        region="eu-central-1",
        key="AKIAEXAMPLE",
        secret="a secret of the benchmark",
        bucket="bucket",
        prefix="root",
        now=now,
    )
    return {"S3": s3, "directory": DirectorySigner("http://127.0.0.1:1/v1/store", "a key", now)}


def alone(number: int = 20_000) -> None:
    """Prints what the signers make in a second of processor time."""
    names = [KEY + f"{n:064x}" for n in range(number)]
    digest = "ab" * 32
    for kind, signer in signers().items():
        rates = []
        for sign in (signer.get, lambda key, signer=signer: signer.put(key, 5, digest)):
            began = time.process_time()
            for name in names:
                sign(name)
            rates.append(number / (time.process_time() - began))
        print(f"{kind}: {rates[0]:,.0f} GET and {rates[1]:,.0f} PUT URLs a second of one processor")


@dataclass
class Hostile:
    """Asks on several connections as fast as it is answered; statuses: how it was answered."""

    token: str
    body: Callable[[int], bytes]
    statuses: Counter[int] = field(default_factory=Counter)

    async def run(self, host: str, port: int, path: str, end: float) -> None:
        loop = asyncio.get_running_loop()

        async def one(number: int) -> None:
            wire = Wire()
            await loop.create_connection(lambda: wire, "127.0.0.1", port)
            while time.monotonic() < end:
                number += CONNECTIONS
                body = self.body(number)
                head = (
                    f"POST {path}v1/urls HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {self.token}\r\n"
                )
                head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                self.statuses[await wire.ask(head.encode() + body)] += 1
            wire.transport.close()

        await asyncio.gather(*(one(number) for number in range(CONNECTIONS)))


def a_thousand(number: int) -> bytes:
    wanted = [
        {
            "kind": "block",
            "method": "PUT",
            "hash": f"{number * BATCH + n:064x}",
            "length": 9,
            "sha256": "ab" * 32,
        }
        for n in range(BATCH)
    ]
    return json.dumps({"urls": wanted}).encode()


def nonsense(number: int) -> bytes:
    return b'{"urls": [' + b"[]," * 330_000 + b"[]]}"


async def measure(url: str, made: Sequence[MadeSession], given: Any) -> None:
    parts = urlsplit(url)
    assert parts.port is not None
    notebooks = [Notebook(one, n, parts.netloc, parts.path) for n, one in enumerate(made[3:])]
    for notebook in notebooks:
        await notebook.connect(parts.port)
        await notebook.beat()
    cases: dict[str, Hostile | None] = {
        "alone": None,
        "beside 1,000 URLs at a time": Hostile(made[0].token, a_thousand),
        "beside a megabyte of nonsense": Hostile(made[1].token, nonsense),
        "beside a token that nobody has": Hostile("f" * 64, a_thousand),
    }
    for name, hostile in cases.items():
        end = time.monotonic() + given.seconds
        asking = hostile.run(parts.netloc, parts.port, parts.path, end) if hostile else asyncio.sleep(0)
        took, _ = await asyncio.gather(at_a_rate(notebooks, given.rate, given.seconds), asking)
        line = f"{name}: heartbeats of others within {1000 * took.at(0.5):.0f} ms (half), {1000 * took.at(0.99):.0f} ms (99 %)"
        if hostile:
            good = hostile.statuses[200] * BATCH
            line += f"; given {good:,} URLs, answered {dict(hostile.statuses)}"
        print(line, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args(arguments)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    alone()
    with tempfile.TemporaryDirectory() as folder:
        service = start_agents_service(Path(folder))
        try:
            asyncio.run(measure(service.url, begin(service, given.sessions + 3), given))
        finally:
            service.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
