"""Whole numbers as arguments: what cannot be one is told with the field and with what can."""

from __future__ import annotations

from typing import Any

import click

from ..errors import BadInput


class Whole(click.ParamType):
    """A whole number from least to most."""

    name = "integer"

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Raises BadInput."""
        try:
            number = int(value)
        except ValueError:
            number = self.least - 1
        if not self.least <= number <= self.most:
            field = param.human_readable_name if isinstance(param, click.Argument) else None
            if field is None and param is not None:
                field = param.opts[0]
            raise BadInput(
                f"{str(value)!r} cannot be used",
                f"It is a whole number from {self.least:,} to {self.most:,}.",
                field=field,
            )
        return number


#: A snapshot's number, wherever one is named.
NUMBER = Whole(1, 10**10 - 1)
