"""Every attack on a reader of a store, with what each reader says of it.

    python -m tests.workspace.attacks

prints a table: what a hostile listing, object or bucket tries, and the words with which restore refuses it; then what
browse, check, prune, measure and export do with it. Nothing may be written outside the directory that is restored.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import msgpack

from jupyterhub_notebooks.errors import NotebooksError
from jupyterhub_notebooks.workspace import (
    CommitFacts,
    Contents,
    Rule,
    WorkspaceStore,
    check,
    export_zip,
    open_store,
    pages,
    prune,
    read_file,
)
from jupyterhub_notebooks.workspace.blocks import encode, hash_of
from jupyterhub_notebooks.workspace.measuring import measure
from jupyterhub_notebooks.workspace.pages import PageRef
from jupyterhub_notebooks.workspace.snapshots import SnapshotHead, compose_snapshot, head_of

from .conftest import NOW, WORKSPACE, Space
from .fuzz import Sink
from .test_damage import HOSTILE, HOW, commit_page, damage, file_row, leaf

READERS = ("restore", "browse", "check", "prune", "measure", "export")
MOST_SECONDS = 60.0  # of processor time


@dataclass
class Outcome:
    """said: by reader, the words of its refusal, or "" where it went through unharmed."""

    said: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def again_and_again(space: Space) -> None:
    """A listing of few small pages that claims to hold one page a billion times."""
    plain = leaf(file_row(b"a"))
    level = 0
    for level in range(1, 6):
        space.store.put(hash_of(plain).hex(), encode(plain))
        row = [hash_of(plain), len(plain), b"a", 1, 1, 0]
        plain = pages.PREFIX + msgpack.packb([level, [], [row] * 4096])
    commit_page(space, plain, level)


def a_hole_of_an_exabyte(space: Space) -> None:
    commit_page(space, leaf(file_row(b"a", (-1, 0, 2**60), 2**60, hash_of(b"x"))))


def too_many_levels(space: Space) -> None:
    plain = leaf(file_row(b"a"))
    space.store.put(hash_of(plain).hex(), encode(plain))
    head = SnapshotHead(
        WORKSPACE, 1, "save", None, None, NOW, "x", 0, 1, 1, 0, 0, PageRef(hash_of(plain), 9, 6, b"", 1, 1, 0)
    )
    space.store.commit(1, compose_snapshot(head, bytes(16)), CommitFacts("save", 0, 1, 0))


def a_huge_snapshot(space: Space) -> None:
    place = space.folder / "store" / "snapshots" / "0000000001"
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(b'{"magic":' + b"[" * 10**6)


def harmed(how: str) -> Callable[[Space], None]:
    def attack(space: Space) -> None:
        volume = space.volume("victim")
        (volume.files / "precious").write_bytes(os.urandom(5000))
        space.save(volume)
        for block in space.blocks():
            damage(block, how)

    return attack


def swapped(space: Space) -> None:
    volume = space.volume("victim")
    for name in ("a", "b"):
        (volume.files / name).write_bytes(os.urandom(2 * 2**20))
    space.save(volume)
    one, two = sorted(space.blocks(), key=lambda path: path.stat().st_size)[-2:]
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


ATTACKS: dict[str, Callable[[Space], object]] = {
    **{
        f"listing: {what}": (lambda space, plain=plain: commit_page(space, plain))
        for what, plain in HOSTILE.items()
    },
    **{f"all blocks: {how}": harmed(how) for how in HOW},
    "two blocks swapped": swapped,
    "one page a billion times": again_and_again,
    "a hole of an exabyte": a_hole_of_an_exabyte,
    "more levels than there are": too_many_levels,
    "a snapshot nested a million deep": a_huge_snapshot,
}
#: Some file systems can hold such a file, which takes no space there; others refuse it.
UNHARMED = ("a hole of an exabyte",)


def reader(space: Space, name: str) -> None:
    store = space.store
    if name == "restore":
        space.restore(space.volume("back"), 1)
    elif name == "browse":
        contents = Contents(store, store, 1)
        for entry in contents.children(b"", most=100):
            if entry.kind == "file":
                next(iter(read_file(store, entry)), b"")
        for _ in contents.below():
            pass
    elif name == "check":
        report = check(store, store, read_data=True, stored=store.block_sizes())
        if report.errors:
            raise NotebooksError(f"{report.errors[0].what}. {report.errors[0].cost}")
    elif name == "prune":
        prune(store, now=NOW + timedelta(days=9), rule=Rule(0, 0, 0), dry_run=True)
    elif name == "measure":
        measure(store, [head_of(store, number) for number in store.numbers()], dict(store.block_sizes()))
    else:
        export_zip(store, store, 1, Sink(), most_bytes=2**30)  # type: ignore[arg-type]


def attacked(folder: Path, attack: Callable[[Space], object]) -> Outcome:
    """What every reader says. Raises AssertionError for what is written outside, AnyOther for what is no error of ours."""
    store = WorkspaceStore(open_store((folder / "store").as_uri()))
    store.create(WORKSPACE, lease="objects", now=NOW)
    store.take_lease("a test", NOW)
    space = Space(folder, store)
    attack(space)
    before = set(os.listdir(folder)) | {"back"}
    outcome = Outcome()
    for name in READERS:
        began = time.process_time()
        try:
            reader(space, name)
            outcome.said[name] = ""
        except NotebooksError as error:
            outcome.said[name] = error.sentence()
            assert error.sentence().strip()
        outcome.seconds = max(outcome.seconds, time.process_time() - began)
    assert set(os.listdir(folder)) <= before, "something was written outside"
    return outcome


def main() -> None:
    refused = 0
    for what, attack in ATTACKS.items():
        with tempfile.TemporaryDirectory() as made:
            outcome = attacked(Path(made), attack)
        refused += bool(outcome.said["restore"]) or what in UNHARMED
        print(f"{what}\n    restore: {outcome.said['restore'] or 'WENT THROUGH'}")
        others = [f"{name} {'refused' if outcome.said[name] else 'unharmed'}" for name in READERS[1:]]
        print(f"    {', '.join(others)}; at most {outcome.seconds:.1f} s of processor time")
    print(
        f"{refused} of {len(ATTACKS)} refused by restore or without harm; nothing was written outside its directory."
    )
    if refused < len(ATTACKS):
        sys.exit(1)


if __name__ == "__main__":
    main()
