"""A quick look at a volume: whether a save is worth while, by names and times alone.

Promises: reads no content and no store; where nothing is known of the volume, everything counts as changed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from . import glancing, ignore, lastseen, scanning
from .comparing import plan, tree_differs
from .entries import order, shown
from .scanning import Found
from .volume import Volume

_NAMED = 5


@dataclass(frozen=True)
class Pending:
    """What a save would find, by a look at names and times only.

    pending_files, pending_bytes: files that are new or changed. recheck_files: looked unchanged, but too recently
    to be sure. differs: whether a save is worth while: any of these, or something was removed or renamed. such_as: the
    first few paths of the pending ones, for people.
    """

    pending_files: int
    pending_bytes: int
    recheck_files: int
    differs: bool
    such_as: tuple[str, ...] = ()


def changes(volume: Volume, *, never_saved: Sequence[str] = ()) -> Pending:
    """A quick look; reads no content. Everything counts as changed where nothing is known of the volume."""
    files = os.fsencode(volume.files)
    glance = glancing.known(volume, None, never_saved)
    if glance is not None and glancing.same(files, glance):
        return Pending(0, 0, 0, False)
    last = lastseen.load(volume)
    found = in_order(scanning.walk(files, ignore.of(files, never_saved)).found)
    try:
        todo = plan(list(found), last)
    except lastseen.Unusable:
        last, todo = None, plan(list(found), None)
    changed = [item for item in todo.read if item.path not in todo.recheck]
    differs = bool(todo.read) or last is None or tree_differs(found, todo.before)
    named = tuple(shown(item.path) for item in changed[:_NAMED])
    return Pending(len(changed), sum(item.size for item in changed), len(todo.recheck), differs, named)


def in_order(found: list[Found]) -> list[Found]:
    """In the order of a listing. They are made anew in it: what is let go of from its end on frees whole runs of memory."""
    return [Found._make(item) for item in sorted(found, key=lambda item: order(item.path))]
