"""Asking before what cannot be taken back: on a terminal only, so that scripts go on as they did; and the options of what asks."""

from __future__ import annotations

import sys

import click

from .numbers import NUMBER

YES = click.option("--yes", is_flag=True, help="Do not ask on a terminal.")
REPAIRED = click.option(
    "--snapshot",
    "number",
    type=NUMBER,
    help="Which [default: the newest of kind save, or the newest of all where only that is damaged].",
)
REMOVE_DAMAGED = click.option(
    "--remove-damaged",
    is_flag=True,
    help="Then remove the damaged snapshots, so that old ones are removed again by their rule.",
)


def asks(yes: bool) -> bool:
    """Whether there is a person at a terminal who wants to be asked."""
    return not yes and sys.stdin.isatty() and sys.stderr.isatty()


def agreed(question: str, yes: bool) -> bool:
    """Whether to go on: what a person at a terminal says (nothing means no), True where there is none to ask."""
    return not asks(yes) or click.confirm(question, default=False, err=True)
