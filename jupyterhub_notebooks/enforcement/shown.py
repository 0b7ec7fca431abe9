"""The state of a notebook as pages, API and commands show it, and what it is decided from: ``state.state_of`` decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from . import telling
from .rows import Run
from .rules import Limits
from .sentences import Sentence
from .words import Badge

STOPPED, STARTING, RUNNING, STOPPING = "STOPPED", "STARTING", "RUNNING", "STOPPING"
ERROR, TRASHED, DELETING = "ERROR", "TRASHED", "DELETING"


@dataclass(frozen=True)
class Progress:
    """How far the present step is; total 0 where it is not known."""

    done_bytes: int
    total_bytes: int
    label: str
    text: str


@dataclass(frozen=True)
class State:
    """state and sub as the API carries them; badge, sentence and detail as a page shows them.

    safe: whether the work is safe, for what stopped or failed. cause: label of why it ended. keep: words of the button
    that moves the next deadline, '' where none does; moves_clock: which one, ``idle`` or ``session_limit``.
    """

    state: str
    sub: str
    badge: Badge
    sentence: Sentence
    detail: Sentence = ()
    safe: Sentence = ()
    progress: Progress | None = None
    cause: str = ""
    warnings: tuple[str, ...] = field(default=())
    keep: str = ""
    moves_clock: str = ""

    @property
    def moves(self) -> bool:
        """Whether it changes by itself within seconds."""
        return self.state in (STARTING, STOPPING, DELETING)

    @property
    def needs_you(self) -> bool:
        return self.state == ERROR or self.badge.colour == "wait"


class NotebookRow(Protocol):
    @property
    def trashed_at(self) -> datetime | None: ...
    @property
    def emptied_at(self) -> datetime | None: ...


class WorkspaceRow(Protocol):
    @property
    def unsaved_on(self) -> str | None: ...
    @property
    def unsaved_files(self) -> int: ...
    @property
    def unsaved_bytes(self) -> int: ...


class SessionRow(telling.Told, Run, Protocol):
    @property
    def allocated_at(self) -> datetime | None: ...
    @property
    def done_bytes(self) -> int: ...
    @property
    def total_bytes(self) -> int: ...
    @property
    def pending_files(self) -> int: ...
    @property
    def pending_bytes(self) -> int: ...
    @property
    def made_anew(self) -> list[str] | None: ...
    @property
    def warnings(self) -> list[str] | None: ...
    @property
    def cause(self) -> str | None: ...
    @property
    def detail(self) -> str | None: ...
    @property
    def variables(self) -> Mapping[str, Any] | None: ...


@dataclass(frozen=True)
class Facts:
    """What else a sentence needs. actor: who asked for the stop, as the reader reads it (``You``, ``petra``).

    saved_at: the newest save. trash_days: how long a notebook stays in the trash. being_saved: a run that only saves
    is under way. save_asked: somebody asked for one.
    limits: what the session may last, None where that is not known. start_asked: it starts once it is saved.
    dismissed: its owner took note of the error that the session ended with.
    volume_away: the newest try to reach the unsaved files did not find their volume.
    """

    actor: str = ""
    saved_at: datetime | None = None
    trash_days: int = 30
    being_saved: bool = False
    save_asked: bool = False
    limits: Limits | None = None
    start_asked: bool = False
    dismissed: bool = False
    volume_away: bool = False
