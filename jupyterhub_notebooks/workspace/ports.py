"""What the engine asks of the world: where blocks lie, where snapshots lie, and how it says what happened.

Implementations: ``store.WorkspaceStore`` (keys in hand), the agent's (signed URLs and the service's commit).
All methods may be called from several threads at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..contract import Progress
from ..errors import Conflict, NotebooksError

#: Called from the thread that called the engine, often; the callee throttles.
OnProgress = Callable[[Progress], None]


class Blocks(Protocol):
    """The blocks of one workspace. Names are 64 hex digits, bodies are stored bytes (FORMAT.md, Block)."""

    def get(self, name: str, /) -> bytes:
        """The stored bytes. Raises errors.NotFound, errors.StorageAway."""
        ...

    # Those that have get_into(name, room) as well answer bytes as the beginning of room, where they fit, without new memory.

    def put(self, name: str, body: bytes) -> bool:
        """True: written now. False: it was present already. Durable on return."""
        ...

    def not_there(self, names: Sequence[str]) -> list[str]:
        """Those of names that are not there. One request for many of them, or a small one for each."""
        ...

    def expect(self, names: Sequence[str]) -> None:
        """A hint: these will be asked for soon, about in this order. May do nothing."""
        ...


@dataclass(frozen=True)
class CommitFacts:
    """What a commit says beside its body. present: names whose put answered False."""

    kind: str
    size_bytes: int
    files: int
    stored_bytes: int
    present: tuple[str, ...] = ()


class Snapshots(Protocol):
    """The snapshots of one workspace. Numbers start at 1."""

    def numbers(self) -> list[int]:
        """All, ascending, of both kinds."""
        ...

    def get(self, number: int, /) -> bytes:
        """The object's bytes. Raises errors.NotFound, errors.StorageAway."""
        ...

    def commit(self, number: int, body: bytes, facts: CommitFacts) -> None:
        """The only commit point. Raises errors.Conflict where the number is taken or the lease is lost,
        MissingBlocks where blocks of ``facts.present`` are gone. The same body twice is one commit."""
        ...


class Cancelled(NotebooksError):
    """The caller asked to stop. A save left the snapshot before as it was; a restore left ``restoring``."""

    reason = "cancelled"
    exit_code = 130


class MissingBlocks(Conflict):
    """Blocks that a save took for present are gone: write them again, then commit again."""

    reason = "missing_blocks"

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            "Blocks of this save were removed meanwhile",
            "They are stored again before the save is committed",
        )
        self.names = tuple(names)
