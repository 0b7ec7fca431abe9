"""Rows of the ledger as the REST API writes them."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from jupyterhub_notebooks.clock import to_text
from jupyterhub_notebooks.ledger import Session, Snapshot
from jupyterhub_notebooks.profiles.cards import Card

_TIMES = ("asked_at", "allocated_at", "ready_at", "stop_asked_at", "ended_at", "closed_at", "heard_at")
_CLOCKS = ("verdict_since", "quiet_since", "idle_ends_at", "session_ends_at", "dismissed_at")
_SESSION = (
    "id",
    "notebook",
    "kind",
    "profile",
    "profile_version",
    "image_digest",
    "phase",
    "verdict",
    "cause",
)
_MORE = (
    "detail",
    "done_bytes",
    "total_bytes",
    "pending_files",
    "pending_bytes",
    "save_error",
    "warnings",
    "made_anew",
    "verdict_sentence",
    "signals",
    "extended_seconds",
    "extensions",
    "variables",
)


def time_text(at: datetime | None) -> str | None:
    return to_text(at) if at is not None else None


def session_json(session: Session) -> dict[str, Any]:
    return {name: getattr(session, name) for name in (*_SESSION, *_MORE)} | {
        name: time_text(getattr(session, name)) for name in (*_TIMES, *_CLOCKS)
    }


def snapshot_json(one: Snapshot) -> dict[str, Any]:
    names = ("number", "kind", "session", "size_bytes", "files", "stored_bytes", "name")
    needed, shared = one.measured_bytes, one.shared_bytes
    if needed is None or shared is None:  # an earlier version measured shared_bytes alone
        needed = shared = None
    told = {"needed_bytes": needed, "shared_bytes": shared, "at": time_text(one.at)}
    return {name: getattr(one, name) for name in names} | told


def card_json(card: Card) -> dict[str, Any]:
    return {
        "name": card.name,
        "title": card.title,
        "use": card.use,
        "flavors": [dataclasses.asdict(flavor) for flavor in card.flavors],
        "limits": card.clock,
        "editors": list(card.editors),
        "exceptions": list(card.exceptions),
        "deprecated": card.deprecated or None,
        "broken": card.broken or None,
        "denied": card.denied.as_json()["error"] if card.denied else None,
    }
