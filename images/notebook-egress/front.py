"""What a notebook's programs know as their proxy: hands everything to squid, and says in words what squid refused.

    python3 front.py GIVEN.json

Promises: it decides nothing, squid does; of a refusal it makes one that names the host, in the line that pip prints too;
`GET /blocked?after=N` answers with the hosts refused so far, at once when there is a new one and after 25 s at the latest.
Standard library only.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(Path(__file__).parent))
import rules

HEAD_BYTES, PIECE_BYTES = 64 * 1024, 64 * 1024
HEAD_SECONDS, HELD_SECONDS = 60.0, 25.0
MOST_HOSTS = 200
REFUSED = b"x-squid-error: err_access_denied"


class Front:
    """One notebook's proxy. given: what is told of a refusal."""

    def __init__(self, given: rules.Given) -> None:
        self._given = given
        self._blocked: dict[str, tuple[int, float]] = {}
        self._number = 0
        self._news = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a program."""
        with contextlib.suppress(
            OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError
        ):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_SECONDS)
            method, _, rest = head.partition(b" ")
            target = rest.partition(b" ")[0].decode("latin-1")
            if target.startswith("/"):
                await self._tell(target, writer)
            else:
                await self._pass_on(head, _host(method.decode("latin-1"), target), reader, writer)
        writer.close()

    async def _tell(self, target: str, writer: asyncio.StreamWriter) -> None:
        parts = urlsplit(target)
        if parts.path != "/blocked":
            writer.write(_answer("404 Not here", b"", "text/plain"))
            return await writer.drain()
        after = parse_qs(parts.query).get("after", ["-1"])[0]
        end = time.monotonic() + HELD_SECONDS
        while after == str(self._number) and time.monotonic() < end:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), end - time.monotonic())
        hosts = [{"host": host, "count": count, "at": at} for host, (count, at) in self._blocked.items()]
        body = json.dumps({"number": self._number, "hosts": hosts}).encode()
        writer.write(_answer("200 OK", body, "application/json"))
        await writer.drain()

    async def _pass_on(
        self, head: bytes, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        from_squid, to_squid = await asyncio.open_connection("127.0.0.1", rules.SQUID_PORT, limit=HEAD_BYTES)
        try:
            to_squid.write(head)
            up = asyncio.create_task(_relay(reader, to_squid))
            try:
                answer = await from_squid.readuntil(b"\r\n\r\n")
                if answer.split(b" ", 2)[1:2] == [b"403"] and REFUSED in answer.lower():
                    writer.write(self._refusal(host))
                    return await writer.drain()
                writer.write(answer)
                await _relay(from_squid, writer)
            finally:
                up.cancel()
        finally:
            to_squid.close()

    def _refusal(self, host: str) -> bytes:
        count, _ = self._blocked.get(host, (0, 0.0))
        if count or len(self._blocked) < MOST_HOSTS:
            self._blocked[host] = (count + 1, time.time())
            self._number += 1
            self._news.set()
            if not count:
                print(f"Blocked: {host}", flush=True)
        said = rules.words(self._given, host)
        status = f"403 {said[0]}. {said[1]}".encode("ascii", "replace").decode("ascii")
        return _answer(status, ("\n".join(said) + "\n").encode(), "text/plain; charset=utf-8")


def _host(method: str, target: str) -> str:
    """The host that is asked for, with its port where that is not one of the web."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        port = "" if parts.port in (None, *rules.WEB_PORTS) else f":{parts.port}"
        return f"{parts.hostname or target}{port}"[:255]
    return target[:255]


def _answer(status: str, body: bytes, kind: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode("latin-1") + body


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(PIECE_BYTES):
        writer.write(piece)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


async def main(given: rules.Given) -> None:
    front = Front(given)
    server = await asyncio.start_server(front.serve, "127.0.0.1", rules.FRONT_PORT, limit=HEAD_BYTES)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(rules.Given(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
