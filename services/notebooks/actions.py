"""What people do with notebooks: one function behind page, REST API and command.

Each checks first and refuses in words; then it writes who asked for what; then it asks the Hub. The Hub's work
goes on in the background: these return as soon as the ledger shows that it began, or raise what came back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jupyterhub_notebooks import messages
from jupyterhub_notebooks.enforcement.rules import Extended
from jupyterhub_notebooks.enforcement.rules import extend as rules_extend
from jupyterhub_notebooks.errors import BadInput, Conflict, NotFound, Refusal
from jupyterhub_notebooks.hubapi import HubRefused
from jupyterhub_notebooks.ledger import (
    Ledger,
    NotebookView,
    Session,
    audit,
    clocks,
    egress,
    intents,
    notebooks,
    sessions,
)
from jupyterhub_notebooks.names import server_name
from jupyterhub_notebooks.profiles.choosing import Launch, checked_options, choose

from . import after_saving
from .context import Context
from .listing import limits_of
from .people import Person
from .titles import checked, checked_file, checked_repository, free_title

PROJECT_LENGTH = 80
BEGIN_SECONDS = 20.0
LOOK_EVERY_SECONDS = 0.05
#: So long a start waits for a Hub that has not seen the end of the last session yet.
STOPPING_SECONDS = 60.0
STOPPING_EVERY_SECONDS = 0.2
#: A session that saves and was heard of this recently is left alone.
SAVING_HEARD_SECONDS = 60.0


async def agreed(
    context: Context, person: Person, options: Mapping[str, Any], view: NotebookView | None = None
) -> tuple[Launch, dict[str, str]]:
    """The launch that options and the notebook's row mean, and the options to keep. Raises BadInput or Refusal.

    What the owner may start counts, whoever asks.
    """
    asked = checked_options(options)
    groups, name, is_admin = person.groups, person.name, person.hub_admin
    if view is not None and view.owner.id != person.user.id:
        owner = await context.hub.user(view.owner.hub_name)
        groups, name, is_admin = frozenset(owner.groups), owner.name, owner.admin
    if "run" in asked:
        raise BadInput("There is no such option", next=["Leave it out"], field="run")
    kept = dict(view.notebook.options) if view is not None else {}
    last = (view.notebook.profile if view is not None else "") or None
    if asked.get("profile", last) != last:
        kept = {}
    kept.pop("profile", None)
    merged = {**kept, **asked}
    bound = await context.ledger.run(egress.bound, view.notebook.id) if view is not None else None
    launch = choose(
        context.catalog,
        merged,
        groups=groups,
        user=name,
        abilities=context.abilities,
        limits=context.settings.limits,
        is_admin=is_admin,
        last=last,
        contact=context.settings.contact,
        now=context.now(),
        bound=bound,
    )
    return launch, {name: merged[name] for name in ("flavor", "editor") if name in merged}


async def create(
    context: Context,
    person: Person,
    title: str,
    options: Mapping[str, Any],
    *,
    start_it: bool = True,
    project: str = "",
    repo: str = "",
    file: str = "",
) -> NotebookView:
    """A new notebook of this person, started unless told otherwise. Raises BadInput, Refusal or Conflict.

    repo: the address of a repository that each start clones or updates; file: what a start opens.
    """
    title, repo, file = checked(title), checked_repository(repo), checked_file(file)
    project = checked(project, most=PROJECT_LENGTH, field="project")
    launch, kept = await agreed(context, person, options)
    mine = await context.ledger.run(notebooks.views, user=person.user.id, trashed=None)
    titles = {view.notebook.title.casefold(): view for view in mine}
    title = title or free_title("Notebook", titles)
    if title.casefold() in titles:
        there = titles[title.casefold()]
        where = "in the trash" if there.notebook.trashed_at else "in your list"
        raise Conflict(
            messages.title("name taken", name=title),
            messages.why("name taken", where=where),
            messages.steps("name taken", free=free_title(title, titles)),
            field="name",
        )
    name = server_name(title, [view.notebook.server_name for view in mine])
    row = await context.ledger.run(
        notebooks.create,
        person.user.id,
        name,
        title,
        context.now(),
        profile=launch.profile,
        options=kept,
        project=project,
        store=context.settings.store,
        actor=person.user.id,
        repo=repo,
        opens=file,
    )
    view = (await context.ledger.run(notebooks.views, notebook=row.id))[0]
    if start_it:
        await start(context, person, view, {})
    return view


async def start(
    context: Context, person: Person, view: NotebookView, options: Mapping[str, Any], *, safe: bool = False
) -> None:
    """Asks the Hub for a start. One that is under way or running already: nothing is asked. safe: in safe mode."""
    notebook = view.notebook
    if notebook.trashed_at is not None:
        raise Refusal(
            f"{notebook.title} is in the trash", "", ["Put it back, then start it"], label="in_the_trash"
        )
    launch, kept = await agreed(context, person, options, view)
    run = await context.ledger.run(after_saving.run_in_the_way, notebook.id, context.now())
    if run is None and await _is_up(context, view):
        return
    evidence = {"profile": launch.profile, "flavor": launch.flavor} | ({"run": "safe"} if safe else {})
    await context.ledger.run(
        audit.record, context.now(), person.user.id, [notebook.id], "notebook.start_asked", "asked", evidence
    )
    names = {"profile": launch.profile, "flavor": launch.flavor, **kept} | ({"run": "safe"} if safe else {})
    if run is not None:
        await context.ledger.run(after_saving.wish, view, names, person.user.id, context.now())
    else:
        await _begin_start(context, view, names)
    await context.ledger.run(notebooks.choose, notebook.id, launch.profile, kept)


async def _is_up(context: Context, view: NotebookView) -> bool:
    """Whether a session is under way that the Hub knows. Raises Refusal while one is being saved.

    A session that is open and has no agent any more is left to the Hub's side, which can look.
    """
    open_one = await context.ledger.run(sessions.open_of_notebook, view.notebook.id)
    if open_one is None:
        return False
    heard = open_one.heard_at or open_one.asked_at
    if open_one.kind == "save" or open_one.stop_asked_at is not None or open_one.ended_at is not None:
        if (context.now() - heard).total_seconds() > SAVING_HEARD_SECONDS:
            return False
        raise _still_saving(view)
    try:
        server = await context.hub.server(view.owner.hub_name, view.notebook.server_name)
    except NotFound:
        return False
    return server.ready or server.pending == "spawn"


def _still_saving(view: NotebookView) -> Refusal:
    return Refusal(
        f"{view.notebook.title} is still being saved",
        "Only one session may write a workspace",
        ["Wait until it is stopped, then start it"],
        label="still_saving",
    )


async def _begin_start(context: Context, view: NotebookView, names: Mapping[str, str]) -> None:
    """Asks the Hub; returns once the new session stands in the ledger or the Hub has answered."""
    notebook, owner = view.notebook, view.owner.hub_name
    known = await context.ledger.run(_last_session, notebook.id)
    asked = context.background.begin(
        _asked_of_hub(context, view, names),
        f"start of {owner}/{notebook.server_name or '-'}",
    )
    end = context.clock.monotonic() + BEGIN_SECONDS
    while not asked.done() and context.clock.monotonic() < end:
        await asyncio.wait([asked], timeout=LOOK_EVERY_SECONDS)
        if asked.done():
            break
        last = await context.ledger.run(_last_session, notebook.id)
        if last is not None and last != known:
            return
    if asked.done():
        last = await context.ledger.run(_last_session, notebook.id)
        if last is None or last == known:
            asked.result()  # nothing was begun: what the Hub said is what the person reads


async def _asked_of_hub(context: Context, view: NotebookView, names: Mapping[str, str]) -> None:
    """The start itself. A Hub that still stops the server, which the ledger knows to be over, is waited for."""
    notebook, owner = view.notebook, view.owner.hub_name
    end, stopped = context.clock.monotonic() + STOPPING_SECONDS, False
    await _until_given_up(context, view, end)
    while True:
        try:
            await context.hub.start_server(owner, notebook.server_name, names, notebook.title)
            return
        except HubRefused as refused:
            try:
                there = await context.hub.server(owner, notebook.server_name)
            except NotFound:
                raise refused from None
            if stopped or there.ready or there.pending not in (None, "stop"):
                raise
            stopped = there.pending is None  # it may have ended between the two questions: asked once more
            if context.clock.monotonic() > end:
                raise _still_saving(view) from None
        await asyncio.sleep(STOPPING_EVERY_SECONDS)


async def _until_given_up(context: Context, view: NotebookView, end: float) -> None:
    """A start that came to nothing is over in the ledger a moment before the Hub has given it up. Asked meanwhile, the Hub
    would answer for that one."""
    last = view.session
    while last is not None and last.closed_at is not None and last.ready_at is None:
        try:
            there = await context.hub.server(view.owner.hub_name, view.notebook.server_name)
        except NotFound:
            return
        if there.pending != "spawn" or context.clock.monotonic() > end:
            return
        await asyncio.sleep(STOPPING_EVERY_SECONDS)


def _last_session(ledger: Ledger, notebook: str) -> str | None:
    found = sessions.of_notebook(ledger, notebook, 1)
    return found[0].id if found else None


async def stop(
    context: Context, person: Person, view: NotebookView, cause: str = "stopped", *, variables: bool = False
) -> None:
    """Asks for a stop: who and why first, then the Hub. One that is stopping already: nothing is asked.

    variables: those of the kernels are kept first.
    """
    notebook, owner = view.notebook, view.owner.hub_name
    session = await context.ledger.run(sessions.open_of_notebook, notebook.id)
    if session is None:
        return
    if session.stop_asked_at is None:
        await _write_intent(context, person, session, cause, {"variables": True} if variables else {})
    asked = context.background.begin(
        context.hub.stop_server(owner, notebook.server_name), f"stop of {owner}/{notebook.server_name or '-'}"
    )
    await asyncio.wait([asked], timeout=1.0)
    if asked.done():
        asked.result()


async def save(context: Context, person: Person, view: NotebookView) -> None:
    """Asks for a save now: of the agent while it runs, else, where files are not saved, of the janitor."""
    notebook, now = view.notebook, context.now()
    session = await context.ledger.run(sessions.open_of_notebook, notebook.id)
    if session is not None and session.kind == "work" and session.ready_at and not session.stop_asked_at:
        await context.ledger.run(_order_once, session.id, "save", person.user.id, now)
        return
    if session is not None:
        return  # what starts or ends is saved anyway
    if view.workspace.unsaved_on is None:
        raise Refusal(f"Everything in {notebook.title} is saved", label="nothing_to_save")
    if notebook.trashed_at is not None:
        raise Refusal(
            f"{notebook.title} is in the trash", "", ["Put it back, then save it"], label="in_the_trash"
        )
    last = await context.ledger.run(_last_session, notebook.id)
    if last is not None:
        await context.ledger.run(_order_once, last, "save_only", person.user.id, now)


def _order_once(ledger: Ledger, session: str, do: str, actor: str, now: datetime) -> None:
    """An order that waits already is not given twice."""
    if not intents.open_of(ledger, session, do):
        intents.ask(ledger, session, do, "asked", actor, now)


async def _write_intent(
    context: Context, person: Person, session: Session, cause: str, more: Mapping[str, Any] | None = None
) -> None:
    now = context.now()
    label = cause if person.user.id == session.user else "admin"
    evidence = {"ready": session.ready_at is not None, "phase": session.phase, **(more or {})}
    await context.ledger.run(intents.ask, session.id, "stop", label, person.user.id, now, evidence)
    await context.ledger.run(sessions.stop_asked, session.id, now)


async def extend(context: Context, person: Person, session: Session, seconds: float = 0) -> Extended:
    """Moves the deadline of a session that comes first. Raises Refusal beyond the profile's bound.

    An administrator may go beyond it.
    """
    limits = limits_of(context, session)
    now = context.now()
    said: list[Extended] = []

    def decide(row: Session) -> clocks.Change:
        if limits is None or row.ready_at is None or row.stop_asked_at is not None:
            raise Refusal("This session is not running", "", label="not_running")
        made = rules_extend(row, limits, now, seconds=seconds, by_admin=person.is_admin)
        said[:] = [made]
        return clocks.Change(made.values, "session.extended", made.kind, made.evidence(""))

    if await context.ledger.run(clocks.change, session.id, decide, now, person.user.id) is None:
        raise Refusal("This session has ended", "", ["Start the notebook again"], label="not_running")
    return said[0]


async def own_session(context: Context, person: Person, text: str) -> tuple[Session, NotebookView]:
    """The session with an id or its end, if it is this person's to see. Raises NotFound in the same words."""
    nothing = NotFound("There is no such session", "It may be misspelt, or it is somebody else's")
    try:
        session = await context.ledger.run(sessions.resolve, text)
    except (NotFound, Conflict):
        raise nothing from None
    if session.user != person.user.id and not person.is_admin:
        raise nothing
    views = await context.ledger.run(notebooks.views, notebook=session.notebook, trashed=None)
    if not views:
        raise nothing
    return session, views[0]
