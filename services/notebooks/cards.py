"""The cards of what may be started, for one person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from jupyterhub_notebooks.ledger import NotebookView, profile_versions
from jupyterhub_notebooks.profiles.cards import Card, cards
from jupyterhub_notebooks.profiles.egress import Rule

from .context import Context
from .people import Person

#: Ends of a start that are the profile's own fault, in words.
FAULTS = {
    "image_missing": "Its image is not in its registry.",
    "image_login": "Its image could not be fetched: the registry wants a login that this Hub has not.",
    "image_denied": "Its image could not be fetched: the registry does not give it to this Hub.",
    "image_name": "It names no image.",
    "config_missing": "Something that it takes values from does not exist.",
    "profile_field": "The cluster does not take it as it is written.",
    "policy": "The cluster does not let it run.",
    "missing_there": "The cluster is not set up for it.",
    "no_machine": "No machine of its flavor exists.",
    "image_without_agent": "Its image cannot run a notebook.",
    "agent_too_old": "Its image has an agent that this Hub does not know.",
}
#: A failure that is older says nothing any more.
REMEMBERED = timedelta(days=7)


async def cards_told(context: Context, person: Person, last: str | None) -> list[Card]:
    """``cards_for``, with what is known of profiles whose last start failed by their own fault."""
    versions, since = context.catalog.versions, context.now() - REMEMBERED
    failing = await context.ledger.run(profile_versions.failing, list(FAULTS), versions, since)
    return [
        replace(card, broken=f"{FAULTS[failing[card.name]]} Ask {card.contact}.")
        if card.name in failing
        else card
        for card in cards_for(context, person, last)
    ]


def cards_for(context: Context, person: Person, last: str | None, bound: Rule | None = None) -> list[Card]:
    """Every profile's card for this person. bound: the rule for the network that a notebook's files ran under."""
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
        bound=bound,
    )


def last_choice(views: Sequence[NotebookView]) -> str | None:
    """The profile of the newest notebook that has one."""
    return next((view.notebook.profile for view in views if view.notebook.profile), None)
