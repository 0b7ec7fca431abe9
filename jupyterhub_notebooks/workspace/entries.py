"""One entry of a listing, and what makes a path acceptable.

Promises: an Entry that ``from_row`` returns has a path that stays below the workspace, numbers in range, and
pieces that lie inside their blocks and add up to its size. Raises Damaged otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from blake3 import blake3

from ..errors import Damaged
from .blocks import MOST_PLAIN
from .keys import OPEN, Keys

FILE, DIRECTORY, SYMLINK = "file", "directory", "symlink"
KINDS = (FILE, DIRECTORY, SYMLINK)  # their numbers in a row
MOST_PATH = 4095
MOST_COMPONENT = 255
MOST_PIECES = 140_000
MOST_XATTRS = 65536
MOST_XATTR_NAMES = 1024
MOST_SIZE = 2**62
LEAST_TIME, MOST_TIME = -(2**63), 2**63 - 1
EMPTY = OPEN.empty  # where a workspace is not encrypted
NO_BLOCK = bytes(32)
_PIECES = "jupyterhub-notebooks 2026 workspace pieces 1"


class Piece(NamedTuple):
    """A run of a file's bytes. block: 32 bytes, or b"" for a hole; block_length: its plaintext's."""

    block: bytes
    block_length: int
    offset: int
    length: int


class Entry(NamedTuple):
    """One file, directory or symbolic link.

    content: content id of a file (32 bytes), else b"". target: of a symbolic link. hard_link_to: path of an
    earlier entry that is the same file. xattrs: sorted (name, value).
    """

    path: bytes
    kind: str
    mode: int
    mtime_ns: int
    size: int = 0
    content: bytes = b""
    pieces: tuple[Piece, ...] = ()
    target: bytes = b""
    hard_link_to: bytes = b""
    xattrs: tuple[tuple[bytes, bytes], ...] = ()
    sparse: bool = False


ORDER = bytes([0 if byte == ord("/") else byte for byte in range(256)])


def order(path: bytes) -> bytes:
    """The key by which a listing is sorted: a directory is followed by all it contains."""
    return path.translate(ORDER)


def why_not_a_path(path: object) -> str:
    """What is wrong with a stored path, or "" where nothing is."""
    if not isinstance(path, bytes):
        return "a path that is no bytes"
    framed = b"/" + path + b"/"
    if (  # all but a few paths: no component can be too long, none is empty or leads elsewhere
        len(path) <= MOST_COMPONENT and b"//" not in framed and b"/." not in framed and b"\0" not in path
    ):
        return ""
    if not path or len(path) > MOST_PATH:
        return f"a path of {len(path)} bytes"
    if b"\0" in path:
        return "a path with a zero byte"
    for component in path.split(b"/"):
        if component in (b"", b".", b".."):
            return f"the path {shown(path)}, which leads elsewhere"
        if len(component) > MOST_COMPONENT:
            return f"a name of {len(component)} bytes"
    return ""


def shown(path: bytes) -> str:
    """A path for people: bytes that are no text are escaped, and so is what could fool a terminal."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def content_of(pieces: Sequence[Piece], keys: Keys = OPEN) -> bytes:
    """The content id of a file whose pieces are whole blocks, as slices are, or holes."""
    if not pieces:
        return keys.empty
    if len(pieces) == 1 and pieces[0].block:
        return pieces[0].block
    parts = [(piece.block or NO_BLOCK) + piece.length.to_bytes(8, "big") for piece in pieces]
    return blake3(b"".join(parts), derive_key_context=_PIECES).digest()


def links_of(entries: Sequence[Entry]) -> dict[bytes, bytes]:
    """Path to the earlier path that it is another name of, for those hard links that are what they say."""
    files: dict[bytes, bytes] = {}
    links = {}
    for entry in entries:
        if entry.kind != FILE:
            continue
        if entry.hard_link_to and files.get(entry.hard_link_to) == entry.content:
            links[entry.path] = entry.hard_link_to
        else:
            files[entry.path] = entry.content
    return links


def to_row(entry: Entry, index: dict[bytes, int]) -> list[Any]:
    """The MessagePack row; index gives each block's place in the page's table and grows on first mention."""
    where: Any = None
    if entry.kind == FILE:
        where = []
        for block, _length, offset, length in entry.pieces:
            where += (index.setdefault(block, len(index)) if block else -1, offset, length)
    elif entry.kind == SYMLINK:
        where = entry.target
    kind = KINDS.index(entry.kind)
    row = [entry.path, kind, entry.mode, entry.mtime_ns, entry.size, entry.content, where]
    extra: dict[str, Any] = {}
    if entry.hard_link_to:
        extra["n"] = entry.hard_link_to
    if entry.sparse:
        extra["s"] = True
    if entry.xattrs:
        extra["x"] = dict(entry.xattrs)
    return [*row, extra] if extra else row


def from_row(row: Any, blocks: Sequence[tuple[bytes, int]]) -> Entry:
    """The entry of a checked row; blocks is the page's table."""
    if not isinstance(row, list) or len(row) not in (7, 8):
        raise _odd("an entry of another shape")
    path, kind, mode, mtime_ns, size, content, where = row[:7]
    if wrong := why_not_a_path(path):
        raise _odd(wrong)
    if not _is_int(kind, 0, len(KINDS) - 1):
        raise _odd(f"{shown(path)} of kind {kind!r}, which this program does not know")
    if not (
        _is_int(mode, 0, 0o7777) and _is_int(mtime_ns, LEAST_TIME, MOST_TIME) and _is_int(size, 0, MOST_SIZE)
    ):
        raise _odd(f"numbers of {shown(path)} that cannot be")
    extra = _extra(row[7], path) if len(row) == 8 else {}
    if kind == 0:
        if not isinstance(content, bytes) or len(content) != 32:
            raise _odd(f"{shown(path)} has no content id")
        pieces = _pieces(where, blocks, size, path)
        return Entry(path, FILE, mode, mtime_ns, size, content, pieces, b"", *_extras(extra, path))
    if size or content:
        raise _odd(f"{shown(path)} has a size, and is no file")
    if kind == 1:
        if where is not None:
            raise _odd(f"{shown(path)} is a directory that holds bytes")
        return Entry(path, DIRECTORY, mode, mtime_ns, 0, b"", (), b"", *_extras(extra, path))
    if not isinstance(where, bytes) or not where or len(where) > MOST_PATH or b"\0" in where:
        raise _odd(f"the target of the link {shown(path)} cannot be")
    return Entry(path, SYMLINK, mode, mtime_ns, 0, b"", (), where, *_extras(extra, path))


def _pieces(where: Any, blocks: Sequence[tuple[bytes, int]], size: int, path: bytes) -> tuple[Piece, ...]:
    if not isinstance(where, list) or len(where) % 3 or len(where) > 3 * MOST_PIECES:
        raise _odd(f"the places of {shown(path)} have another shape")
    pieces: list[Piece] = []
    total = 0
    for at in range(0, len(where), 3):
        number, offset, length = where[at : at + 3]
        if not (
            _is_int(number, -1, len(blocks) - 1)
            and _is_int(offset, 0, MOST_PLAIN)
            and _is_int(length, 1, size)
        ):
            raise _odd(f"a place of {shown(path)} that cannot be")
        if number < 0:
            if offset:
                raise _odd(f"a hole of {shown(path)} that begins elsewhere")
            pieces.append(Piece(b"", 0, 0, length))
        else:
            block, block_length = blocks[number]
            if offset + length > block_length:
                raise _odd(f"a place of {shown(path)} outside its block")
            pieces.append(Piece(block, block_length, offset, length))
        total += length
    if total != size:
        raise _odd(f"{shown(path)} has places for {total} of its {size} bytes")
    return tuple(pieces)


def _extra(extra: Any, path: bytes) -> dict[str, Any]:
    if not isinstance(extra, dict):
        raise _odd(f"extras of {shown(path)} of another shape")
    for key in extra:
        if not isinstance(key, str) or len(key) != 1 or not key.isascii() or not key.islower():
            raise _odd(f"{shown(path)} has the extra {key!r}, which this program does not know")
    return extra


def _extras(extra: dict[str, Any], path: bytes) -> tuple[bytes, tuple[tuple[bytes, bytes], ...], bool]:
    if not extra:
        return b"", (), False
    link, xattrs = extra.get("n", b""), extra.get("x", {})
    if link and why_not_a_path(link):
        raise _odd(f"{shown(path)} is a hard link to {why_not_a_path(link)}")
    good = isinstance(xattrs, dict) and all(
        isinstance(name, bytes)
        and name.startswith(b"user.")
        and len(name) <= 255
        and isinstance(value, bytes)
        for name, value in xattrs.items()
    )
    if not good or sum(len(name) + len(value) for name, value in xattrs.items()) > MOST_XATTRS:
        raise _odd(f"attributes of {shown(path)} that cannot be")
    return link, tuple(sorted(xattrs.items())), extra.get("s") is True


def _is_int(value: Any, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _odd(what: str) -> Damaged:
    return Damaged(
        "The listing of a snapshot cannot be used",
        f"Found in it: {what}",
        ["Take an earlier snapshot", "Run `jupyterhub-notebooks workspace check`"],
    )
