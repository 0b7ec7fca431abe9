"""``session``: what ran, who stopped it and why, and what it said."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from ..client.rest import Rest
from ..clock import SYSTEM_CLOCK, to_text
from ..errors import BadInput
from ..names import address_part, short
from ..units import count, show_ago, show_duration
from . import session_diagnose, session_observed, session_own
from .asking import own_options
from .where import ledger_options, opened


@click.group()
def session() -> None:
    """Runs of notebooks. A SESSION is an id, its end, or [USER/]NOTEBOOK (its present or last one)."""


@session.command("list")
@ledger_options
@own_options
@click.option("--open", "only_open", is_flag=True, help="Only those that have not ended.")
@click.option("--observed", is_flag=True, help="Stops that would have been, where enforcement only observes.")
@click.option("--limit", default=50, show_default=True, help="At most so many, the newest first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(
    url: str | None,
    state: Path | None,
    own: Rest | None,
    only_open: bool,
    observed: bool,
    limit: int,
    as_json: bool,
) -> None:
    """Sessions, the newest first, with their cause of ending: one's own with a token, on the Hub's machine everybody's."""
    if observed:
        if own is not None:
            raise BadInput(
                "What is observed is listed on the Hub's machine",
                "It is about everybody's sessions.",
                ["Run it there, without a token"],
            )
        with opened(url, state) as base:
            session_observed.list_(base, limit, as_json)
        return
    if own is not None:
        session_own.list_(own, only_open, limit, as_json)
        return
    from ..ledger import notebooks, sessions, users

    with opened(url, state) as base:
        rows = sessions.every(base, only_open=only_open, limit=limit)
        owners = {row.user: users.get(base, row.user).hub_name for row in rows}
        books = {row.notebook: notebooks.get(base, row.notebook) for row in rows}
    if as_json:
        for row in rows:
            click.echo(json.dumps(_plain(row)))
        return
    if not rows:
        click.echo("No session yet. Start a notebook, then look again.")
        return
    table = Table("Session", "Notebook", "Profile", "Asked", "Ran", "State", "Cause", box=None)
    now, ids = SYSTEM_CLOCK.now(), [row.id for row in rows]
    for row in rows:
        name = f"{owners[row.user]}/{address_part(books[row.notebook].server_name)}"
        ran = (row.ended_at or now) - (row.ready_at or row.asked_at)
        table.add_row(
            short(row.id, ids),
            name,
            row.profile,
            show_ago(row.asked_at, now),
            show_duration(ran.total_seconds()),
            "ended" if row.closed_at else row.phase or "asked",
            row.cause or "",
        )
    Console().print(table)


@session.command()
@ledger_options
@click.argument("which", metavar="SESSION")
@own_options
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def why(url: str | None, state: Path | None, own: Rest | None, which: str, as_json: bool) -> None:
    """What happened to a session: its times, who asked for its end, what was saved."""
    if own is not None:
        session_own.why(own, which, as_json)
        return
    from ..ledger import evidence, intents, losing, notebooks, sessions, snapshots, users

    with opened(url, state) as base:
        row = sessions.resolve(base, which)
        space, lost = notebooks.workspace(base, row.workspace), losing.of_session(base, row.id)
        stop = intents.last_stop(base, row.id)
        actor = users.get(base, stop.actor).hub_name if stop and stop.actor else None
        saves = [one for one in snapshots.of_workspace(base, row.workspace) if one.session == row.id]
    if as_json:
        facts = {"stop": _plain(stop) if stop else None, "saved": [_plain(one) for one in saves]}
        click.echo(json.dumps({**_plain(row), **facts}))
        return
    click.echo(f"Session {row.id}, profile {row.profile}")
    for title, at in (
        ("asked for", row.asked_at),
        ("ready", row.ready_at),
        ("stop asked", row.stop_asked_at),
        ("server ended", row.ended_at),
        ("closed", row.closed_at),
    ):
        click.echo(f"  {title:<13} {to_text(at)[:19].replace('T', ' ') if at else '-'}")
    if stop is not None:
        told = evidence.lines(stop.evidence)
        click.echo(f"  stopped by    {actor or ('the idle culler' if told else 'the Hub')} ({stop.cause})")
        for what, text in told:
            click.echo(f"    {what:<13} {text}")
    elif row.verdict and not row.closed_at:
        click.echo(f"  verdict       {row.verdict}. {row.verdict_sentence or ''}")
    for title, at in (("idle", row.observed_idle_at), ("session_limit", row.observed_limit_at)):
        if at is not None:
            click.echo(
                f"  observed      {to_text(at)[:19].replace('T', ' ')} would have been stopped ({title})"
            )
    click.echo(f"  cause         {row.cause or 'it has not ended'}{': ' + row.detail if row.detail else ''}")
    for one in saves:
        click.echo(f"  saved         snapshot {one.number}, {one.files} files, {one.size_bytes} bytes")
    if not saves:
        click.echo("  saved         nothing had changed, or nothing was saved")
    if row.pending_files and row.closed_at:
        left = count(row.pending_files, "file")
        if lost:
            click.echo(f"  lost          {left}, with the volume {row.volume}")
        elif space.unsaved_on == (row.volume or ""):
            click.echo(f"  not saved     {left}, kept on the volume {row.volume}")
        else:
            click.echo(f"  saved later   {left} that it left on the volume {row.volume}")


@session.command()
@ledger_options
@click.argument("which", metavar="SESSION", required=False)
@click.option("--session", "named", metavar="SESSION", help="The same as the argument.")
@own_options
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def diagnose(
    url: str | None, state: Path | None, own: Rest | None, which: str | None, named: str | None, as_json: bool
) -> None:
    """What is the matter with a session, running, stopped or never started: why, what to do, on what evidence."""
    wanted = which or named
    if not wanted:
        raise BadInput(
            "It is not said which session", next=["Write its id, or USER/NOTEBOOK"], field="SESSION"
        )
    if own is not None:
        session_diagnose.of_own(own, wanted, as_json)
        return
    with opened(url, state) as base:
        session_diagnose.of_ledger(base, wanted, as_json)


@session.command()
@ledger_options
@click.argument("which", metavar="SESSION")
@click.option("--last", default=200, show_default=True, help="So many lines, the newest.")
@own_options
@click.option("--find", default="", help="Only lines that hold this text.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def log(
    url: str | None, state: Path | None, own: Rest | None, which: str, last: int, find: str, as_json: bool
) -> None:
    """What a session's server and agent printed, also of one that never started."""
    from ..ledger import sessions

    if own is not None:
        lines = session_own.log(own, which, last, find)
    else:
        with opened(url, state) as base:
            found = sessions.log(base, sessions.resolve(base, which).id, 20_000 if find else last)
        lines = [(to_text(at), line) for at, line in found if find.casefold() in line.casefold()][-last:]
    for at, line in lines:
        click.echo(json.dumps({"at": at, "line": line}) if as_json else f"{at[:19]} {line}")
    if as_json:
        return
    if not lines:
        click.echo("It printed nothing.")


def _plain(row: Any) -> dict[str, Any]:
    return {
        name: to_text(value) if isinstance(value, datetime) else value for name, value in vars(row).items()
    }
