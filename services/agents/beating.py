"""One heartbeat: what it brings to the ledger, and what goes down with the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from jupyterhub_notebooks.contract import Ended, Heartbeat, Order
from jupyterhub_notebooks.ledger import Ledger, Session, clocks, egress, intents, leases, sessions
from jupyterhub_notebooks.ledger.hearing import Holder, Known

from . import clocking, reading
from .heartbeats import is_urgent, values_of
from .orders import orders_of

if TYPE_CHECKING:
    from .app import Agents

#: A lease is renewed once an eighth of it is used: heartbeats may come every second.
FRESH = 7 / 8


@dataclass(frozen=True)
class Beat:
    """What the ledger says to a heartbeat; lease None: it is lost."""

    lease: leases.Lease | None
    orders: tuple[Order, ...]
    row: Session


async def beat(agents: Agents, known: Known, body: Heartbeat) -> Beat:
    """Takes a heartbeat in. A phase that is new is in the ledger when this returns."""
    session, heartbeats, seconds = known.session, agents.heartbeats, agents.settings.lease_seconds
    now = agents.clock.now()
    values = values_of(body, now)
    limits = agents.limits(session)
    clocks_now = clocking.values_of(session, body, limits, now)
    newer = heartbeats.is_newer(session.id, body)
    ends = newer and body.ended is not None and not (session.ended_at and session.cause)
    urgent = newer and (ends or is_urgent(values, session))
    silent = clocking.silent_since(session, agents.settings.heartbeat_seconds, now) if clocks_now else None
    judges = newer and (
        clocking.is_urgent(clocks_now, session)
        or (bool(clocks_now) and (bool(body.done_orders) or silent is not None))
    )
    done = [one.id for one in known.asked if one.id in body.done_orders]
    row = session
    if urgent or judges or done:
        row = await heartbeats.changes.of(
            partial(
                _in_ledger,
                session=session,
                done=done,
                outcomes=reading.outcomes(body),
                values=values if urgent else {},
                ended=body.ended if ends else None,
                judge=(
                    lambda row: clocks.Change(clocking.values_of(row, body, limits, now), silent_since=silent)
                )
                if judges
                else None,
                now=now,
            )
        )
    lease = known.lease
    if lease is not None and lease.ends_in_seconds < FRESH * seconds:
        lease = await heartbeats.renewed.of(Holder(session.workspace, session.id, seconds))
    if newer and heartbeats.has_blocked(session.id, body):
        await agents.ledger.run(egress.refused, session.id, reading.blocked(body), now)
    if newer:
        heartbeats.heard(session.id, body, agents.clock.monotonic())
        if urgent:
            heartbeats.written(session.id)
        else:
            more = {} if judges else {name: clocks_now[name] for name in clocking.LATER if name in clocks_now}
            heartbeats.later(session.id, {**values, **more})
    return Beat(lease, orders_of([one for one in known.asked if one.id not in done], session.id), row)


def _in_ledger(
    ledger: Ledger,
    session: Session,
    done: Sequence[str],
    outcomes: Mapping[str, Mapping[str, Any]],
    values: Mapping[str, Any],
    ended: Ended | None,
    judge: Callable[[Session], clocks.Change] | None,
    now: datetime,
) -> Session:
    """Writes what somebody waits for; the row after it."""
    if values:
        sessions.report(ledger, [sessions.Report(session.id, values)])
    if ended is not None:
        cause = intents.cause_of_end(ledger, session.id, reading.label(ended.cause, "ended.cause"))
        sessions.ended(ledger, session.id, now, cause, reading.text(ended.detail))
    if judge is not None:
        session = clocks.change(ledger, session.id, judge, now) or session
    for one in done:
        if one in outcomes:
            intents.outcome(ledger, one, outcomes[one], now)
        else:
            intents.done(ledger, one, now)
    return session
