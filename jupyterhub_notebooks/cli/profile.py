"""``jupyterhub-notebooks profile``: what may be started, from the file that says so.

``check`` answers 0 for a file that can be used and 3 otherwise, with one line for each mistake.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from ..errors import NotFound
from ..profiles.catalog import SHIPPED, Catalog, load
from ..profiles.model import Profile
from ..profiles.problems import WrongProfiles, suggestion
from ..profiles.words import join_words, show_clock, show_limits, show_price
from ..settings import VARIABLE, Settings
from ..units import count

_FILE = click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path),
    help="The profiles.yaml to read; without it the Hub's own, or the shipped one.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")


@click.group("profile")
def profile() -> None:
    """What may be started: list, show and check profiles."""


@profile.command("list")
@_FILE
@_JSON
def list_profiles(file: Path | None, as_json: bool) -> None:
    """All profiles with their flavors, limits and prices."""
    catalog, currency = _catalog(file)
    if as_json:
        _print_json([_content(catalog, item) for item in catalog.profiles.values()])
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("profile", "flavor", "compute", "limits", "price", "use"):
        table.add_column(heading)
    for item in catalog.profiles.values():
        flavor = catalog.flavors[item.flavors[0]]
        table.add_row(
            item.name,
            ", ".join(item.flavors),
            show_limits(flavor),
            show_clock(item),
            show_price(flavor, currency),
            item.use,
        )
    _console().print(table)


@profile.command("show")
@click.argument("name")
@_FILE
@_JSON
def show_profile(name: str, file: Path | None, as_json: bool) -> None:
    """All about one profile and its flavors."""
    catalog, currency = _catalog(file)
    found = catalog.profiles.get(name)
    if found is None:
        raise NotFound(f"There is no profile {name!r}", next=[suggestion(name, catalog.profiles)])
    if as_json:
        _print_json(_content(catalog, found))
        return
    for key, value in _rows(catalog, found, currency):
        click.echo(f"{key:<12}{value}")


@profile.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@_JSON
@click.pass_context
def check_file(context: click.Context, file: Path, as_json: bool) -> None:
    """Whether FILE can be used as profiles.yaml; every mistake with its line."""
    try:
        catalog = load(file)
    except WrongProfiles as wrong:
        if not as_json:
            raise
        _print_json({"ok": False, "problems": [problem.as_json() for problem in wrong.problems]})
        context.exit(wrong.exit_code)
    if as_json:
        _print_json({"ok": True, "profiles": list(catalog.profiles), "flavors": list(catalog.flavors)})
        return
    profiles, flavors = count(len(catalog.profiles), "profile"), count(len(catalog.flavors), "flavor")
    click.echo(f"{file}: {profiles} and {flavors}, all of it can be used.")


def _catalog(file: Path | None) -> tuple[Catalog, str]:
    if file is not None:
        return load(file), Settings.currency
    if os.environ.get(VARIABLE):
        settings = Settings.from_environment()
        return load(settings.profiles), settings.currency
    return load(SHIPPED), Settings.currency


def _content(catalog: Catalog, item: Profile) -> dict[str, Any]:
    return {**catalog.content_of(item), "version": catalog.versions[item.name]}


def _rows(catalog: Catalog, item: Profile, currency: str) -> list[tuple[str, str]]:
    rows = [("profile", item.name), ("title", item.title), ("use", item.use)]
    for flavor in catalog.flavors_of(item):
        price = show_price(flavor, currency)
        rows.append(("flavor", f"{flavor.name}: {show_limits(flavor)}, {price}. {flavor.use}"))
    rows += [("limits", show_clock(item)), ("image", item.image or "none")]
    if item.who is not None:
        named = [*(f"group {name}" for name in item.who.groups or ()), *(item.who.users or ())]
        rows.append(("for", join_words(named)))
    if item.no_public_internet:
        rows.append(("network", "no public internet"))
    if item.egress_allowlist is not None:
        rows.append(("reaches", ", ".join(item.egress_allowlist)))
    if item.deprecated is not None:
        rows.append(("deprecated", f"{item.deprecated.replacement} after {item.deprecated.after}"))
    return [*rows, ("version", catalog.versions[item.name][:12])]


def _console() -> Console:
    return Console(width=None if Console().is_terminal else 200, highlight=False)


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
