"""A small supervisor: starts children in order, starts dead ones again, ends them in reverse order.

Promises: a child is started once it and those before it are ready; one that ends by itself is started
again after a growing wait, with a line that says so; each has a log file and a file with its process id,
by which a later run finds what this one left; nothing but these very processes is ever ended. Children
are out of reach of the terminal's Ctrl-C.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from ..errors import (
    ConfigError,
    Damaged,
    DatabaseAway,
    HubAway,
    NoSpace,
    NotebooksError,
    PortTaken,
    StorageAway,
)
from ..retrying import delays
from .state import State, write

Say = Callable[[str], object]

#: Ends of our own services that keep their meaning when ``up`` tells of them.
OWN_ENDS = (ConfigError, StorageAway, Damaged, NoSpace, PortTaken, DatabaseAway)

READY_SECONDS = 120.0
END_SECONDS = 20.0
SERVICES_END_SECONDS = 10.0
STEADY_SECONDS = 60.0
LONGEST_LOG_BYTES = 20 * 10**6


@dataclass(frozen=True)
class Child:
    """What to run. ``ready`` answers whether it can be used now; it may be asked often."""

    name: str
    title: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ready: Callable[[], Awaitable[bool]]


class Supervisor:
    """Children of this process, kept running until ``stop``."""

    def __init__(self, state: State, children: Sequence[Child], say: Say) -> None:
        self._state = state
        self._children = children
        self._say = say
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._ending: set[str] = set()

    async def start(self) -> None:
        """Starts all, each once the one before is ready. Raises what the child ended with, and its last words."""
        for child in self._children:
            begin = self._log_size(child)
            process = await self._launch(child)
            await self._wait_ready(child, process, begin)
            self._keepers[child.name] = asyncio.create_task(self._keep(child, process), name=child.name)

    async def stop(self) -> None:
        """Ends all, the last one first."""
        for child in reversed(self._children):
            self._ending.add(child.name)
            process = self._processes.get(child.name)
            if process is not None and process.returncode is None:
                await _end(process)
            keeper = self._keepers.pop(child.name, None)
            if keeper is not None:
                keeper.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await keeper
            self._state.pid_file(child.name).unlink(missing_ok=True)
        await asyncio.to_thread(await_services, self._state)

    # -- one child

    async def _launch(self, child: Child) -> asyncio.subprocess.Process:
        log = self._state.log(child.name)
        _rotate(log)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            process = await asyncio.create_subprocess_exec(
                *child.command,
                env=dict(child.environment),
                cwd=self._state.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,
            )
        finally:
            os.close(output)
        self._processes[child.name] = process
        with contextlib.suppress(psutil.Error):
            known = psutil.Process(process.pid)
            write(
                self._state.pid_file(child.name),
                json.dumps(
                    {"pid": process.pid, "started": known.create_time(), "command": list(child.command)}
                ),
            )
        return process

    async def _keep(self, child: Child, process: asyncio.subprocess.Process) -> None:
        waits = delays(0.5, 30.0)
        while True:
            began = time.monotonic()
            status = await process.wait()
            if child.name in self._ending:
                return
            if time.monotonic() - began > STEADY_SECONDS:
                waits = delays(0.5, 30.0)
            wait = next(waits)
            log = self._state.log(child.name)
            self._say(f"{child.title} ended ({_status(status)}); it is started again. Its log: {log}")
            await asyncio.sleep(wait)
            try:
                process = await self._launch(child)
            except OSError as error:
                self._say(f"{child.title} cannot be started: {error}")

    async def _wait_ready(self, child: Child, process: asyncio.subprocess.Process, begin: int) -> None:
        end = time.monotonic() + READY_SECONDS
        while not await child.ready():
            if process.returncode is not None:
                what = f"It ended ({_status(process.returncode)})"
                raise self._did_not_start(child, what, begin, process.returncode)
            if time.monotonic() > end:
                raise self._did_not_start(child, f"It does not answer after {READY_SECONDS:.0f} s", begin)
            await asyncio.sleep(0.1)

    def _did_not_start(self, child: Child, what: str, begin: int, status: int = 0) -> NotebooksError:
        log = self._state.log(child.name)
        said = last_words(_read(log, begin))
        return _kind_of(status)(
            f"{child.title} did not start", f"{what}: {said}" if said else what, [f"Its log is {log}"]
        )

    def _log_size(self, child: Child) -> int:
        try:
            return self._state.log(child.name).stat().st_size
        except OSError:
            return 0


def _kind_of(status: int) -> type[NotebooksError]:
    """The error that a process of ours ended with, told by its exit status."""
    known = {kind.exit_code: kind for kind in OWN_ENDS}
    return known.get(status, HubAway)


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), END_SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _status(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"by {signal.Signals(-code).name}"
    return f"with status {code}"


def _rotate(log: Path) -> None:
    with contextlib.suppress(OSError):
        if log.stat().st_size > LONGEST_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))


def _read(log: Path, begin: int) -> str:
    try:
        with open(log, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(begin if begin <= size else 0)
            return file.read(200_000).decode("utf-8", "replace")
    except OSError:
        return ""


def last_words(log: str) -> str:
    """The line of a log that says best why a program ended: an error's, else the last one."""
    plain = [_message(line.strip()) for line in log.splitlines() if line.strip()]
    errors = [line for line in plain if re.match(r"[\w.]*(Error|Exception|Refused|Away)\b: ", line)]
    said = (errors or plain or [""])[-1]
    return said[:400]


def _message(line: str) -> str:
    """What a line of a log says, without the Hub's head or our services' JSON around it."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return str(json.loads(line)["message"])
    return re.sub(r"^\[[A-Z] [^\]]*\]\s*", "", line)


# -- what an earlier run left


def leftovers(state: State) -> list[psutil.Process]:
    """Processes that an earlier ``up`` on this state started and that still run: children, Hub's services."""
    found = {process.pid: process for process in _from_pid_files(state)}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid not in found and _is_service(process, state):
                found[process.pid] = process
    return list(found.values())


def _from_pid_files(state: State) -> Iterator[psutil.Process]:
    for path in sorted((state.folder / "run").glob("*.json")):
        try:
            about = json.loads(path.read_text())
            process = psutil.Process(int(about["pid"]))
            same = process.cmdline()[-3:] == list(about["command"])[-3:]
            if same and abs(process.create_time() - float(about["started"])) < 60:
                yield process
        except (OSError, ValueError, KeyError, TypeError, psutil.Error):
            continue


def _is_service(process: psutil.Process, state: State) -> bool:
    """Whether it is one of our services, run for this state, by the Hub or by ``up``."""
    if process.uids().real != os.getuid() or process.status() == psutil.STATUS_ZOMBIE:
        return False
    if not any("jupyterhub_notebooks.services." in part for part in process.cmdline()):
        return False
    environment = process.environ()
    return environment.get("NOTEBOOKS_STATE") == str(state.folder) or str(
        state.folder / "secrets"
    ) + os.sep in environment.get("NOTEBOOKS_SETTINGS", "")


def await_services(state: State) -> None:
    """Returns once what the Hub ran has ended, as the Hub told it to; ends what does not."""
    _, stubborn = psutil.wait_procs(leftovers(state), timeout=SERVICES_END_SECONDS)
    end_all(stubborn)


def end_all(processes: Sequence[psutil.Process], patience_seconds: float = END_SECONDS) -> None:
    """Ends these processes, asking first."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, stubborn = psutil.wait_procs(processes, timeout=patience_seconds)
    for process in stubborn:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(stubborn, timeout=5)
