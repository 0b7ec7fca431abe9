"""Asking before what cannot be taken back, and the options of what asks.

Promises: asked is only where input, output and errors are a terminal and no JSON is wanted; everywhere else a command
goes on without a word, as scripts and logs need it. What is asked goes to standard error.
"""

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


def asks(yes: bool, as_json: bool) -> bool:
    """Whether there is a person at a terminal who wants to be asked."""
    return not (yes or as_json) and all(one.isatty() for one in (sys.stdin, sys.stdout, sys.stderr))


def agreed(question: str, yes: bool, as_json: bool) -> bool:
    """Whether to go on: what a person at a terminal says (nothing means no), True where there is none to ask."""
    return not asks(yes, as_json) or click.confirm(question, default=False, err=True)
