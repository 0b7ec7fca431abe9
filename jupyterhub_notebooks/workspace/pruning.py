"""Removing what no kept snapshot needs, in the two steps of FORMAT.md, Removal.

Promises: nothing is removed where anything that stays cannot be read; a block is deleted only when it stood on a list
of condemned blocks for the grace period and no snapshot that is or was there at the beginning names it; dying at any
moment leaves every snapshot whole. The caller alone writes the workspace meanwhile, as far as commits go: it holds the
lease as objects, or the workspace's row lock. Blocks may be written beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Protocol

from ..clock import to_text
from ..errors import BadInput, Damaged, NotFound
from .keys import WrongKey
from .layout import parse_condemned
from .marking import Marked
from .pool import threads
from .ports import Blocks, Snapshots
from .retention import Dated, Rule, keep
from .snapshots import SnapshotHead, head_of, time_of

#: The shortest time between condemning a block and deleting it: longer than any save takes.
LEAST_GRACE = timedelta(hours=24)
NEXT_WHERE_DAMAGED = ("Run: workspace check", "Then: workspace repair --remove-damaged")
_MOST_IN_A_LIST = 100_000
_LOOK_EVERY = 100


class Removable(Blocks, Snapshots, Protocol):
    """What removal asks of a store beside reading; ``store.WorkspaceStore`` has it all."""

    def get(self, what: str | int, /) -> bytes: ...

    def block_sizes(self) -> Iterator[tuple[str, int]]: ...

    def condemned(self) -> list[int]: ...

    def condemned_object(self, number: int) -> bytes: ...

    def condemn(self, number: int, names: Sequence[str], now: datetime) -> None: ...

    def forget_condemned(self, number: int) -> None: ...

    def remove_block(self, name: str) -> None: ...

    def remove_snapshot(self, number: int) -> None: ...


@dataclass(frozen=True)
class PrunePlan:
    """What a prune would do. due: condemned lists whose grace is over. delete, condemn: block names with bytes. made:
    when each snapshot was made. free_at: when the grace of all that waits then is over, None where nothing does.
    """

    keep: tuple[int, ...]
    drop: tuple[int, ...]
    due: tuple[int, ...]
    delete: Mapping[str, int]
    condemn: Mapping[str, int]
    waiting_blocks: int
    waiting_bytes: int
    hints: tuple[str, ...] = ()
    made: Mapping[int, datetime] = field(default_factory=dict)
    free_at: datetime | None = None


@dataclass(frozen=True)
class PruneReport:
    """What a prune did, or (dry_run) would do. waiting_*: condemned now or earlier, and not deleted yet; a prune from
    free_at on deletes all of them. made: when the removed snapshots were made. Times are RFC 3339 in UTC.
    """

    kept_snapshots: tuple[int, ...]
    removed_snapshots: tuple[int, ...]
    deleted_blocks: int
    deleted_bytes: int
    condemned_blocks: int
    condemned_bytes: int
    waiting_blocks: int
    waiting_bytes: int
    dry_run: bool
    hints: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    free_at: str = ""


def prune(
    space: Removable,
    *,
    now: datetime,
    rule: Rule | None = None,
    named: Collection[int] = (),
    times: Mapping[int, datetime] | None = None,
    grace: timedelta = LEAST_GRACE,
    dry_run: bool = False,
    guard: Callable[[], object] = lambda: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> PruneReport:
    """Removes snapshots by rule, deletes what was condemned before, condemns what nothing names any more.

    named: numbers that stay. times: when each snapshot was made, by a clock to be trusted (default: what it says
    itself). guard: raises where the lease or lock is lost; asked again and again before anything is removed.
    Raises Damaged (then nothing was removed), Cancelled, Conflict, StorageAway.
    """
    todo = plan_prune(space, now=now, rule=rule, named=named, times=times, grace=grace, cancelled=cancelled)
    if not dry_run:
        carry_out(space, todo, now=now, guard=guard)
    return report_of(todo, dry_run=dry_run)


def report_of(todo: PrunePlan, *, dry_run: bool) -> PruneReport:
    """The plan in numbers, once it was carried out or would be."""
    return PruneReport(
        todo.keep,
        todo.drop,
        len(todo.delete),
        sum(todo.delete.values()),
        len(todo.condemn),
        sum(todo.condemn.values()),
        todo.waiting_blocks + len(todo.condemn),
        todo.waiting_bytes + sum(todo.condemn.values()),
        dry_run,
        todo.hints,
        tuple(to_text(todo.made[number]) for number in todo.drop),
        to_text(todo.free_at) if todo.free_at is not None else "",
    )


def plan_prune(
    space: Removable,
    *,
    now: datetime,
    rule: Rule | None = None,
    named: Collection[int] = (),
    times: Mapping[int, datetime] | None = None,
    grace: timedelta = LEAST_GRACE,
    cancelled: Callable[[], bool] = lambda: False,
) -> PrunePlan:
    """Reads only. The plan holds as long as the caller alone commits and removes. Raises Damaged, StorageAway."""
    if grace < LEAST_GRACE:
        raise BadInput(
            "Condemned blocks stay at least 24 hours",
            "A save that began before may need them until it is committed.",
            ["Write 24h or more"],
            field="grace",
        )
    heads = _heads(space)
    made = {number: (times or {}).get(number, head.at) for number, head in heads.items()}
    dated = [Dated(n, made[n], head.kind, n in named) for n, head in heads.items()]
    kept = keep(dated, now, rule)
    stored = dict(space.block_sizes())
    needed = Marked(space, cancelled)
    try:
        needed.add(head for number, head in heads.items() if number in kept)
    except Damaged as error:
        raise _stuck(error) from error
    lists, hints = _lists(space)
    due = tuple(number for number, (at, _) in lists.items() if at is None or now - at >= grace)
    listed = {name for _, names in lists.values() for name in names}
    waiting = {name for n, (_, names) in lists.items() if n not in due for name in names} & stored.keys()
    ripe = {name for number in due if lists[number][0] is not None for name in lists[number][1]} - waiting
    unneeded = {name for name in stored if bytes.fromhex(name) not in needed.names}
    delete = ripe & unneeded
    dropped = [head for number, head in heads.items() if number not in kept]
    if delete and dropped:
        # What is dropped only now may be the base of a save that is running: it waits for its own grace.
        try:
            needed.add(dropped)
            delete = {name for name in delete if bytes.fromhex(name) not in needed.names}
        except (Damaged, NotFound):
            delete, due = set(), ()
            hints.append("A snapshot that goes cannot be read; condemned blocks stay until the next run")
    known = (listed & stored.keys()) - {name for number in due for name in lists[number][1]}
    condemn = unneeded - known - delete
    waits = [at for number, (at, _) in lists.items() if at is not None and number not in due]
    waits += [now] if condemn else []
    return PrunePlan(
        tuple(sorted(kept)),
        tuple(sorted(heads.keys() - kept)),
        due,
        {name: stored[name] for name in sorted(delete)},
        {name: stored[name] for name in sorted(condemn)},
        len(known & unneeded),
        sum(stored[name] for name in known & unneeded),
        tuple(hints),
        made,
        max(waits) + grace if waits else None,
    )


def carry_out(
    space: Removable, todo: PrunePlan, *, now: datetime, guard: Callable[[], object] = lambda: None
) -> None:
    """Does what the plan says. Dying in between leaves what the next plan finds and goes on with."""
    with ThreadPoolExecutor(threads(), thread_name_prefix="workspace-prune") as executor:
        for names in _runs(todo.delete, _LOOK_EVERY):
            guard()
            list(executor.map(space.remove_block, names))
    for number in todo.drop:
        guard()
        space.remove_snapshot(number)
    guard()
    free = max(space.condemned(), default=0) + 1
    lists = list(_runs(todo.condemn, _MOST_IN_A_LIST))
    if todo.delete and not lists:
        # A commit asks for the blocks that its save found there while there is any list, be it an empty one.
        lists = [[]]
    for at, names in enumerate(lists):
        space.condemn(free + at, names, now)
    guard()
    for number in todo.due:
        space.forget_condemned(number)


def _heads(space: Removable) -> dict[int, SnapshotHead]:
    """All snapshots. Raises Damaged where one cannot be read: what it names is not known."""
    heads = {}
    for number in space.numbers():
        try:
            heads[number] = head_of(space, number)
        except NotFound:
            continue
        except Damaged as error:
            raise _stuck(error) from error
    return heads


def _stuck(error: Damaged) -> Damaged:
    """The same error with what helps against it."""
    if isinstance(error, WrongKey):
        return error
    why = f"{error.why}; nothing is removed while a snapshot that stays cannot be read"
    return Damaged(error.title, why, NEXT_WHERE_DAMAGED)


def _lists(space: Removable) -> tuple[dict[int, tuple[datetime | None, tuple[str, ...]]], list[str]]:
    """Condemned lists by number: since when (None: the list cannot be used and goes), and the names."""
    lists: dict[int, tuple[datetime | None, tuple[str, ...]]] = {}
    hints = []
    for number in space.condemned():
        try:
            fields, names = parse_condemned(space.condemned_object(number))
            at = time_of(fields.get("at"))
        except NotFound:
            continue
        except (Damaged, ValueError):
            at, names = None, ()
        lists[number] = (at, names if at is not None else ())
        if at is None:
            hints.append(f"The list of condemned blocks {number} cannot be read; it is made anew")
    return lists, hints


def _runs(names: Iterable[str], most: int) -> Iterator[list[str]]:
    rest = iter(names)
    while batch := list(islice(rest, most)):
        yield batch
