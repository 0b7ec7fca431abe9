"""Asking before what cannot be taken back: on a terminal only, so that scripts go on as they did."""

from __future__ import annotations

import sys

import click

YES = click.option("--yes", is_flag=True, help="Do not ask on a terminal.")


def agreed(question: str, yes: bool) -> bool:
    """Whether to go on: what a person at a terminal says (nothing means no), True where there is none to ask."""
    if yes or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    return click.confirm(question, default=False, err=True)
