"""What the REST API only reads, and the table of it that addresses and document are made from.

Lists are paged by cursor: ``?limit=`` (at most 200) and ``?cursor=`` from the answer before. Files of a workspace are its
owner's alone; they are sent as attachments, never to be shown by a browser as what they say they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel
from tornado.iostream import StreamClosedError

from jupyterhub_notebooks.client.actions import NOTEBOOK, SNAPSHOT
from jupyterhub_notebooks.errors import BadInput, NotFound
from jupyterhub_notebooks.ledger import intents, notebooks, sessions, snapshots, users
from jupyterhub_notebooks.names import is_id
from jupyterhub_notebooks.profiles.cards import Card
from jupyterhub_notebooks.profiles.problems import suggestion

from . import actions, answers, bodies, changing, keeping, recovery
from .api import ApiHandler, CreateHandler
from .cards import cards_told, last_choice
from .clock_reads import SessionClockHandler, UnusedGpusHandler
from .diagnosing import SessionDiagnosisHandler
from .handling import Handler
from .listing import as_json, row_of, states
from .progress import ApiStream
from .reading import Reader
from .showing import card_json, session_json, snapshot_json, time_text

MOST = 200
MOST_LINES = 20_000
MOST_CHANGES = 1000


class Paged(ApiHandler):
    def limits(self, numbered: bool = False) -> tuple[int, str]:
        """(how many, after which id or number) of a paged list. Raises BadInput."""
        text, cursor = self.get_argument("limit", "50"), self.get_argument("cursor", "")
        if not text.isdecimal() or len(text) > 4 or not 1 <= int(text) <= MOST:
            raise BadInput(f"{text[:20]!r} is not a number from 1 to {MOST}", field="limit")
        good = cursor.isdecimal() and len(cursor) < 10 if numbered else is_id(cursor)
        if cursor and not good:
            raise BadInput(
                "This is not a cursor", next=["Use the one from the answer before"], field="cursor"
            )
        return int(text), cursor


class NotebooksHandler(Paged, CreateHandler):
    """GET: the list (``?user=NAME`` or ``?user=*`` for administrators, ``?trashed=1`` the trash)."""

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


class PreviewHandler(ApiHandler):
    """GET: what another profile, flavor or editor means, before it is chosen."""

    async def get(self, owner: str, part: str) -> None:
        view = await self.own(owner, part, "set")
        names = ("profile", "flavor", "editor")
        options = {name: self.get_argument(name) for name in names if self.get_argument(name, "")}
        self.write_json({"changes": await changing.what_changes(self.context, self.person, view, options)})


class RestoreHandler(ApiHandler):
    """GET: how a restore of files stands."""

    async def get(self, owner: str, part: str, id: str) -> None:
        view = await self.own(owner, part)
        intent = await self.context.ledger.run(intents.get, id)
        session = await self.context.ledger.run(sessions.get, intent.session) if intent is not None else None
        if intent is None or intent.do != "restore" or session is None:
            raise NotFound("There is no such restore")
        if session.notebook != view.notebook.id:
            raise NotFound("There is no such restore")
        done = await keeping.restored(self.context, id)
        undo = done.undo.as_json() if done.undo else None
        self.write_json({"said": done.said, "undo": undo, **done.more})


class SnapshotsHandler(Paged):
    """GET: the newest first; the cursor is a number."""

    async def get(self, owner: str, part: str) -> None:
        view = await self.view(owner, part)
        limit, cursor = self.limits(numbered=True)
        below = int(cursor) if cursor else None
        rest = await self.context.ledger.run(snapshots.newest, view.notebook.workspace, limit + 1, below)
        more = str(rest[limit - 1].number) if len(rest) > limit else None
        self.write_json({"snapshots": [snapshot_json(one) for one in rest[:limit]], "next": more})


class RecoveryHandler(ApiHandler):
    """GET: what could not be saved and what came back of it: recovery snapshots with who, when and why."""

    async def get(self, owner: str, part: str) -> None:
        view = await self.view(owner, part)
        self.write_json((await recovery.of(self.context, self.person, view)).as_json(self.context))


class FolderHandler(ApiHandler):
    """GET: what lies in a folder of a snapshot, hidden files too (``?path=``, ``?after=NAME``)."""

    async def get(self, owner: str, part: str, number: str) -> None:
        view = await self.own(owner, part)
        await keeping.snapshot_of(self.context, view, int(number))
        self.write_json(
            await Reader.of(self.context).ask(
                "folder",
                view.notebook.workspace,
                number=int(number),
                path=self.path_argument("path"),
                after=self.path_argument("after"),
                most=MOST_CHANGES,
            )
        )


class DiffHandler(ApiHandler):
    """GET: what changed since another snapshot (``?since=NUMBER``; without it, since the one before)."""

    async def get(self, owner: str, part: str, number: str) -> None:
        view = await self.own(owner, part)
        since = self.get_argument("since", "")
        if since and not (since.isdecimal() and len(since) < 10):
            raise BadInput("This is not the number of a snapshot", field="since")
        self.write_json(
            await keeping.changes(
                self.context, view, int(number), int(since) if since else None, MOST_CHANGES
            )
        )


class FileHandler(ApiHandler):
    """GET: a file's bytes (``?path=``), as an attachment."""

    async def get(self, owner: str, part: str, number: str) -> None:
        path = self.path_argument("path")
        body = bodies.read(bodies.Download, {"path": path} if path else {})
        assert isinstance(body, bodies.Download)
        view = await self.own(owner, part)
        await keeping.snapshot_of(self.context, view, int(number))
        await keeping.read_noted(self.context, self.person, view, int(number))
        asked = Reader.of(self.context).stream(
            "file", view.notebook.workspace, number=int(number), path=body.path
        )
        await send(self, asked)


class ZipHandler(ApiHandler):
    """GET: a snapshot, or the parts of it at ``?path=`` (which may come several times), as a zip."""

    async def get(self, owner: str, part: str, number: str) -> None:
        view = await self.own(owner, part)
        await keeping.snapshot_of(self.context, view, int(number))
        await keeping.read_noted(self.context, self.person, view, int(number))
        asked = Reader.of(self.context).stream(
            "zip", view.notebook.workspace, number=int(number), paths=self.path_arguments("path")
        )
        name = f"{view.notebook.server_name or 'main'}-snapshot-{number}.zip"
        await send(self, asked, name, "application/zip")


async def send(
    handler: Handler,
    asked: AbstractAsyncContextManager[tuple[dict[str, Any], Any]],
    name: str = "",
    kind: str = "application/octet-stream",
) -> None:
    """Sends what a reader gives, as an attachment under its own name; a browser that went away ends it."""
    try:
        async with asked as (head, pieces):
            called = name or str(head.get("name") or "file")
            plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in called)
            quoted = quote(called.encode("utf-8", "surrogateescape"), safe="")
            handler.set_header("Content-Type", kind)
            handler.set_header(
                "Content-Disposition", f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quoted}"
            )
            handler.set_header("Content-Security-Policy", "sandbox; default-src 'none'")
            if "size_bytes" in head:
                handler.set_header("Content-Length", str(head["size_bytes"]))
            async for piece in pieces:
                handler.write(piece)
                await handler.flush()
    except StreamClosedError:
        return


class NotebookSessionsHandler(Paged):
    """GET: runs of a notebook, the newest first."""

    async def get(self, owner: str, part: str) -> None:
        view = await self.view(owner, part)
        limit, cursor = self.limits()
        found = await self.context.ledger.run(sessions.of_notebook, view.notebook.id, 10_000)
        rest = [one for one in found if not cursor or one.id < cursor]
        more = rest[limit - 1].id if len(rest) > limit else None
        self.write_json({"sessions": [session_json(one) for one in rest[:limit]], "next": more})


class SessionsHandler(Paged):
    """GET: runs of all one's notebooks, the newest first (``?open=1``: only those that have not ended)."""

    async def get(self) -> None:
        limit, cursor = self.limits()
        only_open = self.get_argument("open", "") == "1"
        views = await self.context.ledger.run(notebooks.views, user=self.person.user.id, trashed=None)
        named = {view.notebook.id: view for view in views}
        found = await self.context.ledger.run(
            sessions.of_user, self.person.user.id, only_open, cursor, limit + 1
        )
        rows = [
            session_json(one) | {"title": named[one.notebook].notebook.title}
            for one in found[:limit]
            if one.notebook in named
        ]
        self.write_json({"sessions": rows, "next": found[limit - 1].id if len(found) > limit else None})


class SessionHandler(ApiHandler):
    """GET: one run. ID is its id, its unambiguous end, or ``USER/NOTEBOOK`` (its newest)."""

    async def get(self, id: str) -> None:
        session, view = await actions.own_session(self.context, self.person, id)
        stop = await self.context.ledger.run(intents.last_stop, session.id)
        told: dict[str, Any] | None = None
        if stop is not None:
            told = {
                "cause": stop.cause,
                "asked_at": time_text(stop.asked_at),
                "evidence": dict(stop.evidence),
            }
            actor = await self.context.ledger.run(users.get, stop.actor) if stop.actor else None
            told["actor"] = actor.hub_name if actor is not None else None
        saves = await self.context.ledger.run(snapshots.of_workspace, session.workspace)
        saved = [snapshot_json(one) for one in saves if one.session == session.id]
        self.write_json(session_json(session) | {"stop": told, "saved": saved, "title": view.notebook.title})


class SessionLogHandler(ApiHandler):
    """GET: the last ``?limit=`` lines that it printed, also where it never started; ``?find=`` only those that hold it."""

    async def get(self, id: str) -> None:
        session, _ = await actions.own_session(self.context, self.person, id)
        text = self.get_argument("limit", "1000")
        if not text.isdecimal() or len(text) > 5 or not 1 <= int(text) <= MOST_LINES:
            raise BadInput(f"This is not a number from 1 to {MOST_LINES}", field="limit")
        find = self.get_argument("find", "").casefold()
        lines = await self.context.ledger.run(sessions.log, session.id, MOST_LINES if find else int(text))
        picked = [(at, line) for at, line in lines if find in line.casefold()][-int(text) :]
        self.write_json({"lines": [{"at": time_text(at), "line": line} for at, line in picked]})


class ProfilesHandler(ApiHandler):
    """GET: what may be started, with the reason where it may not."""

    async def get(self) -> None:
        self.write_json({"profiles": [card_json(card) for card in await self.cards()], "next": None})

    async def cards(self) -> list[Card]:
        views = await self.context.ledger.run(notebooks.views, user=self.person.user.id)
        return await cards_told(self.context, self.person, last_choice(views))


class ProfileHandler(ProfilesHandler):
    """GET: one profile, with all that stands in profiles.yaml."""

    async def get(self, name: str) -> None:  # type: ignore[override]
        found = next((card for card in await self.cards() if card.name == name), None)
        if found is None:
            known = self.context.catalog.profiles
            raise NotFound(f"There is no profile {name!r}", next=[suggestion(name, known)])
        self.write_json(
            {**card_json(found), **self.context.catalog.content_of(self.context.catalog.profiles[found.name])}
        )


@dataclass(frozen=True)
class Read:
    """One address that is only read. kind: the media type where it is not JSON. query: (name, what it says)."""

    path: str
    handler: type[Handler]
    answer: type[BaseModel] | None
    query: Sequence[tuple[str, str]] = ()
    kind: str = "application/json"

    @property
    def help(self) -> str:
        return " ".join((self.handler.__doc__ or "").removeprefix("GET:").split())


_PAGED = (("limit", "at most so many, up to 200"), ("cursor", "from the answer before"))
_BYTES = "application/octet-stream"
_OPTIONS = (("profile", "its name"), ("flavor", "its name"), ("editor", "its name"))

READS: tuple[Read, ...] = (
    Read(
        "notebooks",
        NotebooksHandler,
        answers.Notebooks,
        (*_PAGED, ("user", "whose"), ("trashed", "1: the trash")),
    ),
    Read(f"{NOTEBOOK}/change", PreviewHandler, answers.Preview, _OPTIONS),
    Read(f"{NOTEBOOK}/restores/{{id}}", RestoreHandler, answers.Restored),
    Read(f"{NOTEBOOK}/snapshots", SnapshotsHandler, answers.Snapshots, _PAGED),
    Read(f"{NOTEBOOK}/recovery", RecoveryHandler, answers.Recovery),
    Read(
        f"{SNAPSHOT}/files", FolderHandler, answers.Folder, (("path", "a folder"), ("after", "a name in it"))
    ),
    Read(f"{SNAPSHOT}/diff", DiffHandler, answers.Changes, (("since", "a number"),)),
    Read(f"{SNAPSHOT}/file", FileHandler, None, (("path", "a file"),), _BYTES),
    Read(f"{SNAPSHOT}/zip", ZipHandler, None, (("path", "a file or folder"),), "application/zip"),
    Read(f"{NOTEBOOK}/sessions", NotebookSessionsHandler, answers.Sessions, _PAGED),
    Read(f"{NOTEBOOK}/progress", ApiStream, None, (), "text/event-stream"),
    Read(
        "sessions",
        SessionsHandler,
        answers.Sessions,
        (*_PAGED, ("open", "1: only those that have not ended")),
    ),
    Read("sessions/{id}", SessionHandler, answers.Session),
    Read(
        "sessions/{id}/log",
        SessionLogHandler,
        answers.Log,
        (("limit", "at most so many"), ("find", "a text in them")),
    ),
    Read("sessions/{id}/clock", SessionClockHandler, answers.SessionClock),
    Read("sessions/{id}/diagnosis", SessionDiagnosisHandler, answers.Diagnosis),
    Read("gpus/unused", UnusedGpusHandler, answers.UnusedGpus),
    Read("profiles", ProfilesHandler, answers.Profiles),
    Read("profiles/{name}", ProfileHandler, answers.Profile),
)
