"""Real S3 servers for tests, on 127.0.0.1 over a temporary folder: versitygw, MinIO, and rclone as the one that lies.

Promises: each is a process of its own with fresh keys and an empty bucket; it is ended by its process id. The
programs are built once by tests/tools/prepare.py, which takes minutes for MinIO and rclone.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.exceptions
import botocore.session

from .certificates import Certificates
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
    ca_file: str = ""

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
            **({"ca_file": self.ca_file} if self.ca_file else {}),
        }

    def client(self, service: str = "s3") -> Any:
        """botocore's client with the server's own keys."""
        return botocore.session.get_session().create_client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            verify=self.ca_file or None,
        )


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(
    folder: Path,
    *,
    log: Path | None = None,
    certificates: Certificates | None = None,
    host: str = "127.0.0.1",
) -> Iterator[S3]:
    """versitygw over ``folder`` (made if missing), with the bucket ``notebooks``, until the block ends.

    certificates: answers over TLS with them, and over TLS alone. host: this machine's address that it listens on, and
    no other, such as that of a bridge on which containers reach it.
    """
    key, secret, port = secrets.token_hex(8), secrets.token_hex(16), free_port()
    (folder / BUCKET).mkdir(parents=True, exist_ok=True)
    command = [prepare.versitygw(), "--port", f"{host}:{port}", "--quiet", "--keep-alive"]
    if certificates:
        command += ["--cert", str(certificates.certificate), "--key", str(certificates.key)]
    command += ["posix", str(folder)]
    own = {"ROOT_ACCESS_KEY": key, "ROOT_SECRET_KEY": secret}
    with _process(command, own, port, log, host) as pid:
        scheme, ca_file = ("https", str(certificates.authority)) if certificates else ("http", "")
        yield S3(f"{scheme}://{host}:{port}", key, secret, folder, pid, ca_file)


@contextlib.contextmanager
def minio(folder: Path) -> Iterator[S3]:
    """MinIO over ``folder``, with the bucket ``notebooks``, until the block ends."""
    key, secret, port = secrets.token_hex(8), secrets.token_hex(16), free_port()
    (folder / BUCKET).mkdir(parents=True, exist_ok=True)
    command = [prepare.minio(), "server", "--quiet", "--address", f"127.0.0.1:{port}"]
    command += ["--console-address", f"127.0.0.1:{free_port()}", str(folder)]
    own = {"MINIO_ROOT_USER": key, "MINIO_ROOT_PASSWORD": secret, "MINIO_UPDATE": "off"}
    with _process(command, own, port, None) as pid:
        server = S3(f"http://127.0.0.1:{port}", key, secret, folder, pid)
        end = time.monotonic() + START_SECONDS
        while True:  # it listens before it is ready
            try:
                server.client().head_bucket(Bucket=BUCKET)
                break
            except botocore.exceptions.ClientError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
        yield server


def only_puts(server: S3) -> dict[str, str]:
    """Options of an identity that may write below the store's prefix and nothing else; MinIO gives it for an hour."""
    allowed = {"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": [f"arn:aws:s3:::{BUCKET}/root/*"]}
    made = server.client("sts").assume_role(
        RoleArn="arn:aws:iam::minio:role/puts",
        RoleSessionName="puts",
        Policy=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
        DurationSeconds=3600,
    )["Credentials"]
    return {
        "put_key": made["AccessKeyId"],
        "put_secret": made["SecretAccessKey"],
        "put_token": made["SessionToken"],
    }


@contextlib.contextmanager
def lying(folder: Path) -> Iterator[S3]:
    """rclone over ``folder``: it overwrites silently, whatever condition or checksum a PUT carries."""
    key, secret, port = secrets.token_hex(8), secrets.token_hex(16), free_port()
    (folder / BUCKET).mkdir(parents=True, exist_ok=True)
    keys = folder.parent / f"{folder.name}.keys"
    command = [prepare.rclone(), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--config", str(keys)]
    own = {"RCLONE_AUTH_KEY": f'"{key},{secret}"'}  # a list in CSV
    with _process([*command, str(folder)], own, port, None) as pid:
        yield S3(f"http://127.0.0.1:{port}", key, secret, folder, pid)


@contextlib.contextmanager
def _process(
    command: list[str], own: Mapping[str, str], port: int, log: Path | None, host: str = "127.0.0.1"
) -> Iterator[int]:
    """The program with these variables until the block ends; its process id, once it listens."""
    with open(log or os.devnull, "ab") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, **own},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(process, port, host)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, host: str) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the S3 server ended with status {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"the S3 server does not listen after {START_SECONDS} s")
