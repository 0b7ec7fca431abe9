"""Rows of the ledger as frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Row

R = TypeVar("R")


@dataclass(frozen=True)
class User:
    id: str
    hub_name: str
    hub_created: str
    last_seen: datetime | None
    gone_at: datetime | None


@dataclass(frozen=True)
class Notebook:
    id: str
    user: str
    server_name: str
    title: str
    project: str
    profile: str
    options: Mapping[str, Any]
    workspace: str
    created_at: datetime
    trashed_at: datetime | None
    trashed_by: str | None
    emptied_at: datetime | None
    volume_number: int = 0
    repo: str = ""
    opens: str = ""


@dataclass(frozen=True)
class Workspace:
    id: str
    notebook: str
    store: str
    unsaved_on: str | None
    unsaved_files: int
    unsaved_bytes: int
    limit_bytes: int | None
    stored_bytes: int | None = None
    pruned_at: datetime | None = None
    prune_problem: str | None = None


@dataclass(frozen=True)
class Session:
    """One run. Open while closed_at is None; its token works that long."""

    id: str
    notebook: str
    workspace: str
    user: str
    kind: str
    profile: str
    profile_version: str
    launch: Mapping[str, Any]
    image_digest: str | None
    volume: str | None
    asked_at: datetime
    allocated_at: datetime | None
    ready_at: datetime | None
    stop_asked_at: datetime | None
    ended_at: datetime | None
    closed_at: datetime | None
    heard_at: datetime | None
    phase: str
    done_bytes: int
    total_bytes: int
    done_files: int
    total_files: int
    pending_files: int
    pending_bytes: int
    save_error: str | None
    made_anew: list[str] | None
    warnings: list[str] | None
    verdict: str | None
    verdict_since: datetime | None
    verdict_at: datetime | None
    verdict_sentence: str | None
    signals: list[Mapping[str, Any]] | None
    quiet_since: datetime | None
    idle_ends_at: datetime | None
    session_ends_at: datetime | None
    extended_seconds: int
    extensions: int
    warned_at: datetime | None
    reached_at: datetime | None
    delayed_at: datetime | None
    observed_idle_at: datetime | None
    observed_limit_at: datetime | None
    cause: str | None
    detail: str | None
    actor: str | None
    dismissed_at: datetime | None = None
    variables: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Intent:
    id: str
    session: str
    do: str
    cause: str
    actor: str | None
    evidence: Mapping[str, Any]
    asked_at: datetime
    done_at: datetime | None


@dataclass(frozen=True)
class Snapshot:
    """stored_bytes: what its save added. measured_bytes, shared_bytes: all that it needs, and what of that earlier ones
    need too; None: not measured yet."""

    workspace: str
    number: int
    kind: str
    state: str
    session: str
    sha256: str
    at: datetime
    size_bytes: int
    files: int
    stored_bytes: int
    shared_bytes: int | None = None
    name: str | None = None
    dismissed_at: datetime | None = None
    dismissed_by: str | None = None
    measured_bytes: int | None = None


@dataclass(frozen=True)
class SetAside:
    """A volume whose unsaved files a notebook was started without. head: the save that it was started from."""

    id: str
    workspace: str
    volume: str
    session: str | None
    at: datetime
    actor: str | None
    head: int
    files: int
    size_bytes: int
    settled_at: datetime | None
    snapshot: int | None


@dataclass(frozen=True)
class NotebookView:
    """A notebook with its workspace, its present or last session and its newest save.

    saving: the open session of kind save, where one saves what could not be saved before.
    """

    notebook: Notebook
    owner: User
    workspace: Workspace
    session: Session | None
    head: Snapshot | None
    saving: Session | None = None


def made(kind: type[R], row: Row[Any]) -> R:
    """The dataclass of a row that has at least its columns."""
    return made_all(kind, [row])[0]


def made_all(kind: type[R], rows: Sequence[Row[Any]]) -> list[R]:
    """The same for the rows of one query."""
    if not rows:
        return []
    where = {name: place for place, name in enumerate(rows[0]._fields)}
    places = [where[item.name] for item in fields(kind)]  # type: ignore[arg-type]
    return [kind(*[row[place] for place in places]) for row in rows]
