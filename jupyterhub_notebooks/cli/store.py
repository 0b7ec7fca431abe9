"""``jupyterhub-notebooks store``: look at the place where workspaces are saved.

Promises: ``validate`` writes below a prefix of its own, removes what it wrote, and says for each check what was seen,
what it means and what is done about it; a store that cannot be used ends the command with status 3.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..clock import SYSTEM_CLOCK
from ..errors import NotFound
from ..settings import VARIABLE, Settings
from .store_options import parsed
from .where import SETTINGS_FILE, STATE_VARIABLE, default_state

if TYPE_CHECKING:
    from ..workspace.store.validating import Result, Validation


@click.group()
def store() -> None:
    """Look at the place where workspaces are saved."""


@store.command()
@click.option(
    "--store", "url", metavar="URL", help="file:///directory or s3://bucket/prefix [default: that of `up`]."
)
@click.option(
    "--store-option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="For s3: endpoint_url, region, addressing (path or virtual), conditional (if-none-match or none), ca_file, key, "
    "secret, put_key, put_secret. A secret as env:NAME or file:PATH.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    envvar=STATE_VARIABLE,
    help="State directory of `up`, whose store is looked at.",
)
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON on standard output.")
def validate(url: str | None, options: tuple[str, ...], state: Path | None, as_json: bool) -> None:
    """Check that a store keeps what saving relies on.

    Thirteen checks: that what is written is there, once and for good; that a signed URL opens one object, for one method,
    for a while; that nothing is stored torn, copied or open to anybody. About 400 MB are written and removed again. The
    result is kept in the store where a Hub uses it.
    """
    from ..workspace.store import keep_validated, open_store, validating

    address, values = (url, parsed(options)) if url else _of_the_hub(state, parsed(options))

    def tell(result: Result) -> None:
        if not as_json:
            click.echo(result.line())

    if not as_json:
        click.echo(f"Store: {address}")
    found = validating.validate(address, values, SYSTEM_CLOCK.now, None, tell)
    if as_json:
        click.echo(json.dumps(_as_json(address, found)))
    if found.usable:
        try:
            keep_validated(open_store(address, values, serialized=True), found.to_keep())
        except NotFound:
            kept = "No Hub uses it yet."
        else:
            kept = "The result is kept in the store."
        if not as_json:
            click.echo(f"This store can be used. {kept}")
    found.insist()


def _of_the_hub(state: Path | None, more: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Address and options of the store that services or the last `up` use. Raises NotFound."""
    if state is None and os.environ.get(VARIABLE):
        settings = Settings.from_environment()
    else:
        kept = (state or default_state()).absolute() / SETTINGS_FILE
        if not kept.exists():
            raise NotFound(
                "There is no store yet",
                f"{kept} does not exist",
                ["Name one with --store", "Start the product once with `jupyterhub-notebooks up`"],
                field="store",
            )
        settings = Settings.from_json(kept.read_text(encoding="utf-8"))
    return settings.store, {**settings.store_options, **more}


def _as_json(address: str, found: Validation) -> dict[str, object]:
    return {
        "store": address,
        "usable": found.usable,
        **found.to_keep(),
        "checks": [result.as_json() for result in found.results],
    }
