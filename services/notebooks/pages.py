"""The pages: my notebooks, new notebook, one notebook. Each answers also without a script in the browser."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyterhub_notebooks import messages
from jupyterhub_notebooks.client.actions import command_line
from jupyterhub_notebooks.enforcement import safe
from jupyterhub_notebooks.enforcement.diagnosing import signals
from jupyterhub_notebooks.enforcement.state import ERROR, RUNNING, STARTING
from jupyterhub_notebooks.errors import NotebooksError, NotFound
from jupyterhub_notebooks.ledger import (
    NotebookView,
    audit,
    notebooks,
    sessions,
    users,
)
from jupyterhub_notebooks.names import repository_folder, server_name
from jupyterhub_notebooks.profiles.form import common, options_of
from jupyterhub_notebooks.profiles.words import EDITOR_NAMES

from . import actions, recovery
from .cards import cards_told, last_choice
from .context import Context
from .handling import Handler
from .listing import SHOWS, TRASH, Row, page_of, row_of, rows, shown, states
from .notebook_page import behind
from .people import Person, ensured
from .steps import steps_of
from .titles import free_title

LOG_LINES = 100
#: Fields of the form; those that are no options of a start.
TYPED = ("profile", "name", "editor", "project", "repo", "file")
BESIDE = ("project", "repo", "file")
#: More rows than anybody reads at once are shown when they are asked for: a page stays small.
ROWS_SHOWN, ROWS_MOST = 50, 1000
#: So many of its last sessions decide whether safe mode is offered.
SAFE_LOOKS_AT = 5
BEGUN_SECONDS = 5.0
BEGUN_EVERY_SECONDS = 0.1


class ListHandler(Handler):
    """GET: my notebooks; the first visit asks one thing only."""

    async def get(self) -> None:
        show, find = self.get_argument("show", "all"), self.get_argument("find", "")
        show = show if show in (*SHOWS, TRASH) else "all"
        made, views, everyone = await listed(self.context, self.person, self.get_argument("who", ""))
        gone = await trashed(self.context, self.person, everyone)
        if not views and not everyone and not gone:
            all_cards = await cards_told(self.context, self.person, None)
            able = [card for card in all_cards if card.denied is None]
            able.sort(key=lambda card: bool(card.broken))
            number = len(self.context.catalog.profiles)
            self.page("first.html", picks=able[:3], number=number, common=common(able[:3]))
            return
        most = rows_of(self.get_argument("rows", ""))
        counts = {name: len(shown(made, name, "")) for name in SHOWS} | {TRASH: len(gone)}
        made = await rows(self.context, self.person, gone) if show == TRASH else made
        picked = shown(made, show, find)
        self.page(
            "list.html",
            rows=picked[:most],
            more=max(0, len(picked) - most),
            most=most,
            step=ROWS_SHOWN,
            away=f"{messages.MESSAGES['Hub away'].title}. {messages.why('Hub away')}",
            show=show,
            find=find,
            counts=counts,
            everyone=everyone,
            problem=self.context.catalog_file.problem if self.person.is_admin else None,
            command="jupyterhub-notebooks notebook "
            + ("trash" if show == "trash" else "list --all" if everyone else "list"),
        )


class RowsHandler(Handler):
    """GET rows: the same rows again, as a piece of HTML for the page to take over."""

    async def get(self) -> None:
        made, _, everyone = await listed(self.context, self.person, self.get_argument("who", ""))
        show = self.get_argument("show", "all")
        if show == TRASH:
            gone = await trashed(self.context, self.person, everyone)
            made = await rows(self.context, self.person, gone)
        most = rows_of(self.get_argument("rows", ""))
        self.page("rows.html", rows=shown(made, show, self.get_argument("find", ""))[:most], show=show)


def rows_of(asked: str) -> int:
    """How many rows are shown: so many as were asked for, within bounds."""
    return min(max(int(asked), 1), ROWS_MOST) if asked.isdecimal() and len(asked) < 6 else ROWS_SHOWN


async def trashed(context: Context, person: Person, everyone: bool) -> list[NotebookView]:
    """What is in the trash."""
    user = None if everyone else person.user.id
    return await context.ledger.run(notebooks.views, user=user, trashed=True)


async def listed(context: Context, person: Person, who: str) -> tuple[list[Row], list[NotebookView], bool]:
    """Rows and notebooks of a person, or of everyone where an administrator asks for that."""
    everyone = who == "everyone" and person.is_admin
    views = await context.ledger.run(notebooks.views, user=None if everyone else person.user.id)
    return await rows(context, person, views), views, everyone


class NewHandler(Handler):
    """GET: the form, filled in from the address. POST: creates and starts; a refusal stands in the form."""

    async def get(self) -> None:
        await self._form({name: self.get_argument(name, "") for name in TYPED})

    async def post(self) -> None:
        form = {name: self.get_arguments(name) for name in self.request.body_arguments}
        typed = {name: self.get_argument(name, "") for name in TYPED}
        try:
            view = await actions.create(
                self.context,
                self.person,
                typed["name"],
                options_of({name: values for name, values in form.items() if name not in BESIDE}),
                start_it=False,
                project=typed["project"],
                repo=typed["repo"],
                file=typed["file"],
            )
        except NotebooksError as error:
            self.set_status(error.http_status)
            await self._form(typed, error)
            return
        page = page_of(self.context, view)
        await actions.start(self.context, self.person, view, {})
        self.redirect(f"{page}?open=1", status=303)

    async def _form(self, typed: dict[str, str], error: NotebooksError | None = None) -> None:
        views = await self.context.ledger.run(notebooks.views, user=self.person.user.id, trashed=None)
        last = last_choice(views)
        titles = {view.notebook.title.casefold(): view for view in views}
        taken = [view.notebook.server_name for view in views]
        folder = repository_folder(typed["repo"]) if typed["repo"] else ""
        name = typed["name"] or free_title(folder or "Notebook", titles)
        made = await cards_told(self.context, self.person, last)
        able = {card.name: card for card in made if card.denied is None}
        chosen = typed["profile"] if typed["profile"] in able else next(iter(able), "")
        refused = next((card for card in made if card.name == typed["profile"] and card.denied), None)
        offered = sorted({editor for card in able.values() for editor in card.editors})
        self.page(
            "new.html",
            made=made,
            chosen=able.get(chosen),
            name=name,
            address=server_name(name, taken),
            taken=taken,
            editors=[(editor, EDITOR_NAMES[editor]) for editor in offered] if len(offered) > 1 else [],
            editor=typed["editor"],
            error=error or (refused.denied if refused else None),
            repo=typed["repo"],
            file=typed["file"],
            folder=folder,
            project=typed["project"],
            projects=sorted(
                {view.notebook.project for view in views if view.notebook.project} | self.person.groups
            ),
            command=command_line(
                "create", "", {"name": name, "profile": chosen, "repo": typed["repo"], "file": typed["file"]}
            ),
        )


class NotebookHandler(Handler):
    """GET n/USER/SERVER: where a start or a stop is watched, and what the notebook has behind it."""

    async def get(self, owner: str, part: str) -> None:
        view = await ensured(self.context, self.person, owner, part)
        opens = self.get_argument("open", "") == "1"
        if opens:
            view = await begun(self.context, self.person, view)
        values = await notebook_values(self.context, self.person, view)
        if opens and values["row"].is_running and await is_open(self.context, view):
            self.redirect(values["row"].lands, status=303)
            return
        self.page(
            "notebook.html",
            **values,
            opens=opens,
            **await behind(self.context, self.person, view, self.context.now()),
        )


async def notebook_values(context: Context, person: Person, view: NotebookView) -> dict[str, Any]:
    """What the moving part of a notebook's page shows."""
    state = (await states(context, person, [view]))[0]
    row = row_of(context, person, view, state)
    session = view.session
    lines: list[Any] = []
    if session is not None:
        lines = await context.ledger.run(sessions.log, session.id, LOG_LINES)
    past = await context.ledger.run(sessions.of_notebook, view.notebook.id, SAFE_LOOKS_AT)
    steps = steps_of(session, state, context.now()) if session is not None else []
    failed = None
    if session is not None and state.state == ERROR:
        failed = await context.ledger.run(audit.of_session, session.id, audit.FAILED, session.asked_at)
    return {
        "row": row,
        "state": state,
        "session": session,
        "steps": steps,
        "signals": signals(failed),
        "log": lines,
        "view": view,
        "safe_offer": safe.offer(past),
        "recovery": await recovery.of(context, person, view),
    }


async def is_open(context: Context, view: NotebookView) -> bool:
    """Whether the Hub leads to the notebook's server already. A Hub that does not answer: not yet."""
    try:
        server = await context.hub.server(view.owner.hub_name, view.notebook.server_name)
    except NotebooksError:
        return False
    return server.ready


async def is_asked(context: Context, view: NotebookView) -> bool:
    """Whether the Hub has a start under way whose session may not stand in the ledger yet."""
    try:
        server = await context.hub.server(view.owner.hub_name, view.notebook.server_name)
    except NotebooksError:
        return False
    return server.pending == "spawn"


async def begun(context: Context, person: Person, view: NotebookView) -> NotebookView:
    """The notebook once a start that the Hub knows shows in the ledger; at most a few seconds later."""
    end = context.clock.monotonic() + BEGUN_SECONDS
    while context.clock.monotonic() < end:
        state = (await states(context, person, [view]))[0]
        if state.state in (STARTING, RUNNING) or not await is_asked(context, view):
            return view
        await asyncio.sleep(BEGUN_EVERY_SECONDS)
        view = (await context.ledger.run(notebooks.views, notebook=view.notebook.id, trashed=None))[0]
    return view


class UserRootHandler(Handler):
    """GET n/USER: leads to the list."""

    async def get(self, owner: str) -> None:
        if owner != self.person.name and not self.person.is_admin:
            raise NotFound("There is no such page")
        if await self.context.ledger.run(users.by_name, owner) is None:
            raise NotFound("There is no such page")
        self.redirect(self.context.prefix)
