"""``up``: everything on this machine, for 127.0.0.1 only, kept running until Ctrl-C.

Promises: what can be wrong is looked at before anything is started or ended; the line that says where to
go appears once the Hub answers there; Ctrl-C and SIGTERM first save and stop the running notebooks, a
second one leaves them running; a later ``up`` on the same state takes them over again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import click
import psutil

from ..errors import BadInput, NotebooksError, StorageAway
from . import checks, embedded, ports, supervise, tools
from .embedded import Configured, Plan
from .state import State, told, write
from .where import STATE_VARIABLE, default_state

UNSAVED_EXIT = StorageAway.exit_code
INTERRUPTED_EXIT = 130
LEFT_RUNNING = (
    "Notebooks are left running; those that were being saved keep their files. "
    "The next `jupyterhub-notebooks up` takes them over again."
)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.command()
@click.option(
    "--state",
    "folder",
    type=click.Path(path_type=Path),
    envvar=STATE_VARIABLE,
    show_envvar=True,
    help="Folder that keeps everything.  [default: ~/.local/share/jupyterhub-notebooks]",
)
@click.option("--port", default=8000, show_default=True, help="Where people go, on 127.0.0.1.")
@click.option("--config", type=click.Path(path_type=Path), help="A jupyterhub_config.py of your own.")
@click.option("--profiles", type=click.Path(path_type=Path), help="A profiles.yaml of your own.")
@click.option("--check", is_flag=True, help="Look at everything, start nothing.")
def up(folder: Path | None, port: int, config: Path | None, profiles: Path | None, check: bool) -> int:
    """Start everything on this machine, on 127.0.0.1 only.

    Ctrl-C saves and stops what runs. Pressed twice it leaves notebooks running; the next `up` takes them
    over again.
    """
    if not 0 < port < 65536:
        raise BadInput(f"{port} is not a port", next=["Choose one between 1 and 65535"], field="--port")
    state = State((folder or default_state()).expanduser().absolute())
    files = (config or embedded.CONFIG).absolute(), (profiles or embedded.PROFILES).absolute()
    if check:
        checks.run(state, port, *files, say)
        return 0
    return start(state, port, *files)


def say(line: str) -> None:
    """One line to whoever watches; a terminal that has gone is no reason to stop saving."""
    with contextlib.suppress(OSError):
        click.echo(line)


def start(state: State, port: int, config: Path, profiles: Path) -> int:
    """Runs everything until a signal ends it. Answers the exit status."""
    os.umask(0o077)
    state.prepare_folder()
    checks.writable(state.folder)
    url = f"http://{ports.HOST}:{port}"
    lock = state.lock({"url": url})
    try:
        state.prepare()
        old = supervise.leftovers(state)
        own = {process.pid for process in old}
        checks.public_port(port, own)
        plan = Plan(state, port, config, profiles, state.choose_ports())
        checks.internal_ports(plan, own)
        configured = embedded.read_config(plan)
        plan = plan.listening_as(configured)
        checks.profiles(profiles)
        checks.store(configured.settings)
        checks.encryption(configured.settings)
        programs = tools.ensure(say)
        _end(old)
        checks.public_port(port)
        checks.internal_ports(plan)
        prepare_ledger(plan, configured)
        return asyncio.run(_run(plan, configured, programs))
    finally:
        lock.release()


def _end(old: list[psutil.Process]) -> None:
    if old:
        say(f"Ending what an earlier run left: {', '.join(f'process {process.pid}' for process in old)}")
        supervise.end_all(old)


def prepare_ledger(plan: Plan, configured: Configured) -> None:
    """Brings the ledger to this version's revision, and makes the administrator's password once."""
    from ..ledger import Ledger, passwords, upgrade
    from ..login.making import set_new

    with told(plan.state.folder):
        write(plan.state.settings, configured.settings.to_json())
        write(plan.state.address, plan.url + "\n")
    ledger = Ledger(configured.settings.ledger)
    try:
        upgrade(ledger)
        if not configured.own_passwords or any(row.admin for row in passwords.every(ledger)):
            return
        kept = plan.state.admin_password
        if kept.exists() and kept.read_text().strip():
            set_new(ledger, "admin", admin=True, password=kept.read_text().strip())
            return
        with told(plan.state.folder):
            write(kept, set_new(ledger, "admin", admin=True) + "\n")
    finally:
        ledger.close()


async def _run(plan: Plan, configured: Configured, programs: tools.Tools) -> int:
    asked = _Asked()
    supervisor = supervise.Supervisor(plan.state, embedded.children(plan, programs, configured.settings), say)
    starting = asyncio.create_task(supervisor.start())
    waiting = asyncio.create_task(asked.first.wait())
    try:
        await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            say(welcome(plan, configured))
            await waiting
        else:
            starting.cancel()
        return await _leave(plan, configured, asked)
    finally:
        waiting.cancel()
        await supervisor.stop()
        if asked.first.is_set():
            say("Stopped.")


class _Asked:
    """Signals as events: the first asks for an orderly end, the second for an end at once."""

    def __init__(self) -> None:
        self.first, self.second = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._came)

    def _came(self) -> None:
        (self.second if self.first.is_set() else self.first).set()


async def _leave(plan: Plan, configured: Configured, asked: _Asked) -> int:
    """Stops the notebooks, unless a second signal says not to wait. Answers the exit status."""
    from ..hubapi.client import HubApi
    from ..ledger import Ledger
    from . import stopping

    ledger = Ledger(configured.settings.ledger)
    hub = HubApi(plan.hub_api, plan.state.secret("up-token").read_text().strip())
    stops = asyncio.create_task(stopping.stop_all(hub, ledger, say))
    hurry = asyncio.create_task(asked.second.wait())
    try:
        await asyncio.wait({stops, hurry}, return_when=asyncio.FIRST_COMPLETED)
        if not stops.done():
            say(LEFT_RUNNING)
            return INTERRUPTED_EXIT
        return 0 if stopping.all_saved(stops.result()) else UNSAVED_EXIT
    except NotebooksError as error:
        say(f"Notebooks could not be stopped and are left as they are. {error.sentence()}")
        return error.exit_code
    finally:
        hurry.cancel()
        stops.cancel()
        await asyncio.gather(stops, hurry, return_exceptions=True)
        hub.close()
        ledger.close()


def welcome(plan: Plan, configured: Configured) -> str:
    """The one line that says where to go and how to log in."""
    kept = plan.state.admin_password
    if configured.own_passwords and kept.exists():
        return f"Open {plan.url} and log in as admin; the password is in {kept}"
    return f"Open {plan.url} and log in."
