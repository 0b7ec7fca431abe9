"""What could not be saved, and what came back of it: recovery snapshots with who, when and why, and the choice before them.

Pure but for ``of``, which reads the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jupyterhub_notebooks.clock import to_text
from jupyterhub_notebooks.enforcement.causes import cause_of
from jupyterhub_notebooks.enforcement.sentences import Moment, Sentence
from jupyterhub_notebooks.enforcement.state import plain
from jupyterhub_notebooks.ledger import (
    Ledger,
    NotebookView,
    Session,
    SetAside,
    Snapshot,
    aside,
    sessions,
    snapshots,
    users,
)
from jupyterhub_notebooks.names import short
from jupyterhub_notebooks.units import count, show_size

from .context import Context
from .leaving import told_before
from .people import Person


@dataclass(frozen=True)
class Found:
    """A recovery snapshot. why: a sentence with who and when. session: whose files they are, where that is known."""

    snapshot: Snapshot
    why: Sentence
    session: str | None


@dataclass(frozen=True)
class Left:
    """A volume whose files have not come back yet."""

    aside: SetAside
    why: Sentence


@dataclass(frozen=True)
class Recovery:
    """before: what starting from the last save leaves behind, () where there is no such choice."""

    before: Sentence = ()
    left: tuple[Left, ...] = ()
    found: tuple[Found, ...] = ()

    @property
    def open(self) -> tuple[Found, ...]:
        """Those that their owner has not dismissed."""
        return tuple(one for one in self.found if one.snapshot.dismissed_at is None)

    def as_json(self, context: Context) -> dict[str, Any]:
        """As the REST API says it."""

        def words(sentence: Sentence) -> str:
            return plain(sentence, context.now(), context.zone)

        return {
            "start_from_last_save": words(self.before) or None,
            "left_behind": [
                {
                    "volume": one.aside.volume,
                    "session": one.aside.session,
                    "at": to_text(one.aside.at),
                    "head": one.aside.head,
                    "files": one.aside.files,
                    "size_bytes": one.aside.size_bytes,
                    "settled_at": _time(one.aside.settled_at),
                    "why": words(one.why),
                }
                for one in self.left
            ],
            "snapshots": [
                {
                    "number": one.snapshot.number,
                    "at": to_text(one.snapshot.at),
                    "files": one.snapshot.files,
                    "size_bytes": one.snapshot.size_bytes,
                    "session": one.session,
                    "dismissed_at": _time(one.snapshot.dismissed_at),
                    "why": words(one.why),
                }
                for one in self.found
            ],
        }


def _time(at: datetime | None) -> str | None:
    return to_text(at) if at is not None else None


async def of(context: Context, person: Person, view: NotebookView) -> Recovery:
    """All of it for one notebook."""
    return await context.ledger.run(_read, view, person.user.id)


def _read(ledger: Ledger, view: NotebookView, reader: str) -> Recovery:
    space = view.notebook.workspace
    recovered = aside.recovered(ledger, space)
    waiting = [one for one in aside.of_workspace(ledger, space) if one.settled_at is None]
    if not recovered and not waiting:
        return Recovery(told_before(view))
    saves = {one.number: one.at for one in snapshots.of_workspace(ledger, space)}
    wanted = {one.aside.session for one in recovered if one.aside} | {one.session for one in waiting}
    wanted |= {one.found for one in recovered}
    past = {id: sessions.get(ledger, id) for id in wanted if id}
    names = {one.actor: _name(ledger, one.actor, reader) for one in aside.of_workspace(ledger, space)}
    found = tuple(
        Found(
            one.snapshot,
            came_back(one.snapshot, one.aside, past, saves, names),
            one.aside.session if one.aside else None,
        )
        for one in recovered
    )
    left = tuple(Left(one, (*left_behind(one, past, saves, names), _waits(one))) for one in waiting)
    return Recovery(told_before(view), left, found)


def _name(ledger: Ledger, actor: str | None, reader: str) -> str:
    if actor is None:
        return "an administrator"
    return "you" if actor == reader else users.get(ledger, actor).hub_name


def left_behind(
    one: SetAside,
    past: Mapping[str, Session],
    saves: Mapping[int, datetime],
    names: Mapping[str | None, str],
) -> Sentence:
    """Whose files they are, how its session ended, and who went on without them."""
    session = past.get(one.session or "")
    who = names.get(one.actor, "somebody")
    head: Sentence = ("Files that were not saved",)
    if session is not None:
        head = (f"Files of session …{short(session.id)}, which {_ended(session)} at ", _end(session))
    start: Sentence = (f", before everything was saved; {who} started from the save of ",)
    at = saves.get(one.head)
    return (*head, *start, Moment(at) if at else f"number {one.head}", " at ", Moment(one.at), ".")


def _ended(session: Session) -> str:
    if session.cause == "agent_died":
        return "stopped answering"
    title = cause_of(session.cause or "").title
    return f"ended ({title[:1].lower()}{title[1:]})"


def _end(session: Session) -> Moment | str:
    at = session.heard_at if session.cause == "agent_died" else session.ended_at
    at = at or session.ended_at or session.closed_at
    return Moment(at) if at is not None else "a time that is not known"


def _waits(one: SetAside) -> str:
    size = f" ({show_size(one.size_bytes)})" if one.size_bytes else ""
    files = count(max(1, one.files), "file")
    return f" {files}{size}: kept as a recovery snapshot as soon as their volume is there again."


def came_back(
    snapshot: Snapshot,
    left: SetAside | None,
    past: Mapping[str, Session],
    saves: Mapping[int, datetime],
    names: Mapping[str | None, str],
) -> Sentence:
    """Why there is a recovery snapshot."""
    if left is not None:
        return (
            *left_behind(left, past, saves, names),
            " Their volume was found again at ",
            _at(snapshot),
            ".",
        )
    by = past.get(snapshot.session)
    which = f"The start of session …{short(by.id)}" if by is not None else "A start"
    return (f"{which} found files on its machine at ", _at(snapshot), " that the newest save did not have.")


def _at(snapshot: Snapshot) -> Moment:
    return Moment(snapshot.at)
