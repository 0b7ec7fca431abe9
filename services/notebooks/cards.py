"""The cards of what may be started, for one person."""

from __future__ import annotations

from collections.abc import Sequence

from jupyterhub_notebooks.ledger import NotebookView
from jupyterhub_notebooks.profiles.cards import Card, cards

from .context import Context
from .people import Person


def cards_for(context: Context, person: Person, last: str | None) -> list[Card]:
    """Every profile's card for this person."""
    return cards(
        context.catalog,
        groups=person.groups,
        user=person.name,
        abilities=context.abilities,
        limits=context.settings.limits,
        is_admin=person.hub_admin,
        last=last,
        contact=context.settings.contact,
        currency=context.settings.currency,
        now=context.now(),
    )


def last_choice(views: Sequence[NotebookView]) -> str | None:
    """The profile of the newest notebook that has one."""
    return next((view.notebook.profile for view in views if view.notebook.profile), None)
