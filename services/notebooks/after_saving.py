"""A start that is asked for while a run saves what could not be saved before: it comes right after that run.

The wish stands in the ledger, so that it outlives this service; services/janitor carries it out. Synchronous: run these on
the ledger's thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from jupyterhub_notebooks.ledger import Intent, Ledger, NotebookView, Session, intents, sessions

#: A run that was not heard of for so long is dead; the Hub's side looks after it.
HEARD_SECONDS = 60.0


def run_in_the_way(ledger: Ledger, notebook: str, now: datetime) -> Session | None:
    """The run that saves the notebook's files just now; None where there is none that lives."""
    found = sessions.open_of_notebook(ledger, notebook)
    if found is None or found.kind != "save":
        return None
    heard = found.heard_at or found.asked_at
    return found if (now - heard).total_seconds() <= HEARD_SECONDS else None


def wish(ledger: Ledger, view: NotebookView, names: Mapping[str, str], actor: str, now: datetime) -> None:
    """Writes that it is to be started next, with these names; the newest wish counts."""
    last = view.session
    if last is None:  # a run that only saves follows one that worked
        return
    for before in intents.open_of(ledger, last.id, "start"):
        intents.done(ledger, before.id, now)
    intents.ask(ledger, last.id, "start", "asked", actor, now, dict(names))


def wished(ledger: Ledger, views: Sequence[NotebookView]) -> set[str]:
    """Those of the notebooks that are started once they are saved."""
    waiting = {one.session for one in _open(ledger)} if any(view.saving for view in views) else set()
    return {view.notebook.id for view in views if view.session is not None and view.session.id in waiting}


def _open(ledger: Ledger) -> list[Intent]:
    return [one for one in intents.open_everywhere(ledger) if one.do == "start"]
