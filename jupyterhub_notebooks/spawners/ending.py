"""How a session ends: each step is tried, what goes wrong in one is journalled and never keeps the next from running.

Where the backend cannot be asked, whether the agent still runs, and saves, is not known. Nothing is cleared away and no row
closed then: the agent, which services/agents told to end too, closes it itself, or the janitor does once it is silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from ..ledger import Session, losing, sessions
from . import opening
from .checkpointing import keep_variables
from .waiting import Patience

if TYPE_CHECKING:
    from .base import NotebookSpawner

#: A start that failed has nothing to save: its agent gets this long, as long as nothing moves.
FAILED_QUIET_SECONDS = 10.0

_tasks: set[asyncio.Task[Any]] = set()


def keep(task: asyncio.Task[Any]) -> asyncio.Task[Any]:
    """A task that runs to its end though nobody waits for it any more."""
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return task


async def stop(spawner: NotebookSpawner, session: Session, now: bool) -> None:
    """A running session is saved and ended. now: by force, at once."""
    ledger, settings = spawner.ledger, spawner.settings
    most = 0.0 if now else settings.save_timeout_seconds
    await _tried(spawner, "ask for the stop of", ledger.run(opening.ask_stop, session, _now()))
    if not now:
        await _tried(spawner, "keep the variables of", keep_variables(spawner, session))
        await _tried(spawner, "run pre_stop_hook for", _hooked(spawner, session, most))
    patience = Patience(ledger, session, settings.no_progress_seconds, most)
    why_killed = await _tried(spawner, "stop", spawner.backend_stop(session, patience))
    if why_killed is None:
        _left_open(spawner, session)
        return
    await _clear(spawner, session, why_killed)


async def _hooked(spawner: NotebookSpawner, session: Session, most_seconds: float) -> None:
    done = spawner.pre_stop_hook(spawner, session)
    if isawaitable(done):
        await asyncio.wait_for(done, most_seconds)


async def give_up(
    spawner: NotebookSpawner,
    session: Session,
    cause: str,
    detail: str,
    evidence: Mapping[str, Any] | None = None,
) -> None:
    """A start came to nothing."""
    spawner.log.error("Session %s did not start: %s", session.id, detail)
    ledger = spawner.ledger
    await _tried(spawner, "journal", ledger.run(opening.fail, session, cause, detail, _now(), evidence))
    patience = Patience(ledger, session, FAILED_QUIET_SECONDS, spawner.settings.save_timeout_seconds)
    if await _tried(spawner, "stop", spawner.backend_stop(session, patience)) is None:
        row = await _tried(spawner, "read", ledger.run(sessions.get, session.id))
        if row is None or row.allocated_at is not None:
            _left_open(spawner, session)
            return  # what was never seen to run has nothing to save: its row is closed
    await _clear(spawner, session, "")


async def over(spawner: NotebookSpawner, session: Session) -> None:
    """The Hub says that a server is gone, whoever ended it: what the agent could not tell is told for it."""
    ledger = spawner.ledger
    row = await _tried(spawner, "read", ledger.run(sessions.get, session.id))
    if row is not None and row.closed_at is not None:
        if spawner._ending is None:
            runs = await _tried(spawner, "look for", spawner.backend_running(session))
            if runs is False:  # its agent ended it by itself, and nobody has cleared away after it
                await _tried(spawner, "clear away", spawner.backend_left_over(session))
                await _volume_went(spawner, session)
        return
    runs = await _tried(spawner, "look for", spawner.backend_running(session))
    if runs is None:
        _left_open(spawner, session)
        return
    if runs:
        await _tried(spawner, "journal", ledger.run(sessions.ended, session.id, _now()))
        return
    death = await _tried(spawner, "ask for the death of", spawner.backend_death(session))
    await _clear(spawner, session, "", death or ("", ""))


async def _clear(
    spawner: NotebookSpawner, session: Session, why_killed: str, death: tuple[str, str] = ("", "")
) -> None:
    left = await _tried(spawner, "clear away", spawner.backend_left_over(session))
    if left:
        spawner.log.warning("Session %s left %s; ended", session.id, ", ".join(left))
    if why_killed:
        spawner.log.error("Session %s: %s", session.id, why_killed)
    await _tried(spawner, "close", spawner.ledger.run(opening.settle, session, _now(), why_killed, death))
    await _volume_went(spawner, session)


async def _volume_went(spawner: NotebookSpawner, session: Session) -> None:
    if spawner.backend_keeps_volume(session):
        return
    lost = spawner.ledger.run(losing.volume_went_with_it, session.id, _now())
    if files := await _tried(spawner, "tell what is lost of", lost):
        spawner.log.error("Session %s: %d unsaved files went with its pod", session.id, files)


def _left_open(spawner: NotebookSpawner, session: Session) -> None:
    spawner.log.error(
        "Whether session %s still runs is not known; it is left to its agent and the janitor", session.id
    )


async def _tried(spawner: NotebookSpawner, what: str, step: Awaitable[Any]) -> Any:
    """The step's answer; None where it went wrong."""
    try:
        return await step
    except Exception:
        spawner.log.exception("Could not %s session of %s", what, spawner._log_name)
        return None


def _now() -> datetime:
    return datetime.now(UTC)
