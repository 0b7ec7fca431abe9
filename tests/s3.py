"""A real S3 server for tests: versitygw on 127.0.0.1 over a temporary folder.

Promises: each ``Versitygw`` is a process of its own with fresh keys and an empty bucket; it is ended by its
process id. The program is built once by tests/tools/prepare.py.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .tools import prepare

START_SECONDS = 30.0
BUCKET = "notebooks"


@dataclass(frozen=True)
class S3:
    """A running server: where it is, and the options with which our stores are opened."""

    endpoint: str
    key: str
    secret: str
    folder: Path
    pid: int

    @property
    def url(self) -> str:
        """A store's address in the server's bucket."""
        return f"s3://{BUCKET}/root"

    @property
    def options(self) -> Mapping[str, str]:
        """What Settings.store_options and our S3 store take."""
        return {
            "endpoint_url": self.endpoint,
            "region": "us-east-1",
            "key": self.key,
            "secret": self.secret,
            "addressing": "path",
        }


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(folder: Path, *, log: Path | None = None) -> Iterator[S3]:
    """versitygw over ``folder`` (made if missing), with the bucket ``notebooks``, until the block ends."""
    key, secret = secrets.token_hex(8), secrets.token_hex(16)
    port = free_port()
    (folder / BUCKET).mkdir(parents=True, exist_ok=True)
    command = [
        prepare.versitygw(),
        "--port",
        f"127.0.0.1:{port}",
        "--quiet",
        "--keep-alive",
        "posix",
        str(folder),
    ]
    environment = {**os.environ, "ROOT_ACCESS_KEY": key, "ROOT_SECRET_KEY": secret}
    with open(log or os.devnull, "ab") as output:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait(process, port)
        yield S3(f"http://127.0.0.1:{port}", key, secret, folder, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"versitygw ended with status {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"versitygw does not listen after {START_SECONDS} s")
