"""The end of ``up``: running notebooks are stopped through the Hub, side by side, with a line for each step.

Promises: the intent stands in the ledger before the Hub is asked; how far a save is comes from the
ledger; a notebook whose files could not be saved is named with where they are; what cannot be asked or
read ends with a sentence, never with an exception.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from .. import ledger as ledgers
from ..errors import NotebooksError, NotFound
from ..hubapi.client import HubApi
from ..ledger import Ledger, Session
from ..units import be, count

Say = Callable[[str], object]

CAUSE = "shutdown"
LOOK_SECONDS = 0.25
STEP_PERCENT = 10
#: After the Hub says that a server is gone, its agent may still be telling the ledger that it has saved.
SETTLE_SECONDS = 5.0


@dataclass(frozen=True)
class Ended:
    """What became of one notebook. saved is None where nothing of ours saves it."""

    name: str
    saved: bool | None
    sentence: str


async def stop_all(hub: HubApi, ledger: Ledger, say: Say) -> list[Ended]:
    """Stops every server of the Hub and answers what became of each. Raises HubAway."""
    running = [
        (user.name, server.name)
        async for user in hub.users("active")
        for server in user.servers.values()
        if not server.stopped
    ]
    if not running:
        return []
    say(f"Stopping {count(len(running), 'notebook')} and saving; Ctrl-C again leaves them running.")
    return list(await asyncio.gather(*(_stop_one(hub, ledger, *each, say) for each in running)))


async def _stop_one(hub: HubApi, ledger: Ledger, user: str, server: str, say: Say) -> Ended:
    began = time.monotonic()
    name, session_id = await ledger.run(_intend, user, server)
    try:
        # The Hub answers a stop only after a while; how far it is, is asked for meanwhile.
        stop = asyncio.create_task(hub.stop_server(user, server))
        try:
            await _follow(hub, ledger, user, server, name, session_id, stop, say)
            await stop
        finally:
            stop.cancel()
        session = await _settled(ledger, session_id)
    except NotebooksError as error:
        ended = Ended(name, False, f"{name}: {error.sentence()}")
    else:
        ended = outcome(name, session, time.monotonic() - began)
    say(ended.sentence)
    return ended


async def _follow(
    hub: HubApi,
    ledger: Ledger,
    user: str,
    server: str,
    name: str,
    session_id: str,
    stop: asyncio.Task[bool],
    say: Say,
) -> None:
    """Returns once the Hub has forgotten the server, or refused to stop it; says how far it is on the way."""
    shown = ""
    while await _runs(hub, user, server):
        if stop.done() and stop.exception() is not None:
            return
        now_at = step(await ledger.run(_session, session_id))
        if now_at != shown:
            say(f"{name}: {now_at}…")
            shown = now_at
        await asyncio.sleep(LOOK_SECONDS)


async def _runs(hub: HubApi, user: str, server: str) -> bool:
    try:
        found = (await hub.user(user)).servers.get(server)
    except NotFound:
        return False
    return found is not None and not found.stopped


async def _settled(ledger: Ledger, session_id: str) -> Session | None:
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        session = await ledger.run(_session, session_id)
        if session is None or session.closed_at is not None or time.monotonic() > end:
            return session
        await asyncio.sleep(LOOK_SECONDS)


def step(session: Session | None) -> str:
    """Where a stop is: ``stopping``, ``saving``, ``saving 40 %``, ``ending``."""
    if session is not None and session.phase == "ended":
        return "ending"
    if session is None or session.phase != "saving":
        return "stopping"
    tens = min(100, session.done_bytes * 100 // (session.total_bytes or 1)) // STEP_PERCENT
    return f"saving {tens * STEP_PERCENT} %" if tens else "saving"


def outcome(name: str, session: Session | None, seconds: float) -> Ended:
    """What to say of a notebook whose server has ended."""
    if session is None:
        return Ended(name, None, f"{name}: stopped in {seconds:.1f} s.")
    if session.pending_files or session.closed_at is None:
        why = session.save_error or session.detail or "its end was not heard of"
        files = count(session.pending_files, "file") if session.pending_files else "Its newest files"
        where = f" on {session.volume}" if session.volume else ""
        return Ended(
            name,
            False,
            f"{name}: not saved ({why}). {files} {be(session.pending_files)} kept{where}; the next start saves them.",
        )
    return Ended(name, True, f"{name}: saved in {seconds:.1f} s.")


def all_saved(ended: Sequence[Ended]) -> bool:
    """Whether nothing is left that only lies on a volume."""
    return all(each.saved is not False for each in ended)


def _intend(ledger: Ledger, user: str, server: str) -> tuple[str, str]:
    """Writes who asks for the stop; answers what to call the notebook and the id of its session."""
    owner = ledgers.users.by_name(ledger, user)
    notebook = ledgers.notebooks.find(ledger, owner.id, server) if owner else None
    if notebook is None:
        return f"{server or 'main'} of {user}", ""
    session = ledgers.sessions.open_of_notebook(ledger, notebook.id)
    if session is not None:
        ledgers.intents.ask(ledger, session.id, "stop", CAUSE, None, datetime.now(UTC))
    return f"{notebook.title} of {user}", session.id if session else ""


def _session(ledger: Ledger, id: str) -> Session | None:
    return ledgers.sessions.get(ledger, id) if id else None
