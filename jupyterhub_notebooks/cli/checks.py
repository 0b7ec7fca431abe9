"""What ``up`` looks at before it starts anything, and ``up --check`` alone.

Promises: nothing is started, nothing is ended; each check raises one error that names what is wrong and
the remedy; ``run`` says a line for each thing that is right.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..errors import ConfigError, NoSpace
from ..listening import listeners
from ..settings import Settings, secret
from ..units import count, show_size
from . import embedded, ports, tools
from .embedded import Plan
from .state import INTERNAL_PORTS, State, held_by

#: Below this a start would leave a database half written.
LEAST_FREE_BYTES = 50 * 10**6
PORT_NAMES = {
    "hub": "The Hub",
    "proxy": "The proxy",
    "agents": "The agents' service",
    "notebooks": "The pages",
}


def run(state: State, port: int, config: Path, profiles_file: Path, say: Callable[[str], object]) -> None:
    """All checks in the order of ``up``. Leaves everything as it was."""
    state.refuse_foreign()
    writable(state.folder)
    say(f"State: {state.folder}, {show_size(free_bytes(state.folder))} free")
    running = held_by(state)
    known = state.known_ports() if state.exists() else {}
    if running:
        say(f"Ports: it runs already, as process {running.get('pid')}")
    else:
        public_port(port)
    plan = Plan(state, port, config, profiles_file, {**dict.fromkeys(INTERNAL_PORTS, 0), **known})
    if not running:
        internal_ports(plan)
        say(f"Port {port} is free")
    configured = embedded.read_config(plan)
    say(f"Configuration: {config}")
    say(f"Profiles: {profiles_file}, {count(profiles(profiles_file), 'profile')}")
    store(configured.settings)
    sealed = encryption(configured.settings)
    say(f"Store: {configured.settings.store}{', new workspaces are encrypted' if sealed else ''}")
    ledger(configured.settings)
    say("Ledger: it can be opened")
    say(f"Proxy: {tools.outlook()}")
    say("Nothing is wrong.")


def public_port(port: int, ours: Collection[int] = ()) -> None:
    """Raises PortTaken or ConfigError unless people can be served there."""
    if not _held_by_us(port, ours):
        ports.check(port, "The product's address", "End that program, or choose another port with --port")


def internal_ports(plan: Plan, ours: Collection[int] = ()) -> None:
    """Raises PortTaken for an internal address that a stranger took since it was chosen."""
    for name, port in plan.ports.items():
        if port and not _held_by_us(port, ours):
            remedy = f"End that program, or remove {name} from {plan.state.folder / 'ports.json'}: a free one is chosen"
            ports.check(port, PORT_NAMES[name], remedy)


def _held_by_us(port: int, ours: Collection[int]) -> bool:
    return bool(ours) and any(pid in ours for pid in listeners(port))


def profiles(path: Path) -> int:
    """The number of profiles in the file. Raises ConfigError with file, line and field."""
    from ..profiles import catalog

    return len(catalog.load(path).profiles)


def store(settings: Settings) -> None:
    """Raises ConfigError, NoSpace or StorageAway unless workspaces can be saved there."""
    if settings.store.startswith("file:"):
        writable(Path(unquote(urlsplit(settings.store).path)))
    from ..workspace.store import open_store, read_root

    read_root(open_store(settings.store, settings.store_options, serialized=True))


def encryption(settings: Settings) -> bool:
    """Whether new workspaces are encrypted. Raises ConfigError or BadInput where the key file cannot be used."""
    if not settings.encryption_key:
        return False
    from ..workspace.keys import key_of_text

    key_of_text(secret(settings.encryption_key), "encryption_key")
    return True


def ledger(settings: Settings) -> None:
    """Raises ConfigError or DatabaseAway for a ledger that cannot be opened; makes none."""
    from ..ledger import Ledger

    opened = Ledger(settings.ledger)
    try:
        if opened.is_sqlite:
            path = Path(opened.url.database or "")
            writable(path.parent)
            if not path.exists():
                return
        with opened.read():
            return
    finally:
        opened.close()


def writable(folder: Path) -> None:
    """Raises ConfigError or NoSpace unless files can be made in this folder, or the folder itself."""
    there = _existing(folder)
    if not there.is_dir():
        raise ConfigError("This is not a folder", f"{there} is a file", field=str(folder))
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(
            "This folder cannot be written",
            f"{there} belongs to another user or is read-only",
            ["Name another one, or change its owner"],
            field=str(folder),
        )
    if not os.statvfs(there).f_blocks:
        raise ConfigError(
            "This folder cannot keep the state",
            f"{there} keeps no files: it only shows what the system knows",
            ["Name another one with --state"],
            field=str(folder),
        )
    if free_bytes(there) < LEAST_FREE_BYTES:
        raise NoSpace(
            "The disk is full",
            f"{show_size(free_bytes(there))} are free at {there}, and {show_size(LEAST_FREE_BYTES)} are the least",
            ["Free some space, or name a folder on another disk"],
            field=str(folder),
        )


def free_bytes(folder: Path) -> int:
    """What a user without privileges may still write there."""
    about = os.statvfs(_existing(folder))
    return about.f_bavail * about.f_frsize


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
