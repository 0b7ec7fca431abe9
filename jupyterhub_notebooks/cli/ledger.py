"""``ledger``: bring the database to the revision of this program; read the audit."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..clock import to_text
from ..errors import Damaged
from ..units import count, show_size
from .where import ledger_options, ledger_url, opened


@click.group()
def ledger() -> None:
    """Our own database."""


@ledger.command()
@ledger_options
def upgrade(url: str | None, state: Path | None) -> None:
    """Bring the database to the revision that this version needs; safe to repeat."""
    from ..ledger import Ledger
    from ..ledger import upgrade as run_upgrade

    base = Ledger(ledger_url(url, state))
    try:
        before, after = run_upgrade(base)
    finally:
        base.close()
    if before == after:
        click.echo(f"The ledger has revision {after} already.")
    else:
        click.echo(f"The ledger went from revision {before or 'none'} to {after}.")


@ledger.command()
@ledger_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def space(url: str | None, state: Path | None, as_json: bool) -> None:
    """What each user's notebooks take: files of their newest snapshots, the trash, and all of it in the store."""
    from ..ledger import storage, users

    with opened(url, state) as base:
        found = [(user, storage.of_user(base, user.id)) for user in users.everyone(base)]
    for user, one in sorted(found, key=lambda pair: (-pair[1].size_bytes, pair[0].hub_name)):
        if as_json:
            click.echo(json.dumps({"user": user.hub_name, **vars(one)}))
            continue
        waits = f" ({count(one.unmeasured, 'notebook')} not measured yet)" if one.unmeasured else ""
        trash = f", {show_size(one.trash_bytes)} in the trash" if one.trash_bytes else ""
        click.echo(
            f"{show_size(one.size_bytes):>9}  {user.hub_name}: {count(one.notebooks, 'notebook')}{trash}, "
            f"{'about ' * bool(one.unmeasured)}{show_size(one.stored_bytes)} in the store{waits}"
        )
    if not found and not as_json:
        click.echo("Nobody has a notebook yet.")


@ledger.command()
@ledger_options
@click.option("--subject", metavar="ID", help="Only rows about this user, notebook, session or workspace.")
@click.option("--limit", default=50, show_default=True, help="At most so many rows, the newest.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def audit(url: str | None, state: Path | None, subject: str | None, limit: int, as_json: bool) -> None:
    """Who did what, on what evidence; the oldest of those shown first. Checks the chain of hashes."""
    from ..ledger import audit as rows_of

    with opened(url, state) as base:
        rows = rows_of.rows(base, subject=subject, limit=limit)
        wrong = rows_of.broken(base)
    for row in reversed(rows):
        if as_json:
            click.echo(json.dumps({**vars(row), "at": to_text(row.at)}))
        else:
            about = " ".join(id[-6:] for id in row.subjects)
            by = row.actor[-6:] if row.actor else "the system"
            click.echo(
                f"{row.number:>6}  {to_text(row.at)[:19]}  {row.action:<20} {row.cause:<14} by {by}: {about}"
            )
    if not rows and not as_json:
        click.echo("Nothing has happened yet.")
    if wrong is not None:
        raise Damaged(
            f"Row {wrong} of the audit was changed after it was written",
            "Its hash does not follow from the row before it",
            ["Compare with a backup of the ledger"],
            field="audit",
        )
