"""What fills a workspace, and what of it is safe to delete.

Promises: looks at names and sizes, and opens nothing but large .ipynb files and the index of a repository; follows no
symbolic link; deletes nothing. What has a line counts in no other.
"""

from __future__ import annotations

import heapq
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import BadInput
from ..units import count, show_size
from . import ignore, scanning
from .cell_outputs import RUN_BYTES, outputs_size
from .entries import DIRECTORY, FILE, Entry, shown
from .pool import ask_now_and_then
from .scanning import Found

#: Smaller ones are not worth a line.
LEAST_BYTES = 10 * 10**6
MANY_FILES = 100_000
LARGE_OUTPUT = 10 * 10**6
#: So many files and so many folders that nothing else names, each from this part of everything on.
MOST_LARGE = 5
LARGE_SHARE = 50
_INDEX_VERSIONS = (2, 3)  # with whole paths in them

#: How safe it is to delete something.
YES, AGAIN, LOOK = "yes", "again", "look"

#: Caches by their path at the top of the workspace, and what happens after they are gone.
CACHES: dict[bytes, str] = {
    b".cache/huggingface": "models and data sets are fetched again when they are used",
    b".cache/torch": "models are fetched again when they are used",
    b".cache/pip": "pip fetches packages again",
    b".cache/uv": "uv fetches packages again",
    b".cache/matplotlib": "it is made again",
    b".cache": "programs make it again",
    b".npm/_cacache": "npm fetches packages again",
    b".conda/pkgs": "conda fetches packages again",
    b".mamba/pkgs": "mamba fetches packages again",
    b".keras/datasets": "data sets are fetched again",
    b".nv": "it is made again",
    b".triton": "it is made again",
    b".local/share/Trash": "what was deleted is then gone for good",
}
#: Folders of that name anywhere are caches.
NAMED_CACHES: dict[bytes, str] = {
    name: "it is made again"
    for name in (
        b"__pycache__",
        b".ipynb_checkpoints",
        b".mypy_cache",
        b".pytest_cache",
        b".ruff_cache",
        b".tox",
    )
}
_RUNS = (b"outputs", b"output", b"runs", b"results", b"checkpoints", b"wandb")
OUTPUTS = frozenset((*_RUNS, b"mlruns", b"lightning_logs", b"artifacts", b"tb_logs", b"multirun"))


@dataclass(frozen=True)
class Fill:
    """One thing that takes space. kind: cache, environment, outputs, many_files, cell_outputs or large. path: relative, for people.

    safe: ``yes`` (nothing is lost), ``again`` (it has to be made again), ``look`` (only its user knows). saved: whether it is
    part of snapshots.
    """

    kind: str
    path: str
    size_bytes: int
    files: int
    title: str
    safe: str
    advice: str
    saved: bool = True


@dataclass(frozen=True)
class Space:
    """A workspace's size. size_bytes, files: of what snapshots hold. unsaved_bytes: of what they leave out."""

    size_bytes: int
    files: int
    unsaved_bytes: int
    fills: tuple[Fill, ...]


def look(
    files: os.PathLike[str] | str,
    never_saved: Sequence[str] = (),
    cancelled: Callable[[], bool] = lambda: False,
) -> Space:
    """What fills the directory. Raises BadInput where there is none, Cancelled."""
    root = os.fsencode(files)
    if not os.path.isdir(root):
        raise BadInput(f"There is no directory {os.fsdecode(root)}", next=["Name a directory"], field="DIR")
    found = scanning.walk(root, ignore.Ignore(), cancelled).found
    leave = ignore.of(root, never_saved)
    return measure(
        found,
        _left_out(found, leave),
        lambda path: _tracked(root, path),
        lambda path: _outputs(root, path, cancelled),
    )


def measure(
    found: Sequence[Found],
    left_out: Callable[[bytes], bool],
    tracked: Callable[[bytes], bool],
    outputs: Callable[[bytes], int],
    *,
    from_listing: bool = False,
) -> Space:
    """Pure but for what it is given. left_out: never saved. tracked: a repository has something of this folder.
    outputs: bytes of the outputs in an .ipynb file. from_listing: neither of the two is known."""
    folders = {item.path for item in found if item.kind == DIRECTORY}
    runs = _LISTED_RUNS if from_listing else _RUNS_UNTRACKED
    named = _named(folders, {item.path for item in found if item.kind == FILE}, tracked, runs)
    sizes: dict[bytes, list[int]] = {path: [0, 0] for path in named}
    direct: dict[bytes, list[int]] = {}
    rest = _Rest()
    size = count_files = unsaved = 0
    fills = []
    for item in found:
        if item.kind != FILE:
            continue
        if left_out(item.path):
            unsaved += item.size
        else:
            size, count_files = size + item.size, count_files + 1
        parent = item.path.rpartition(b"/")[0]
        beside = direct.setdefault(parent, [0, 0])
        beside[0], beside[1] = beside[0] + item.size, beside[1] + 1
        owner = _owner(item.path, named)
        if owner is not None:
            sizes[owner][0] += item.size
            sizes[owner][1] += 1
            continue
        if not from_listing and item.size > LARGE_OUTPUT and item.path.endswith(b".ipynb"):
            inside = outputs(item.path)
            if inside > LARGE_OUTPUT:
                fills.append(_cells(item.path, inside, not left_out(item.path)))
                continue
        rest.add(item)
    for path, (size_bytes, number) in sizes.items():
        if size_bytes >= LEAST_BYTES:
            kind, title, safe, advice = named[path]
            fills.append(Fill(kind, shown(path), size_bytes, number, title, safe, advice, not left_out(path)))
    many = {path for path, (_, number) in direct.items() if number > MANY_FILES}
    fills += [_many(path, direct[path][0], direct[path][1], not left_out(path)) for path in many]
    fills += rest.fills(max(LEAST_BYTES, (size + unsaved) // LARGE_SHARE), left_out, many)
    return Space(size, count_files, unsaved, tuple(sorted(fills, key=lambda one: -one.size_bytes)))


class _Rest:
    """What has no line of its own yet: its largest files, and folders at the top."""

    def __init__(self) -> None:
        self._files: list[tuple[int, bytes]] = []
        self._tops: dict[bytes, list[int]] = {}
        self._parents: dict[bytes, list[int]] = {}

    def add(self, item: Found) -> None:
        top, _, deeper = item.path.partition(b"/")
        if deeper:
            whole = self._tops.setdefault(top, [0, 0])
            whole[0], whole[1] = whole[0] + item.size, whole[1] + 1
        if item.size >= LEAST_BYTES:
            heapq.heappush(self._files, (item.size, item.path))
            if len(self._files) > MOST_LARGE:
                heapq.heappop(self._files)

    def fills(self, least: int, left_out: Callable[[bytes], bool], many: set[bytes]) -> list[Fill]:
        """Lines from least bytes on. many: folders that have a line already, and are not counted in another."""
        made = []
        for size, path in self._files:
            if size >= least:
                title = "A large notebook file" if path.endswith(b".ipynb") else "A large file"
                made.append(Fill("large", shown(path), size, 1, title, LOOK, _ONLY_YOU, not left_out(path)))
                whole = self._tops.get(path.partition(b"/")[0], [0, 0])
                whole[0], whole[1] = whole[0] - size, whole[1] - 1
        counted = {path.partition(b"/")[0] for path in many}
        tops = [(size, number, top) for top, (size, number) in self._tops.items() if top not in counted]
        for size, number, top in heapq.nlargest(MOST_LARGE, tops):
            if size >= least:
                title = "The other files in this folder"
                made.append(
                    Fill("large", shown(top), size, number, title, LOOK, _ONLY_YOU, not left_out(top))
                )
        return made


def of_listing(entries: Iterable[Entry]) -> Space:
    """The same for a snapshot, without its files: neither what repositories track nor what is in an .ipynb file is known, and
    nothing is claimed of it."""
    found = [
        Found(one.path, one.kind, one.mode, one.mtime_ns, one.size, 0, 0, 0, 1, one.size) for one in entries
    ]
    return measure(found, lambda path: False, lambda path: False, lambda path: 0, from_listing=True)


_Named = tuple[str, str, str, str]
_ONLY_YOU = "only you know whether it is needed"
_RUNS_UNTRACKED: _Named = (
    "outputs",
    "Outputs of runs that no repository tracks",
    LOOK,
    "only you know which are needed",
)
_LISTED_RUNS: _Named = (
    "outputs",
    "A folder named like outputs of runs",
    LOOK,
    "only you know which are needed, and whether a repository has them",
)


def _named(
    folders: Iterable[bytes], files: set[bytes], tracked: Callable[[bytes], bool], runs: _Named
) -> dict[bytes, _Named]:
    """Folders that count as a whole: (kind, title, safe, advice). None lies in another."""
    named: dict[bytes, _Named] = {}
    for path in sorted(folders, key=lambda path: path.count(b"/")):
        name = path.rpartition(b"/")[2]
        if path in CACHES:
            named[path] = ("cache", "A cache", YES, CACHES[path])
        elif _owner(path, named) is not None:
            continue
        elif name in NAMED_CACHES:
            named[path] = ("cache", "A cache", YES, NAMED_CACHES[name])
        elif path + b"/conda-meta" in folders:
            named[path] = (
                "environment",
                "A conda environment",
                AGAIN,
                "conda makes it again from a list of its packages",
            )
        elif path + b"/pyvenv.cfg" in files:
            named[path] = ("environment", "A virtual environment", AGAIN, "pip installs its packages again")
        elif name == b"node_modules":
            named[path] = ("environment", "Packages of npm", AGAIN, "npm install makes it again")
        elif name in OUTPUTS and not tracked(path):
            named[path] = runs
    return named


def _owner(path: bytes, named: dict[bytes, Any]) -> bytes | None:
    """The innermost folder that counts path, which may be path itself."""
    if not named:
        return None
    at = len(path)
    while at > 0:
        if path[:at] in named:
            return path[:at]
        at = path.rfind(b"/", 0, at)
    return None


def _cells(path: bytes, inside: int, saved: bool) -> Fill:
    advice = "clear its outputs in the editor; the cells stay. Such a file also makes its page slow"
    return Fill("cell_outputs", shown(path), inside, 1, "Outputs inside a notebook file", LOOK, advice, saved)


def _many(path: bytes, size_bytes: int, number: int, saved: bool) -> Fill:
    title = f"{count(number, 'file')} in one folder"
    advice = "it makes the file list slow and saves longer; an archive or sub-folders are quicker"
    return Fill("many_files", shown(path) or ".", size_bytes, number, title, LOOK, advice, saved)


def _left_out(found: Sequence[Found], leave: ignore.Ignore) -> Callable[[bytes], bool]:
    """Whether a path, or a folder above it, is left out of saves."""
    out = {item.path for item in found if leave.leaves_out(item.path, item.kind == DIRECTORY)}
    known: dict[bytes, bool] = {b"": False}

    def left_out(path: bytes) -> bool:
        unknown = []
        while path not in known:
            unknown.append(path)
            path = path.rpartition(b"/")[0]
        below = known[path]
        for path in reversed(unknown):
            below = known[path] = below or path in out
        return below

    return left_out


def _tracked(root: bytes, path: bytes) -> bool:
    """Whether the repository that path lies in, or is, names something below it; also where that cannot be known."""
    parts = path.split(b"/")
    for depth in range(len(parts), -1, -1):
        top = b"/".join(parts[:depth])
        git = os.path.join(root, top, b".git")
        if depth == len(parts):
            if os.path.lexists(git):
                return True
            continue
        if os.path.isfile(git):
            return True  # a work tree whose index lies elsewhere
        found = _index_has(os.path.join(git, b"index"), b"/".join(parts[depth:]) + b"/")
        if found is not None:
            return found
    return False


def _index_has(path: bytes, name: bytes) -> bool | None:
    """Whether an index of git has name in it; None where there is none."""
    before = b""
    try:
        for run in _runs(path):
            if not before and int.from_bytes(run[4:8], "big") not in _INDEX_VERSIONS:
                return True  # its paths are not whole in it
            if name in before + run:
                return True
            before = run[-len(name) :]
    except OSError:
        return None
    return False


def _outputs(root: bytes, path: bytes, cancelled: Callable[[], bool]) -> int:
    """Bytes of the outputs of all cells, as they stand in the file; 0 where it is no notebook that can be read."""
    try:
        return outputs_size(ask_now_and_then(_runs(os.path.join(root, path)), cancelled))
    except OSError:
        return 0


def _runs(path: bytes) -> Iterator[bytes]:
    """A regular file's bytes, bit by bit; nothing of what is none. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, "rb", buffering=0) as file:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            while run := file.read(RUN_BYTES):
                yield run


#: From these parts of its size on the user is told.
WARN, NEARLY, OVER = 0.8, 0.95, 1.0


def level(size_bytes: int, limit_bytes: int) -> float:
    """The highest of the three that is reached, 0.0 below all and without a limit. Full to the last byte is not over."""
    if limit_bytes <= 0 or size_bytes < WARN * limit_bytes:
        return 0.0
    if size_bytes > limit_bytes:
        return OVER
    return NEARLY if size_bytes >= NEARLY * limit_bytes else WARN


def words(size_bytes: int, limit_bytes: int, fills: Sequence[Fill] = ()) -> str:
    """What the user is told, '' where there is no need. It is saved whatever its size; a start is never refused for it."""
    reached = level(size_bytes, limit_bytes)
    if not reached:
        return ""
    of = f"{show_size(size_bytes)} of {show_size(limit_bytes)}"
    if reached == OVER:
        said = f"The workspace is over its size: {of}. It is saved all the same"
    elif reached == NEARLY:
        said = f"The workspace is nearly full: {of}"
    else:
        said = f"The workspace fills up: {of}"
    parts = []
    for safe, begin in ((YES, "Safe to delete"), (AGAIN, "Can be made again"), (LOOK, "Look at")):
        mine = [one for one in fills if one.saved and one.safe == safe][:2]
        if mine:
            named = ", ".join(f"{one.path} ({show_size(one.size_bytes)})" for one in mine)
            parts.append(f"{begin}: {named}")
    if not parts and reached == OVER:
        parts.append("Delete files that are not needed any more")
    return ". ".join([said, *parts])
