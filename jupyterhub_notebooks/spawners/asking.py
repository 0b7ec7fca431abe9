"""What a person asks for and what it becomes: the Hub's form, and the choice that decides a start.

Nothing here writes about a notebook; a session whose agent was killed is buried on the way, because nothing
can start beside its open row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..errors import Denied, NotebooksError
from ..ledger import Session, burying, egress
from ..profiles.cards import cards
from ..profiles.choosing import Abilities, Launch, choose
from ..profiles.form import html
from . import checking, ending, form, opening

if TYPE_CHECKING:
    from .base import NotebookSpawner


async def cards_form(spawner: NotebookSpawner) -> str:
    """``options_form``: the cards, or the problem in their place."""
    now = datetime.now(UTC)
    try:
        catalog = await spawner.shared.catalog()
        found = await spawner.ledger.run(opening.find, spawner.place, now)
        last = found.notebook.profile if found.notebook else ""
        shown = cards(
            catalog,
            groups=spawner.group_names,
            user=spawner.user.name,
            abilities=able(spawner),
            limits=spawner.settings.limits,
            is_admin=spawner.user.admin,
            last=last or None,
            contact=spawner.settings.contact,
            currency=spawner.settings.currency,
            now=now,
        )
        return html(shown, last)
    except NotebooksError as error:
        return form.problem_html(error)


def able(spawner: NotebookSpawner) -> Abilities:
    """What the backend can do, and whether this Hub's services enforce time limits."""
    return replace(spawner.abilities, limits_time=spawner.settings.enforcement == "stop")


async def chosen(spawner: NotebookSpawner, asked: Mapping[str, Any]) -> Launch:
    """What is started. Raises any of our errors, in the words that the person reads."""
    settings, now = spawner.settings, datetime.now(UTC)
    problem = checking.of_this_hub()
    if problem is not None:
        raise problem
    only_save = asked.get("run") == "save"
    if not only_save:
        _check_person(spawner)
    catalog = await spawner.shared.catalog()
    found = await spawner.ledger.run(opening.find, spawner.place, now)
    if only_save and not await spawner.ledger.run(opening.save_orders, found.notebook):
        raise Denied(
            "Only this Hub's own services start a run that saves",
            next=["Leave out the option run"],
            field="run",
        )
    await _check_before(spawner, found)
    last = found.notebook.profile if found.notebook else ""
    bound = await spawner.ledger.run(egress.bound, found.notebook.id) if found.notebook else None
    if only_save and last not in catalog.profiles:
        # what the notebook ran on is gone; its files are saved all the same
        last = next(iter(catalog.profiles))
    return choose(
        catalog,
        asked if only_save else opening.options_of(catalog, found.notebook, asked, now),
        groups=spawner.group_names,
        user=spawner.user.name,
        abilities=able(spawner),
        limits=settings.limits,
        is_admin=spawner.user.admin,
        last=last or None,
        contact=settings.contact,
        now=now,
        bound=bound,
    )


def _check_person(spawner: NotebookSpawner) -> None:
    settings = spawner.settings
    group = settings.users.removeprefix("group:") if settings.users.startswith("group:") else ""
    if group and group not in spawner.group_names and not spawner.user.admin:
        raise Denied(
            f"Notebooks are only for the group {group}",
            f"You are not in it; {settings.contact} decides",
            [f"Ask {settings.contact}"],
        )


async def _check_before(spawner: NotebookSpawner, found: opening.Found) -> None:
    """Raises where the notebook may not start because of what was before."""
    if found.notebook is None:
        return
    trashed = opening.in_trash(found.notebook, spawner.settings.trash_days)
    if trashed is not None:
        raise trashed
    before = found.before
    if before is None:
        return
    if await spawner.backend_running(before):
        if before.stop_asked_at is None:
            _end_forgotten(spawner, before)
        raise opening.still_saved(found.notebook, before)
    left = await spawner.backend_left_over(before)
    spawner.log.warning("Session %s had lost its agent; ended what it left: %s", before.id, left or "nothing")
    await spawner.ledger.run(burying.bury, before, datetime.now(UTC))


def _end_forgotten(spawner: NotebookSpawner, before: Session) -> None:
    """A session that the Hub does not know runs on: it is stopped, so that the next start finds it saved."""
    spawner.log.warning("Session %s runs and the Hub does not know it; it is stopped and saved", before.id)
    ending.keep(asyncio.create_task(ending.stop(spawner, before, now=False)))
