"""What an action did: the sentence that says it, and what takes it back. Shared by page, REST API and command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jupyterhub_notebooks.ledger import NotebookView


@dataclass(frozen=True)
class Undo:
    """The action that takes it back, with its body. number: the snapshot that it is done to."""

    action: str
    body: Mapping[str, Any]
    number: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {"action": self.action, "body": dict(self.body), "number": self.number}


@dataclass(frozen=True)
class Done:
    """said: one sentence. more: what the answer says beside the notebook. view: the notebook, where it is another one.

    gone: the notebook is there no more. status: of the answer, where it is not the action's usual one.
    """

    said: str
    undo: Undo | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    view: NotebookView | None = None
    gone: bool = False
    status: int | None = None
