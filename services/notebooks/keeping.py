"""What its owner does with snapshots: names one, brings files back, makes one the newest again, duplicates one.

Promises: before anything is overwritten the present state is a snapshot; what is read of a workspace is read by ``looking``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from jupyterhub_notebooks.clock import to_text
from jupyterhub_notebooks.errors import Conflict, NotebooksError, NotFound, Refusal
from jupyterhub_notebooks.ledger import (
    Ledger,
    NotebookView,
    Session,
    Snapshot,
    audit,
    egress,
    intents,
    notebooks,
    reverting,
    sessions,
    snapshots,
)
from jupyterhub_notebooks.ledger.snapshots import Facts
from jupyterhub_notebooks.names import new_id, server_name
from jupyterhub_notebooks.services.keys import make_key
from jupyterhub_notebooks.units import count

from . import taking
from .bodies import NAME_LENGTH
from .context import Context
from .done import Done, Undo
from .people import Person
from .reading import Reader
from .titles import checked, free_title

#: So long an answer waits for an agent's restore, or for a copy, before it says that it goes on.
WAIT_SECONDS = 15.0
LOOK_SECONDS = 0.1
COPIES = "restored"


async def snapshot_of(context: Context, view: NotebookView, number: int) -> Snapshot:
    """A committed snapshot of the notebook. Raises NotFound."""
    found = await context.ledger.run(snapshots.newest, view.notebook.workspace, 1, number + 1)
    if found and found[0].number == number:
        return found[0]
    raise NotFound(f"{view.notebook.title} has no snapshot {number}", next=["See them all in its list"])


async def keep(context: Context, person: Person, view: NotebookView, number: int, text: str) -> Done:
    """Names a snapshot, so that it stays; '' takes the name away."""
    one = await snapshot_of(context, view, number)
    text = checked(text, most=NAME_LENGTH)
    space, now = view.notebook.workspace, context.now()
    await Reader.of(context).ask("name", space, number=number, name=text, now=to_text(now))
    await context.ledger.run(reverting.name, view.notebook.id, space, number, text, person.user.id, now)
    said = f"Snapshot {number} is kept as “{text}”." if text else f"Snapshot {number} has no name any more."
    return Done(said, undo=Undo("keep", {"name": one.name or ""}, number))


async def restore_files(
    context: Context, person: Person, view: NotebookView, number: int, paths: Sequence[str], copies: bool
) -> Done:
    """Brings files back: its agent does where it runs, the next start has them where it is stopped. Raises Refusal."""
    await snapshot_of(context, view, number)
    if taking.is_stopped(view):
        into = f"{COPIES}/snapshot-{number}-{context.now():%Y%m%d-%H%M%S}" if copies else ""
        return await taking.into_stopped(context, person, view, number, paths, into)
    session = _running(view)
    found = await Reader.of(context).ask("paths", view.notebook.workspace, number=number, paths=list(paths))
    wanted = [str(one["path"]) for one in found["entries"]]
    now = context.now()
    evidence: dict[str, Any] = {"number": number, "paths": wanted}
    if copies:
        evidence["into"] = f"{COPIES}/snapshot-{number}-{now:%Y%m%d-%H%M%S}"
    intent = await context.ledger.run(
        intents.ask, session.id, "restore", "asked", person.user.id, now, evidence
    )
    return await restored(context, intent.id, WAIT_SECONDS)


async def restored(context: Context, id: str, seconds: float = 0.0) -> Done:
    """How an ordered restore stands, after at most so long. Raises Refusal where its agent could not do it."""
    end = context.clock.monotonic() + seconds
    while True:
        intent = await context.ledger.run(intents.get, id)
        assert intent is not None
        if intent.done_at is not None or context.clock.monotonic() >= end:
            break
        await asyncio.sleep(LOOK_SECONDS)
    number, paths = int(intent.evidence["number"]), list(intent.evidence["paths"])
    into, outcome = intent.evidence.get("into"), dict(intent.evidence.get("outcome") or {})
    what = paths[0] if len(paths) == 1 else count(len(paths), "file or folder", "files and folders")
    more = {
        "restore": {
            "id": id,
            "done": intent.done_at is not None,
            "number": number,
            "into": into,
            "paths": paths,
        }
    }
    if outcome.get("error"):
        raise Refusal(f"{what} was not restored", str(outcome["error"]), label="not_restored")
    if intent.done_at is None:
        return Done(f"{what} comes back from snapshot {number}.", more=more)
    where = f" as a copy in {into}" if into else ""
    undo = None
    replaced = [paths[at] for at in outcome.get("replaced") or () if at < len(paths)]
    if replaced and outcome.get("before") and not into:
        undo = Undo("restore_files", {"paths": replaced}, int(outcome["before"]))
    more["restore"] |= {"outcome": outcome}
    return Done(f"{what} is back from snapshot {number}{where}.", undo=undo, more=more)


def _running(view: NotebookView) -> Session:
    session = view.session
    if session is not None and session.closed_at is None and session.ready_at and not session.stop_asked_at:
        return session
    raise Refusal(
        f"{view.notebook.title} is not running",
        "It starts or is being saved just now.",
        ["Restore them once it runs or is stopped", "Or download them"],
        label="not_running",
    )


async def restore_all(context: Context, person: Person, view: NotebookView, number: int) -> Done:
    """The newest snapshot says what ``number`` says; the next start has it. Raises Refusal while it runs."""
    source = await snapshot_of(context, view, number)
    notebook, space, now = view.notebook, view.notebook.workspace, context.now()
    if view.head is not None and view.head.number == number:
        raise Refusal(
            f"{notebook.title} is as in snapshot {number}", "It is the newest one", label="is_newest"
        )
    reader = Reader.of(context)
    next_number = await context.ledger.run(snapshots.next_number, space)
    parent = view.head.number if view.head else None
    made = await reader.ask(
        "compose", space, source=source.number, number=next_number, parent=parent, now=to_text(now)
    )
    await taking.put(context, person, view, reader, made, number=next_number, source=number, now=now)
    undo = Undo("restore_all", {}, parent) if parent is not None else None
    kept = f" What was there is snapshot {parent}." if parent else ""
    return Done(
        f"{notebook.title} is as in snapshot {number} from its next start on.{kept}",
        undo=undo,
        more={"snapshot": next_number},
    )


async def duplicate(
    context: Context, person: Person, view: NotebookView, title: str, number: int | None
) -> Done:
    """A new notebook with the files of a snapshot. What takes long goes on after the answer, and says so."""
    if number is None and view.head is None:
        raise Refusal(
            f"Nothing of {view.notebook.title} is saved yet",
            "",
            ["Save now, then duplicate it"],
            label="not_saved",
        )
    source = await snapshot_of(context, view, number if number is not None else view.head.number)  # type: ignore[union-attr]
    mine = await context.ledger.run(notebooks.views, user=person.user.id, trashed=None)
    titles = {one.notebook.title.casefold(): one for one in mine}
    title = checked(title)
    if title.casefold() in titles and title:
        raise Conflict(
            f"You already have a notebook {title}", "", [f"Use {free_title(title, titles)}"], field="name"
        )
    title = title or free_title(f"Copy of {view.notebook.title}"[:60].rstrip(), titles)
    work = context.background.begin(
        _duplicated(context, person, view, title, source), f"copy of {view.notebook.id}"
    )
    await asyncio.wait([work], timeout=WAIT_SECONDS)
    if not work.done():
        return Done(
            f"{title} is being copied; it is in your list once that is done.",
            more={"copying": title},
            status=202,
        )
    made = work.result()
    return Done(f"{title} is a copy of snapshot {source.number}.", undo=Undo("delete", {}), view=made)


async def _duplicated(
    context: Context, person: Person, view: NotebookView, title: str, source: Snapshot
) -> NotebookView:
    settings, ledger, now = context.settings, context.ledger, context.now()
    space = new_id(now, os.urandom)
    key = await make_key(ledger, settings.encryption_key, space, now)
    reader = Reader.of(context)
    try:
        said = await reader.follow(
            "duplicate",
            view.notebook.workspace,
            lambda done, total: None,
            number=source.number,
            into=space,
            into_key=key.hex() if key else None,
            now=to_text(now),
        )
        return await ledger.run(_made, person, view, title, space, taking.facts_of(said), settings.store, now)
    except BaseException:
        with contextlib.suppress(NotebooksError):
            await reader.ask("erase", view.notebook.workspace, into=space)
        raise


def _made(
    ledger: Ledger,
    person: Person,
    view: NotebookView,
    title: str,
    space: str,
    facts: Facts,
    store: str,
    now: datetime,
) -> NotebookView:
    """Its rows, the snapshot's first."""
    old = view.notebook
    last = sessions.of_notebook(ledger, old.id, 1)
    reverting.adopt(ledger, old.id, space, facts, last[0].id if last else "", now)
    egress.copied(ledger, old.workspace, space)
    taken = [one.notebook.server_name for one in notebooks.views(ledger, user=person.user.id, trashed=None)]
    row = notebooks.create(
        ledger,
        person.user.id,
        server_name(title, taken),
        title,
        now,
        project=old.project,
        profile=old.profile,
        options=old.options,
        store=store,
        actor=person.user.id,
        workspace=space,
        cause="duplicated",
    )
    return notebooks.views(ledger, notebook=row.id)[0]


async def read_noted(context: Context, person: Person, view: NotebookView, number: int) -> None:
    """Somebody reads out of a snapshot: who and which one; not what it is called."""
    await context.ledger.run(
        audit.record,
        context.now(),
        person.user.id,
        [view.notebook.id, view.notebook.workspace],
        "snapshot.read",
        "asked",
        {"number": number},
    )


async def changes(
    context: Context, view: NotebookView, number: int, since: int | None, most: int
) -> dict[str, Any]:
    """What changed in a snapshot since another one; None: since the one before it. Raises NotFound."""
    for one in (number, *([since] if since is not None else [])):
        await snapshot_of(context, view, one)
    if since is None:
        before = await context.ledger.run(snapshots.newest, view.notebook.workspace, 1, number)
        since = before[0].number if before else None
    return await Reader.of(context).ask(
        "diff", view.notebook.workspace, first=since, second=number, most=most
    )
