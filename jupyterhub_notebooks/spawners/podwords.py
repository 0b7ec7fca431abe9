"""The answer of everything that looks at a pod, and the few words that all of them use. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .refusing import NotStarted

Object = Mapping[str, Any]

GOING, WAITS, FAILS = "going on", "waiting", "fails for cause"

#: How patient a start is before what it waits for counts as a failure: as with anything that does not move; as long
#: as an image may come; as long as a place or a machine may take.
SHORT, PULL, MACHINE = "short", "pull", "machine"


@dataclass(frozen=True)
class Told:
    """What a start is doing.

    what: GOING, WAITS or FAILS. step: what is done now: asked, waiting, attaching, pulling, creating, running.
    cause: a label of ``enforcement.causes``. title, why, next: what a user reads once it has failed; while it waits, title
    and why are what it waits for. evidence: (which signal, what the cluster said), for administrators. patience: how long
    it may last. subject: the image or machine that it is about.
    """

    what: str
    step: str = ""
    cause: str = ""
    title: str = ""
    why: str = ""
    next: tuple[str, ...] = ()
    evidence: tuple[tuple[str, str], ...] = ()
    patience: str = ""
    subject: str = ""

    def sentence(self) -> str:
        """What it waits for, in one line for the page of the start."""
        return f"{self.title}: {self.why[:1].lower()}{self.why[1:]}." if self.why else f"{self.title}."

    def error(self, why: str = "") -> NotStarted:
        """It as what ends the start. why: said after the reason."""
        told = f"{self.why.rstrip('. ')}. {why}" if why and self.why else self.why or why
        return NotStarted(self.title, told, self.next, cause=self.cause, evidence=self.evidence)


def short(said: str, most: int = 300) -> str:
    """On one line, without an end, and not too long."""
    line = " ".join(str(said).split())
    return (line[: most - 1] + "…" if len(line) > most else line).rstrip(". ")


def last_line(said: str) -> str:
    """The last line of what a program left as its reason."""
    return short(said.strip().splitlines()[-1]) if said.strip() else ""


def quoted(said: str) -> str:
    """What stands in the first quotation marks."""
    found = re.search(r'"([^"]+)"', said)
    return found[1] if found else ""
