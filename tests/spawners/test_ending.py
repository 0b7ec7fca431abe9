"""The end of a session whose backend cannot be asked: nothing of it is ended by force, and no row is closed for it."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from jupyterhub_notebooks.ledger import Ledger, losing, notebooks, sessions, upgrade, users
from jupyterhub_notebooks.names import new_id
from jupyterhub_notebooks.spawners import ending
from jupyterhub_notebooks.spawners.waiting import Patience

NOW = datetime.now(UTC)


class Backend:
    """A spawner with a session that runs. away: its backend does not answer."""

    def __init__(self, path: Any) -> None:
        self.ledger = Ledger(f"sqlite:///{path}/ledger.sqlite")
        upgrade(self.ledger)
        owner = users.seen(self.ledger, "mara", "2026-01-01T00:00:00Z", NOW)
        book = notebooks.ensure(self.ledger, owner.id, "", NOW)
        id = new_id(NOW, lambda length: b"1" * length)
        self.session = sessions.begin(self.ledger, id, book.id, {"profile": "p"}, "1" * 64, NOW)
        self.settings = SimpleNamespace(no_progress_seconds=60.0, save_timeout_seconds=60.0)
        self.log, self._log_name, self._ending = logging.getLogger("ending"), "mara", None
        self.away, self.runs, self.cleared, self.keeps = True, True, 0, True

    def pre_stop_hook(self, spawner: Any, session: Any) -> None:
        return None

    async def _asked(self, answer: Any) -> Any:
        if self.away:
            raise OSError("the cluster does not answer")
        return answer

    async def backend_running(self, session: Any) -> bool:
        return bool(await self._asked(self.runs))

    async def backend_stop(self, session: Any, patience: Patience) -> str:
        return str(await self._asked(""))

    async def backend_left_over(self, session: Any) -> list[str]:
        self.cleared += 1
        return list(await self._asked([]))

    def backend_keeps_volume(self, session: Any) -> bool:
        return self.keeps

    async def backend_death(self, session: Any) -> tuple[str, str]:
        return tuple(await self._asked(("killed", "Its machine is gone.")))

    @property
    def row(self) -> Any:
        return sessions.get(self.ledger, self.session.id)


@pytest.fixture
def spawner(tmp_path):
    made = Backend(tmp_path)
    yield made
    made.ledger.close()


async def test_a_stop_that_the_backend_did_not_hear_leaves_the_session_to_its_agent(spawner):
    await ending.stop(spawner, spawner.session, now=False)
    assert spawner.row.stop_asked_at and spawner.row.closed_at is None and not spawner.cleared
    spawner.away = False
    await ending.stop(spawner, spawner.session, now=False)
    assert spawner.row.closed_at and spawner.cleared == 1


async def test_a_server_of_which_nothing_is_known_is_not_taken_for_dead(spawner):
    await ending.over(spawner, spawner.session)
    assert spawner.row.closed_at is None and not spawner.cleared
    spawner.away, spawner.runs = False, False
    await ending.over(spawner, spawner.session)
    assert (spawner.row.cause, spawner.row.detail) == ("killed", "Its machine is gone.")
    assert spawner.row.closed_at and spawner.cleared == 1


@pytest.mark.parametrize("was_seen", [True, False])
async def test_a_start_that_failed_is_closed_unless_it_may_be_running(spawner, was_seen):
    if was_seen:
        sessions.allocated(spawner.ledger, spawner.session.id, NOW)
    await ending.give_up(spawner, spawner.session, "not_created", "The cluster does not answer.")
    assert spawner.row.cause == "not_created" and bool(spawner.row.closed_at) is not was_seen


async def test_an_end_that_cannot_be_watched_is_not_taken_for_an_end(spawner):
    async def asked() -> None:
        await asyncio.sleep(0)
        raise OSError("the cluster does not answer")

    with pytest.raises(OSError, match="does not answer"):
        await Patience(spawner.ledger, spawner.session, 60.0, 60.0).wait(asked())


@pytest.mark.parametrize("keeps", [True, False])
async def test_files_left_unsaved_in_a_pod_alone_are_told_as_lost_when_it_is_gone(spawner, keeps):
    spawner.away, spawner.runs, spawner.keeps = False, False, keeps
    sessions.close(
        spawner.ledger, spawner.session.id, NOW, "stopped", "Not saved: storage is away.", pending_files=3
    )
    await ending.over(spawner, spawner.session)
    space = notebooks.workspace(spawner.ledger, spawner.row.workspace)
    if keeps:
        assert space.unsaved_files == 3 and "storage is away" in spawner.row.detail
    else:
        assert space.unsaved_on is None and "were lost with their volume" in spawner.row.detail
        assert losing.of_session(spawner.ledger, spawner.session.id)
