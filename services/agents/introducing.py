"""What an agent tells its user of the notebook from the start: its name, its limits, its newest save, its last end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jupyterhub_notebooks.clock import to_text
from jupyterhub_notebooks.contract import Notice
from jupyterhub_notebooks.enforcement import showing
from jupyterhub_notebooks.enforcement.rules import Limits
from jupyterhub_notebooks.enforcement.state import Facts, plain, state_of
from jupyterhub_notebooks.ledger import Ledger, Session, notebooks, sessions, snapshots, users

#: Ends that nobody is told of at the next start: they were wanted, or there was nothing to lose.
UNTOLD = frozenset({"cancelled", "saved", "finished"})
LOOK_BACK = 5


def introduction(ledger: Ledger, session: Session, mode: str, now: datetime) -> dict[str, Any]:
    """Fields of HelloAnswer. mode: the Hub's enforcement."""
    resources = session.launch.get("resources")
    given = resources if isinstance(resources, Mapping) else {}
    head = snapshots.head(ledger, session.workspace)
    notebook = notebooks.get(ledger, session.notebook)
    return {
        "title": notebook.title,
        "repo": notebook.repo,
        "profile": session.profile,
        "memory_bytes": int(given.get("memory") or 0),
        "cpus": float(given.get("cpu") or 0),
        "head_at": to_text(head.at) if head is not None else None,
        "head_size_bytes": head.size_bytes if head is not None else 0,
        "last_stop": _last_stop(ledger, session, mode, head.at if head is not None else None, now),
    }


def _last_stop(
    ledger: Ledger, session: Session, mode: str, saved_at: datetime | None, now: datetime
) -> Notice | None:
    """How the session before ended; None where its user ended it."""
    last = next(
        (
            one
            for one in sessions.of_notebook(ledger, session.notebook, LOOK_BACK)
            if one.id < session.id and one.kind == "work" and one.ready_at is not None
        ),
        None,
    )
    if last is None or last.closed_at is None or (last.cause or "") in UNTOLD:
        return None
    if last.cause == "stopped" and last.actor in (None, session.user):
        return None
    notebook, space = notebooks.get(ledger, session.notebook), notebooks.workspace(ledger, session.workspace)
    actor = users.get(ledger, last.actor).hub_name if last.actor not in (None, session.user) else ""
    facts = Facts(actor=actor, saved_at=saved_at, limits=Limits.of(last.launch, mode))
    state = state_of(notebook, last, None, now, space, facts)
    words = (plain(state.sentence, now, UTC), plain(state.safe, now, UTC))
    detail = (last.detail or "").strip()
    return showing.last_stop(f"stopped-{last.id}", state.sentence, state.safe, detail, words)
