"""What a person reads when something is wrong: errors are types with data, never matched by text.

Each error says what happened (title), why in one sentence, and what to do next. Its class fixes the
exit code of a command and the HTTP status of an answer. ``as_json`` is the body of every error answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar


class NotebooksError(Exception):
    """An expected error. Shown to people without a traceback.

    title: what, a few words. why: one sentence. next: what the person can do, best first.
    field: the setting, argument or path (``profiles.yaml:12 profiles.gpu.flavor``) that is wrong.
    """

    reason: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(
        self, title: str, why: str = "", next: Sequence[str] = (), *, field: str | None = None
    ) -> None:
        super().__init__(title)
        self.title = title
        self.why = why
        self.next = tuple(next)
        self.field = field

    def __str__(self) -> str:
        return self.sentence()

    def sentence(self) -> str:
        """All of it on one line: ``field: title. why next``."""
        head = f"{self.field}: {self.title}" if self.field else self.title
        parts = [_stopped(head), _stopped(self.why), *(_stopped(step) for step in self.next)]
        return " ".join(part for part in parts if part)

    def as_json(self) -> dict[str, Any]:
        """The body of an error answer, as contracts fix it."""
        return {
            "error": {
                "reason": self.reason,
                "title": self.title,
                "why": self.why,
                "next": list(self.next),
                "field": self.field,
            }
        }


def _stopped(text: str) -> str:
    text = text.strip()
    return text if not text or text[-1] in ".!?:" else text + "."


class BadInput(NotebooksError):
    """A value that a person typed or a client sent cannot be used."""

    reason = "bad_input"
    exit_code = 2
    http_status = 400


class ConfigError(NotebooksError):
    """A configuration file or setting is wrong."""

    reason = "config"
    exit_code = 3


class NotFound(NotebooksError):
    """The thing named does not exist, or is not this person's to see."""

    reason = "not_found"
    exit_code = 4
    http_status = 404


class Denied(NotebooksError):
    """Known, but not allowed for this person or token."""

    reason = "denied"
    exit_code = 5
    http_status = 403


class Refusal(NotebooksError):
    """A launch or action that is refused, with the label of the reason (``quota``, ``group``, …)."""

    exit_code = 5
    http_status = 409

    def __init__(
        self,
        title: str,
        why: str = "",
        next: Sequence[str] = (),
        *,
        field: str | None = None,
        label: str = "refused",
    ) -> None:
        super().__init__(title, why, next, field=field)
        self.label = label

    def as_json(self) -> dict[str, Any]:
        body = super().as_json()
        body["error"]["reason"] = self.label
        return body


class Conflict(NotebooksError):
    """Somebody else was first: a name, a number, a lease."""

    reason = "conflict"
    exit_code = 5
    http_status = 409


class StorageAway(NotebooksError):
    """Object storage does not answer or refuses; trying again later may help."""

    reason = "storage_away"
    exit_code = 6
    http_status = 503


class Damaged(NotebooksError):
    """Stored bytes are not what was written: truncated, flipped, swapped or of an unknown format."""

    reason = "damaged"
    exit_code = 7
    http_status = 500


class NoSpace(NotebooksError):
    """A disk is full."""

    reason = "disk_full"
    exit_code = 8
    http_status = 507


class PortTaken(NotebooksError):
    """An address that we must listen on is in use."""

    reason = "port_taken"
    exit_code = 9


class AlreadyRunning(NotebooksError):
    """The same thing runs already and two of it would hurt."""

    reason = "already_running"
    exit_code = 10
    http_status = 409


class ToolMissing(NotebooksError):
    """A program that is needed is not there and could not be installed."""

    reason = "tool_missing"
    exit_code = 11


class DatabaseAway(NotebooksError):
    """The ledger's database does not answer, is locked, or has another revision than this program."""

    reason = "database_away"
    exit_code = 12
    http_status = 503


class HubAway(NotebooksError):
    """The Hub does not answer."""

    reason = "hub_away"
    exit_code = 13
    http_status = 503


class Declined(NotebooksError):
    """A person at the terminal was asked, and said no."""

    reason = "declined"
    exit_code = 14


class Unchecked(BadInput):
    """A body of the agent's protocol does not have its shape."""

    reason = "bad_body"


#: What a command's exit status means; 0 is success, 1 a bug of ours, 130 an interrupt by the person.
EXIT_CODES: dict[int, str] = {
    0: "done",
    1: "something went wrong that this program did not expect",
    2: "an argument or input cannot be used",
    3: "a configuration file or setting is wrong",
    4: "the thing named does not exist",
    5: "refused, not allowed, or somebody else was first",
    6: "storage does not answer",
    7: "stored data is damaged",
    8: "a disk is full",
    9: "an address is in use",
    10: "it runs already",
    11: "a program that is needed is missing",
    12: "the ledger's database does not answer or has another revision",
    13: "the Hub does not answer",
    14: "a person at the terminal was asked, and said no",
    130: "interrupted",
}
