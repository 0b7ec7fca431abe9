"""What its owner changes of a notebook: its name, what it starts with, whether it is in the trash, an error that was read.

Each answers ``Done``: what to say, and what takes it back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from jupyterhub_notebooks.enforcement.state import ERROR
from jupyterhub_notebooks.errors import BadInput, NotebooksError, Refusal
from jupyterhub_notebooks.ledger import NotebookView, changing, notebooks, sessions, snapshots, trashing
from jupyterhub_notebooks.profiles.choosing import Launch
from jupyterhub_notebooks.profiles.words import EDITOR_NAMES, show_limits, show_price
from jupyterhub_notebooks.units import count, show_duration, show_size
from jupyterhub_notebooks.workspace.retention import Dated, keep, rule_of, show_rule

from . import actions
from .context import Context
from .done import Done, Undo
from .listing import states
from .people import Person
from .titles import checked

PROJECT_LENGTH = 80
#: So long a restart waits for the last save.
RESTART_SECONDS = 3600.0
LOOK_SECONDS = 0.5


async def rename(context: Context, person: Person, view: NotebookView, title: str) -> Done:
    """Another name; the address stays. Raises BadInput or Conflict."""
    title = checked(title)
    if not title:
        raise BadInput("A name has at least one character", next=["Write one"], field="name")
    before = await context.ledger.run(changing.rename, view.notebook.id, title, person.user.id, context.now())
    if before == title:
        return Done(f"It is called {title} already.")
    return Done(f"{before} is now called {title}.", undo=Undo("rename", {"name": before}))


async def choose(
    context: Context,
    person: Person,
    view: NotebookView,
    options: Mapping[str, str],
    *,
    project: str | None = None,
    restart: bool = False,
) -> Done:
    """What it starts with from now on, and with restart at once. Raises BadInput or Refusal; then nothing is changed."""
    if project is not None:
        project = checked(project, most=PROJECT_LENGTH, field="project")
    _not_in_trash(view)
    launch, kept = await actions.agreed(context, person, options, view)
    before = await _before(context, person, view)
    said = await context.ledger.run(
        changing.choose, view.notebook.id, launch.profile, kept, person.user.id, context.now(), project
    )
    if project is not None:
        before["project"] = said["project"]
    undo = Undo("set", before) if before else None
    title, running = view.notebook.title, _is_open(view)
    if not restart:
        when = " from its next start on" if running else ""
        return Done(f"{title} is set to {launch.profile}{when}.", undo=undo)
    if running:
        name = f"restart of {view.owner.hub_name}/{view.notebook.server_name or '-'}"
        context.background.begin(_again(context, person, view.notebook.id), name)
        return Done(f"{title} is saved, stopped and started on {launch.profile}.")
    await actions.start(context, person, view, {})
    return Done(f"{title} starts on {launch.profile}.")


async def _before(context: Context, person: Person, view: NotebookView) -> dict[str, str]:
    """What it would start with now; nothing where that is not possible any more."""
    if not view.notebook.profile:
        return {}
    try:
        was, _ = await actions.agreed(context, person, {}, view)
    except NotebooksError:
        return {}
    return {"profile": was.profile, "flavor": was.flavor, "editor": was.editor}


async def _again(context: Context, person: Person, id: str) -> None:
    """Stops and starts; what stands in the ledger by then is what it starts with."""
    view = (await context.ledger.run(notebooks.views, notebook=id))[0]
    await actions.stop(context, person, view)
    end = context.clock.monotonic() + RESTART_SECONDS
    while context.clock.monotonic() < end:
        if await context.ledger.run(sessions.open_of_notebook, id) is None:
            break
        await asyncio.sleep(LOOK_SECONDS)
    while True:
        views = await context.ledger.run(notebooks.views, notebook=id)
        if not views:
            return
        try:
            await actions.start(context, person, views[0], {})
            return
        except NotebooksError:
            # the Hub takes a moment longer than the ledger to see that a server is gone
            if context.clock.monotonic() > end or await _began(context, id, view):
                raise
        await asyncio.sleep(LOOK_SECONDS)


async def _began(context: Context, id: str, before: NotebookView) -> bool:
    last = await context.ledger.run(sessions.of_notebook, id, 1)
    return bool(last) and before.session is not None and last[0].id != before.session.id


async def what_changes(
    context: Context, person: Person, view: NotebookView, options: Mapping[str, str]
) -> list[str]:
    """What another profile, size or editor means, before it is chosen. Raises BadInput or Refusal."""
    launch, _ = await actions.agreed(context, person, options, view)
    now, _ = await actions.agreed(context, person, {}, view) if view.notebook.profile else (None, {})
    kept = f" ({show_size(view.head.size_bytes)})" if view.head else ""
    said = [f"All files and installed packages stay{kept}."]
    if now is not None:
        said += _limits(now, launch)
        said += await _storage(context, view, now, launch)
        price, was = (show_price(one.resources, context.settings.currency) for one in (launch, now))
        if price != was:
            said.append(f"{price.capitalize()} instead of {was}.")
        if launch.editor != now.editor:
            said.append(
                f"{EDITOR_NAMES.get(launch.editor, launch.editor)} instead of {EDITOR_NAMES.get(now.editor, now.editor)}."
            )
    return said + _lost(view)


def _limits(now: Launch, then: Launch) -> list[str]:
    said = []
    if show_limits(now.resources) != show_limits(then.resources):
        said.append(f"{show_limits(then.resources)} instead of {show_limits(now.resources)}.")
    for title, a, b in (
        ("Idle stop after", then.idle_stop_seconds, now.idle_stop_seconds),
        ("A session lasts at most", then.max_session_seconds, now.max_session_seconds),
    ):
        if a != b:
            words = [show_duration(one) if one else "no limit" for one in (a, b)]
            said.append(f"{title} {words[0]} instead of {words[1]}.")
    return said


async def _storage(context: Context, view: NotebookView, now: Launch, then: Launch) -> list[str]:
    """What changes of how much it may hold and of which snapshots stay."""
    said, settings = [], context.settings
    most, was = (one.workspace_bytes or settings.workspace_limit_bytes for one in (then, now))
    if most != was:
        said.append(f"The workspace may hold {show_size(most)} instead of {show_size(was)}.")
        if view.head is not None and view.head.size_bytes > most:
            said.append(f"It holds {show_size(view.head.size_bytes)}: all of it is saved all the same.")
    rule, before = (rule_of(settings.retention, one.retention) for one in (then, now))
    if rule == before:
        return said
    said.append(f"Snapshots stay: {show_rule(rule)}; instead of {show_rule(before)}.")
    rows = await context.ledger.run(snapshots.of_workspace, view.notebook.workspace)
    dated = [Dated(row.number, row.at, row.kind, bool(row.name)) for row in rows]
    gone = keep(dated, context.now(), before) - keep(dated, context.now(), rule)
    if gone:
        wait = settings.retention_wait_days
        when = (
            f"{count(wait, 'day')} after its first start there"
            if wait
            else "soon after its first start there"
        )
        said.append(
            f"{count(len(gone), 'snapshot')} of {len(rows)} would go, {when}; those with a name stay always."
        )
    return said


def _lost(view: NotebookView) -> list[str]:
    """What a restart ends."""
    session = view.session
    if session is None or not _is_open(view) or session.ready_at is None:
        return []
    busy = [
        str(one.get("detail") or one.get("name"))
        for one in session.signals or []
        if one.get("state") == "busy"
    ]
    said = [
        "It is running: a restart ends its kernels and terminals; files are saved first, variables are not."
    ]
    if busy:
        said.append("At work now: " + "; ".join(busy[:3]) + ".")
    return said


async def delete(context: Context, person: Person, view: NotebookView) -> Done:
    """Into the trash, stopped and saved first where it runs."""
    await context.ledger.run(notebooks.trash, view.notebook.id, person.user.id, context.now())
    if _is_open(view):
        await actions.stop(context, person, view)
    days = context.settings.trash_days
    said = f"{view.notebook.title} is in the trash for {days} days."
    return Done(said, undo=Undo("restore", {}))


async def restore(context: Context, person: Person, view: NotebookView) -> Done:
    """Out of the trash."""
    await context.ledger.run(notebooks.put_back, view.notebook.id, person.user.id, context.now())
    return Done(f"{view.notebook.title} is back in your list.", undo=Undo("delete", {}))


async def empty(context: Context, person: Person, view: NotebookView) -> Done:
    """Gone for good. Raises Refusal outside the trash."""
    await context.ledger.run(trashing.empty, view.notebook.id, person.user.id, context.now())
    return Done(f"{view.notebook.title} is deleted for good; its files go within minutes.", gone=True)


async def dismiss(context: Context, person: Person, view: NotebookView, dismissed: bool) -> Done:
    """An error was read. Raises Refusal where there is none, or where files are not saved."""
    session, title = view.session, view.notebook.title
    state = (await states(context, person, [view]))[0]
    if view.workspace.unsaved_on is not None:
        raise Refusal(
            f"{title} has files that are not saved",
            "That is told until they are.",
            ["Save now"],
            label="unsaved",
        )
    told = state.state == ERROR or (session is not None and session.dismissed_at is not None)
    if session is None or session.closed_at is None or not told:
        raise Refusal(f"{title} has no error to dismiss", label="no_error")
    await context.ledger.run(changing.dismiss, session.id, dismissed, person.user.id, context.now())
    said = f"{title} is shown as stopped." if dismissed else f"The error of {title} is shown again."
    return Done(said, undo=Undo("dismiss", {"dismissed": not dismissed}))


def _is_open(view: NotebookView) -> bool:
    return view.session is not None and view.session.closed_at is None


def _not_in_trash(view: NotebookView) -> None:
    if view.notebook.trashed_at is not None:
        raise Refusal(
            f"{view.notebook.title} is in the trash", "", ["Put it back first"], label="in_the_trash"
        )
