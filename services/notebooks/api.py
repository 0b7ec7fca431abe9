"""The REST API, below ``api/v1/``: times RFC 3339 in UTC, sizes in bytes, durations in seconds.

Lists are paged by cursor: ``?limit=`` (at most 200) and ``?cursor=`` from the answer before. An error is the body
of ``errors.as_json`` with its status.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from jupyterhub_notebooks.clock import to_text
from jupyterhub_notebooks.errors import BadInput, NotFound
from jupyterhub_notebooks.ledger import (
    NotebookView,
    Session,
    Snapshot,
    intents,
    notebooks,
    sessions,
    snapshots,
)
from jupyterhub_notebooks.names import is_id
from jupyterhub_notebooks.profiles.cards import Card
from jupyterhub_notebooks.profiles.problems import suggestion

from . import actions
from .handling import JsonHandler
from .listing import as_json, ends_json, limits_of, row_of, states
from .pages import cards_for, last_choice
from .people import ensured, notebook_of

MOST = 200
CREATE = ("name", "profile", "flavor", "editor", "start")


class ApiHandler(JsonHandler):
    async def one(self, view: NotebookView) -> dict[str, Any]:
        """A notebook as JSON."""
        fresh = await self.context.ledger.run(notebooks.views, notebook=view.notebook.id, trashed=None)
        state = (await states(self.context, self.person, fresh))[0]
        return as_json(self.context, row_of(self.context, self.person, fresh[0], state), fresh[0])

    async def view(self, owner: str, part: str) -> NotebookView:
        found = await notebook_of(self.context, self.person, owner, part)
        if found is None:
            raise NotFound("There is no such notebook")
        return found

    def limits(self) -> tuple[int, str]:
        """(how many, after which id) of a paged list. Raises BadInput."""
        text, cursor = self.get_argument("limit", "50"), self.get_argument("cursor", "")
        if not text.isdecimal() or not 1 <= int(text) <= MOST:
            raise BadInput(f"{text!r} is not a number from 1 to {MOST}", field="limit")
        if cursor and not is_id(cursor):
            raise BadInput(
                "This is not a cursor", next=["Use the one from the answer before"], field="cursor"
            )
        return int(text), cursor


class NotebooksHandler(ApiHandler):
    """GET: the list (``?user=NAME`` or ``?user=*`` for administrators, ``?trashed=1`` the trash). POST: creates."""

    async def get(self) -> None:
        limit, cursor = self.limits()
        wanted = self.get_argument("user", self.person.name)
        if wanted != self.person.name and not self.person.is_admin:
            raise NotFound("There is no such user", field="user")
        trashed = self.get_argument("trashed", "") == "1"
        user = self.person.user.id if wanted == self.person.name else None
        views = await self.context.ledger.run(notebooks.views, user=user, trashed=trashed)
        if wanted not in ("*", self.person.name):
            views = [view for view in views if view.owner.hub_name == wanted]
        rest = [view for view in views if not cursor or view.notebook.id < cursor]
        page = rest[:limit]
        made = [
            as_json(self.context, row_of(self.context, self.person, view, state), view)
            for view, state in zip(page, await states(self.context, self.person, page), strict=True)
        ]
        self.write_json({"notebooks": made, "next": page[-1].notebook.id if len(rest) > limit else None})

    async def post(self) -> None:
        body = self.body()
        for name in body:
            if name not in CREATE:
                raise BadInput("There is no such field", next=[suggestion(name, CREATE)], field=name)
        title, start_it = body.pop("name", ""), body.pop("start", True)
        if not isinstance(title, str):
            raise BadInput("This must be text", field="name")
        if not isinstance(start_it, bool):
            raise BadInput("This must be true or false", field="start")
        view = await actions.create(self.context, self.person, title, body, start_it=start_it)
        self.write_json(await self.one(view), 201)


class NotebookHandler(ApiHandler):
    async def get(self, owner: str, part: str) -> None:
        self.write_json(await self.one(await self.view(owner, part)))


class StartHandler(ApiHandler):
    """POST: names only, such as {"profile": "notebook-cpu-small"}; without them those of the last time."""

    async def post(self, owner: str, part: str) -> None:
        view = await ensured(self.context, self.person, owner, part)
        await actions.start(self.context, self.person, view, self.body())
        self.write_json(await self.one(view), 202)


class StopHandler(ApiHandler):
    async def post(self, owner: str, part: str) -> None:
        view = await self.view(owner, part)
        await actions.stop(self.context, self.person, view)
        self.write_json(await self.one(view), 202)


class SaveHandler(ApiHandler):
    """POST: saves now what is not saved, whether the notebook runs or not."""

    async def post(self, owner: str, part: str) -> None:
        view = await self.view(owner, part)
        await actions.save(self.context, self.person, view)
        self.write_json(await self.one(view), 202)


class SnapshotsHandler(ApiHandler):
    async def get(self, owner: str, part: str) -> None:
        view = await self.view(owner, part)
        found = await self.context.ledger.run(snapshots.of_workspace, view.notebook.workspace)
        self.write_json({"snapshots": [_snapshot(one) for one in found], "next": None})


class NotebookSessionsHandler(ApiHandler):
    async def get(self, owner: str, part: str) -> None:
        view = await self.view(owner, part)
        limit, _ = self.limits()
        found = await self.context.ledger.run(sessions.of_notebook, view.notebook.id, limit)
        self.write_json({"sessions": [_session(one) for one in found], "next": None})


class SessionHandler(ApiHandler):
    async def get(self, id: str) -> None:
        session, _ = await actions.own_session(self.context, self.person, id)
        stop = await self.context.ledger.run(intents.last_stop, session.id)
        told = (
            {"cause": stop.cause, "asked_at": _time(stop.asked_at), "evidence": dict(stop.evidence)}
            if stop is not None
            else None
        )
        self.write_json(_session(session) | {"stop": told})


class SessionExtendHandler(ApiHandler):
    """POST: {"seconds"} (optional): moves the deadline that comes first, within the profile's bound."""

    async def post(self, id: str) -> None:
        session, _ = await actions.own_session(self.context, self.person, id)
        body = self.body()
        for name in body:
            if name != "seconds":
                raise BadInput("There is no such field", next=["Write seconds, or nothing"], field=name)
        seconds = body.get("seconds", 0)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 10**8:
            raise BadInput("This must be a number of seconds", next=["Leave it out"], field="seconds")
        made = await actions.extend(self.context, self.person, session, float(seconds))
        fresh = await self.context.ledger.run(sessions.get, session.id)
        limits = limits_of(self.context, fresh)
        left = max(0, limits.extensions - fresh.extensions) if limits else 0
        ends = ends_json(self.context, fresh)
        self.write_json({"moved": made.kind, "until": _time(made.until), **ends, "extensions_left": left})


class SessionLogHandler(ApiHandler):
    async def get(self, id: str) -> None:
        session, _ = await actions.own_session(self.context, self.person, id)
        lines = await self.context.ledger.run(sessions.log, session.id, 1000)
        self.write_json({"lines": [{"at": to_text(at), "line": line} for at, line in lines]})


class ProfilesHandler(ApiHandler):
    async def get(self) -> None:
        self.write_json({"profiles": [_card(card) for card in await self._cards()], "next": None})

    async def _cards(self) -> list[Card]:
        views = await self.context.ledger.run(notebooks.views, user=self.person.user.id)
        return cards_for(self.context, self.person, last_choice(views))


class ProfileHandler(ProfilesHandler):
    async def get(self, name: str) -> None:  # type: ignore[override]
        found = next((card for card in await self._cards() if card.name == name), None)
        if found is None:
            known = self.context.catalog.profiles
            raise NotFound(f"There is no profile {name!r}", next=[suggestion(name, known)])
        self.write_json(
            {**_card(found), **self.context.catalog.content_of(self.context.catalog.profiles[found.name])}
        )


class NothingHandler(ApiHandler):
    """Any other address of the API."""

    async def prepare(self) -> None:
        await super().prepare()
        raise NotFound("There is no such address", "See the README of services/notebooks for those there are")


_TIMES = ("asked_at", "allocated_at", "ready_at", "stop_asked_at", "ended_at", "closed_at", "heard_at")
_CLOCKS = ("verdict_since", "quiet_since", "idle_ends_at", "session_ends_at")
_SESSION = (
    "id",
    "notebook",
    "kind",
    "profile",
    "profile_version",
    "image_digest",
    "phase",
    "verdict",
    "cause",
)
_MORE = (
    "detail",
    "done_bytes",
    "total_bytes",
    "pending_files",
    "pending_bytes",
    "save_error",
    "warnings",
    "made_anew",
    "verdict_sentence",
    "signals",
    "extended_seconds",
    "extensions",
)


def _session(session: Session) -> dict[str, Any]:
    return {name: getattr(session, name) for name in (*_SESSION, *_MORE)} | {
        name: _time(getattr(session, name)) for name in (*_TIMES, *_CLOCKS)
    }


def _snapshot(one: Snapshot) -> dict[str, Any]:
    names = ("number", "kind", "session", "size_bytes", "files", "stored_bytes")
    return {name: getattr(one, name) for name in names} | {"at": _time(one.at)}


def _card(card: Card) -> dict[str, Any]:
    return {
        "name": card.name,
        "title": card.title,
        "use": card.use,
        "flavors": [dataclasses.asdict(flavor) for flavor in card.flavors],
        "limits": card.clock,
        "editors": list(card.editors),
        "exceptions": list(card.exceptions),
        "deprecated": card.deprecated or None,
        "denied": card.denied.as_json()["error"] if card.denied else None,
    }


def _time(at: datetime | None) -> str | None:
    return to_text(at) if at is not None else None
