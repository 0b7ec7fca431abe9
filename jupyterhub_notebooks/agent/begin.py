"""From the volume as it was found to a workspace that may be used and saved, or to a reason why not.

| volume | what happens |
|---|---|
| empty | head is restored; without a head the workspace begins here |
| kept, base is head | the files here win; they are saved with the next save |
| kept, base is another | they are saved as a recovery snapshot beside head, then head is restored |
| restoring | the restore begins again; nothing of it was ever saved |
| set aside | what differs from its base is saved as a recovery snapshot, and that is all |
| unknown | everything is saved as a recovery snapshot (as the first save where there is no head), then head is restored |

Nothing that is only here is touched before it is committed. A restore that does not end raises, and leaves ``restoring``.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from .. import messages
from ..contract import Hello, HelloAnswer
from ..errors import Conflict, Damaged, NotebooksError
from ..workspace.volume import Volume
from .context import Context
from .errors import Interrupted, OpenElsewhere, SnapshotDamaged, VolumeAway

#: How long one request of a restore is tried again.
PATIENCE_SECONDS = 60.0
_MOVED_SHOWN = 3


@dataclass(frozen=True)
class Plan:
    """What is to be done, in this order. keep: None, or the kind of snapshot that the files here become first."""

    keep: str | None = None
    restore: bool = False


def hello_of(volume: Volume, agent_version: str, python: str) -> Hello:
    """What the first request says of the volume."""
    situation = volume.situation()
    kept = situation == "kept"
    return Hello(
        agent_version=agent_version,
        python=python,
        volume=situation,
        base=volume.base if kept else None,
        lease=volume.lease if kept else None,
        marker=volume.marker(),
    )


def plan(situation: str, base: int | None, head: int, *, foreign: bool) -> Plan:
    """The table above. foreign: the marker in the files names another workspace, so base means nothing."""
    if situation == "restoring":
        return Plan(restore=True)
    if situation == "empty":
        return Plan(restore=head > 0)
    if situation == "kept" and not foreign and base is not None:
        return Plan() if base == head else Plan(keep="recovery", restore=head > 0)
    return Plan(keep="recovery" if head else "save", restore=head > 0)


def begin(context: Context) -> None:
    """Brings the volume to a state that may be saved. Raises Interrupted, or NotebooksError in words."""
    from .remote import Patience

    volume, answer = context.volume, context.answer
    if volume.pending is not None:
        _, snapshots = context.store(Patience(PATIENCE_SECONDS, context.stopped))
        volume.settle(snapshots)
    situation, marker = volume.situation(), volume.marker()
    todo = plan(
        situation, volume.base, answer.head, foreign=marker is not None and marker != answer.workspace
    )
    if situation == "restoring" and not answer.head and not answer.set_aside:
        raise Damaged(
            messages.title("restore stuck"),
            "An earlier start began to fetch a snapshot, and storage has none of this workspace now.",
            ["Ask your administrator: nothing here was changed"],
        )
    if answer.set_aside:
        if situation in ("kept", "unknown"):
            _keep(context, "recovery")
        return
    if todo.keep is not None:
        _keep(context, todo.keep)
    if todo.restore:
        restore(context, answer.head)
    elif situation == "empty":
        volume.files.mkdir(parents=True, exist_ok=True)
        volume.remember(base=0, lease=context.lease.number)
    else:
        volume.remember(lease=context.lease.number)
    volume.reserve()
    size = answer.head_size_bytes if answer.head else None
    context.standing.known(answer.head, answer.head_at, size)


def _keep(context: Context, kind: str) -> None:
    """Saves what only this volume has, before anything of it is replaced."""
    from .saving import Saver, count

    context.standing.enter("saving")
    context.volume.remember(lease=context.lease.number)
    saver = Saver(context, PATIENCE_SECONDS, context.stopped)
    known = kind == "recovery" and context.volume.base is not None and context.volume.situation() == "kept"
    if known and not saver.look():
        return
    try:
        number = saver.save(kind=kind)
    except NotebooksError as error:
        count(context, saver, error.sentence())
        _check(context)
        raise
    if number is not None and kind == "recovery":
        context.standing.tell(
            warnings=(
                "This machine had files that the newest save does not have. They were kept as recovery snapshot"
                f" {number}; the notebook shows the newest save",
            )
        )


def restore(context: Context, number: int) -> None:
    """Fetches snapshot number. Raises Interrupted where the end was asked for; ``restoring`` then stays."""
    from ..workspace.keys import WrongKey
    from ..workspace.ports import Cancelled
    from ..workspace.restoring import restore as engine_restore
    from .remote import Patience

    context.standing.enter("restoring")
    blocks, snapshots = context.store(Patience(PATIENCE_SECONDS, context.stopped))
    try:
        report = engine_restore(
            context.volume,
            blocks,
            snapshots,
            number,
            never_saved=context.answer.never_saved,
            progress=context.standing.progress,
            cancelled=context.stopped,
            wait_for_disk=False,
        )
    except Cancelled:
        raise Interrupted("The start was stopped while the workspace was fetched") from None
    except WrongKey:
        raise
    except Damaged as error:
        _check(context)
        raise damaged(number, error) from None
    except NotebooksError:
        _check(context)
        raise
    if report.moved:
        moved = "; ".join(f"{path} is {to} now" for path, to in report.moved[:_MOVED_SHOWN])
        context.standing.tell(
            warnings=(f"What is left out of saves stood in the way of saved files: {moved}",)
        )
    context.volume.remember(lease=context.lease.number, durable=False)
    threading.Thread(target=_settle, args=(context,), name="restored-to-disk", daemon=True).start()


def damaged(number: int, error: Damaged) -> SnapshotDamaged:
    """What is told of a snapshot with a block that is missing or not what was written."""
    return SnapshotDamaged(
        messages.title("snapshot damaged", number=str(number)),
        messages.why("snapshot damaged", what=f"{error.title}: {error.why}" if error.why else error.title),
        messages.steps("snapshot damaged"),
    )


def _settle(context: Context) -> None:
    """What was restored goes to the disk while the notebook starts; the next save sees to it where this ends early."""
    from ..workspace.restoring import settle_restore

    try:
        settle_restore(context.volume)
    except OSError as error:
        context.log.say(f"The restored files are not all on the disk yet: {error.strerror or error}")


def _check(context: Context) -> None:
    if context.stopped():
        raise Interrupted("The start was stopped before the workspace was ready")


def refused(answer: HelloAnswer) -> Conflict:
    """The reason where the lease is somebody else's and stays so."""
    if answer.held_volume:
        return VolumeAway(
            messages.title("volume offline"),
            messages.why("volume offline", kept=answer.held_by),
            messages.steps("volume offline"),
        )
    return OpenElsewhere(
        messages.title("open elsewhere"),
        messages.why("open elsewhere", held=answer.held_by),
        messages.steps("open elsewhere"),
    )
