"""One workspace in a store: its blocks, snapshots and lease, for whoever holds the store's keys.

Promises: FORMAT.md's keys and order; a commit looks at the lease right before it creates the snapshot; what another
created first is never overwritten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from ... import __version__
from ...contract import Progress
from ...errors import BadInput, ConfigError, Conflict, Damaged, NotFound, Refusal
from .. import layout
from ..keys import OPEN, Keys, WrongKey, key_id, needed
from ..layout import LeaseObject, WorkspaceFacts
from ..ports import Cancelled, CommitFacts, MissingBlocks, OnProgress
from ..snapshots import canonical
from .base import Store, numbers_below
from .lease_objects import HeldLease, LeaseObjects

#: Up to so many blocks are looked for one by one, more by one listing.
_ASK_ONE_BY_ONE = 200
_LATE = 2  # what is erased last is not left by a stop


class WorkspaceStore:
    """Blocks and Snapshots of the workspace below ``prefix`` of store (``""``: the store is this workspace's).

    An encrypted workspace is opened with ``unlock`` before anything of it is read or written.
    """

    def __init__(self, store: Store, prefix: str = "") -> None:
        self.store = store
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._leases = LeaseObjects(store, self._prefix)
        self.keys = OPEN

    def get(self, what: str | int, /) -> bytes:
        """The stored bytes of a block (64 hex) or of a snapshot (its number). Raises NotFound."""
        path = layout.block_path(what) if isinstance(what, str) else layout.numbered("snapshots", what)
        return self.store.get(self._prefix + path)

    # Blocks

    def get_into(self, name: str, room: memoryview) -> bytes | memoryview:
        """As ``get``; the bytes are the beginning of room where the store can do that and they fit."""
        path = self._prefix + layout.block_path(name)
        into: Callable[[str, memoryview], bytes | memoryview] | None = getattr(self.store, "get_into", None)
        return self.store.get(path) if into is None else into(path, room)

    def put(self, name: str, body: bytes) -> bool:
        return self.store.put(self._prefix + layout.block_path(name), body)

    def expect(self, names: Sequence[str]) -> None:
        """Nothing to prepare here."""

    def not_there(self, names: Sequence[str]) -> list[str]:
        """Those of names that are not there."""
        if len(names) > _ASK_ONE_BY_ONE:
            there = {name for name, _ in self.block_sizes()}
        else:
            there = {name for name in names if self.has_block(name)}
        return [name for name in names if name not in there]

    def block_sizes(self) -> Iterator[tuple[str, int]]:
        """(name, stored bytes) of every block there is."""
        for key, size in self.store.list(self._prefix + "blocks/"):
            name = layout.block_of(key[len(self._prefix) :])
            if name is not None:
                yield name, size

    def has_block(self, name: str) -> bool:
        return self.store.exists(self._prefix + layout.block_path(name))

    def strange_keys(self) -> list[str]:
        """Keys below the prefix that mean nothing (at most 100)."""
        keys = (key[len(self._prefix) :] for key, _ in self.store.list(self._prefix))
        return [key for key in keys if not _is_ours(key) and key != layout.ROOT_KEY][:100]

    def erase(
        self, progress: OnProgress | None = None, cancelled: Callable[[], bool] = lambda: False
    ) -> None:
        """Removes the whole workspace, and no key that is not part of one, the lease of this object too. Cut off, it is
        begun again. Raises Cancelled."""
        sizes = {
            key: size for key, size in self.store.list(self._prefix) if _is_ours(key[len(self._prefix) :])
        }
        done, total = 0, sum(sizes.values())
        for number, key in enumerate(sorted(sizes, key=self._when_erased), 1):
            if self._when_erased(key) < _LATE and cancelled():
                raise Cancelled("It was stopped before all was removed", next=["Run it again"])
            self.store.delete(key)
            done += sizes[key]
            if progress is not None:
                progress(Progress(done, total, number, len(sizes)))
        self._leases.let_go()

    def _when_erased(self, key: str) -> int:
        """Snapshots first, so that none is half there; what says that something is left here last."""
        if key == self._prefix + layout.WORKSPACE_KEY:
            return _LATE + 1
        folder = key[len(self._prefix) :].partition("/")[0]
        return {"snapshots": 0, "leases": _LATE}.get(folder, 1)

    # Snapshots

    def numbers(self) -> list[int]:
        return self._numbers("snapshots")

    def commit(self, number: int, body: bytes, facts: CommitFacts) -> None:
        """Raises Conflict where the number is taken or the lease is lost, MissingBlocks."""
        self.still_held()
        self.spare(facts.present)
        self.put_snapshot(number, body)

    def put_snapshot(self, number: int, body: bytes) -> None:
        """Creates the snapshot, whoever holds the lease: for a service that checked its own. Raises Conflict."""
        if not self.store.put_new(self._prefix + layout.next_key("snapshots", number), body):
            raise Conflict(
                f"Snapshot {number} was made by another writer", next=["Restore that, or save as recovery"]
            )

    def spare(self, names: Sequence[str]) -> None:
        """Takes blocks off the lists of what is to be removed. Raises MissingBlocks for those that are gone.

        A list that cannot be read has nothing taken off: no removal goes by it, it is made anew.
        """
        condemned = self._numbers("condemned") if names else []
        if not condemned:
            return
        wanted = set(names)
        for number in condemned:
            key = self._prefix + layout.numbered("condemned", number)
            try:
                fields, blocks = layout.parse_condemned(self.store.get(key))
            except (NotFound, Damaged):
                continue
            if wanted.intersection(blocks):
                rest = [name for name in blocks if name not in wanted]
                self.store.replace(key, canonical({**fields, "blocks": rest}))
        gone = self.not_there(names)
        if gone:
            raise MissingBlocks(gone)

    # Removal

    def condemned(self) -> list[int]:
        """Numbers of the lists of blocks that are to be removed."""
        return self._numbers("condemned")

    def condemned_object(self, number: int) -> bytes:
        """The bytes of such a list. Raises NotFound."""
        return self.store.get(self._prefix + layout.numbered("condemned", number))

    def condemn(self, number: int, names: Sequence[str], now: datetime) -> None:
        """Writes such a list. Raises Conflict where the number is taken."""
        body = layout.condemned_json(number, names, now)
        if not self.store.put_new(self._prefix + layout.next_key("condemned", number), body):
            raise Conflict("Blocks are removed by another at the same time", next=["Try again"])

    def forget_condemned(self, number: int) -> None:
        self.store.delete(self._prefix + layout.numbered("condemned", number))

    def remove_block(self, name: str) -> None:
        self.store.delete(self._prefix + layout.block_path(name))

    def remove_snapshot(self, number: int) -> None:
        self.store.delete(self._prefix + layout.numbered("snapshots", number))

    def names(self, unreadable: Any = "?") -> dict[int, Any]:
        """Snapshots that have a name, by number. A name that cannot be read still counts as one: unreadable."""
        found = {}
        for number in self._numbers("names"):
            try:
                body = self.store.get(self._prefix + layout.numbered("names", number))
                found[number] = layout.parse_name(body, number, self.keys)
            except (NotFound, Damaged):
                found[number] = unreadable
        return found

    def name(self, number: int, name: str, now: datetime) -> None:
        """Gives a snapshot a name, so that retention leaves it; the empty name takes it away. Raises BadInput for one
        that is no text."""
        try:
            name.encode()
        except UnicodeEncodeError:
            raise BadInput("This name is no text", next=["Write it in UTF-8"], field="name") from None
        key = self._prefix + layout.numbered("names", number)
        if name:
            self.store.replace(key, layout.name_json(number, name, now, self.keys))
        else:
            self.store.delete(key)

    # workspace.json

    def facts(self) -> WorkspaceFacts | None:
        """What workspace.json says; None where there is no workspace yet. Raises Damaged."""
        try:
            return layout.parse_workspace_json(self.store.get(self._prefix + layout.WORKSPACE_KEY))
        except NotFound:
            return None

    def facts_object(self) -> bytes | None:
        """The bytes of workspace.json, None where there are none that could be it."""
        try:
            return self.store.get(self._prefix + layout.WORKSPACE_KEY)
        except (NotFound, Damaged):
            return None

    def put_facts(self, facts: WorkspaceFacts, created: datetime) -> None:
        """Writes workspace.json again, whatever is there."""
        by = facts.created_by or f"jupyterhub-notebooks {__version__}"
        body = layout.workspace_json(facts.id, lease=facts.lease, now=created, created_by=by, key=facts.key)
        self.store.replace(self._prefix + layout.WORKSPACE_KEY, body)

    def unlock(self, key: bytes | None) -> WorkspaceFacts | None:
        """Takes the workspace's key, or None where it is not encrypted; answers ``facts``.

        Raises WrongKey where workspace.json says otherwise. A workspace that is made next is encrypted with key.
        """
        facts = self.facts()
        given = key_id(key) if key is not None else None
        if facts is not None and facts.key != given:
            if facts.key is not None:
                raise needed(facts.key)
            raise WrongKey(
                "This workspace is not encrypted",
                "A key was given for it, and it was made without one.",
                ["Run the command without a key", "Copy it to a new address with `workspace encrypt`"],
                field="key",
            )
        self.keys = Keys(key) if key is not None else OPEN
        return facts

    def create(self, workspace_id: str, *, lease: str, now: datetime) -> WorkspaceFacts:
        """Makes workspace.json, or answers what is there already. Raises ConfigError for a store that lies."""
        by = f"jupyterhub-notebooks {__version__}"
        body = layout.workspace_json(workspace_id, lease=lease, now=now, created_by=by, key=self.keys.id)
        key = self._prefix + layout.WORKSPACE_KEY
        if self.store.put_new(key, body):
            # The same facts in other bytes: a store that takes them now would take two writers' commits too.
            other = layout.workspace_json(
                workspace_id, lease=lease, now=now, created_by=by + " ", key=self.keys.id
            )
            if self.store.put_new(key, other):
                raise ConfigError(
                    "This store overwrites what it was asked to create only once",
                    "Two writers could each believe that they had saved.",
                    ["Use a store with conditional writes (If-None-Match)"],
                    field="store",
                )
        facts = self.facts()
        if facts is None:
            raise Damaged(f"{layout.WORKSPACE_KEY} is gone right after it was written")
        return facts

    # The lease as objects

    def current_lease(self) -> LeaseObject | None:
        """The lease that is held now, None where none is."""
        return self._leases.current()

    def has_leases(self) -> bool:
        """Whether the engine used alone ever took a lease here."""
        return self._leases.any()

    def take_lease(self, holder: str, now: datetime) -> HeldLease:
        """Takes the next lease. Raises Refusal where one is held, or a service writes here; Conflict where another was
        quicker."""
        facts = self.facts()
        if facts is not None and facts.lease == "service":
            raise Refusal(
                "This workspace is written by a Hub",
                "Its commits go through the Hub's service, so that this command only reads it.",
                [
                    "Restore it into a directory",
                    "Save to another address",
                    "Repair it with: jupyterhub-notebooks notebook repair USER/NOTEBOOK",
                ],
                label="lease",
            )
        return self._leases.take(holder, now)

    def release_lease(self, now: datetime) -> None:
        """Ends the lease that this object took, also where taking it was cut off; nothing where it has none."""
        self._leases.release(now)

    def break_lease(self, by: str, now: datetime) -> LeaseObject | None:
        """Ends another's lease; answers which, None where none was held."""
        return self._leases.break_(by, now)

    def still_held(self) -> None:
        """Raises Conflict where this object's lease was taken by another, or it has none."""
        self._leases.still_held()

    def _numbers(self, folder: str) -> list[int]:
        return numbers_below(self.store, self._prefix, folder)


def _is_ours(key: str) -> bool:
    """Whether a key below a workspace's prefix is part of the workspace."""
    folder = key.partition("/")[0]
    numbered = layout.number_of(key.removesuffix("-ended")) is not None and key.count("/") == 1
    known = folder in ("snapshots", "leases", "condemned", "names") and numbered
    return known or layout.block_of(key) is not None or key == layout.WORKSPACE_KEY
