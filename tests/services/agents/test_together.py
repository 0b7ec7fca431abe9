"""Changes of one moment are one transaction; one that cannot be made harms no other."""

import asyncio
import os
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import event

from jupyterhub_notebooks.errors import DatabaseAway
from jupyterhub_notebooks.ledger import audit
from jupyterhub_notebooks.services.agents.together import Changes

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def writes(name):
    """A change that leaves a row, and another one in a transaction that it takes for its own."""

    def change(ledger):
        for number in (1, 2):
            with ledger.write() as connection:
                audit.add(connection, NOW, None, [name], f"{name}.{number}", "test", {})
        return name

    return change


def actions(ledger, name):
    return sorted(row.action for row in audit.rows(ledger, subject=name))


def commits_of(ledger):
    seen = []
    event.listen(ledger._engine, "commit", lambda connection: seen.append(connection))
    return seen


async def test_changes_that_come_while_others_are_written_are_one_transaction(ledger):
    changes, seen = Changes(ledger), commits_of(ledger)
    names = [f"one{number}" for number in range(20)]
    assert await asyncio.gather(*(changes.of(writes(name)) for name in names)) == names
    assert len(seen) == 1
    assert all(actions(ledger, name) == [f"{name}.1", f"{name}.2"] for name in names)


async def test_one_that_cannot_be_made_raises_to_its_own_and_the_others_are_written(ledger):
    def bad(ledger):
        writes("bad")(ledger)
        raise ValueError(os.strerror(22))

    changes = Changes(ledger)
    found = await asyncio.gather(
        changes.of(writes("first")), changes.of(bad), changes.of(writes("last")), return_exceptions=True
    )
    assert found[0] == "first" and found[2] == "last" and isinstance(found[1], ValueError)
    assert actions(ledger, "first") == ["first.1", "first.2"] and actions(ledger, "last") == [
        "last.1",
        "last.2",
    ]
    assert len(await asyncio.gather(changes.of(writes("alone")))) == 1


async def test_a_ledger_that_is_away_is_waited_for_once_and_told_to_all(ledger):
    asked = []

    def away(ledger):
        asked.append(1)
        raise DatabaseAway("The ledger's database does not answer", "", [])

    changes = Changes(ledger)
    found = await asyncio.gather(*(changes.of(partial(away)) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(one, DatabaseAway) for one in found) and len(asked) == 1
