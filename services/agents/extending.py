"""``Keep working`` from inside a notebook: the end that comes first is moved, within the profile's bound."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from jupyterhub_notebooks.clock import to_text
from jupyterhub_notebooks.contract import Extend, Extended
from jupyterhub_notebooks.enforcement import rules
from jupyterhub_notebooks.enforcement.rules import Limits
from jupyterhub_notebooks.errors import Unchecked
from jupyterhub_notebooks.ledger import Session, clocks

from . import reading
from .refusals import no_session

if TYPE_CHECKING:
    from .app import Agents

MOST_SECONDS = 366 * 86400


async def extended(agents: Agents, session: Session, body: Extend) -> Extended:
    """Who it says asked stands in the evidence; the actor is the notebook's owner. Raises Refusal or Unchecked."""
    if not 0 <= body.seconds <= MOST_SECONDS:
        raise Unchecked("This must be a number of seconds, 0 for as much as is allowed", field="seconds")
    limits, now = agents.limits(session), agents.clock.now()
    said: list[rules.Extended] = []

    def decide(row: Session) -> clocks.Change:
        made = rules.extend(row, limits, now, seconds=body.seconds)
        said[:] = [made]
        return clocks.Change(
            made.values, "session.extended", made.kind, made.evidence(reading.text(body.who, 255))
        )

    row = await agents.ledger.run(clocks.change, session.id, decide, now, session.user)
    if row is None:
        raise no_session()
    return answer_of(row, limits, said[0])


def answer_of(row: Session, limits: Limits, made: rules.Extended) -> Extended:
    """The clocks as they run now."""
    end = rules.ends(row, limits)
    return Extended(
        made.kind,
        _text(end.idle_at),
        _text(end.session_at),
        max(0, limits.extensions - row.extensions),
    )


def _text(at: datetime | None) -> str | None:
    return to_text(at) if at is not None else None
