"""``session`` for somebody with a token: the same questions to the REST API, about one's own notebooks."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from urllib.parse import quote

import click
from rich.console import Console
from rich.table import Table

from ..client.rest import PAGE, Rest
from ..clock import SYSTEM_CLOCK, from_text
from ..names import is_id, short
from ..units import show_ago, show_duration, show_size
from .finding import find, label


def _at(text: str | None) -> datetime | None:
    return from_text(text) if text else None


def list_(rest: Rest, only_open: bool, limit: int, as_json: bool) -> None:
    """Sessions of one's own notebooks, the newest first."""
    rows: list[dict[str, Any]] = []
    cursor: str | None = None
    while len(rows) < limit:
        wanted = min(PAGE, limit - len(rows))
        page = rest.get("sessions", limit=wanted, cursor=cursor, open="1" if only_open else "")
        rows += page["sessions"]
        cursor = page["next"]
        if cursor is None:
            break
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    if not rows:
        click.echo("No session yet. Start a notebook, then look again.")
        return
    table = Table("Session", "Notebook", "Profile", "Asked", "Ran", "State", "Cause", box=None)
    now, ids = SYSTEM_CLOCK.now(), [row["id"] for row in rows]
    for row in rows:
        asked = from_text(row["asked_at"])
        ran = (_at(row["ended_at"]) or now) - (_at(row["ready_at"]) or asked)
        state = "ended" if row["closed_at"] else row["phase"] or "asked"
        table.add_row(
            short(row["id"], ids),
            row["title"],
            row["profile"],
            show_ago(asked, now),
            show_duration(ran.total_seconds()),
            state,
            row["cause"] or "",
        )
    Console().print(table, markup=False)


def one_of(rest: Rest, which: str) -> Any:
    """A session by its id or its end; a notebook's name means its newest."""
    if not is_id(which) and not which.isalnum():
        return rest.get(f"sessions/{quote(which, safe='')}")
    try:
        return rest.get(f"sessions/{quote(which, safe='')}")
    except Exception as error:
        if getattr(error, "exit_code", 0) != 4:
            raise
        return rest.get(f"sessions/{quote(label(find(rest, which)), safe='')}")


def why(rest: Rest, which: str, as_json: bool) -> None:
    """What happened to a session."""
    row = one_of(rest, which)
    if as_json:
        click.echo(json.dumps(row))
        return
    click.echo(f"Session {row['id']} of {row['title']}, profile {row['profile']}")
    for title, name in (
        ("asked for", "asked_at"),
        ("ready", "ready_at"),
        ("stop asked", "stop_asked_at"),
        ("server ended", "ended_at"),
        ("closed", "closed_at"),
    ):
        click.echo(f"  {title:<13} {row[name][:19].replace('T', ' ') if row[name] else '-'}")
    stop = row.get("stop")
    if stop is not None:
        from ..ledger import evidence

        told = evidence.lines(stop["evidence"])
        by = stop.get("actor") or ("the idle culler" if told else "the Hub")
        click.echo(f"  stopped by    {by} ({stop['cause']})")
        for what, text in told:
            click.echo(f"    {what:<13} {text}")
    elif row["verdict"] and not row["closed_at"]:
        click.echo(f"  verdict       {row['verdict']}. {row['verdict_sentence'] or ''}".rstrip())
    detail = f": {row['detail']}" if row["detail"] else ""
    click.echo(f"  cause         {row['cause'] or 'it has not ended'}{detail}")
    for one in row["saved"]:
        click.echo(
            f"  saved         snapshot {one['number']}, {one['files']} files, {show_size(one['size_bytes'])}"
        )
    if not row["saved"]:
        click.echo("  saved         nothing had changed, or nothing was saved")


def log(rest: Rest, which: str, last: int, find_text: str) -> list[tuple[str, str]]:
    """The last lines that it printed."""
    row = one_of(rest, which)
    lines = rest.get(f"sessions/{row['id']}/log", limit=min(last, 20_000), find=find_text)["lines"]
    return [(one["at"], one["line"]) for one in lines]
