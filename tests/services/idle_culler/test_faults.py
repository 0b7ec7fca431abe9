"""A fault in the middle of stops, with real processes: nothing stops that should not, and what is due stops once.

In each: three notebooks are due as idle, one computes; the fault comes as soon as the first stop is on record.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import psutil
import pytest

from jupyterhub_notebooks.errors import DatabaseAway
from jupyterhub_notebooks.ledger import audit, intents, sessions, snapshots
from tests import postgres
from tests.hub import RunningHub, until

from .test_with_a_hub import PROFILES, run, run_cell, session_of, started

DUE, WORKS = ("dora", "emil", "fritz"), "wanda"
#: A busy machine puts stops off: what does not answer in time is not known, and that begins the idle clock anew.
SOON_SECONDS, LATE_SECONDS = 120, 480


@contextmanager
def begun(folder, **settings) -> Iterator[tuple[RunningHub, dict[str, str]]]:
    """A Hub with all four, until the block ends; the sessions by user. One of the stops is on record."""
    text = PROFILES.replace("idle_stop: 3s", "idle_stop: 20s").replace("max_session: 20s", "max_session: 0")
    hub = started(folder, text, **settings)
    try:
        run(hub, WORKS, "limited")
        run_cell(hub, WORKS, "import time; time.sleep(3600)")
        with ThreadPoolExecutor(len(DUE)) as together:
            list(together.map(lambda user: run(hub, user, "quiet"), DUE))
        ids = {user: session_of(hub, user).id for user in (WORKS, *DUE)}
        first_stop(hub, ids)
        yield hub, ids
    finally:
        hub.stop()


def first_stop(hub: RunningHub, ids: dict[str, str]) -> None:
    """Returns once one of the stops is on record."""
    until(
        lambda: [one for one in DUE if intents.last_stop(hub.ledger, ids[one])], SOON_SECONDS, 0.01, "a stop"
    )


def all_over(hub: RunningHub) -> bool:
    return all(session_of(hub, user).closed_at for user in DUE)


def stopped_once_and_the_worker_never(hub: RunningHub, ids: dict[str, str]) -> None:
    try:
        until(lambda: all_over(hub), LATE_SECONDS, 0.2, "the ends of all that are due")
    except AssertionError as error:
        rows = "\n".join(f"{user}: {session_of(hub, user)}" for user in DUE)
        raise AssertionError(f"{error}\n{rows}\n{hub.log()[-20_000:]}") from None
    for user in DUE:
        row = session_of(hub, user)
        assert (row.id, row.cause) == (ids[user], "idle"), user
        asked = [one for one in audit.rows(hub.ledger, subject=row.id) if one.action == "session.stop"]
        assert len(asked) == 1 and asked[0].cause == "idle", user
        assert snapshots.head(hub.ledger, row.workspace) is not None, user
        until(lambda user=user: not hub.active(user), 60, what=f"the Hub's end of {user}")
    worker = session_of(hub, WORKS)
    assert worker.id == ids[WORKS] and worker.verdict == "working"
    assert worker.stop_asked_at is None and intents.last_stop(hub.ledger, worker.id) is None
    assert hub.active(WORKS)
    assert audit.broken(hub.ledger) is None


def cullers(hub: RunningHub) -> list[psutil.Process]:
    """The enforcers that run; one that was killed may still be waited for by its parent."""
    found = []
    for one in hub.left():
        with suppress(psutil.Error):
            if "jupyterhub_notebooks.services.idle_culler" in one.cmdline():
                found.append(one)
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_hub_killed_in_the_middle_of_stops(tmp_path) -> None:
    with begun(tmp_path) as (hub, ids):
        hub.kill("hub")
        until(lambda: not cullers(hub), 30, what="the end of the killed Hub's enforcer")
        hub.start_hub()
        stopped_once_and_the_worker_never(hub, ids)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_enforcer_killed_in_the_middle_of_stops(tmp_path) -> None:
    with begun(tmp_path) as (hub, ids):
        killed = cullers(hub)
        assert killed
        for one in killed:
            one.kill()
        until(
            lambda: cullers(hub) and cullers(hub)[0].pid != killed[0].pid, 60, what="the Hub's next enforcer"
        )
        stopped_once_and_the_worker_never(hub, ids)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_database_away_in_the_middle_of_stops(tmp_path) -> None:
    with postgres.running() as server, begun(tmp_path, ledger=server.new_database()) as (hub, ids):
        server.stop(signal.SIGQUIT)
        with pytest.raises(DatabaseAway):
            sessions.every(hub.ledger)
        pids = {one.pid for one in cullers(hub)}
        until(lambda: "nothing is stopped" in hub.log(), 60, what="the enforcer's word of it")
        server.start()
        stopped_once_and_the_worker_never(hub, ids)
        assert {one.pid for one in cullers(hub)} == pids
