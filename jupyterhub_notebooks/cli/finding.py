"""Which notebook a person means by ``[USER/]NOTEBOOK``: the last part of its address, its name, or its id's end."""

from __future__ import annotations

import contextlib
from typing import Any

import click
from click.shell_completion import CompletionItem

from ..client.rest import Rest
from ..errors import Conflict, NotebooksError, NotFound
from ..names import SHORTEST

COMPLETION_SECONDS = 3.0


def find(rest: Rest, text: str, *, trashed: bool = False) -> dict[str, Any]:
    """The notebook as the REST API says it. trashed: looked for in the trash. Raises NotFound, Conflict."""
    owner, _, name = text.rpartition("/")
    found = list(rest.every("notebooks", "notebooks", user=owner, trashed="1" if trashed else ""))
    for same in (
        lambda one: one["name"] == name or one["id"] == name,
        lambda one: one["title"].casefold() == name.casefold(),
        lambda one: len(name) >= SHORTEST and one["id"].endswith(name),
    ):
        matches = [one for one in found if same(one)]
        if len(matches) > 1:
            raise Conflict(
                f"More than one notebook is called {name}", next=["Write its address"], field="NOTEBOOK"
            )
        if matches:
            return dict(matches[0])
    where = " in the trash" if trashed else ""
    other = "notebook list" if trashed else "notebook trash"
    raise NotFound(
        f"There is no notebook {name}{where}",
        next=["See: notebook list" + (" --trash" if trashed else ""), f"Or look into: {other}"],
        field="NOTEBOOK",
    )


def label(one: dict[str, Any]) -> str:
    """``mara/churn``, as commands take it."""
    return f"{one['user']}/{one['name']}"


def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Notebooks whose address begins so; none where the Hub does not answer soon."""
    from .asking import Where

    with contextlib.suppress(NotebooksError, OSError):
        rest = Where(ctx.params.get("url"), ctx.params.get("token_file"), ctx.params.get("state")).rest(
            COMPLETION_SECONDS
        )
        rows = rest.get("notebooks", limit=200)["notebooks"]
        return [
            CompletionItem(one["name"], help=one["title"])
            for one in rows
            if one["name"].startswith(incomplete)
        ]
    return []
