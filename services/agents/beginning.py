"""Hello: a workspace for the agent, the right to write it, and what it starts with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyterhub_notebooks.clock import to_text
from jupyterhub_notebooks.contract import Hello, HelloAnswer, Lease
from jupyterhub_notebooks.ledger import Ledger, Session, aside, leases, losing, notebooks, sessions, snapshots
from jupyterhub_notebooks.names import short
from jupyterhub_notebooks.settings import Settings
from jupyterhub_notebooks.units import show_duration

from ..keys import ensure_workspace
from .committing import settle
from .heartbeats import next_in_seconds
from .introducing import introduction

if TYPE_CHECKING:
    from .app import Agents


async def hello(agents: Agents, session: Session, body: Hello) -> HelloAnswer:
    """The same hello twice gets the same workspace and the same lease."""
    agents.heartbeats.forget(session.id)
    async with agents.lock(session.workspace):
        key = await ensure_workspace(
            agents.ledger,
            agents.objects,
            agents.settings.encryption_key,
            session.workspace,
            agents.clock.now(),
        )
        await settle(agents, session, look_further=True)
        held, head, next_number, limit, left = await agents.ledger.run(
            _in_ledger, session, body.volume, agents.settings.lease_seconds, agents.clock.now()
        )
        if body.volume == "empty" and isinstance(held, leases.Lease):
            await agents.ledger.run(losing.volume_was_empty, session, agents.clock.now())
    launch, settings = session.launch, agents.settings
    told = await agents.ledger.run(introduction, session, settings.enforcement, agents.clock.now())
    return HelloAnswer(
        session.workspace,
        limit_bytes=limit or limit_bytes(settings, session),
        lease=Lease(held.number, held.ends_in_seconds) if isinstance(held, leases.Lease) else None,
        held_by=held_by(held) if isinstance(held, leases.Held) else "",
        held_volume=held.volume if isinstance(held, leases.Held) and not held.by else "",
        set_aside=left,
        head=head,
        next_number=next_number,
        startup_script=str(launch.get("startup_script") or ""),
        startup_script_seconds=settings.startup_script_seconds,
        save_interval_seconds=float(launch.get("save_interval_seconds") or settings.save_interval_seconds),
        save_timeout_seconds=settings.save_timeout_seconds,
        next_in_seconds=next_in_seconds("hello", settings.heartbeat_seconds, settings.heartbeat_soon_seconds),
        never_saved=settings.never_saved,
        environment={str(name): str(value) for name, value in (launch.get("environment") or {}).items()},
        secret_key=key.hex() if key is not None and isinstance(held, leases.Lease) else None,
        store_authority=agents.authority,
        server_time=to_text(agents.clock.now()),
        variables_bytes=int(launch.get("variables_bytes") or 0),
        variables_seconds=float(launch.get("variables_seconds") or 0),
        **told,
    )


def limit_bytes(settings: Settings, session: Session) -> int:
    """How much the workspace may hold: the profile's word, else the setting."""
    return int(session.launch.get("workspace_bytes") or settings.workspace_limit_bytes)


def held_by(held: leases.Held) -> str:
    """Why there is no lease, in words."""
    if held.by:
        left = show_duration(held.ends_in_seconds)
        return f"Session …{short(held.by)} of this notebook still writes here; its right ends in {left}"
    return f"Files newer than the last save lie on the volume {held.volume or 'without a name'}"


def _in_ledger(
    ledger: Ledger, session: Session, found: str, lease_seconds: float, now: object
) -> tuple[leases.Lease | leases.Held, int, int, int | None, bool]:
    """The lease or who holds it, head, next number, the workspace's own limit where it has one, and whether the volume
    was set aside. found: what the agent found on the volume."""
    space = notebooks.workspace(ledger, session.workspace)
    head = snapshots.head(ledger, session.workspace)
    lost = found == "empty" and head is not None and head.files > 0
    held: leases.Lease | leases.Held
    if lost and space.unsaved_on is not None and space.unsaved_on == (session.volume or ""):
        held = leases.Held("", volume=space.unsaved_on)  # what should lie here is not here
    else:
        held = leases.take(ledger, session.workspace, session.id, lease_seconds, volume=session.volume)
    number = snapshots.next_number(ledger, session.workspace)
    sessions.report(ledger, [sessions.Report(session.id, {"phase": "hello", "heard_at": now})])
    left = aside.is_waiting(ledger, session.workspace, session.volume)
    return held, head.number if head else 0, number, space.limit_bytes, left
