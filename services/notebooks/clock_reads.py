"""A session's clock and its history, and GPUs that are held without being used: read by the REST API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from jupyterhub_notebooks.clock import from_text
from jupyterhub_notebooks.enforcement import rules
from jupyterhub_notebooks.enforcement.rules import GPU_UNUSED_SECONDS
from jupyterhub_notebooks.ledger import NotebookView, Session, clocks, notebooks, stretches

from . import actions
from .api import ApiHandler
from .listing import limits_of
from .showing import time_text


class SessionClockHandler(ApiHandler):
    """GET: the limits of a run, when they end, and each stretch of one verdict since it was ready."""

    async def get(self, id: str) -> None:
        session, _ = await actions.own_session(self.context, self.person, id)
        found = await self.context.ledger.run(stretches.of_sessions, [session.id])
        now = self.context.now()
        limits = limits_of(self.context, session)
        end = rules.ends(session, limits) if limits is not None and session.stop_asked_at is None else None
        self.write_json(
            {
                "session": session.id,
                "ready_at": time_text(session.ready_at),
                "idle_stop_seconds": limits.idle_seconds if limits else 0,
                "max_session_seconds": limits.max_seconds + session.extended_seconds if limits else 0,
                "enforcement": limits.mode if limits else "off",
                "idle_ends_at": time_text(end.idle_at) if end else None,
                "session_ends_at": time_text(end.session_at) if end else None,
                "stretches": stretches_json(found, stretches.until(session, now)),
            }
        )


def stretches_json(found: list[stretches.Stretch], until: datetime) -> list[dict[str, Any]]:
    """Each with its end, which is the beginning of the next."""
    if not found:
        return []
    ends = [one.since for one in found[1:]] + [until]
    return [
        {
            "verdict": one.verdict,
            "sentence": one.sentence,
            "since": time_text(one.since),
            "until": time_text(max(end, one.since)),
            "seconds": max(0.0, round((end - one.since).total_seconds(), 3)),
        }
        for one, end in zip(found, ends, strict=True)
    ]


class UnusedGpusHandler(ApiHandler):
    """GET: running notebooks whose GPU has not been used for an hour: one's own, for administrators everybody's."""

    async def get(self) -> None:
        rows = await self.context.ledger.run(clocks.running)
        now = self.context.now()
        unused = [(row, since) for row in rows if (since := unused_since(row, now)) is not None]
        user = None if self.person.is_admin else self.person.user.id
        views = await self.context.ledger.run(notebooks.views, user=user)
        named: dict[str, NotebookView] = {view.notebook.id: view for view in views}
        self.write_json(
            {
                "gpus": [
                    _unused_json(row, since, named[row.notebook], now)
                    for row, since in sorted(unused, key=lambda one: one[1])
                    if row.notebook in named
                ],
                "next": None,
            }
        )


def unused_since(row: Session, now: datetime) -> datetime | None:
    """Since when its GPU is at rest, where that is an hour or longer."""
    for one in row.signals or ():
        if one.get("name") == "gpu" and one.get("state") == "idle" and one.get("since"):
            try:
                since = from_text(str(one["since"]))
            except ValueError:
                return None
            return since if now - since >= timedelta(seconds=GPU_UNUSED_SECONDS) else None
    return None


def _unused_json(row: Session, since: datetime, view: NotebookView, now: datetime) -> dict[str, Any]:
    gpu = (row.launch.get("resources") or {}).get("gpu") or {}
    detail = next((str(one.get("detail", "")) for one in row.signals or () if one.get("name") == "gpu"), "")
    return {
        "session": row.id,
        "user": view.owner.hub_name,
        "notebook": view.notebook.server_name,
        "title": view.notebook.title,
        "profile": row.profile,
        "gpu": str(gpu.get("kind", "")),
        "count": int(gpu.get("count", 0) or 0),
        "since": time_text(since),
        "seconds": round((now - since).total_seconds()),
        "verdict": row.verdict,
        "detail": detail,
    }
