"""Sentences with times in them, so that a page can write the times in its reader's zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Moment:
    """A time inside a sentence. form: ``clock`` (14:25), ``ago`` (28 min ago), or ``left`` where a screen counts it itself."""

    at: datetime
    form: str = "clock"


Sentence = tuple[str | Moment, ...]
