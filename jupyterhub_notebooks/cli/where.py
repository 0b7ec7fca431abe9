"""Where commands find the ledger: an option, the services' settings, or the state directory of ``up``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import NotFound
from ..settings import VARIABLE, Settings

if TYPE_CHECKING:
    from ..ledger import Ledger

STATE_VARIABLE = "JUPYTERHUB_NOTEBOOKS_STATE"
LEDGER_FILE = "ledger.sqlite"
#: What the last ``up`` ran with; a configuration may name another ledger.
SETTINGS_FILE = "settings.json"


def default_state() -> Path:
    """The state directory of ``up`` where nothing else is said."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(os.environ.get(STATE_VARIABLE) or Path(base) / "jupyterhub-notebooks").absolute()


def ledger_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--ledger URL`` and ``--state DIR`` to a command."""
    command = click.option("--ledger", "url", metavar="URL", help="Address of the ledger's database.")(
        command
    )
    return click.option(
        "--state",
        type=click.Path(path_type=Path),
        envvar=STATE_VARIABLE,
        help="State directory of `up`, whose ledger is used.",
    )(command)


def ledger_url(url: str | None, state: Path | None) -> str:
    """The ledger meant: the option, then NOTEBOOKS_SETTINGS, then the state directory. Raises NotFound."""
    if url:
        return url
    if state is None and os.environ.get(VARIABLE):
        return Settings.from_environment().ledger
    folder = (state or default_state()).absolute()
    kept = folder / SETTINGS_FILE
    if kept.exists():
        return Settings.from_json(kept.read_text(encoding="utf-8")).ledger
    path = folder / LEDGER_FILE
    if not path.exists():
        raise NotFound(
            "There is no ledger yet",
            f"{path} does not exist",
            [
                "Start the product once with `jupyterhub-notebooks up`, or name another with --state or --ledger"
            ],
            field="ledger",
        )
    return f"sqlite:///{path}"


def settings_of(state: Path | None) -> Settings:
    """What the last ``up`` ran with: NOTEBOOKS_SETTINGS, or the file in the state directory. Raises NotFound."""
    if state is None and os.environ.get(VARIABLE):
        return Settings.from_environment()
    kept = (state or default_state()).absolute() / SETTINGS_FILE
    if not kept.exists():
        raise NotFound(
            "There is no Hub here",
            f"{kept} does not exist",
            ["Name its folder with --state", "Start the product once with `jupyterhub-notebooks up`"],
            field="state",
        )
    return Settings.from_json(kept.read_text(encoding="utf-8"))


@contextmanager
def opened(url: str | None, state: Path | None) -> Iterator[Ledger]:
    """The ledger meant, at its revision, closed afterwards."""
    from ..ledger import Ledger, wait_for_revision

    ledger = Ledger(ledger_url(url, state))
    try:
        wait_for_revision(ledger, wait_seconds=0)
        yield ledger
    finally:
        ledger.close()
