"""``session list --observed``: each stop that would have been, with its evidence, where enforcement only observes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from ..clock import to_text
from ..names import address_part, short
from ..units import show_duration

if TYPE_CHECKING:
    from ..ledger import Ledger

ACTION = "session.would_stop"


def list_(ledger: Ledger, limit: int, as_json: bool) -> None:
    """Of everybody, the newest first."""
    from ..ledger import audit, notebooks, sessions, users

    found = []
    for one in audit.rows(ledger, action=ACTION, limit=limit):
        row = sessions.get(ledger, one.subjects[0])
        owner, book = users.get(ledger, row.user), notebooks.get(ledger, row.notebook)
        found.append((one, row, f"{owner.hub_name}/{address_part(book.server_name)}"))
    if as_json:
        for one, row, name in found:
            told = {"session": row.id, "notebook": name, "profile": row.profile, "at": to_text(one.at)}
            click.echo(json.dumps({**told, "cause": one.cause, "evidence": dict(one.evidence)}))
        return
    if not found:
        click.echo(
            "Nothing would have been stopped. Only sessions with `enforcement: observe` are listed here."
        )
        return
    table = Table("Session", "Notebook", "Profile", "At", "Cause", "Limit", "Evidence", box=None)
    ids = [row.id for _, row, _ in found]
    for one, row, name in found:
        evidence = one.evidence
        table.add_row(
            short(row.id, ids),
            name,
            row.profile,
            to_text(one.at)[:19].replace("T", " "),
            one.cause,
            show_duration(float(evidence.get("limit_seconds") or 0)),
            f"{evidence.get('verdict', 'unknown')}. {evidence.get('sentence') or ''}".strip(),
        )
    Console().print(table, markup=False)
