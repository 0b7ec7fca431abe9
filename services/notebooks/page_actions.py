"""What the pages' forms are posted to: every action of the table, by the same handler as the REST API's.

A form without a script is answered with a redirect; a script gets what was done, as a sentence, and the form that undoes it.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from jupyterhub_notebooks.client.actions import ACTIONS, SNAPSHOT
from jupyterhub_notebooks.errors import NotFound

from . import acting, bodies
from .done import Undo
from .handling import Handler
from .listing import page_of
from .people import ensured, notebook_of

#: After these the list is where one wants to be.
_TO_LIST = ("stop", "delete", "restore", "empty", "dismiss")


class ActHandler(Handler):
    """POST n/USER/SERVER/…: one action. name: which."""

    def initialize(self, name: str, **rooms: Any) -> None:  # type: ignore[override]
        super().initialize(**rooms)
        self.name = name

    async def post(self, owner: str, part: str, number: str = "0") -> None:
        view = await notebook_of(self.context, self.person, owner, part)
        if view is None and self.name == "start":
            view = await ensured(self.context, self.person, owner, part)
        if view is None:
            raise NotFound("There is no such notebook")
        form = {name: self.get_arguments(name) for name in self.request.body_arguments}
        body = bodies.of_form(bodies.BODIES[self.name], form)
        done = await acting.act(self.context, self.person, self.name, view, body, int(number))
        made = done.view or view
        page = page_of(self.context, made)
        if self.wants_json:
            undo = undo_form(page, done.undo) if done.undo else None
            more = {"restore": done.more["restore"]} if "restore" in done.more else {}
            self.write_json({"page": page, "said": done.said, "undo": undo, **more}, 202)
        elif self.name == "start":
            self.redirect(f"{page}?open=1", status=303)
        else:
            self.back(self.context.prefix if self.name in _TO_LIST or done.gone else page)


def address(page: str, name: str, number: int | None = None) -> str:
    """What the form of an action is posted to. page: the notebook's own."""
    action = ACTIONS[name]
    below = f"/snapshots/{number}" if action.path.startswith(SNAPSHOT) else ""
    return f"{page}{below}/{action.page.rpartition('/')[2]}"


def undo_form(page: str, undo: Undo) -> dict[str, Any]:
    """The form that takes an action back."""
    fields: list[tuple[str, str]] = []
    for name, value in undo.body.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            fields.append((name, _text(name, one)))
    return {"url": address(page, undo.action, undo.number), "fields": fields}


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return quoted_path(value) if name == "paths" else str(value)


def quoted_path(path: str) -> str:
    """A path as a form or an address carries it."""
    return quote(path.encode("utf-8", "surrogateescape"))
