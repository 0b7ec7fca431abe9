"""Our errors as the Hub shows them: on its pages, in its event stream and in its REST API.

Promises: what a person reads is the error's own words, escaped where it is HTML; never a class name, never
a traceback. The Hub's own SpawnException alone shows nothing (its pages read two other attributes).
"""

from __future__ import annotations

from html import escape
from typing import Any

from jupyterhub.spawner import SpawnException

from ..errors import BadInput, ConfigError, NotebooksError


class NotStarted(NotebooksError):
    """A start that began and did not end in a usable notebook. cause: the label in the session's row.

    evidence: (which signal, what it said), for administrators: kept in the audit.
    """

    reason = "did_not_start"
    http_status = 500

    def __init__(
        self,
        title: str,
        why: str = "",
        next: tuple[str, ...] = (),
        *,
        cause: str = "",
        evidence: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(title, why, next)
        self.cause = cause or self.reason
        self.evidence = evidence


class Refused(SpawnException):
    """An expected error of ours on its way through the Hub. ``error`` is that error."""

    def __init__(self, error: NotebooksError) -> None:
        self.error = error
        label = str(error.as_json()["error"]["reason"])
        text = words_of(error)
        super().__init__(text, reason=label, message_html=html_of(error), status_code=error.http_status)
        self.jupyterhub_message = text
        self.jupyterhub_html_message = html_of(error)


def words_of(error: NotebooksError) -> str:
    """All of it on one line; the field only where a person has to look for it."""
    if isinstance(error, BadInput | ConfigError):
        return error.sentence()
    return NotebooksError(error.title, error.why, error.next).sentence()


def html_of(error: NotebooksError) -> str:
    """Title, reason and what to do next."""
    parts = [f"<strong>{escape(error.title)}.</strong>"]
    if error.why:
        parts.append(f"<span>{escape(error.why.rstrip('.'))}.</span>")
    if error.next:
        steps = "".join(f"<li>{escape(step)}</li>" for step in error.next if step)
        parts.append(f"<ul>{steps}</ul>")
    return " ".join(parts)


def evidence_of(error: NotebooksError) -> dict[str, Any]:
    """What the audit keeps of a failed start: its words, and what they rest on."""
    signals = list(error.evidence) if isinstance(error, NotStarted) else []
    told = {"title": error.title, "why": error.why, "next": list(error.next)}
    return told | ({"signals": [list(one) for one in signals]} if signals else {})


def cause_and_detail(error: NotebooksError) -> tuple[str, str]:
    """Label and sentence of a failed start for the session's row."""
    label = error.cause if isinstance(error, NotStarted) else "did_not_start"
    return label, f"{error.title}. {error.why}".rstrip(". ") + "."
