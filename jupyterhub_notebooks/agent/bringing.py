"""Files of a snapshot brought back into the workspace while the notebook runs, because its owner asked for them.

Promises: what is here is saved before anything of it is overwritten, and nothing is overwritten where that was not possible;
each file appears whole or not at all. What came of it is said with a heartbeat, in words.
"""

from __future__ import annotations

import os
from typing import Any

from ..contract import Order
from ..errors import NotebooksError
from .context import Context

PATIENCE_SECONDS = 60.0


def bring(context: Context, order: Order) -> dict[str, Any]:
    """Carries a ``restore`` order out, after a save. Answers its outcome: ``error`` or what was brought back.

    before: the snapshot with the state before. replaced: places in the order's paths of those that were there.
    """
    from ..workspace.copying import clean, copy_paths
    from .remote import Patience

    standing = context.standing
    if standing.saved.error:
        why = f"The present state could not be saved first: {standing.saved.error}"
        return {"error": f"{why} Nothing was overwritten."}
    try:
        number = int(order.details["number"])
        paths = [clean(os.fsencode(path)) for path in order.details["paths"]]
        into = context.volume.files
        if order.details.get("into"):
            into = into / os.fsdecode(clean(os.fsencode(order.details["into"])))
        root = os.fsencode(into)
        replaced = [at for at, path in enumerate(paths) if os.path.lexists(os.path.join(root, path))]
        blocks, snapshots = context.store(Patience(PATIENCE_SECONDS, context.stopped))
        report = copy_paths(blocks, snapshots, number, paths, into, replace=True, cancelled=context.stopped)
    except NotebooksError as error:
        context.log.say(f"Not restored: {error.sentence()}")
        return {"error": error.sentence()}
    except (KeyError, TypeError, ValueError) as error:
        context.log.say(f"A restore was asked for that has another shape: {error}")
        return {"error": "The notebook did not understand what is to be restored."}
    context.log.say(f"Restored {report.files} files of snapshot {number}")
    before = standing.saved.number
    return {"before": before, "files": report.files, "size_bytes": report.size_bytes, "replaced": replaced}
