"""Runs of notebooks: their times, where they are, why they ended.

A session is open until ``close``: its token works that long, and only one session of a notebook is open
at a time. What the agent reports comes in through ``report``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Update, bindparam, delete, func, insert, select, update

from ..errors import Conflict, NotFound
from ..names import is_id
from . import audit
from .database import Ledger
from .rows import Session, made
from .tables import leases, notebooks, session_log, sessions, users, workspaces

LOG_LINES = 20_000


@dataclass(frozen=True)
class Report:
    """What is new about a session, from heartbeats: columns of the table by their names."""

    session: str
    values: Mapping[str, Any] = field(default_factory=dict)


def begin(
    ledger: Ledger,
    id: str,
    notebook: str,
    launch: Mapping[str, Any],
    token_hash: str,
    now: datetime,
    *,
    kind: str = "work",
    volume: str | None = None,
    actor: str | None = None,
) -> Session:
    """The row of a new session, written before anything else of a start. Raises Conflict while one is open.

    launch: what it starts with; its ``profile`` and ``version`` stand in columns of their own.
    """
    with ledger.write() as connection:
        row = connection.execute(select(notebooks).where(notebooks.c.id == notebook).with_for_update()).one()
        open_one = connection.execute(
            select(sessions.c.id).where(sessions.c.notebook == notebook, sessions.c.closed_at.is_(None))
        ).first()
        if open_one is not None:
            raise Conflict(
                f"{row.title} is still being saved or runs elsewhere",
                "Only one session may write a workspace.",
                ["Wait until it has ended, then start again"],
            )
        connection.execute(
            insert(sessions).values(
                id=id,
                notebook=notebook,
                workspace=row.workspace,
                user=row.user,
                kind=kind,
                profile=str(launch.get("profile", "")),
                profile_version=str(launch.get("version", "")),
                launch=dict(launch),
                token_hash=token_hash,
                volume=volume,
                asked_at=now,
                actor=actor or row.user,
            )
        )
        evidence = {"profile": launch.get("profile", ""), "kind": kind}
        audit.add(connection, now, actor or row.user, [id, notebook], "session.started", "asked", evidence)
        return made(Session, connection.execute(select(sessions).where(sessions.c.id == id)).one())


def get(ledger: Ledger, id: str) -> Session:
    """Raises NotFound."""
    with ledger.read() as connection:
        row = connection.execute(select(sessions).where(sessions.c.id == id)).first()
    if row is None:
        raise NotFound("There is no such session", field="session")
    return made(Session, row)


def by_token(ledger: Ledger, token_hash: str, *, also_closed: bool = False) -> Session | None:
    """The open session of that token; None for an unknown token and, unless asked for, a closed session."""
    query = select(sessions).where(sessions.c.token_hash == token_hash)
    if not also_closed:
        query = query.where(sessions.c.closed_at.is_(None))
    with ledger.read() as connection:
        row = connection.execute(query).first()
    return made(Session, row) if row is not None else None


def of_notebook(ledger: Ledger, notebook: str, limit: int = 50) -> list[Session]:
    """Newest first."""
    query = select(sessions).where(sessions.c.notebook == notebook).order_by(sessions.c.id.desc())
    with ledger.read() as connection:
        return [made(Session, row) for row in connection.execute(query.limit(limit))]


@dataclass(frozen=True)
class Ready:
    """A run of a notebook that came up. retention: what its profile said of it then, None where it said nothing."""

    ready_at: datetime
    profile: str
    retention: Mapping[str, int] | None


def ready_since(ledger: Ledger, notebook: str, since: datetime) -> list[Ready]:
    """The runs of a notebook that came up after since, and the last one before; newest first. Runs that only save are
    none."""
    mine = (sessions.c.notebook == notebook) & (sessions.c.kind == "work") & sessions.c.ready_at.is_not(None)
    query = select(sessions.c.ready_at, sessions.c.profile, sessions.c.launch).where(mine)
    newest_first = query.order_by(sessions.c.ready_at.desc())
    with ledger.read() as connection:
        after = connection.execute(newest_first.where(sessions.c.ready_at > since)).all()
        before = connection.execute(newest_first.where(sessions.c.ready_at <= since).limit(1)).all()
    rows = [*after, *before]
    return [Ready(row.ready_at, row.profile, row.launch.get("retention")) for row in rows]


def open_of_notebook(ledger: Ledger, notebook: str) -> Session | None:
    """The one session of a notebook that is not closed."""
    with ledger.read() as connection:
        row = connection.execute(
            select(sessions).where(sessions.c.notebook == notebook, sessions.c.closed_at.is_(None))
        ).first()
    return made(Session, row) if row is not None else None


def every(ledger: Ledger, *, only_open: bool = False, limit: int = 200) -> list[Session]:
    """Of all users, newest first."""
    query = select(sessions).order_by(sessions.c.id.desc()).limit(limit)
    if only_open:
        query = query.where(sessions.c.closed_at.is_(None))
    with ledger.read() as connection:
        return [made(Session, row) for row in connection.execute(query)]


def of_user(
    ledger: Ledger, user: str, only_open: bool = False, before: str = "", limit: int = 200
) -> list[Session]:
    """Of one user, newest first, from below the id ``before`` on."""
    query = select(sessions).where(sessions.c.user == user).order_by(sessions.c.id.desc()).limit(limit)
    if only_open:
        query = query.where(sessions.c.closed_at.is_(None))
    if before:
        query = query.where(sessions.c.id < before)
    with ledger.read() as connection:
        return [made(Session, row) for row in connection.execute(query)]


def resolve(ledger: Ledger, text: str) -> Session:
    """The session that a person means: an id, its unambiguous end, or ``[USER/]NOTEBOOK`` (its newest)."""
    with ledger.read() as connection:
        if is_id(text):
            found = connection.execute(select(sessions).where(sessions.c.id == text)).all()
        else:
            owner, _, name = text.rpartition("/")
            named = (
                select(sessions)
                .join(notebooks, notebooks.c.id == sessions.c.notebook)
                .join(users, users.c.id == notebooks.c.user)
                .where(
                    (notebooks.c.server_name == ("" if name == "-" else name))
                    | (func.lower(notebooks.c.title) == name.lower()),
                    notebooks.c.emptied_at.is_(None),
                )
                .order_by(sessions.c.id.desc())
            )
            if owner:
                named = named.where(users.c.hub_name == owner)
            rows = connection.execute(named).all()
            if len({row.notebook for row in rows}) > 1:
                raise Conflict(
                    f"More than one notebook is called {name}", next=["Write USER/NOTEBOOK"], field="session"
                )
            found = rows[:1]
            if not found and len(text) >= 4:
                found = connection.execute(
                    select(sessions).where(sessions.c.id.endswith(text, autoescape=True)).limit(2)
                ).all()
    if len(found) != 1:
        raise (
            NotFound(f"No session or notebook is called {text}", next=["See: session list"], field="session")
            if not found
            else Conflict(
                f"More than one session ends with {text}", next=["Write more of it"], field="session"
            )
        )
    return made(Session, found[0])


def report(ledger: Ledger, reports: Iterable[Report]) -> None:
    """Writes what heartbeats brought, all in one transaction; a closed session takes nothing any more."""
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for one in sorted(reports, key=lambda one: one.session):  # one order for all who lock rows
        values = {f"new_{name}": value for name, value in one.values.items()}
        alike.setdefault(tuple(sorted(one.values)), []).append({"of": one.session, **values})
    with ledger.write() as connection:
        for names, rows in alike.items():
            connection.execute(_reporting(names), rows)


@lru_cache(64)
def _reporting(names: tuple[str, ...]) -> Update:
    """The statement that writes these columns of one session; working it out anew takes longer than running it."""
    return (
        update(sessions)
        .where(sessions.c.id == bindparam("of"), sessions.c.closed_at.is_(None))
        .values({name: bindparam(f"new_{name}", type_=sessions.c[name].type) for name in names})
    )


def allocated(ledger: Ledger, id: str, now: datetime) -> None:
    """The backend has the machine for it."""
    report(ledger, [Report(id, {"allocated_at": now})])


def ready(ledger: Ledger, id: str, now: datetime) -> None:
    """The server answers: the user can work."""
    report(ledger, [Report(id, {"ready_at": now})])


def stop_asked(ledger: Ledger, id: str, now: datetime) -> None:
    """A stop began; the first time stays."""
    with ledger.write() as connection:
        connection.execute(
            update(sessions)
            .where(sessions.c.id == id, sessions.c.stop_asked_at.is_(None))
            .values(stop_asked_at=now)
        )


def ended(ledger: Ledger, id: str, now: datetime, cause: str = "", detail: str = "") -> None:
    """The server is gone (the last save may still run). The first time and cause stay."""
    with ledger.write() as connection:
        row = connection.execute(select(sessions).where(sessions.c.id == id).with_for_update()).first()
        if row is None:
            return
        values: dict[str, Any] = {}
        if row.ended_at is None:
            values["ended_at"] = now
        if cause and not row.cause:
            values |= {"cause": cause, "detail": detail or None}
        if values:
            connection.execute(update(sessions).where(sessions.c.id == id).values(**values))


def close(
    ledger: Ledger,
    id: str,
    now: datetime,
    cause: str,
    detail: str = "",
    *,
    actor: str | None = None,
    pending_files: int = 0,
    pending_bytes: int = 0,
    all_saved: bool = False,
) -> bool:
    """The session is over: its token is dead, its lease free. Whether this call closed it.

    pending_files above 0: files on its volume are newer than the newest snapshot, ``unsaved_on`` is set.
    all_saved: its agent found nothing on its volume that is not saved; ``unsaved_on`` of that volume is cleared.
    """
    with ledger.write() as connection:
        space = select(sessions.c.workspace).where(sessions.c.id == id).scalar_subquery()
        connection.execute(select(workspaces.c.id).where(workspaces.c.id == space).with_for_update())
        row = connection.execute(select(sessions).where(sessions.c.id == id).with_for_update()).first()
        if row is None or row.closed_at is not None:
            return False
        values: dict[str, Any] = {
            "closed_at": now,
            "ended_at": row.ended_at or now,
            "cause": row.cause or cause,
            "detail": row.detail or detail or None,
            "phase": "ended",
            "pending_files": pending_files,
            "pending_bytes": pending_bytes,
        }
        connection.execute(update(leases).where(leases.c.session == id).values(session=None, ends_at=now))
        connection.execute(update(sessions).where(sessions.c.id == id).values(**values))
        if pending_files:
            connection.execute(
                update(workspaces)
                .where(workspaces.c.id == row.workspace)
                .values(unsaved_on=row.volume or "", unsaved_files=pending_files, unsaved_bytes=pending_bytes)
            )
        elif all_saved:
            connection.execute(
                update(workspaces)
                .where(workspaces.c.id == row.workspace, workspaces.c.unsaved_on == (row.volume or ""))
                .values(unsaved_on=None, unsaved_files=0, unsaved_bytes=0)
            )
        evidence = {"detail": values["detail"], "pending_files": pending_files}
        audit.add(connection, now, actor, [id, row.notebook], "session.ended", values["cause"], evidence)
    return True


def add_log(ledger: Ledger, id: str, first: int, lines: Iterable[str], now: datetime) -> None:
    """Lines of a session's log, numbered from first; a line that is there already stays as it was."""
    with ledger.write() as connection:
        connection.execute(select(sessions.c.id).where(sessions.c.id == id).with_for_update())
        there = set(
            connection.execute(
                select(session_log.c.number).where(session_log.c.session == id, session_log.c.number >= first)
            ).scalars()
        )
        fresh: list[dict[str, Any]] = [
            {"session": id, "number": number, "at": now, "line": line.replace("\0", "")[:4000]}
            for number, line in enumerate(lines, first)
            if number not in there
        ]
        if fresh:
            connection.execute(insert(session_log), fresh)
            too_old = fresh[-1]["number"] - LOG_LINES
            connection.execute(
                delete(session_log).where(session_log.c.session == id, session_log.c.number < too_old)
            )


def log(ledger: Ledger, id: str, last: int = 200) -> list[tuple[datetime, str]]:
    """The last lines of a session's log, oldest first."""
    query = select(session_log).where(session_log.c.session == id).order_by(session_log.c.number.desc())
    with ledger.read() as connection:
        rows = connection.execute(query.limit(last)).all()
    return [(row.at, row.line) for row in reversed(rows)]
