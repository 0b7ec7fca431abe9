"""What decisions read of a ledger's row: each adds what it needs beside this."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Run(Protocol):
    """How far a session is, and when it was last heard of."""

    @property
    def asked_at(self) -> datetime: ...
    @property
    def stop_asked_at(self) -> datetime | None: ...
    @property
    def ended_at(self) -> datetime | None: ...
    @property
    def closed_at(self) -> datetime | None: ...
    @property
    def heard_at(self) -> datetime | None: ...
    @property
    def phase(self) -> str: ...
