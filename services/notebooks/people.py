"""Who asks: from what the Hub says of a cookie or token to a person with their row in the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupyterhub.services.auth import check_scopes

from jupyterhub_notebooks.errors import Denied, NotFound
from jupyterhub_notebooks.ledger import NotebookView, User, notebooks, users
from jupyterhub_notebooks.names import is_server_name, server_of
from jupyterhub_notebooks.settings import USE_SCOPE

from .context import Context

REMEMBER_SECONDS = 30.0
MOST_REMEMBERED = 10_000


@dataclass(frozen=True)
class Person:
    """user: the row in the ledger. is_admin: sees and stops everybody's notebooks. hub_admin: administers the Hub."""

    user: User
    name: str
    groups: frozenset[str]
    is_admin: bool
    hub_admin: bool = False


class People:
    """Persons by credential, remembered for 30 s.

    The Hub may reuse a name for somebody else; a credential it never does. So what is remembered is kept by both.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: dict[tuple[str, str], tuple[float, Person]] = {}

    async def person(self, model: Mapping[str, Any], credential: str) -> Person:
        """model: the Hub's answer about the credential. Raises Denied, HubAway or DatabaseAway."""
        context = self._context
        if model.get("kind", "user") != "user":
            raise Denied(
                "Services have no notebooks", "This token belongs to a service", ["Use a user's token"]
            )
        name, scopes = str(model["name"]), set(model.get("scopes") or ())
        is_admin = bool(check_scopes(set(context.settings.admin_scopes), scopes))
        if not is_admin and not check_scopes({f"{USE_SCOPE}!user={name}"}, scopes):
            raise Denied(
                "You may not use notebooks on this Hub",
                "Your login is fine; it only lacks this right",
                [f"Ask {context.settings.contact}"],
            )
        key = (name, hashlib.sha256(credential.encode()).hexdigest())
        found = self._known.get(key)
        if found is not None and found[0] > context.clock.monotonic() and found[1].is_admin == is_admin:
            return found[1]
        hub_user = await context.hub.user(name)
        row = await context.ledger.run(users.seen, name, hub_user.created, context.now())
        person = Person(row, name, frozenset(hub_user.groups), is_admin, hub_user.admin)
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[key] = (context.clock.monotonic() + REMEMBER_SECONDS, person)
        return person


async def notebook_of(context: Context, person: Person, owner: str, part: str) -> NotebookView | None:
    """The notebook at an address, None for one's own server that has none yet.

    Raises NotFound for what is not there and for what is not this person's, in the same words.
    """
    server = server_of(part)
    nothing = NotFound("There is no such notebook", "Its address may be misspelt, or it is somebody else's")
    if not is_server_name(server):
        raise nothing
    user: User | None = person.user
    if owner != person.name:
        if not person.is_admin:
            raise nothing
        user = await context.ledger.run(users.by_name, owner)
        if user is None:
            raise nothing
    assert user is not None
    found = await context.ledger.run(notebooks.find, user.id, server)
    if found is None:
        if user.id == person.user.id and server == "":
            return None
        raise nothing
    views = await context.ledger.run(notebooks.views, notebook=found.id, trashed=None)
    if not views:
        raise nothing
    return views[0]


async def ensured(context: Context, person: Person, owner: str, part: str) -> NotebookView:
    """Like notebook_of; one's own default server is made where it was missing."""
    view = await notebook_of(context, person, owner, part)
    if view is not None:
        return view
    row = await context.ledger.run(
        notebooks.ensure, person.user.id, server_of(part), context.now(), store=context.settings.store
    )
    return (await context.ledger.run(notebooks.views, notebook=row.id))[0]
