"""When safe mode is offered: after a full disk, a broken environment, two failed starts; never for what was no fault of the workspace."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from jupyterhub_notebooks.enforcement.safe import offer

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    cause: str | None
    ready: bool = False
    kind: str = "work"
    closed: bool = True
    launch: dict[str, Any] = field(default_factory=dict)

    @property
    def ready_at(self) -> datetime | None:
        return NOW if self.ready else None

    @property
    def closed_at(self) -> datetime | None:
        return NOW if self.closed else None


SAFE = {"run": "safe"}


@pytest.mark.parametrize(
    ("past", "words"),
    [
        ([], ""),
        ([Row(None, closed=False)], ""),
        ([Row("stopped", ready=True)], ""),
        ([Row("disk_full", ready=True)], "The disk was full"),
        ([Row("disk_full")], "The disk was full"),
        ([Row("disk_full", launch=SAFE)], "The disk was full"),
        ([Row("server_died")], "keep the editor from starting"),
        ([Row("server_died", ready=True)], ""),
        ([Row("server_died", launch=SAFE)], ""),
        ([Row("cancelled"), Row("out_of_memory")], ""),
        ([Row("out_of_memory")], ""),
        ([Row("out_of_memory"), Row("agent_died")], "The last 2 starts failed"),
        ([Row("out_of_memory"), Row("stopped", ready=True), Row("agent_died")], ""),
        ([Row("volume_away"), Row("volume_away")], ""),
        ([Row("saved", kind="save"), Row("server_died")], "keep the editor from starting"),
    ],
)
def test_it_is_offered_where_the_workspace_may_be_the_cause(past: list[Row], words: str) -> None:
    said = offer(past)
    assert (said == "") == (words == "") and words in said
