"""Facts about this Hub: its id, made once and for good."""

from __future__ import annotations

import os
from datetime import datetime

from sqlalchemy import insert, select

from ..names import new_id
from .database import Ledger, alone_in
from .tables import hub

HUB_ID = "hub_id"


def hub_id(ledger: Ledger, now: datetime) -> str:
    """The id of this Hub, made at the first call. A store belongs to one Hub and names it."""
    query = select(hub.c.value).where(hub.c.name == HUB_ID)
    with ledger.read() as connection:
        found = connection.execute(query).scalar()
    if found is None:
        with ledger.write() as connection:
            alone_in(connection, hub)
            found = connection.execute(query).scalar()
            if found is None:
                found = new_id(now, os.urandom)
                connection.execute(insert(hub).values(name=HUB_ID, value=found))
    return str(found)
