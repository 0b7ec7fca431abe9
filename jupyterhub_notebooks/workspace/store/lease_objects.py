"""The lease of a workspace as objects in its store, for the engine used without a Hub (FORMAT.md, Lease).

Promises: of several who take the next lease one gets it, and knows; no lease is taken where workspace.json leaves that to a
service, which is asked of whoever uses this.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime

from ...errors import Conflict, Damaged, NotFound, Refusal
from .. import layout
from ..layout import LeaseObject
from .base import Store, numbers_below


@dataclass(frozen=True)
class HeldLease:
    """A lease that this process holds."""

    number: int
    holder: str


class LeaseObjects:
    """Below prefix of store. Use by one thread."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store, self._prefix = store, prefix
        self._held: HeldLease | None = None
        self._asked: tuple[HeldLease, bytes] | None = None  # a lease, and its object

    def current(self) -> LeaseObject | None:
        """The lease that is held now, None where none is."""
        return self._holder_of(self._last())

    def any(self) -> bool:
        """Whether one was ever taken here."""
        return self._last() > 0

    def take(self, holder: str, now: datetime) -> HeldLease:
        """Takes the next lease. Raises Refusal where one is held, Conflict where another was quicker."""
        last = self._last()
        held = self._holder_of(last)
        if held is not None:
            raise Refusal(
                "This workspace is being written by another",
                f"{held.holder} holds its lease {held.number} since {held.at or 'an unknown time'}.",
                ["Wait until that ends", "Where it is certainly dead: run again with --break-lease"],
                label="lease",
            )
        number = last + 1  # of the one that was judged: where another took that meanwhile, it is there
        layout.next_key("leases", number)
        body = layout.lease_json(number, holder, now, os.urandom(16))
        quicker = Conflict("Another writer took the lease a moment ago", next=["Try again"])
        self._asked = HeldLease(number, holder), body  # an interrupt may come before the answer
        if not self._store.put_new(self._key(number), body):
            raise quicker
        if not self._forget_below(number):  # it was taken, ended and forgotten meanwhile
            self._store.delete(self._key(number))
            raise quicker
        self._held, self._asked = self._asked[0], None
        return self._held

    def release(self, now: datetime) -> None:
        """Ends the lease that this object took, also where taking it was cut off; nothing where it has none."""
        held, asked, self._asked = self._held, self._asked, None
        if held is None and asked is not None and self._is(asked[0].number, asked[1]):
            held = asked[0]
        if held is not None:
            self._end(held.number, "released", held.holder, now)
            self._held = None

    def let_go(self) -> None:
        """Forgets the lease that this object took: all objects of the workspace are gone."""
        self._held = None

    def break_(self, by: str, now: datetime) -> LeaseObject | None:
        """Ends another's lease; answers which, None where none was held."""
        held = self.current()
        if held is not None:
            self._end(held.number, "broken", by, now)
        return held

    def still_held(self) -> None:
        """Raises Conflict where this object's lease was taken by another, or it has none."""
        if self._held is None:
            raise Conflict("No lease is held", "A commit without one could meet another writer's.")
        number = self._held.number
        if self._last() != number or self._store.exists(self._ended(number)):
            raise Conflict(
                "The lease was taken by another writer",
                "Nothing was committed; the files are as they were.",
                ["Save as a recovery snapshot"],
                field="lease",
            )

    def _holder_of(self, number: int) -> LeaseObject | None:
        """Who holds the last lease there was, number; None where it has ended."""
        if not number or self._store.exists(self._ended(number)):
            return None
        try:
            found = layout.parse_lease(self._store.get(self._key(number)))
            return found if found.number == number else LeaseObject(number, found.holder, found.at)
        except Damaged:
            return LeaseObject(number, "somebody unknown", "")
        except NotFound:
            return None

    def _is(self, number: int, body: bytes) -> bool:
        try:
            return self._store.get(self._key(number)) == body
        except (NotFound, Damaged):
            return False

    def _end(self, number: int, cause: str, by: str, now: datetime) -> None:
        body = layout.lease_end_json(number, cause, by, now, os.urandom(16))
        self._store.put_new(self._ended(number), body)

    def _forget_below(self, number: int) -> bool:
        """False, and nothing is forgotten, where there is a higher one."""
        keys = [key for key, _ in self._store.list(self._prefix + "leases/")]
        numbers = {key: layout.number_of(key.removesuffix("-ended")) for key in keys}
        if any(one is not None and one > number for one in numbers.values()):
            return False
        for key, old in numbers.items():
            if old is not None and old < number:
                self._store.delete(key)
        return True

    def _last(self) -> int:
        return max(numbers_below(self._store, self._prefix, "leases"), default=0)

    def _key(self, number: int) -> str:
        return self._prefix + layout.numbered("leases", number)

    def _ended(self, number: int) -> str:
        return self._key(number) + "-ended"
