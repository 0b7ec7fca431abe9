"""``workspace check|prune|repair``: is what was saved whole, what of it goes, and what is left after damage.

Promises: check and a dry run write nothing; prune and repair hold the lease while they change anything.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import click

from ..clock import SYSTEM_CLOCK, from_text, to_text
from ..errors import BadInput, Damaged, Declined, Refusal
from ..settings import NEVER_SAVED
from ..units import be, count, parse_duration, show_size
from ..workspace import WorkspaceStore, changes, check, founding
from ..workspace.entries import shown
from ..workspace.pruning import PrunePlan, PruneReport, carry_out, plan_prune, report_of
from ..workspace.repairing import RepairReport, removed_of, repair
from ..workspace.retention import Rule
from .agreeing import REMOVE_DAMAGED, REPAIRED, YES, agreed
from .counting import Counted
from .numbers import Whole
from .progress_bar import Bar
from .workspace_opening import (
    BREAK,
    CREATED_BY,
    at_store,
    examined,
    existing,
    known,
    leased,
    options,
    volume_of,
)
from .workspace_words import day, moment, print_check, print_json, print_repair, snapshots

_RULE = Rule()
_SHOWN = 100
_LOST = "Where a directory still has those files: save it with --onto-head, and they are stored again."
_KEPT = Whole(0, 100_000)
_MOST_GRACE = timedelta(days=3650)


@click.command("check")
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@options
@click.option(
    "--read-data", is_flag=True, help="Also read and verify every block, which takes as long as a restore."
)
@click.pass_context
def check_command(
    context: click.Context,
    directory: Path | None,
    store: str,
    store_options: tuple[str, ...],
    state: Path | None,
    as_json: bool,
    read_data: bool,
) -> None:
    """Say what is damaged in the store and what each damage costs; with DIR, also what is not saved yet.

    The exit code is 7 where something is damaged.
    """
    space = examined(store, store_options)
    broken = founding.trouble(space)
    with Bar("Checking", as_json) as bar:
        counted = Counted(space, bar)
        report = check(
            counted,
            counted,
            read_data=read_data,
            stored=counted.block_sizes(),
            strange=space.strange_keys(),
            progress=bar.show,
            cancelled=bar.cancelled,
        )
    report = replace(
        report,
        errors=(*([broken] if broken else []), *report.errors),
        hints=(*report.hints, *founding.beside(space)),
    )
    unsaved = None
    if directory:
        with Bar(f"Looking at {directory}", as_json, cancels=False):
            unsaved = changes(volume_of(directory, store, state), never_saved=NEVER_SAVED)
    if as_json:
        print_json({**asdict(report), "unsaved": asdict(unsaved) if unsaved else None})
    else:
        facts = space.facts() if broken is None else None
        served = facts is not None and facts.lease == "service"
        print_check(report, "notebook repair USER/NOTEBOOK" if served else "workspace repair")
        if unsaved and not unsaved.pending_files:
            print(f"Every file in {directory} is saved.")
        elif unsaved:
            files = count(unsaved.pending_files, "file")
            print(f"Not saved yet in {directory}: {files} with {show_size(unsaved.pending_bytes)}.")
    if report.errors:
        context.exit(Damaged.exit_code)


@click.command("prune")
@at_store
@BREAK
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@click.option(
    "--keep-hours",
    type=_KEPT,
    default=_RULE.every_hours,
    show_default=True,
    help="All of so many hours stay.",
)
@click.option(
    "--keep-days", type=_KEPT, default=_RULE.days, show_default=True, help="One a day of so many days stays."
)
@click.option(
    "--keep-weeks",
    type=_KEPT,
    default=_RULE.weeks,
    show_default=True,
    help="One a week of so many weeks stays.",
)
@click.option(
    "--grace",
    default="24h",
    show_default=True,
    help="How long blocks stay after they were found to be needed by no snapshot; 24h or more.",
)
@YES
def prune_command(
    store: str,
    store_options: tuple[str, ...],
    as_json: bool,
    break_lease: bool,
    dry_run: bool,
    keep_hours: int,
    keep_days: int,
    keep_weeks: int,
    grace: str,
    yes: bool,
) -> None:
    """Remove old snapshots, and what no snapshot needs any more.

    The newest snapshot and named ones stay. Space is free a day later: blocks are listed first, and deleted by the
    next prune after the grace. Where a snapshot that stays cannot be read, nothing is removed. The exit code is 14 where
    a person at a terminal is asked and says no.
    """
    rule = Rule(keep_hours, keep_days, keep_weeks)
    until = _grace(grace)
    space = existing(store, store_options)
    now = SYSTEM_CLOCK.now()

    def planned() -> PrunePlan:
        with Bar("Looking", as_json) as bar:
            counted = Counted(space, bar)
            return plan_prune(
                counted, now=now, rule=rule, named=space.names(), grace=until, cancelled=bar.cancelled
            )

    if dry_run:
        report = report_of(planned(), dry_run=True)
    else:
        with leased(space, None, break_lease):
            todo = planned()
            if todo.drop and not agreed(_prune_question(todo), yes, as_json):
                raise Declined("Nothing was removed")
            with Bar("Pruning", as_json) as bar:
                counted = Counted(space, bar)
                counted.removes(len(todo.delete))
                carry_out(counted, todo, now=now, guard=space.still_held)
        report = report_of(todo, dry_run=False)
    if as_json:
        print_json(asdict(report))
    else:
        _print_prune(report)


def _grace(text: str) -> timedelta:
    seconds = parse_duration(text, "--grace")
    if seconds > _MOST_GRACE.total_seconds():
        raise BadInput(
            f"{text!r} is too long", next=[f"Write {_MOST_GRACE.days:,} days at most"], field="--grace"
        )
    return timedelta(seconds=seconds)


def _prune_question(todo: PrunePlan) -> str:
    oldest = min(todo.made[number] for number in todo.drop)
    return f"Remove {snapshots(todo.drop)} (the oldest of {day(oldest)}) and keep {len(todo.keep):,}?"


def _print_prune(report: PruneReport) -> None:
    for hint in report.hints:
        print(f"Hint: {hint}.")
    gone, kept = count(len(report.removed_snapshots), "snapshot"), len(report.kept_snapshots)
    print(f"Would remove {gone} and keep {kept:,}." if report.dry_run else f"Removed {gone}, kept {kept:,}.")
    if report.dry_run:
        for number, at in zip(report.removed_snapshots[:_SHOWN], report.made, strict=False):
            print(f"{number:>6}  {to_text(from_text(at).replace(microsecond=0))}")
        if len(report.removed_snapshots) > _SHOWN:
            print(f"and {len(report.removed_snapshots) - _SHOWN:,} more; --json lists all.")
    would = "Would delete" if report.dry_run else "Deleted"
    print(f"{would} {count(report.deleted_blocks, 'block')} with {show_size(report.deleted_bytes)}.")
    if report.waiting_blocks:
        many = count(report.waiting_blocks, "block")
        print(
            f"{many} with {show_size(report.waiting_bytes)} {be(report.waiting_blocks)} needed by no snapshot and "
            f"{'goes' if report.waiting_blocks == 1 else 'go'} with a prune after {moment(from_text(report.free_at))}, "
            "when the grace is over."
        )


@click.command("repair")
@at_store
@BREAK
@REPAIRED
@REMOVE_DAMAGED
@click.option(
    "--no-hub",
    is_flag=True,
    help="Where workspace.json is lost and no lease was ever taken: no Hub writes this workspace, that is certain.",
)
@YES
@click.pass_context
def repair_command(
    context: click.Context,
    store: str,
    store_options: tuple[str, ...],
    as_json: bool,
    break_lease: bool,
    number: int | None,
    remove_damaged: bool,
    no_hub: bool,
    yes: bool,
) -> None:
    """Save what can be saved of a damaged snapshot as a new one, and name what is lost.

    Reads all snapshots. Files that lie whole in another snapshot are taken from there. The exit code is 7 where something
    is lost, or where damaged snapshots are left.
    """
    space = examined(store, store_options)
    _found_again(space, no_hub)
    if number is not None:
        known(space, number)
    with leased(space, None, break_lease) as lease:
        with Bar("Repairing", as_json) as bar:
            report = repair(
                space,
                now=SYSTEM_CLOCK.now(),
                created_by=CREATED_BY,
                of=number,
                lease=lease,
                progress=bar.show,
                cancelled=bar.cancelled,
            )
        report = after_repair(space, report, remove_damaged=remove_damaged, yes=yes, as_json=as_json)
    if as_json:
        print_json({**asdict(report), "left": report.left})
    else:
        print_repair(report, "workspace repair", _LOST)
    if report.lost or report.left:
        context.exit(Damaged.exit_code)


def _found_again(space: WorkspaceStore, no_hub: bool) -> None:
    """Writes workspace.json again where it is lost or damaged. Raises Refusal where a Hub does that, Damaged."""
    broken = founding.trouble(space)
    facts = founding.told_by_snapshots(space) if broken is not None else None
    if broken is None or facts is None:
        return
    if facts.lease == "service" and no_hub and not _of_a_hub(space):
        facts = replace(facts, lease="objects")
    if facts.lease == "service":
        raise Refusal(
            f"{broken.what}, and no lease was ever taken here, as in a workspace that a Hub writes",
            "Its commits go through the Hub's service.",
            [
                "Repair it with: jupyterhub-notebooks notebook repair USER/NOTEBOOK",
                "Where certainly no Hub writes it, as where `workspace encrypt` made it: run again with --no-hub",
            ],
            label="lease",
        )
    founding.refound(space, facts)
    print(f"{broken.what}. It is written again, as the snapshots say.", file=sys.stderr)


def _of_a_hub(space: WorkspaceStore) -> bool:
    """Whether a workspace.json that can be read says so."""
    try:
        facts = space.facts()
    except Damaged:
        return False
    return facts is not None and facts.lease == "service"


def after_repair(
    space: WorkspaceStore,
    report: RepairReport,
    *,
    remove_damaged: bool,
    yes: bool,
    as_json: bool,
    going: Callable[[RepairReport], object] = lambda report: None,
) -> RepairReport:
    """The new snapshot gets its name; the damaged ones go where that was asked for, and agreed to by a person who is there.
    going: called right before."""
    _keep_name(space, report)
    if remove_damaged and report.removable and agreed(_removal_question(space, report), yes, as_json):
        going(report)
        return _without_damaged(space, report)
    return report


def _removal_question(space: WorkspaceStore, report: RepairReport) -> str:
    names = space.names()
    named = [f"{n} is named {shown(names[n].encode())}" for n in report.removable if n in names]
    told = f" ({', '.join(named)})" if named else ""
    return f"Remove {snapshots(report.removable)}{told}, with what only they have?"


def _keep_name(space: WorkspaceStore, report: RepairReport) -> None:
    """What was made of a snapshot with a name is kept under that name too."""
    names = space.names()
    if report.number and report.of in names:
        space.name(report.number, names[report.of], SYSTEM_CLOCK.now())


def _without_damaged(space: WorkspaceStore, report: RepairReport) -> RepairReport:
    """The damaged snapshots go, and their names."""
    done = removed_of(space, report)
    for number in sorted({*done.removed_snapshots} & space.names().keys()):
        space.name(number, "", SYSTEM_CLOCK.now())
    return done


COMMANDS = (check_command, prune_command, repair_command)
