"""``notebook repair``: what is left of the damaged snapshots of a Hub's notebook becomes its newest one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ..errors import Damaged
from .agreeing import REMOVE_DAMAGED, REPAIRED, YES
from .where import STATE_VARIABLE, opened, settings_of

_LOST = (
    "The next start has what is left. Where the notebook's volume still has those files, it keeps them beside as a recovery "
    "snapshot."
)


@click.command("repair")
@click.option(
    "--state", type=click.Path(path_type=Path), envvar=STATE_VARIABLE, help="State directory of `up`."
)
@click.argument("which", metavar="[USER/]NOTEBOOK")
@REPAIRED
@REMOVE_DAMAGED
@YES
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON on standard output.")
@click.pass_context
def repair_command(
    context: click.Context,
    state: Path | None,
    which: str,
    number: int | None,
    remove_damaged: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Save what can be saved of a stopped notebook's damaged snapshots, and name what is lost.

    For administrators, on the Hub's machine. Reads all snapshots. The exit code is 7 where something is lost, or where
    damaged snapshots are left; as long as there are such, no old snapshot of that notebook is removed.
    """
    from .notebook_repairing import repaired
    from .workspace_words import print_json, print_repair

    settings = settings_of(state)
    with opened(settings.ledger, None) as base:
        report = repaired(
            settings, base, which, number, remove_damaged=remove_damaged, yes=yes, as_json=as_json
        )
    if as_json:
        print_json({**asdict(report), "left": report.left})
    else:
        print_repair(report, f"notebook repair {which}", _LOST)
    if report.lost or report.left:
        context.exit(Damaged.exit_code)
