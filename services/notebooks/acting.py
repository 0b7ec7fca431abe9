"""The one handler behind page, REST API and command: each action of ``client.actions`` with the function that does it.

Promises: whoever asks by whatever way, the same is checked, done, written into the audit and said; only its owner does what the
table keeps for owners.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from jupyterhub_notebooks.client.actions import ACTIONS, Action
from jupyterhub_notebooks.enforcement.sentences import Moment
from jupyterhub_notebooks.enforcement.state import show_moment
from jupyterhub_notebooks.errors import BadInput, Denied, Refusal
from jupyterhub_notebooks.ledger import NotebookView, aside

from . import actions, bodies, changing, keeping, leaving
from .context import Context
from .done import Done, Undo
from .people import Person

Does = Callable[[Context, Person, NotebookView, Any, int], Awaitable[Done]]


async def act(
    context: Context, person: Person, name: str, view: NotebookView, body: bodies.Body, number: int = 0
) -> Done:
    """Does an action to a notebook. number: of the snapshot, where it is about one. Raises what the action raises."""
    allowed(ACTIONS[name], person, view)
    return await _DOES[name](context, person, view, body, number)


def allowed(action: Action, person: Person, view: NotebookView) -> None:
    """Raises Denied where only the owner may, and this is somebody else."""
    if action.owner_only and view.owner.id != person.user.id:
        raise Denied(
            "Only its owner may do this",
            f"{view.notebook.title} belongs to {view.owner.hub_name}",
            [f"Ask {view.owner.hub_name}"],
        )


async def create(context: Context, person: Person, body: bodies.Create) -> Done:
    """A new notebook of the person who asks."""
    made = await actions.create(
        context,
        person,
        body.name,
        body.chosen(),
        start_it=body.start,
        project=body.project,
        repo=body.repo,
        file=body.file,
    )
    said = f"{made.notebook.title} is made" + (" and starts." if body.start else ".")
    return Done(said, undo=Undo("delete", {}), view=made)


async def _start(context: Context, person: Person, view: NotebookView, body: Any, number: int) -> Done:
    await actions.start(context, person, view, cast(bodies.Start, body).chosen(), safe=body.safe)
    how = " in safe mode" if body.safe else ""
    return Done(f"{view.notebook.title} starts{how}.", undo=Undo("stop", {}))


async def _stop(context: Context, person: Person, view: NotebookView, body: Any, number: int) -> Done:
    await actions.stop(context, person, view, variables=body.variables)
    return Done(f"{view.notebook.title} is saved and stopped.", undo=Undo("start", {}))


async def _save(context: Context, person: Person, view: NotebookView, body: Any, number: int) -> Done:
    await actions.save(context, person, view)
    return Done(f"{view.notebook.title} is being saved.")


async def _extend(context: Context, person: Person, view: NotebookView, body: Any, number: int) -> Done:
    if view.session is None or view.session.closed_at is not None:
        raise Refusal(f"{view.notebook.title} is not running", "", ["Start it"], label="not_running")
    made = await actions.extend(context, person, view.session, float(body.seconds))
    which = "Idle stop" if made.kind == "idle" else "The session's end"
    until = show_moment(Moment(made.until), context.now(), context.zone)
    return Done(f"{which} moved to {until}.", more={"moved": made.kind})


async def _rename(context: Context, person: Person, view: NotebookView, body: Any, number: int) -> Done:
    return await changing.rename(context, person, view, body.name)


async def _set(context: Context, person: Person, view: NotebookView, body: Any, number: int) -> Done:
    if not body.chosen() and body.project is None and not body.restart:
        raise BadInput("Nothing is to be changed", "", ["Give a profile, a flavor, an editor or a project"])
    return await changing.choose(
        context, person, view, body.chosen(), project=body.project, restart=body.restart
    )


async def _duplicate(context: Context, person: Person, view: NotebookView, body: Any, number: int) -> Done:
    return await keeping.duplicate(context, person, view, body.name, body.snapshot)


async def _delete(context: Context, person: Person, view: NotebookView, body: Any, number: int) -> Done:
    return await changing.delete(context, person, view)


async def _restore(context: Context, person: Person, view: NotebookView, body: Any, number: int) -> Done:
    return await changing.restore(context, person, view)


async def _empty(context: Context, person: Person, view: NotebookView, body: Any, number: int) -> Done:
    return await changing.empty(context, person, view)


async def _dismiss(context: Context, person: Person, view: NotebookView, body: Any, number: int) -> Done:
    return await changing.dismiss(context, person, view, body.dismissed)


async def _start_from_save(
    context: Context, person: Person, view: NotebookView, body: Any, number: int
) -> Done:
    await leaving.start_from_last_save(context, person, view)
    return Done(f"{view.notebook.title} starts from its last save.")


async def _dismiss_recovery(
    context: Context, person: Person, view: NotebookView, body: Any, number: int
) -> Done:
    book, done = view.notebook, bool(body.dismissed)
    await context.ledger.run(
        aside.dismiss, book.id, book.workspace, number, person.user.id, context.now(), dismissed=done
    )
    said = f"Snapshot {number} {'is dismissed; it stays as others do' if done else 'is shown again'}."
    return Done(said, undo=Undo("dismiss_recovery", {"dismissed": not done}, number))


async def _keep(context: Context, person: Person, view: NotebookView, body: Any, number: int) -> Done:
    return await keeping.keep(context, person, view, number, body.name)


async def _restore_files(
    context: Context, person: Person, view: NotebookView, body: Any, number: int
) -> Done:
    return await keeping.restore_files(context, person, view, number, body.paths, body.copies)


async def _restore_all(context: Context, person: Person, view: NotebookView, body: Any, number: int) -> Done:
    return await keeping.restore_all(context, person, view, number)


#: ``create`` and ``download`` have no notebook yet, or no answer in JSON: they have handlers of their own.
_DOES: Mapping[str, Does] = {
    "start": _start,
    "stop": _stop,
    "save": _save,
    "extend": _extend,
    "rename": _rename,
    "set": _set,
    "duplicate": _duplicate,
    "delete": _delete,
    "restore": _restore,
    "empty": _empty,
    "dismiss": _dismiss,
    "start_from_save": _start_from_save,
    "dismiss_recovery": _dismiss_recovery,
    "keep": _keep,
    "restore_files": _restore_files,
    "restore_all": _restore_all,
}
