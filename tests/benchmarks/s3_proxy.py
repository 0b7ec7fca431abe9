"""A proxy before an S3 server on 127.0.0.1 that counts requests and bytes, and can add a delay to each request.

    python -m tests.benchmarks.s3_proxy --to PORT --port PORT [--delay-ms 20]

Promises: the bytes pass unchanged; a request counts when its head has arrived; sent bytes are those of bodies. Each line on
standard input is answered with one line of JSON, ``{"requests": {method: n}, "sent": bytes, "received": bytes}``, since
the line before. What goes towards the server is delayed as a whole, so a request waits once whatever its length.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

_AT_ONCE = 2**18


class Counted:
    """What passed since it was last asked."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.sent = self.received = 0

    def taken(self) -> str:
        """The counts as a line; they begin again at 0."""
        said = {"requests": dict(self.requests), "sent": self.sent, "received": self.received}
        self.__init__()  # type: ignore[misc]
        return json.dumps(said)


class Framing:
    """Follows one connection's requests through their heads and bodies."""

    def __init__(self, counted: Counted) -> None:
        self._counted = counted
        self._head = b""
        self._left = 0
        self._chunked = False

    def feed(self, data: bytes) -> None:
        while data:
            if self._left:
                part = min(self._left, len(data))
                self._left -= part
                self._counted.sent += part
                data = data[part:]
            elif self._chunked:
                end = data.find(b"0\r\n\r\n")
                self._counted.sent += len(data)
                self._chunked = end < 0
                return
            else:
                self._head += data
                end = self._head.find(b"\r\n\r\n")
                if end < 0:
                    return
                head, data, self._head = self._head[:end], self._head[end + 4 :], b""
                self._begins(head)

    def _begins(self, head: bytes) -> None:
        first, *lines = head.split(b"\r\n")
        self._counted.requests[first.split(b" ")[0].decode("ascii", "replace")] += 1
        for line in lines:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                self._left = int(value)
            elif name.lower() == b"transfer-encoding" and b"chunked" in value.lower():
                self._chunked = True


async def _towards_server(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, framing: Framing, delay_seconds: float
) -> None:
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)

    async def pass_on() -> None:
        while True:
            due, data = await waiting.get()
            if (left := due - loop.time()) > 0:
                await asyncio.sleep(left)
            if not data:
                writer.close()
                return
            writer.write(data)
            await writer.drain()

    passing = asyncio.create_task(pass_on())
    with suppress(OSError):
        while data := await reader.read(_AT_ONCE):
            framing.feed(data)
            await waiting.put((loop.time() + delay_seconds, data))
    await waiting.put((0.0, b""))
    with suppress(OSError):
        await passing


async def _towards_client(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counted: Counted
) -> None:
    with suppress(OSError):
        while data := await reader.read(_AT_ONCE):
            counted.received += len(data)
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def serving(port: int, to: int, delay_seconds: float, counted: Counted) -> AsyncIterator[None]:
    """The proxy, until the block ends."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", to, limit=_AT_ONCE)
        except OSError:
            writer.close()
            return
        await asyncio.gather(
            _towards_server(reader, to_server, Framing(counted), delay_seconds),
            _towards_client(from_server, writer, counted),
        )

    server = await asyncio.start_server(connected, "127.0.0.1", port, limit=_AT_ONCE)
    try:
        yield
    finally:
        server.close()


async def _run(port: int, to: int, delay_seconds: float) -> None:
    counted = Counted()
    asked = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    async with serving(port, to, delay_seconds, counted):
        print("ready", flush=True)
        while await asked.readline():
            print(counted.taken(), flush=True)


@contextmanager
def proxy(port: int, to: int, delay_ms: float) -> Iterator[Ask]:
    """The proxy as a process of its own, until the block ends; calling what it gives answers the counts."""
    import subprocess

    command = [sys.executable, "-m", "tests.benchmarks.s3_proxy"]
    command += ["--port", str(port), "--to", str(to), "--delay-ms", str(delay_ms)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdout.readline()
        yield Ask(process.stdin, process.stdout)
        process.stdin.close()


class Ask:
    """Asks a running proxy what passed since the last time."""

    def __init__(self, stdin: object, stdout: object) -> None:
        self._stdin, self._stdout = stdin, stdout

    def __call__(self) -> dict[str, object]:
        self._stdin.write("\n")  # type: ignore[attr-defined]
        self._stdin.flush()  # type: ignore[attr-defined]
        said: dict[str, object] = json.loads(self._stdout.readline())  # type: ignore[attr-defined]
        return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--to", type=int, required=True)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    asked = parser.parse_args()
    asyncio.run(_run(asked.port, asked.to, asked.delay_ms / 1000))


if __name__ == "__main__":
    main()
