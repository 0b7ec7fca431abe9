"""The history of a session's clock: each stretch of one verdict is a row, and so is a silence in between."""

from datetime import timedelta

from sqlalchemy import update

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.ledger import sessions, stretches
from jupyterhub_notebooks.ledger.tables import sessions as table
from jupyterhub_notebooks.ledger.tables import stretches as rows

from .conftest import beat, hello


def signal(state, detail=""):
    return [{"name": "kernel", "state": state, "detail": detail}]


def stretches_of(service, session):
    found = stretches.of_sessions(service.ledger, [session.id])
    return [(one.verdict, one.sentence) for one in found]


def test_each_change_of_the_verdict_begins_a_stretch_and_the_same_verdict_none(service, session):
    hello(service, session)
    beat(service, session, 1, "running", signals=signal("busy", "A cell runs in a.ipynb"))
    beat(service, session, 2, "running", signals=signal("busy", "A cell runs in a.ipynb"))
    beat(service, session, 3, "running", signals=signal("idle"))
    beat(service, session, 4, "running", signals=signal("unknown"))
    beat(service, session, 5, "running", signals=signal("busy", "A cell runs in b.ipynb"))
    assert stretches_of(service, session) == [
        ("working", "A cell runs in a.ipynb."),
        ("quiet", "Nothing ran and nobody was there."),
        ("unknown", "Nothing is known about kernels."),
        ("working", "A cell runs in b.ipynb."),
    ]
    assert stretches.until(sessions.get(service.ledger, session.id), SYSTEM_CLOCK.now())


def test_a_silence_between_two_heartbeats_is_a_stretch_that_is_not_known(service, session):
    hello(service, session)
    beat(service, session, 1, "running", signals=signal("busy", "A cell runs"))
    with service.ledger.write() as connection:
        connection.execute(
            update(table)
            .where(table.c.id == session.id)
            .values(verdict_at=SYSTEM_CLOCK.now() - timedelta(minutes=5))
        )
        # The first stretch began before the silence, as it does outside of a test.
        earlier = SYSTEM_CLOCK.now() - timedelta(minutes=9)
        connection.execute(update(rows).where(rows.c.session == session.id).values(since=earlier))
    beat(service, session, 2, "running", signals=signal("busy", "A cell runs"))
    assert stretches_of(service, session) == [
        ("working", "A cell runs."),
        ("unknown", "Nothing was heard of the notebook."),
        ("working", "A cell runs."),
    ]
