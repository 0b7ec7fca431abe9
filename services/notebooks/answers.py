"""The shapes of the REST API's answers, for its document. The handlers write these; a test holds both together."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """Readers ignore fields that they do not know."""

    model_config = ConfigDict(extra="allow")


class Told(Answer):
    """reason: a label that does not change; title, why and next are what a person reads; field: what is wrong."""

    reason: str
    title: str
    why: str
    next: list[str]
    field: str | None


class Error(Answer):
    error: Told


class HowFar(Answer):
    label: str
    done_bytes: int
    total_bytes: int


class LastSave(Answer):
    number: int
    at: str
    size_bytes: int


class Undo(Answer):
    """The action that takes it back, and its body."""

    action: str
    body: dict[str, Any]
    number: int | None


class Notebook(Answer):
    """name: the last part of its address. url: its server; page: its page. Times are RFC 3339 in UTC."""

    id: str
    user: str
    name: str
    server: str
    title: str
    project: str
    state: str
    sub_state: str
    sentence: str
    safe: str | None
    cause: str | None
    warnings: list[str]
    profile: str
    session: str | None
    last_session: str | None
    safe_mode: bool
    progress: HowFar | None
    saved: LastSave | None
    created_at: str
    trashed_at: str | None
    page: str
    url: str
    lands: str
    repo: str | None


class Acted(Notebook):
    """said: what was done, in one sentence."""

    said: str
    undo: Undo | None


class Said(Answer):
    said: str


class Notebooks(Answer):
    """next: the cursor of the rest, None where this is all."""

    notebooks: list[Notebook]
    next: str | None


class Session(Answer):
    id: str
    notebook: str
    kind: str
    profile: str
    phase: str
    cause: str | None
    asked_at: str
    ready_at: str | None
    ended_at: str | None
    closed_at: str | None


class Sessions(Answer):
    sessions: list[Session]
    next: str | None


class Line(Answer):
    at: str
    line: str


class Log(Answer):
    lines: list[Line]


class Stretch(Answer):
    """One stretch of a verdict; sentence: on what evidence."""

    verdict: str
    sentence: str
    since: str
    until: str
    seconds: float


class SessionClock(Answer):
    """Limits of 0 are none. enforcement: stop, observe or off."""

    session: str
    ready_at: str | None
    idle_stop_seconds: float
    max_session_seconds: float
    enforcement: str
    idle_ends_at: str | None
    session_ends_at: str | None
    stretches: list[Stretch]


class Evidence(Answer):
    """One piece of evidence: what said it, and what it said."""

    what: str
    said: str


class Diagnosis(Answer):
    """cause: a label that does not change. safe: whether the work is. next: best first. lines: the last that it printed."""

    session: str
    cause: str | None
    state: str
    title: str
    why: str
    safe: str
    next: list[str]
    evidence: list[Evidence]
    lines: list[str]


class UnusedGpu(Answer):
    """gpu: its kind; since: when it was last used."""

    session: str
    user: str
    notebook: str
    title: str
    profile: str
    gpu: str
    count: int
    since: str
    seconds: int
    verdict: str | None
    detail: str


class UnusedGpus(Answer):
    gpus: list[UnusedGpu]
    next: str | None


class Snapshot(Answer):
    """kind: save or recovery. name: its user keeps it. stored_bytes: what its save added to the store. needed_bytes: all
    that it needs there, and shared_bytes: what of that earlier ones need too; null until both were measured."""

    number: int
    kind: str
    session: str
    at: str
    size_bytes: int
    files: int
    stored_bytes: int
    needed_bytes: int | None
    shared_bytes: int | None
    name: str | None


class Snapshots(Answer):
    snapshots: list[Snapshot]
    next: str | None


class LeftBehind(Answer):
    """A volume whose files have not come back yet. head: the save that the notebook was started from without them."""

    volume: str
    session: str | None
    at: str
    head: int
    files: int
    size_bytes: int
    settled_at: str | None
    why: str


class RecoverySnapshot(Answer):
    """why: whose files they are, when and how they were left. session: that one's, where it is known."""

    number: int
    at: str
    files: int
    size_bytes: int
    session: str | None
    dismissed_at: str | None
    why: str


class Recovery(Answer):
    """start_from_last_save: what that would leave behind; None where there is nothing to choose."""

    start_from_last_save: str | None
    left_behind: list[LeftBehind]
    snapshots: list[RecoverySnapshot]


class Entry(Answer):
    path: str
    name: str
    kind: str
    size_bytes: int
    mode: int
    mtime: str
    target: str | None


class Folder(Answer):
    path: str
    entries: list[Entry]
    next: str | None


class Change(Answer):
    """what: added, removed, changed or attributes."""

    path: str
    what: str
    kind: str
    before_bytes: int | None
    size_bytes: int | None


class Changes(Answer):
    """counts: of all changes; changes: at most 1,000 of them."""

    counts: dict[str, int]
    added_bytes: int
    changes: list[Change]


class Restored(Answer):
    said: str
    undo: Undo | None
    restore: dict[str, Any]


class Preview(Answer):
    """What another choice means, a sentence each."""

    changes: list[str]


class Profile(Answer):
    name: str
    title: str
    use: str
    flavors: list[dict[str, Any]]
    limits: str
    editors: list[str]
    denied: Told | None


class Profiles(Answer):
    profiles: list[Profile]
    next: str | None


class Extended(Answer):
    moved: str
    until: str | None
    extensions_left: int


class Document(Answer):
    openapi: str
