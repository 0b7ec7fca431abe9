"""The REST API's actions, below ``api/v1/``: each row of ``client.actions`` at its address, done by ``acting``.

Times are RFC 3339 in UTC, sizes bytes, durations seconds. An error is the body of ``errors.as_json`` with its status.
What is only read is in ``reads``.
"""

from __future__ import annotations

from typing import Any

from jupyterhub_notebooks.client.actions import ACTIONS
from jupyterhub_notebooks.errors import NotFound
from jupyterhub_notebooks.ledger import NotebookView, notebooks, sessions

from . import acting, actions, bodies
from .done import Done
from .handling import JsonHandler
from .listing import as_json, ends_json, limits_of, row_of, states
from .people import ensured, notebook_of
from .showing import time_text


class ApiHandler(JsonHandler):
    """What every handler of the API has."""

    async def one(self, view: NotebookView) -> dict[str, Any]:
        """A notebook as JSON."""
        fresh = await self.context.ledger.run(notebooks.views, notebook=view.notebook.id, trashed=None)
        if not fresh:
            raise NotFound("There is no such notebook")
        state = (await states(self.context, self.person, fresh))[0]
        return as_json(self.context, row_of(self.context, self.person, fresh[0], state), fresh[0])

    async def view(self, owner: str, part: str) -> NotebookView:
        found = await notebook_of(self.context, self.person, owner, part)
        if found is None:
            raise NotFound("There is no such notebook")
        return found

    async def own(self, owner: str, part: str, what: str = "download") -> NotebookView:
        """A notebook whose files this person may read: their own. Raises NotFound, Denied."""
        view = await self.view(owner, part)
        acting.allowed(ACTIONS[what], self.person, view)
        return view

    def asked(self, name: str) -> bodies.Body:
        """The body of an action. Raises BadInput."""
        return bodies.read(bodies.BODIES[name], self.body())

    async def answer(self, name: str, done: Done, view: NotebookView | None) -> None:
        """What an action did, and the notebook as it is now."""
        made = done.view or view
        undo = done.undo.as_json() if done.undo else None
        shown = {} if done.gone or made is None else await self.one(made)
        self.write_json(
            {**shown, **done.more, "said": done.said, "undo": undo}, done.status or ACTIONS[name].success
        )


class ActionHandler(ApiHandler):
    """One address of the table. by_method: the actions at it."""

    def initialize(self, by_method: dict[str, str], **rooms: Any) -> None:  # type: ignore[override]
        super().initialize(**rooms)
        self.by_method = by_method

    async def _act(self, owner: str, part: str, number: str = "0") -> None:
        name = self.by_method[str(self.request.method)]
        body = self.asked(name)
        if name == "start":
            view = await ensured(self.context, self.person, owner, part)
        else:
            view = await self.view(owner, part)
        done = await acting.act(self.context, self.person, name, view, body, int(number))
        await self.answer(name, done, view)

    async def post(self, owner: str, part: str, number: str = "0") -> None:
        await self._act(owner, part, number)


class NotebookHandler(ActionHandler):
    """One notebook: GET shows it, DELETE moves it to the trash."""

    async def get(self, owner: str, part: str) -> None:
        self.write_json(await self.one(await self.view(owner, part)))

    async def delete(self, owner: str, part: str) -> None:
        await self._act(owner, part)

    async def post(self, owner: str, part: str, number: str = "0") -> None:
        raise self.not_that_way()


class CreateHandler(ApiHandler):
    """POST notebooks: makes one."""

    async def post(self) -> None:
        body = self.asked("create")
        assert isinstance(body, bodies.Create)
        await self.answer("create", await acting.create(self.context, self.person, body), None)


class SessionExtendHandler(ApiHandler):
    """POST sessions/ID/extend: {"seconds"} (optional): moves the deadline that comes first, within the profile's bound."""

    async def post(self, id: str) -> None:
        session, _ = await actions.own_session(self.context, self.person, id)
        body = self.asked("extend")
        assert isinstance(body, bodies.Extend)
        made = await actions.extend(self.context, self.person, session, float(body.seconds))
        fresh = await self.context.ledger.run(sessions.get, session.id)
        limits = limits_of(self.context, fresh)
        left = max(0, limits.extensions - fresh.extensions) if limits else 0
        ends = ends_json(self.context, fresh)
        self.write_json({"moved": made.kind, "until": time_text(made.until), **ends, "extensions_left": left})


class NothingHandler(ApiHandler):
    """Any other address of the API."""

    async def prepare(self) -> None:
        await super().prepare()
        raise NotFound("There is no such address", "api/v1/openapi.json says which there are")
