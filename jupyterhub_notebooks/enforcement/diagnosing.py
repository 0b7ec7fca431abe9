"""What is the matter with a session, in one answer: what happened, why, whether the work is safe, what to do, on what evidence.

Promises: it names the failure of any session, also of one that never started, in the words that its user read; a session
that waits or runs is told as that. Pure: page, REST API and command make it from the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from . import state as states
from .causes import cause_of

#: So many lines of a log stand beside a diagnosis.
LINES = 5


@dataclass(frozen=True)
class Diagnosis:
    """title: what, a few words. why: one or two sentences. safe: whether the work is. next: best first.

    evidence: (what said it, what it said). lines: the last of its log, where it ended badly.
    """

    cause: str
    state: str
    title: str
    why: str = ""
    safe: str = ""
    next: tuple[str, ...] = ()
    evidence: tuple[tuple[str, str], ...] = ()
    lines: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "cause": self.cause or None,
            "state": self.state,
            "title": self.title,
            "why": self.why,
            "safe": self.safe,
            "next": list(self.next),
            "evidence": [{"what": what, "said": said} for what, said in self.evidence],
            "lines": list(self.lines),
        }


def signals(failed: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    """What a failed start rests on, from its row of the audit."""
    return tuple((str(one[0]), str(one[1])) for one in (failed or {}).get("signals") or () if len(one) == 2)


def diagnose(
    told: states.State,
    session: states.SessionRow,
    now: datetime,
    zone: tzinfo,
    *,
    failed: Mapping[str, Any] | None = None,
    stopped_on: Sequence[tuple[str, str]] = (),
    log: Sequence[str] = (),
    contact: str = "your administrator",
) -> Diagnosis:
    """told: the state that the session gives its notebook. failed: evidence of its row of the audit, where its start came to
    nothing. stopped_on: what a stop was decided on. log: lines that it printed, oldest first. Times in zone."""
    sentence = states.plain(told.sentence, now, zone)
    if told.state != states.ERROR:
        detail = " ".join(filter(None, (states.plain(told.detail, now, zone), *told.warnings)))
        evidence = (*stopped_on, *_of_now(session, told))
        return Diagnosis(
            told.cause,
            told.state,
            told.badge.words,
            f"{sentence} {detail}".strip(),
            _safe(told, now, zone),
            (),
            evidence,
        )
    cause = cause_of(session.cause or "")
    safe, lines = _safe(told, now, zone), tuple(log[-LINES:])
    if failed is not None and told.sub == "did not start":
        why, steps = str(failed.get("why") or ""), tuple(str(one) for one in failed.get("next") or ())
        return Diagnosis(
            told.cause,
            told.state,
            str(failed.get("title") or cause.title),
            why,
            safe,
            steps,
            signals(failed),
            lines,
        )
    detail = states.plain(told.detail, now, zone)
    why = sentence if detail in sentence else f"{sentence} {detail}"
    steps = (*cause.next, f"Ask {contact}") if told.sub != "not saved" else ("Save now", *cause.next)
    return Diagnosis(told.cause, told.state, cause.title, why.strip(), safe, steps, tuple(stopped_on), lines)


def _safe(told: states.State, now: datetime, zone: tzinfo) -> str:
    return states.plain(told.safe, now, zone)


def _of_now(session: states.SessionRow, told: states.State) -> tuple[tuple[str, str], ...]:
    """What a session that has not ended says of itself."""
    if told.state == states.STARTING:
        return (("step", session.phase or "asked"),)
    if told.state == states.RUNNING and session.verdict:
        return (("verdict", f"{session.verdict}. {session.verdict_sentence or ''}".strip()),)
    return ()
