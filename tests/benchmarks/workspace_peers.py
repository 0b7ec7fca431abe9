"""What workspace.py measures: our engine and its peers, each doing the same four things with the same tree.

Promises: a fresh place in the store and a cache of its own for each; the options that its authors recommend for many files
where its defaults would be slower (OPTIONS says which); nothing of a tool's answers is believed but its exit status.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..s3 import BUCKET, S3
from ..tools import peers, prepare

OPTIONS = {
    "ours": "the engine in a running process, as in an agent; its own start is printed apart",
    "restic": "defaults (compression auto, local cache kept between commands), backup --no-scan, 16 connections",
    "rclone": "sync --links --fast-list, 32 transfers and checkers; saves with --update --use-server-modtime",
    "s5cmd": "sync --no-follow-symlinks to the store, 64 workers",
    "aws": "s3 sync --no-follow-symlinks, 32 concurrent requests",
    "cp": "cp -a on the same disk",
}


@dataclass(frozen=True)
class Place:
    """Where a tool works in one round: the server (through its proxy where there is one), own folders, own prefix."""

    server: S3
    folder: Path
    prefix: str
    encrypted: bool

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "AWS_ACCESS_KEY_ID": self.server.key,
            "AWS_SECRET_ACCESS_KEY": self.server.secret,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "HOME": str(self.folder),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
        }


@dataclass(frozen=True)
class Took:
    """seconds of the work; cpu_seconds of the tool's own processes; peak_bytes of the largest of them, of ours of all
    together; disk_seconds: what syncing cost after it."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    disk_seconds: float | None = None


class Tool(Protocol):
    """first, again and changed save tree; restore writes into a folder that is not there."""

    def save(self, tree: Path) -> Took: ...
    def restore(self, into: Path) -> Took: ...
    def close(self) -> None: ...


class Command:
    """A peer that is a program: one process for each step."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def close(self) -> None:
        """Nothing runs between steps."""

    def run(self, command: Sequence[str], folder: Path | None = None, **own: str) -> Took:
        """One process, with the time and memory it took."""
        began = time.monotonic()
        with open(self.place.folder / "log", "ab") as log:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**self.place.environment, **own},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said = (self.place.folder / "log").read_text(errors="replace")[-2000:]
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{said}")
        return Took(time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


class Restic(Command):
    def __init__(self, place: Place) -> None:
        super().__init__(place)
        url = f"s3:{place.server.endpoint}/{BUCKET}/{place.prefix}"
        self._command = [peers.restic(), "-q", "-r", url, "-o", "s3.connections=16"]
        self._own = {"RESTIC_PASSWORD": "of a benchmark"}
        self.run([*self._command, "init"], **self._own)

    def save(self, tree: Path) -> Took:
        return self.run([*self._command, "backup", "--no-scan", "."], tree, **self._own)

    def restore(self, into: Path) -> Took:
        return self.run([*self._command, "restore", "latest", "--target", str(into)], **self._own)


class Rclone(Command):
    def __init__(self, place: Place) -> None:
        super().__init__(place)
        server = place.server
        self._remote = f"s:{BUCKET}/{place.prefix}"
        self._own = {
            "RCLONE_CONFIG_S_TYPE": "s3",
            "RCLONE_CONFIG_S_PROVIDER": "Other",
            "RCLONE_CONFIG_S_ENDPOINT": server.endpoint,
            "RCLONE_CONFIG_S_ACCESS_KEY_ID": server.key,
            "RCLONE_CONFIG_S_SECRET_ACCESS_KEY": server.secret,
            "RCLONE_CONFIG_S_NO_CHECK_BUCKET": "true",
            "RCLONE_CONFIG": str(place.folder / "rclone.conf"),
        }
        self._sync = [prepare.rclone(), "-q", "sync", "--links", "--fast-list"]
        self._sync += ["--transfers", "32", "--checkers", "32"]

    def save(self, tree: Path) -> Took:
        return self.run(
            [*self._sync, "--update", "--use-server-modtime", str(tree), self._remote], **self._own
        )

    def restore(self, into: Path) -> Took:
        return self.run([*self._sync, self._remote, str(into)], **self._own)


class S5cmd(Command):
    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._command = [peers.s5cmd(), "--log", "error", "--numworkers", "64"]
        self._command += ["--endpoint-url", place.server.endpoint, "sync"]
        self._remote = f"s3://{BUCKET}/{place.prefix}/"

    def save(self, tree: Path) -> Took:
        return self.run([*self._command, "--no-follow-symlinks", f"{tree}/", self._remote])

    def restore(self, into: Path) -> Took:
        return self.run([*self._command, f"{self._remote}*", f"{into}/"])


class Aws(Command):
    def __init__(self, place: Place) -> None:
        super().__init__(place)
        config = place.folder / "aws.conf"
        config.write_text("[default]\ns3 =\n  max_concurrent_requests = 32\n")
        self._own = {"AWS_CONFIG_FILE": str(config)}
        self._command = [peers.aws(), "--endpoint-url", place.server.endpoint, "s3", "sync"]
        self._command += ["--only-show-errors"]
        self._remote = f"s3://{BUCKET}/{place.prefix}"

    def save(self, tree: Path) -> Took:
        return self.run([*self._command, "--no-follow-symlinks", str(tree), self._remote], **self._own)

    def restore(self, into: Path) -> Took:
        return self.run([*self._command, self._remote, str(into)], **self._own)


class Cp(Command):
    """Saves nothing; what it restores is the tree itself."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._tree = Path()

    def save(self, tree: Path) -> Took:
        self._tree = tree
        return Took(0.0, 0.0, 0)

    def restore(self, into: Path) -> Took:
        took = self.run(["cp", "-a", str(self._tree), str(into)])
        began = time.monotonic()
        os.sync()
        return dataclasses.replace(took, disk_seconds=time.monotonic() - began)


class Ours:
    """Saves in one running process; restores in a new one with an empty state, as on another machine."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._key = secrets.token_hex(32) if place.encrypted else None
        self._stack = contextlib.ExitStack()
        self._ask = self._stack.enter_context(self._process("state"))

    def close(self) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def _process(self, state: str) -> Iterator[Any]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.workspace_ours"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None and process.stdout is not None
        setup = {
            "url": f"s3://{BUCKET}/{self._place.prefix}",
            "options": dict(self._place.server.options),
            "key": self._key,
            "state": str(self._place.folder / state),
        }

        def ask(**what: Any) -> dict[str, Any]:
            process.stdin.write(json.dumps(what) + "\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            with _watching(process.pid) as beside:
                line = process.stdout.readline()  # type: ignore[union-attr]
            if not line:
                raise SystemExit("Our process ended before it answered")
            answer: dict[str, Any] = json.loads(line)
            answer["peak_bytes"] = _memory(process.pid)["VmHWM"] + max(beside)
            return answer

        try:
            ask(**setup)
            yield ask
        finally:
            process.stdin.close()
            process.wait()
            process.stdout.close()

    def save(self, tree: Path) -> Took:
        answer = self._ask(do="save", path=str(tree))
        return Took(answer["seconds"], answer["cpu_seconds"], answer["peak_bytes"])

    def restore(self, into: Path) -> Took:
        with self._process(f"state-{into.name}") as ask:
            answer = ask(do="restore", path=str(into))
        return Took(answer["seconds"], answer["cpu_seconds"], answer["peak_bytes"], answer["disk_seconds"])


@contextlib.contextmanager
def _watching(pid: int) -> Iterator[list[int]]:
    """Bytes that the processes which pid started have beside its own, ten times a second.

    A page that several processes map counts among them in equal parts: libraries, which pid's own number has in full, would
    count twice otherwise. What they share as memory is in pid's own number too.
    """
    seen, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            total = 0
            for folder in Path(f"/proc/{pid}/task").glob("*/children"):
                with contextlib.suppress(OSError, KeyError):
                    for child in folder.read_text().split():
                        memory = _memory(int(child), "smaps_rollup")
                        total += memory["Pss"] - memory["Pss_Shmem"]
            seen.append(total)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def _memory(pid: int, page: str = "status") -> dict[str, int]:
    """What the system says of a process's memory, in bytes."""
    lines = [line.split() for line in Path(f"/proc/{pid}/{page}").read_text().splitlines()]
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if words[-1] == "kB"}


TOOLS: dict[str, type[Any]] = {
    "ours": Ours,
    "restic": Restic,
    "rclone": Rclone,
    "s5cmd": S5cmd,
    "aws": Aws,
    "cp": Cp,
}


def versions(names: Sequence[str]) -> list[str]:
    """One line for each tool: what it is and how it is used."""
    lines = []
    for name in names:
        said = (
            peers.version(name) if name in peers.PROGRAMS else {"cp": "coreutils"}.get(name, "this checkout")
        )
        lines.append(f"{name:<7} {said} - {OPTIONS[name]}")
    return lines


def command_start() -> float:
    """Seconds from starting our command to its first line of help, the least of three."""
    program = Path(sys.executable).with_name("jupyterhub-notebooks")
    taken = []
    for _ in range(3):
        began = time.monotonic()
        subprocess.run([program, "workspace", "save", "--help"], check=True, capture_output=True)
        taken.append(time.monotonic() - began)
    return min(taken)
