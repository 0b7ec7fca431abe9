"""`store validate` on each kind of store, as one table: which checks each passes, and what is done with it.

    .venv/bin/python -m tests.benchmarks.stores [--stores "versitygw over http" …]

Each server is real, on 127.0.0.1, with an empty bucket; each column is what the command answered as JSON, before it stands what it
said to a person. MinIO and rclone are built once, which takes minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyterhub_notebooks.workspace.store.validating import CHECKS
from tests import certificates, s3

#: What `--store` and `--store-option` name, and the variables in which secrets come.
Place = tuple[str, Mapping[str, str], Mapping[str, str]]
SECRETS = ("key", "secret", "put_key", "put_secret", "put_token")
SHOWN = {"passed": "passed", "handled": "handled", "failed": "FAILED", "not_here": "-"}


@contextlib.contextmanager
def directory(folder: Path) -> Iterator[Place]:
    yield (folder / "store").as_uri(), {}, {}


@contextlib.contextmanager
def over_http(folder: Path) -> Iterator[Place]:
    with s3.running(folder / "s3") as server:
        yield of(server)


@contextlib.contextmanager
def over_tls(folder: Path) -> Iterator[Place]:
    with s3.running(folder / "s3", certificates=certificates.make(folder / "certificates")) as server:
        yield of(server)


@contextlib.contextmanager
def minio(folder: Path) -> Iterator[Place]:
    with s3.minio(folder / "s3") as server:
        yield of(server)


@contextlib.contextmanager
def minio_only_puts(folder: Path) -> Iterator[Place]:
    with s3.minio(folder / "s3") as server:
        yield of(server, s3.only_puts(server))


@contextlib.contextmanager
def rclone(folder: Path) -> Iterator[Place]:
    with s3.lying(folder / "s3") as server:
        yield of(server)


@contextlib.contextmanager
def rclone_none(folder: Path) -> Iterator[Place]:
    with s3.lying(folder / "s3") as server:
        yield of(server, {"conditional": "none"})


STORES: dict[str, Callable[[Path], contextlib.AbstractContextManager[Place]]] = {
    "a directory": directory,
    "versitygw over http": over_http,
    "versitygw over TLS": over_tls,
    "MinIO": minio,
    "MinIO with put_key": minio_only_puts,
    "rclone serve s3": rclone,
    "rclone, conditional none": rclone_none,
}


def of(server: s3.S3, more: Mapping[str, str] | None = None) -> Place:
    """How a person names that server: secrets by variables only."""
    options = {**server.options, **(more or {})}
    variables = {f"S3_{name.upper()}": value for name, value in options.items() if name in SECRETS}
    named = {name: f"env:S3_{name.upper()}" if name in SECRETS else value for name, value in options.items()}
    return server.url, named, variables


def validate(place: Place) -> tuple[dict[str, Any], int, str, float]:
    """What the command answered, its exit status, its last line, and the seconds it took."""
    url, options, variables = place
    command = [
        sys.executable,
        "-m",
        "jupyterhub_notebooks.cli",
        "store",
        "validate",
        "--json",
        "--store",
        url,
    ]
    for name, value in options.items():
        command += ["--store-option", f"{name}={value}"]
    began = time.monotonic()
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True)
    said = (done.stderr.strip().splitlines() or ["This store can be used."])[-1]
    return json.loads(done.stdout), done.returncode, said, time.monotonic() - began


def table(found: Mapping[str, dict[int, str]]) -> str:
    """One line a check, one column a store."""
    names = list(found)
    width = max(len(check.title) for check in CHECKS) + 7
    lines = [" " * width + " | ".join(names)]
    for check in CHECKS:
        cells = [found[name].get(check.number, "").ljust(len(name)) for name in names]
        lines.append(f"({check.number:>2}) {check.title}".ljust(width) + " | ".join(cells).rstrip())
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", nargs="+", choices=STORES, default=list(STORES))
    given = parser.parse_args(arguments)
    found: dict[str, dict[int, str]] = {}
    for name in given.stores:
        with tempfile.TemporaryDirectory() as folder, STORES[name](Path(folder)) as place:
            answer, status, said, seconds = validate(place)
        found[name] = {one["number"]: SHOWN[one["outcome"]] for one in answer["checks"]}
        print(f"{name}: status {status}, {seconds:.0f} s. {said}")
        for one in answer["checks"]:
            if "done" in one:
                print(f"    ({one['number']}) handled: {one['done']}.")
        sys.stdout.flush()
    print()
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
