"""The bytes of one block (FORMAT.md, Block): written small, read with nothing believed before it is bounded.

Promises: ``decode`` returns exactly the plaintext that ``name`` names, or raises Damaged saying what differs;
it never allocates more than the plain length that the caller expects.
"""

from __future__ import annotations

import struct
import threading

import zstandard
from blake3 import blake3

from ..errors import Damaged
from .keys import OPEN, Keys, Unsealed

MAGIC = b"NBLK"
FORMAT = 1
PLAIN, ZSTD, PLAIN_ENCRYPTED, ZSTD_ENCRYPTED = range(4)
MOST_PLAIN = 8 * 2**20
MOST_STORED = MOST_PLAIN + 2**16
HEADER = struct.Struct(">4sBBI")
LEVEL = 1
_WINDOW = 8 * 2**20
_RUN_OF_ONE_BYTE = 1

_mine = threading.local()


def hash_of(data: bytes | bytearray | memoryview) -> bytes:
    """The 32 bytes that name data in a workspace that is not encrypted."""
    return blake3(data).digest()


def encode(plain: bytes | bytearray | memoryview, keys: Keys = OPEN, name: bytes | None = None) -> bytes:
    """The stored bytes of a block; the same format whatever the level. name: its name, where that is known."""
    length = len(plain)
    if not 0 < length <= MOST_PLAIN:
        raise ValueError(f"a block of {length} bytes")
    packed = _compressor().compress(plain)
    if keys.id is not None:
        codec, body = (ZSTD_ENCRYPTED, packed) if len(packed) < length else (PLAIN_ENCRYPTED, plain)
        header = HEADER.pack(MAGIC, FORMAT, codec, length)
        return header + keys.seal(name or keys.hash_of(plain), header, body)
    if len(packed) < length:
        return HEADER.pack(MAGIC, FORMAT, ZSTD, length) + packed
    return b"".join((HEADER.pack(MAGIC, FORMAT, PLAIN, length), plain))


def decode(name: bytes, stored: bytes, length: int, keys: Keys = OPEN) -> bytes:
    """The plaintext of block ``name``, which the listing says is ``length`` bytes long. Raises Damaged."""
    return bytes(decode_in_place(name, stored, length, keys))


def decode_in_place(
    name: bytes,
    stored: bytes | memoryview,
    length: int,
    keys: Keys = OPEN,
    into: memoryview | None = None,
) -> bytes | memoryview:
    """``decode`` without a copy: what was stored plain is a part of stored, the rest the beginning of into, where that is
    given; it has at least length bytes."""
    body = _body(name, stored, length, keys, into)
    if keys.hash_of(body) != name:
        raise damaged(name, "its content is not what its name says")
    return body


def beyond_use(name: bytes, stored: bytes, keys: Keys = OPEN) -> bool:
    """Whether nobody can ever make ``name`` of the stored bytes: not what they say of their length themselves, and
    neither a later format nor another workspace's key could be what is missing."""
    if len(stored) < HEADER.size or stored[: len(MAGIC)] != MAGIC:
        return True
    _, version, codec, length = HEADER.unpack_from(stored)
    mine = (PLAIN_ENCRYPTED, ZSTD_ENCRYPTED) if keys.id is not None else (PLAIN, ZSTD)
    if version != FORMAT or codec not in mine:
        return False
    try:
        decode_in_place(name, stored, length, keys)
    except Damaged:
        return True
    return False


def _body(
    name: bytes, stored: bytes | memoryview, length: int, keys: Keys, into: memoryview | None
) -> bytes | memoryview:
    if not 0 < length <= MOST_PLAIN:
        raise damaged(name, f"a block of {length} bytes cannot be")
    if len(stored) < HEADER.size:
        raise damaged(name, f"it was cut off after {len(stored)} bytes")
    magic, version, codec, plain_length = HEADER.unpack_from(stored)
    if magic != MAGIC:
        raise damaged(name, "it does not begin like a block")
    if version != FORMAT:
        raise damaged(name, f"its format {version} is newer than this program reads ({FORMAT})")
    if codec not in (PLAIN, ZSTD, PLAIN_ENCRYPTED, ZSTD_ENCRYPTED):
        raise damaged(name, f"its codec {codec} is not one that this program knows")
    sealed = codec in (PLAIN_ENCRYPTED, ZSTD_ENCRYPTED)
    if sealed and keys.id is None:
        raise damaged(name, "it is encrypted, and this workspace has no key here")
    if keys.id is not None and not sealed:
        raise damaged(name, "it is not encrypted, and this workspace is")
    if plain_length != length:
        raise damaged(name, f"it holds {plain_length} bytes where the listing says {length}")
    body: bytes | memoryview = memoryview(stored)[HEADER.size :]
    if sealed:
        try:
            body = keys.unseal(name, bytes(stored[: HEADER.size]), body)
        except Unsealed:
            raise damaged(name, "it was changed, or sealed with another key") from None
    if codec in (PLAIN, PLAIN_ENCRYPTED):
        if len(body) != length:
            raise damaged(name, f"{len(body)} of its {length} bytes are there")
        return body
    return _decompressed(name, body, length, into)


def _decompressed(
    name: bytes, body: bytes | memoryview, length: int, into: memoryview | None
) -> bytes | memoryview:
    try:
        frame = zstandard.get_frame_parameters(body)
        if frame.content_size != length or frame.window_size > _WINDOW:
            raise damaged(name, "its compressed part claims another size")
        if into is None:
            return _decompressor().decompress(body, max_output_size=length, allow_extra_data=False)
        if _frame_bytes(body, frame.has_checksum) != len(body):
            raise damaged(name, "its compressed part ends elsewhere")
        plain, got = into[:length], 0
        with _decompressor().stream_reader(body) as reader:
            while got < length and (more := reader.readinto(plain[got:])):
                got += more
        if got != length:
            raise damaged(name, f"{got} of its {length} bytes are there")
        return plain
    except zstandard.ZstdError as error:
        raise damaged(name, f"it does not decompress ({error})") from None


def _frame_bytes(body: bytes | memoryview, has_checksum: bool) -> int:
    """How long a Zstandard frame is by the headers of its blocks (RFC 8878, 3.1.1.2); beyond body where it is cut off."""
    at, last = zstandard.frame_header_size(body), False
    while not last and at + 3 <= len(body):
        header = int.from_bytes(body[at : at + 3], "little")
        last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        at += 3 + (1 if kind == _RUN_OF_ONE_BYTE else size)
    return at + 4 * has_checksum if last else len(body) + 1


def damaged(name: bytes, why: str) -> Damaged:
    """The error about one block."""
    return Damaged(
        f"Block {name.hex()[:12]} is damaged",
        why,
        ["Run `jupyterhub-notebooks workspace check` to see which files and snapshots it touches"],
    )


def _compressor() -> zstandard.ZstdCompressor:
    if not hasattr(_mine, "compressor"):
        _mine.compressor = zstandard.ZstdCompressor(level=LEVEL, write_content_size=True)
    made: zstandard.ZstdCompressor = _mine.compressor
    return made


def _decompressor() -> zstandard.ZstdDecompressor:
    if not hasattr(_mine, "decompressor"):
        _mine.decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    made: zstandard.ZstdDecompressor = _mine.decompressor
    return made
