"""One snapshot as the first of another workspace: its files with another owner, and nothing of its history.

Promises: the workspace that is read is not changed; the new one has its snapshot only when all that it needs is there;
each has its own key.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from .encrypting import NewPlace, _Encrypt
from .ports import Blocks, OnProgress, Snapshots
from .snapshots import SnapshotHead, head_of

FIRST = 1


def duplicate(
    blocks: Blocks,
    snapshots: Snapshots,
    place: NewPlace,
    number: int,
    *,
    workspace_id: str,
    progress: OnProgress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> SnapshotHead:
    """Copies snapshot ``number`` into place, the new workspace_id, as its snapshot 1; what that says.

    Raises NotFound, Damaged, Conflict where place has a snapshot, Cancelled, StorageAway.
    """
    head = head_of(snapshots, number)
    one = _Encrypt(blocks, place, workspace_id, progress, cancelled)
    one.snapshot(dataclasses.replace(head, number=FIRST, kind="save", parent=None))
    return head_of(place, FIRST, workspace_id)
