"""Rules for the network: which workspaces are bound to one, and which hosts sessions were refused.

A workspace is bound by the start of a session under a rule, and from then on by the strictest of those it ran under; a
copy of its files is bound as they are. Only ``release`` ends that, with a reason in the audit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from ..errors import BadInput, Refusal
from ..profiles.egress import Rule
from . import audit
from .database import Ledger, alone_in
from .tables import blocked_hosts, notebooks, sessions, workspace_rules

RELEASED = "workspace.released"
#: So many hosts of one session are kept.
MOST_HOSTS = 200


@dataclass(frozen=True)
class Blocked:
    """A host that a session asked for, with its port where that is not one of the web, and how often it was refused."""

    session: str
    host: str
    times: int
    first_at: datetime
    last_at: datetime


def bound(ledger: Ledger, notebook: str) -> Rule | None:
    """The rule that the files of a notebook ran under; None: there is none."""
    with ledger.read() as connection:
        query = select(workspace_rules.c.hosts).join(
            notebooks, notebooks.c.workspace == workspace_rules.c.workspace
        )
        hosts = connection.execute(query.where(notebooks.c.id == notebook)).scalar()
    return Rule(tuple(hosts)) if hosts is not None else None


def bind(ledger: Ledger, workspace: str, session: str, rule: Rule, now: datetime) -> None:
    """The files are on a profile with this rule from now on. The caller has checked that it lets no more through."""
    with ledger.write() as connection:
        alone_in(connection, workspace_rules)
        values = {"hosts": list(rule.hosts), "session": session, "since": now}
        here = workspace_rules.c.workspace == workspace
        if not connection.execute(update(workspace_rules).where(here).values(**values)).rowcount:
            connection.execute(insert(workspace_rules).values(workspace=workspace, **values))


def carry(connection: Connection, old: str, new: str) -> None:
    """A workspace with the files of another one is bound as that is."""
    row = connection.execute(select(workspace_rules).where(workspace_rules.c.workspace == old)).first()
    if row is not None:
        connection.execute(delete(workspace_rules).where(workspace_rules.c.workspace == new))
        connection.execute(insert(workspace_rules).values(**{**row._mapping, "workspace": new}))


def copied(ledger: Ledger, old: str, new: str) -> None:
    """``carry`` in a transaction of its own."""
    with ledger.write() as connection:
        carry(connection, old, new)


def release(ledger: Ledger, notebook: str, actor: str | None, reason: str, now: datetime) -> Rule:
    """Files of a notebook may go to any profile again; the rule that held. Raises BadInput, and Refusal where none held."""
    if not reason.strip():
        raise BadInput("Say why", "The reason stands in the audit.", ['Add --reason "…"'], field="reason")
    with ledger.write() as connection:
        space = select(notebooks.c.workspace).where(notebooks.c.id == notebook).scalar_subquery()
        row = connection.execute(
            select(workspace_rules).where(workspace_rules.c.workspace == space).with_for_update()
        ).first()
        if row is None:
            raise Refusal(
                "This notebook is bound to no rule for the network",
                "It starts on every profile that its user may start",
                label="egress",
            )
        connection.execute(delete(workspace_rules).where(workspace_rules.c.workspace == row.workspace))
        evidence = {"hosts": list(row.hosts), "reason": reason.strip()[:500]}
        audit.add(connection, now, actor, [row.workspace, notebook], RELEASED, "released", evidence)
    return Rule(tuple(row.hosts))


def refused(ledger: Ledger, session: str, counts: Mapping[str, int], now: datetime) -> None:
    """How often each host was refused in a session so far; a smaller number than the one known changes nothing."""
    with ledger.write() as connection:
        rows = connection.execute(select(blocked_hosts).where(blocked_hosts.c.session == session)).all()
        known = {row.host: row.times for row in rows}
        for host, times in counts.items():
            if host not in known:
                if len(known) >= MOST_HOSTS:
                    continue
                known[host] = times
                values = {"session": session, "host": host, "times": times, "first_at": now, "last_at": now}
                connection.execute(insert(blocked_hosts).values(**values))
            elif times > known[host]:
                here = (blocked_hosts.c.session == session, blocked_hosts.c.host == host)
                connection.execute(update(blocked_hosts).where(*here).values(times=times, last_at=now))


def of_session(ledger: Ledger, session: str) -> list[Blocked]:
    """What it was refused, most often first."""
    with ledger.read() as connection:
        query = select(blocked_hosts).where(blocked_hosts.c.session == session)
        rows = connection.execute(query.order_by(blocked_hosts.c.times.desc(), blocked_hosts.c.host)).all()
    return [Blocked(**row._mapping) for row in rows]


def every(ledger: Ledger, limit: int) -> list[tuple[Blocked, str]]:
    """Everybody's, the newest first, each with the profile that refused it."""
    with ledger.read() as connection:
        query = select(blocked_hosts, sessions.c.profile).join(
            sessions, sessions.c.id == blocked_hosts.c.session
        )
        rows = connection.execute(query.order_by(blocked_hosts.c.last_at.desc()).limit(limit)).all()
    return [
        (Blocked(row.session, row.host, row.times, row.first_at, row.last_at), row.profile) for row in rows
    ]
