"""Start from the last save: what is not saved stays on a volume that cannot be reached, and is told before the click."""

from __future__ import annotations

from jupyterhub_notebooks.enforcement.sentences import Moment, Sentence
from jupyterhub_notebooks.enforcement.state import unsaved_files
from jupyterhub_notebooks.errors import Refusal
from jupyterhub_notebooks.ledger import NotebookView, aside, notebooks

from . import actions
from .context import Context
from .people import Person


def told_before(view: NotebookView) -> Sentence:
    """What the click leaves behind; () where there is nothing to choose."""
    if view.workspace.unsaved_on is None or view.head is None:
        return ()
    return (
        "Begins with the save of ",
        Moment(view.head.at),
        f". Stays behind: {unsaved_files(view.workspace)}. Should their volume be found again,"
        " they come back as a recovery snapshot.",
    )


async def start_from_last_save(context: Context, person: Person, view: NotebookView) -> None:
    """Leaves what is not saved where it is, and starts. Raises Refusal; then nothing was changed."""
    notebook = view.notebook
    if notebook.trashed_at is not None:
        raise Refusal(
            f"{notebook.title} is in the trash", "", ["Put it back, then start it"], label="in_the_trash"
        )
    await actions.agreed(context, person, {}, view)
    await context.ledger.run(aside.leave, notebook.id, person.user.id, context.now())
    fresh = (await context.ledger.run(notebooks.views, notebook=notebook.id))[0]
    await actions.start(context, person, fresh, {})
