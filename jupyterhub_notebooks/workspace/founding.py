"""What lies beside blocks and snapshots (workspace.json, names, condemned lists): is it whole, and workspace.json again.

Promises: a workspace whose snapshots are there is never taken for none; workspace.json is written again only where it is
lost, damaged or contradicts every snapshot, and never over one that a newer version wrote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ..clock import from_text, to_text
from ..errors import Damaged, NotFound
from . import fetching, layout
from .checking import Problem
from .keys import WrongKey
from .layout import WORKSPACE_KEY, WorkspaceFacts
from .snapshots import of_newer_format
from .store import WorkspaceStore

COST = (
    "Nothing can be saved or restored until it is written again, which repair does; the snapshots are there"
)


def told_by_snapshots(space: WorkspaceStore) -> WorkspaceFacts | None:
    """What workspace.json has to say, by the snapshots that can be read with the keys of space; None where none can.

    The lease kind follows from the lease objects, which only the engine used alone leaves. Raises WrongKey where the
    snapshots are encrypted with another key.
    """
    ids: Counter[str] = Counter()
    first, needs_key = None, None
    for number in space.numbers():
        try:
            head = fetching.certain_head(space, number)
        except WrongKey as error:
            needs_key = error
            continue
        except (Damaged, NotFound):
            continue
        ids[head.workspace] += 1
        first = head if first is None or head.at < first.at else first
    if first is None:
        if needs_key is not None:
            raise needs_key
        return None
    lease = "objects" if space.has_leases() else "service"
    at = to_text(first.at)
    return WorkspaceFacts(ids.most_common(1)[0][0], lease, at, first.created_by, space.keys.id)


def trouble(space: WorkspaceStore) -> Problem | None:
    """What is wrong with workspace.json; None where nothing is, or where there is no workspace at all."""
    numbers = tuple(space.numbers())
    try:
        facts = fetching.certain(space.facts)
    except Damaged as error:
        return Problem(f"{WORKSPACE_KEY} is damaged ({error.why or error.title})", COST, numbers)
    if facts is None:
        return Problem(f"{WORKSPACE_KEY} is missing", COST, numbers) if numbers else None
    told = told_by_snapshots(space)
    if told is not None and (facts.id, facts.key) != (told.id, told.key):
        return Problem(f"{WORKSPACE_KEY} names another workspace or key than the snapshots", COST, numbers)
    return None


def lost(space: WorkspaceStore, where: str) -> Damaged | None:
    """The error where workspace.json is gone and snapshots are there; None where there is nothing."""
    found = space.numbers()
    if not found:
        return None
    many = "A snapshot is" if len(found) == 1 else f"{len(found)} snapshots are"
    return Damaged(
        f"{WORKSPACE_KEY} is missing at {where}",
        f"{many} there, and nothing is read or saved without it.",
        ["Write it again with: jupyterhub-notebooks workspace repair"],
    )


def refound(space: WorkspaceStore, facts: WorkspaceFacts) -> None:
    """Writes workspace.json again. Raises Damaged where a newer version wrote the one that is there."""
    body = space.facts_object()
    if body is not None and of_newer_format(body, layout.WORKSPACE_MAGIC):
        layout.parse_workspace_json(body)
    space.put_facts(facts, from_text(facts.created))


def beside(space: WorkspaceStore) -> Iterator[Problem]:
    """What is odd about names and condemned lists; it costs no snapshot."""
    there = set(space.numbers())
    for number, name in space.names(unreadable=None).items():
        if name is None:
            yield Problem(
                f"The name of snapshot {number} cannot be read",
                "It keeps its snapshot; name it anew with `workspace name`",
                (number,),
            )
        elif number not in there:
            yield Problem(f"Snapshot {number} has a name and is not there", "Only the name is left")
    for number in space.condemned():
        try:
            layout.parse_condemned(space.condemned_object(number))
        except NotFound:
            continue
        except Damaged as error:
            yield Problem(f"Condemned list {number}: {error.why or error.title}", "prune makes it anew")
