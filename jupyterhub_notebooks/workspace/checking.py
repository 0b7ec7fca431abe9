"""Checking a workspace in its store: what is damaged, and what each damage costs.

Promises: reads only; one damage does not hide another; an error says which snapshots and files it touches, a hint is
something odd that costs nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ..contract import Progress
from ..errors import Damaged, NotFound
from ..units import be, count, show_size
from . import bounds, fetching
from .blocks import HEADER, MOST_STORED
from .entries import FILE, Entry, Piece, content_of, order, shown
from .keys import keys_of
from .pages import PageRef, below
from .pool import Pool
from .ports import Blocks, OnProgress, Snapshots
from .salvaging import Gap, entries, left_of
from .snapshots import SnapshotHead

_SHOWN = 5


@dataclass(frozen=True)
class Problem:
    """what is wrong, and what it costs in words; snapshots that it touches; block: the name of what is damaged, if any."""

    what: str
    cost: str = ""
    snapshots: tuple[int, ...] = ()
    block: str = ""


@dataclass(frozen=True)
class CheckReport:
    """Sound where errors is empty. blocks: that snapshots need. unused_*: stored and needed by none."""

    snapshots: int
    blocks: int
    stored_bytes: int
    files: int
    unused_blocks: int
    unused_bytes: int
    read_data: bool
    errors: tuple[Problem, ...]
    hints: tuple[Problem, ...]


#: A block's name, the plain length that a listing says it has, and (where listings disagree about what is in it) what
#: one of them says.
_Block = tuple[bytes, int, bytes]


@dataclass
class _Need:
    """A data block as listings that agree about it describe it, and who needs it."""

    snapshots: set[int] = field(default_factory=set)
    files: dict[bytes, None] = field(default_factory=dict)
    parts: dict[tuple[int, int], bytes] = field(default_factory=dict)


def check(
    blocks: Blocks,
    snapshots: Snapshots,
    *,
    read_data: bool = False,
    stored: Iterable[tuple[str, int]] | None = None,
    strange: Sequence[str] = (),
    progress: OnProgress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> CheckReport:
    """Reads every snapshot and page. stored: (name, bytes) of all blocks in the store; without it (or with
    read_data) every block is read whole, and its content verified. strange: keys that mean nothing."""
    one = _Check(blocks, cancelled)
    numbers = snapshots.numbers()
    for number in numbers:
        one.snapshot(number, snapshots)
    one.gaps()
    sizes = dict(stored) if stored is not None else None
    one.read(progress, every=read_data or sizes is None)
    if sizes is not None:
        one.compare(sizes)
    needed = {name.hex() for name in (*(block[0] for block in one.needs), *one.pages)}
    unused = {name: size for name, size in (sizes or {}).items() if name not in needed}
    if unused:
        what = f"{count(len(unused), 'block')} with {show_size(sum(unused.values()))} {be(len(unused))} in no snapshot"
        one.hints.append(Problem(what, "They take space only; a save that was cut off leaves such"))
    one.hints += [Problem(f"{key} is none of our keys", "It is ignored") for key in strange]
    gaps = max(numbers, default=0) - len(numbers)
    if gaps:
        one.hints.append(Problem(f"{gaps} numbers have no snapshot", "Retention removes old ones"))
    return CheckReport(
        len(numbers),
        len(needed),
        sum(sizes.values()) if sizes is not None else 0,
        one.files,
        len(unused),
        sum(unused.values()),
        read_data or sizes is None,
        tuple(one.errors),
        tuple(one.hints),
    )


class _Check:
    def __init__(self, blocks: Blocks, cancelled: Callable[[], bool]) -> None:
        self._blocks, self._cancelled = blocks, cancelled
        self._keys = keys_of(blocks)
        self.errors: list[Problem] = []
        self.hints: list[Problem] = []
        self.needs: dict[_Block, _Need] = {}
        self.pages: dict[bytes, int] = {}
        self.files = 0
        self._bad: set[_Block] = set()
        self._gaps: dict[bytes, tuple[Gap, list[SnapshotHead]]] = {}

    def snapshot(self, number: int, snapshots: Snapshots) -> None:
        """One snapshot with all its pages."""
        lost = f"Snapshot {number} cannot be restored"
        try:
            head = fetching.certain_head(snapshots, number)
        except (Damaged, NotFound) as error:
            self.errors.append(Problem(error.sentence(), lost, (number,)))
            return
        self._listing(head)

    def _listing(self, head: SnapshotHead) -> None:
        refs: list[PageRef] = []
        left = left_of(head.root, self._blocks, self._cancelled, refs.append)
        self.pages.update((ref.name, ref.length) for ref in refs)
        gaps = list(left.gaps)
        many = size = files = 0
        before = b""
        parents: list[bytes] = []
        count_one = bounds.counting(head)
        try:
            bounds.refuse_pages(sum(ref.length for ref in refs), head)
            for ref, found in entries(left, self._blocks, self._cancelled):
                if isinstance(found, Gap):
                    gaps.append(found)
                    continue
                for entry in found:
                    count_one(entry)
                    if order(entry.path) <= before:
                        gaps.append(Gap(ref, "entries out of order", b""))
                    before = order(entry.path)
                    try:
                        below(parents, entry)
                    except Damaged as error:
                        if not gaps:
                            gaps.append(Gap(ref, error.why, b""))
                    many += 1
                    if entry.kind == FILE:
                        files += 1
                        size += entry.size
                        self._needed(entry, head.number)
        except bounds.Beyond as error:
            lost = f"Snapshot {head.number} cannot be restored"
            self.errors.append(Problem(error.why, lost, (head.number,)))
            return
        self.files = max(self.files, files)
        for gap in gaps:
            self._gaps.setdefault(gap.ref.name, (gap, []))[1].append(head)
        if not gaps and (many, files, size) != (head.entries, head.files, head.size_bytes):
            said = (
                f"Snapshot {head.number} counts {count(head.files, 'file')} with {show_size(head.size_bytes)}"
            )
            self.hints.append(
                Problem(
                    f"{said}, its listing {files:,} with {show_size(size)}", "Only what is shown is wrong"
                )
            )

    def gaps(self) -> None:
        """Says each damaged page once, with what it costs in all its snapshots."""
        for gap, heads in self._gaps.values():
            numbers = tuple(sorted({head.number for head in heads}))
            what = f"A page of the listing of {_snapshots(numbers)} is damaged: {gap.why}"
            if all(head.root is not None and head.root.name == gap.ref.name for head in heads):
                whole = f"Snapshot {numbers[0]}" if len(numbers) == 1 else _snapshots(numbers).capitalize()
                cost = f"{whole} cannot be restored"
            else:
                cost = (
                    f"Lost in {_snapshots(numbers)}: {count(gap.ref.files, 'file')} with {show_size(gap.ref.size_bytes)}, "
                    f"{gap.where()}; the rest can be repaired"
                )
            self.errors.append(Problem(what, cost, numbers, gap.ref.name.hex()))

    def _needed(self, entry: Entry, number: int) -> None:
        whole = len(entry.pieces) == 1
        if not whole and content_of(entry.pieces, self._keys) != entry.content:
            self.hints.append(
                Problem(f"The content id of {shown(entry.path)} is another", "It is stored again")
            )
        for piece in entry.pieces:
            if not piece.block:
                continue
            need = self._need(piece, entry.content if whole else b"")
            need.snapshots.add(number)
            need.files[entry.path] = None
            if whole:
                need.parts[(piece.offset, piece.length)] = entry.content

    def _need(self, piece: Piece, content: bytes) -> _Need:
        """Where listings disagree, whoever is wrong alone pays for it."""
        need = self.needs.setdefault((piece.block, piece.block_length, b""), _Need())
        if content and need.parts.get((piece.offset, piece.length), content) != content:
            return self.needs.setdefault((piece.block, piece.block_length, content), _Need())
        return need

    def read(self, progress: OnProgress | None, *, every: bool) -> None:
        """Data blocks, their bytes and the content ids of the files in them: every one, or those of which listings
        disagree."""
        blocks = list(self.needs) if every else self._disputed()
        total = sum(length for _, length, _ in blocks)
        done = 0

        def note(result: tuple[_Block, str]) -> None:
            nonlocal done
            block, why = result
            done += block[1]
            if why:
                self._say(block, why)
            if progress is not None:
                progress(Progress(done, total))

        self._blocks.expect([name.hex() for name, _, _ in blocks])
        with Pool(self._cancelled, name="check") as pool:
            for block in blocks:
                pool.submit(2 * block[1], self._one, block, done=note)
            pool.finish()

    def _disputed(self) -> list[_Block]:
        """Blocks that are described in several ways."""
        ways = Counter(name for name, _, _ in self.needs)
        return [block for block in self.needs if ways[block[0]] > 1]

    def _one(self, block: _Block) -> tuple[_Block, str]:
        name, whole, _ = block
        try:
            plain = memoryview(fetching.certain_block(self._blocks, name, whole))
        except Damaged as error:
            return block, error.why
        for (offset, length), content in self.needs[block].parts.items():
            if self._keys.hash_of(plain[offset : offset + length]) != content:
                return block, "a file's place in it holds another file's bytes"
        return block, ""

    def compare(self, sizes: dict[str, int]) -> None:
        """What the store's own listing shows."""
        for block in self.needs:
            size = sizes.get(block[0].hex())
            if size is None:
                self._say(block, "it is missing")
            elif not HEADER.size < size <= min(MOST_STORED, block[1] + 65536):
                self._say(block, f"{show_size(size)} are stored of it")

    def _say(self, block: _Block, why: str) -> None:
        if block in self._bad:
            return
        self._bad.add(block)
        name, need = block[0], self.needs[block]
        files = [shown(path) for path in list(need.files)[:_SHOWN]]
        more = f" and {len(need.files) - _SHOWN} more" if len(need.files) > _SHOWN else ""
        numbers = tuple(sorted(need.snapshots))
        cost = f"Cannot be restored: {', '.join(files)}{more}, in {_snapshots(numbers)}"
        what = f"Block {name.hex()[:12]} is damaged: {why}"
        self.errors.append(Problem(what, cost, numbers, name.hex()))


def _snapshots(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"snapshot {numbers[0]}"
    return f"{len(numbers)} snapshots, the newest of them {numbers[-1]}"
