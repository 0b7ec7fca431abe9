"""``egress``: what rules for the network refused, and the release of files that they bind. On the Hub's machine."""

from __future__ import annotations

import getpass
import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from ..clock import SYSTEM_CLOCK, to_text
from ..errors import NotFound
from ..names import address_part, short
from ..units import show_ago
from .where import ledger_options, opened


@click.group()
def egress() -> None:
    """Profiles with a rule for the network (no_public_internet, egress_allowlist): what they refused, whom they bind."""


@egress.command()
@ledger_options
@click.option("--limit", default=100, show_default=True, help="At most so many, the newest first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def blocked(url: str | None, state: Path | None, limit: int, as_json: bool) -> None:
    """Hosts that notebooks asked for and their profile's rule refused, and how often."""
    from ..ledger import egress, notebooks, sessions, users

    with opened(url, state) as base:
        found = []
        for one, profile in egress.every(base, limit):
            row = sessions.get(base, one.session)
            owner, book = users.get(base, row.user), notebooks.get(base, row.notebook)
            found.append((one, profile, f"{owner.hub_name}/{address_part(book.server_name)}"))
    if as_json:
        for one, profile, name in found:
            told = {"host": one.host, "times": one.times, "profile": profile, "notebook": name}
            ends = {
                "session": one.session,
                "first_at": to_text(one.first_at),
                "last_at": to_text(one.last_at),
            }
            click.echo(json.dumps({**told, **ends}))
        return
    if not found:
        click.echo("Nothing was blocked. Only profiles with a rule for the network block hosts.")
        return
    table = Table("Host", "Times", "Profile", "Notebook", "Session", "Last", box=None)
    now, ids = SYSTEM_CLOCK.now(), [one.session for one, _, _ in found]
    for one, profile, name in found:
        last = show_ago(one.last_at, now)
        table.add_row(one.host, str(one.times), profile, name, short(one.session, ids), last)
    Console().print(table, markup=False)


@egress.command()
@ledger_options
@click.argument("notebook", metavar="USER/NOTEBOOK")
@click.option("--reason", required=True, help="Why; it stands in the audit.")
def release(url: str | None, state: Path | None, notebook: str, reason: str) -> None:
    """Let the files of a notebook go to profiles that reach more than those it ran on."""
    from ..ledger import egress, notebooks

    owner, _, name = notebook.partition("/")
    with opened(url, state) as base:
        views = notebooks.views(base, trashed=None)
        view = next(
            (
                one
                for one in views
                if one.owner.hub_name == owner and address_part(one.notebook.server_name) == (name or "-")
            ),
            None,
        )
        if view is None:
            raise NotFound(
                f"There is no notebook {notebook}",
                next=["Write USER/NOTEBOOK, as in its address; the first one is -"],
            )
        by = f"{reason} ({getpass.getuser()} on the Hub's machine)"
        rule = egress.release(base, view.notebook.id, None, by, SYSTEM_CLOCK.now())
    reached = f"only {', '.join(rule.hosts)}" if rule.hosts else "no public internet"
    click.echo(
        f"{view.notebook.title} of {owner} starts on every profile from now on; its files were bound to {reached}."
    )
