"""What a user owns: notebooks, their workspaces, their trash."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, insert, select, update

from ..errors import BadInput, Conflict, NotFound
from ..names import is_server_name, new_id
from . import audit
from .database import Ledger
from .rows import Notebook, NotebookView, Session, Snapshot, User, Workspace, made
from .tables import notebooks, sessions, snapshots, users, workspaces

MAIN = "Main"


def create(
    ledger: Ledger,
    user: str,
    server_name: str,
    title: str,
    now: datetime,
    *,
    project: str = "",
    profile: str = "",
    options: Mapping[str, Any] | None = None,
    store: str = "",
    actor: str | None = None,
    workspace: str | None = None,
    cause: str = "asked",
    repo: str = "",
    opens: str = "",
) -> Notebook:
    """A new notebook with an empty workspace. Raises BadInput, or Conflict where the name is in use.

    workspace: the id of one that was filled already; cause: how it came about. repo: the address of a repository that
    is cloned or updated at each start; opens: the file that a start opens.
    """
    if not is_server_name(server_name):
        raise BadInput(
            f"{server_name!r} cannot be a notebook's address",
            "An address has lower case letters, digits and single hyphens, at most 30, a letter first",
            field="name",
        )
    title = title.strip() or (server_name or MAIN)
    if len(title) > 200:
        raise BadInput("The name is longer than 200 characters", next=["Choose a shorter one"], field="name")
    with ledger.write() as connection:
        _lock_owner(connection, user)
        there = _named(connection, user, server_name)
        if there is not None:
            raise Conflict(
                f"You already have a notebook {there.title}",
                "It is in the trash." if there.trashed_at else "",
                ["Choose another name"] + (["Put it back from the trash"] if there.trashed_at else []),
                field="name",
            )
        values = (project, profile, options, store, actor, workspace, cause, repo, opens)
        return _insert(connection, user, server_name, title, now, *values)


def ensure(ledger: Ledger, user: str, server_name: str, now: datetime, *, store: str = "") -> Notebook:
    """The notebook of a Hub server, made where a start through the Hub names one that is not there yet."""
    with ledger.write() as connection:
        _lock_owner(connection, user)
        there = _named(connection, user, server_name)
        if there is None:
            return _insert(connection, user, server_name, server_name or MAIN, now, "", "", None, store, user)
        return there


def _insert(
    connection: Connection,
    user: str,
    server_name: str,
    title: str,
    now: datetime,
    project: str,
    profile: str,
    options: Mapping[str, Any] | None,
    store: str,
    actor: str | None,
    space: str | None = None,
    cause: str = "asked",
    repo: str = "",
    opens: str = "",
) -> Notebook:
    id, workspace = new_id(now, os.urandom), space or new_id(now, os.urandom)
    connection.execute(
        insert(notebooks).values(
            id=id,
            user=user,
            server_name=server_name,
            title=title,
            project=project,
            profile=profile,
            options=dict(options or {}),
            workspace=workspace,
            created_at=now,
            repo=repo,
            opens=opens,
        )
    )
    connection.execute(insert(workspaces).values(id=workspace, notebook=id, store=store))
    audit.add(connection, now, actor or user, [id, workspace], "notebook.created", cause, {})
    return made(Notebook, connection.execute(select(notebooks).where(notebooks.c.id == id)).one())


def _lock_owner(connection: Connection, user: str) -> None:
    """One at a time makes a notebook of this user."""
    connection.execute(select(users.c.id).where(users.c.id == user).with_for_update())


def _named(connection: Connection, user: str, server_name: str) -> Notebook | None:
    row = connection.execute(
        select(notebooks).where(
            notebooks.c.user == user,
            notebooks.c.server_name == server_name,
            notebooks.c.emptied_at.is_(None),
        )
    ).first()
    return made(Notebook, row) if row is not None else None


def find(ledger: Ledger, user: str, server_name: str) -> Notebook | None:
    """The notebook of that server, also one in the trash; None where there is none."""
    with ledger.read() as connection:
        return _named(connection, user, server_name)


def get(ledger: Ledger, id: str) -> Notebook:
    """Raises NotFound."""
    with ledger.read() as connection:
        row = connection.execute(select(notebooks).where(notebooks.c.id == id)).first()
    if row is None:
        raise NotFound("There is no such notebook", field="notebook")
    return made(Notebook, row)


def workspace(ledger: Ledger, id: str) -> Workspace:
    """Raises NotFound."""
    with ledger.read() as connection:
        row = connection.execute(select(workspaces).where(workspaces.c.id == id)).first()
    if row is None:
        raise NotFound("There is no such workspace", field="workspace")
    return made(Workspace, row)


def choose(ledger: Ledger, id: str, profile: str, options: Mapping[str, Any]) -> None:
    """What the next start takes: profile and options (names only). Written only after choosing agreed."""
    with ledger.write() as connection:
        connection.execute(
            update(notebooks).where(notebooks.c.id == id).values(profile=profile, options=dict(options))
        )


def rename_server(ledger: Ledger, user: str, old: str, new: str) -> None:
    """The Hub renamed a server: the address changes, the id stays."""
    with ledger.write() as connection:
        connection.execute(
            update(notebooks)
            .where(
                notebooks.c.user == user,
                notebooks.c.server_name == old,
                notebooks.c.emptied_at.is_(None),
            )
            .values(server_name=new)
        )


def retitle(ledger: Ledger, id: str, title: str, actor: str, now: datetime) -> None:
    """Changes the name that is shown; the address stays."""
    with ledger.write() as connection:
        connection.execute(update(notebooks).where(notebooks.c.id == id).values(title=title.strip()))
        audit.add(connection, now, actor, [id], "notebook.renamed", "asked", {"title": title})


def trash(ledger: Ledger, id: str, actor: str | None, now: datetime, cause: str = "asked") -> None:
    """Moves a notebook to the trash; already there: nothing changes."""
    with ledger.write() as connection:
        changed = connection.execute(
            update(notebooks)
            .where(notebooks.c.id == id, notebooks.c.trashed_at.is_(None))
            .values(trashed_at=now, trashed_by=actor)
        ).rowcount
        if changed:
            audit.add(connection, now, actor, [id], "notebook.trashed", cause, {})


def put_back(ledger: Ledger, id: str, actor: str | None, now: datetime) -> None:
    """Takes a notebook out of the trash."""
    with ledger.write() as connection:
        changed = connection.execute(
            update(notebooks)
            .where(
                notebooks.c.id == id, notebooks.c.trashed_at.is_not(None), notebooks.c.emptied_at.is_(None)
            )
            .values(trashed_at=None, trashed_by=None)
        ).rowcount
        if changed:
            audit.add(connection, now, actor, [id], "notebook.put_back", "asked", {})


def resolve(ledger: Ledger, text: str) -> Notebook:
    """The notebook that a person means, also one that never ran: ``[USER/]NOTEBOOK`` by its name, title or ``-``, an id or
    its unambiguous end. Emptied ones are none. Raises NotFound, Conflict."""
    owner, _, name = text.rpartition("/")
    there = (
        select(notebooks).join(users, users.c.id == notebooks.c.user).where(notebooks.c.emptied_at.is_(None))
    )
    if owner:
        there = there.where(users.c.hub_name == owner)
    called = notebooks.c.server_name == ("" if name == "-" else name)
    with ledger.read() as connection:
        found = connection.execute(
            there.where(called | (func.lower(notebooks.c.title) == name.lower()))
        ).all()
        if not found and len(text) >= 4:
            found = connection.execute(there.where(notebooks.c.id.endswith(text, autoescape=True))).all()
    if not found:
        raise NotFound(
            f"No notebook is called {text}",
            next=["Write USER/NOTEBOOK, as its page's address has it"],
            field="notebook",
        )
    if len(found) > 1:
        raise Conflict(
            f"More than one notebook is called {text}", next=["Write USER/NOTEBOOK"], field="notebook"
        )
    return made(Notebook, found[0])


def views(
    ledger: Ledger,
    *,
    user: str | None = None,
    notebook: str | None = None,
    trashed: bool | None = False,
) -> list[NotebookView]:
    """Notebooks with workspace, present or last work session and newest save, newest notebook first.

    trashed: True only the trash, False without it, None both. Emptied ones are never in it.
    """
    query = select(notebooks).where(notebooks.c.emptied_at.is_(None))
    if user is not None:
        query = query.where(notebooks.c.user == user)
    if notebook is not None:
        query = query.where(notebooks.c.id == notebook)
    if trashed is not None:
        gone = notebooks.c.trashed_at
        query = query.where(gone.is_not(None) if trashed else gone.is_(None))
    with ledger.read() as connection:
        rows = [made(Notebook, row) for row in connection.execute(query.order_by(notebooks.c.id.desc()))]
        return _views(connection, rows)


def unsaved(ledger: Ledger) -> list[NotebookView]:
    """Notebooks outside the trash whose volume has files newer than the newest save."""
    query = (
        select(notebooks)
        .join(workspaces, workspaces.c.id == notebooks.c.workspace)
        .where(
            workspaces.c.unsaved_on.is_not(None),
            notebooks.c.trashed_at.is_(None),
            notebooks.c.emptied_at.is_(None),
        )
    )
    with ledger.read() as connection:
        return _views(connection, [made(Notebook, row) for row in connection.execute(query)])


def _views(connection: Connection, rows: Sequence[Notebook]) -> list[NotebookView]:
    ids = [row.id for row in rows]
    spaces_ids = [row.workspace for row in rows]
    owners = _by(connection, select(users).where(users.c.id.in_({row.user for row in rows})), User, "id")
    spaces = _by(connection, select(workspaces).where(workspaces.c.id.in_(spaces_ids)), Workspace, "id")
    newest = (
        select(sessions.c.notebook, func.max(sessions.c.id).label("id"))
        .where(sessions.c.notebook.in_(ids), sessions.c.kind == "work")
        .group_by(sessions.c.notebook)
        .subquery()
    )
    last = _by(connection, select(sessions).join(newest, sessions.c.id == newest.c.id), Session, "notebook")
    top = (
        select(snapshots.c.workspace, func.max(snapshots.c.number).label("number"))
        .where(
            snapshots.c.workspace.in_(spaces_ids),
            snapshots.c.kind == "save",
            snapshots.c.state == "committed",
        )
        .group_by(snapshots.c.workspace)
        .subquery()
    )
    same = and_(snapshots.c.workspace == top.c.workspace, snapshots.c.number == top.c.number)
    heads = _by(connection, select(snapshots).join(top, same), Snapshot, "workspace")
    now_saving = select(sessions).where(
        sessions.c.notebook.in_(ids), sessions.c.kind == "save", sessions.c.closed_at.is_(None)
    )
    saving = _by(connection, now_saving, Session, "notebook")
    return [
        NotebookView(
            row,
            owners[row.user],
            spaces[row.workspace],
            last.get(row.id),
            heads.get(row.workspace),
            saving.get(row.id),
        )
        for row in rows
    ]


def _by(connection: Connection, query: Any, kind: type[Any], key: str) -> dict[str, Any]:
    return {getattr(value, key): value for row in connection.execute(query) if (value := made(kind, row))}
