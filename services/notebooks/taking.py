"""Files of a snapshot brought back into a notebook that is stopped: a new save, made of listings alone.

Promises: what was there is the save before; nothing is running and nothing is unsaved when the new one is reserved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from jupyterhub_notebooks.clock import to_text
from jupyterhub_notebooks.errors import Conflict, Refusal
from jupyterhub_notebooks.ledger import NotebookView, reverting, snapshots
from jupyterhub_notebooks.ledger.snapshots import Facts
from jupyterhub_notebooks.units import count

from .context import Context
from .done import Done, Undo
from .people import Person
from .reading import Reader


def is_stopped(view: NotebookView) -> bool:
    """Whether nothing of it is open, as far as its rows say."""
    session = view.session
    return (session is None or session.closed_at is not None) and view.saving is None


async def into_stopped(
    context: Context, person: Person, view: NotebookView, number: int, paths: Sequence[str], into: str
) -> Done:
    """Brings paths back, to their places or as copies below into. Raises NotFound, Refusal, Conflict."""
    notebook, space, now = view.notebook, view.notebook.workspace, context.now()
    if view.head is None:
        raise Refusal(
            f"Nothing of {notebook.title} is saved yet",
            "There is no newest save to put files into.",
            ["Restore everything"],
            label="never_saved",
        )
    base = view.head.number
    reader = Reader.of(context)
    next_number = await context.ledger.run(snapshots.next_number, space)
    made = await reader.ask(
        "take",
        space,
        source=number,
        base=base,
        number=next_number,
        paths=list(paths),
        into=into,
        now=to_text(now),
    )
    await put(context, person, view, reader, made, number=next_number, source=number, now=now)
    what = paths[0] if len(paths) == 1 else count(len(paths), "file or folder", "files and folders")
    where = f" as a copy in {into}" if into else ""
    return Done(
        f"{what} is back from snapshot {number}{where} from the next start on. What was there is snapshot {base}.",
        undo=Undo("restore_all", {}, base),
        more={"snapshot": next_number},
    )


async def put(
    context: Context,
    person: Person,
    view: NotebookView,
    reader: Reader,
    made: Mapping[str, Any],
    *,
    number: int,
    source: int,
    now: datetime,
) -> None:
    """The snapshot that was composed as made becomes the newest one. Raises Refusal or Conflict; then it does not."""
    notebook, space = view.notebook.id, view.notebook.workspace
    await context.ledger.run(reverting.reserve, notebook, number, facts_of(made), now)
    done = (notebook, space, number, source, person.user.id, now)
    try:
        await reader.ask("put", space, number=number, body=made["body"])
    except Conflict:
        await context.ledger.run(reverting.settle, *done, written=False)
        raise
    await context.ledger.run(reverting.settle, *done, written=True)


def facts_of(raw: Mapping[str, Any]) -> Facts:
    """What the row of a snapshot says, from the reader's answer."""
    names = ("kind", "sha256", "size_bytes", "files", "stored_bytes")
    return Facts(**{name: raw[name] for name in names})
