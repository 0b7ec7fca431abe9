"""Saving a directory as commands do it: under the lease, and beside the newest snapshot where it does not come from that."""

from __future__ import annotations

from ..clock import SYSTEM_CLOCK
from ..settings import NEVER_SAVED
from ..workspace import SaveReport, SnapshotHead, Volume, WorkspaceStore, save
from .progress_bar import Bar
from .workspace_opening import CREATED_BY, head_of_all, leased


def saved_now(
    space: WorkspaceStore,
    volume: Volume,
    workspace_id: str,
    *,
    everything: bool,
    onto_head: bool = False,
    break_lease: bool = False,
    as_json: bool = False,
) -> tuple[SaveReport, SnapshotHead | None]:
    """What was saved, and the head before. Raises what ``save`` raises, and Refusal where the lease is held."""
    with leased(space, volume, break_lease):
        head = head_of_all(space)
        follows = _follow(volume, space, head, onto_head)
        with Bar("Saving", as_json) as bar:
            report = save(
                volume,
                space,
                space,
                number=max(space.numbers(), default=0) + 1,
                parent=volume.base,
                workspace_id=workspace_id,
                kind="save" if follows else "recovery",
                never_saved=() if everything else NEVER_SAVED,
                progress=bar.show,
                cancelled=bar.cancelled,
                now=SYSTEM_CLOCK.now(),
                created_by=CREATED_BY,
            )
    return report, head


def _follow(volume: Volume, space: WorkspaceStore, head: SnapshotHead | None, onto_head: bool) -> bool:
    """Whether the directory comes from the newest snapshot, or shall count as if it did."""
    base = volume.settle(space)
    if (base or None) == (head.number if head else None):
        return True
    if head is None or onto_head:
        volume.remember(base=head.number if head else 0)
        return True
    return False
