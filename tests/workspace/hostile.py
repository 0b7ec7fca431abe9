"""Hostile workspaces made out of a good one: what somebody could leave in a bucket, with names and checks made right again."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgpack
import zstandard

from jupyterhub_notebooks.errors import NotFound
from jupyterhub_notebooks.workspace import Volume, WorkspaceStore, open_store, save
from jupyterhub_notebooks.workspace.blocks import encode, hash_of
from jupyterhub_notebooks.workspace.keys import OPEN
from jupyterhub_notebooks.workspace.pages import PREFIX
from jupyterhub_notebooks.workspace.snapshots import canonical

from .conftest import NOW, WORKSPACE

NUMBERS = (
    0,
    1,
    -1,
    2,
    6,
    7,
    255,
    4095,
    4096,
    2**16,
    2**23,
    2**23 + 1,
    2**31,
    2**32,
    2**62,
    2**63 - 1,
    -(2**63),
)
BYTES = (
    b"",
    b".",
    b"..",
    b"/",
    b"a/../b",
    b"\0",
    b"/etc/passwd",
    b"a" * 255,
    b"a" * 256,
    b"b" * 5000,
    b"\xff\xfe",
    bytes(32),
)


class Memory:
    """A store in memory, so that a round costs no disk."""

    url = "memory:"

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects = dict(objects)

    def get(self, key: str, most_bytes: int | None = None) -> bytes:
        try:
            return self.objects[key]
        except KeyError:
            raise NotFound(f"The store has no {key}") from None

    def put(self, key: str, body: bytes) -> bool:
        return self.put_new(key, body)

    def put_new(self, key: str, body: bytes) -> bool:
        if key in self.objects:
            return self.objects[key] == body
        self.objects[key] = body
        return True

    def replace(self, key: str, body: bytes) -> None:
        self.objects[key] = body

    def exists(self, key: str) -> bool:
        return key in self.objects

    def size(self, key: str) -> int:
        return len(self.get(key))

    def list(self, prefix: str) -> Any:
        return iter(sorted((key, len(body)) for key, body in self.objects.items() if key.startswith(prefix)))

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)


def seed_objects(folder: Path) -> dict[str, bytes]:
    """A workspace of three snapshots with everything that a listing can hold."""
    store = WorkspaceStore(open_store((folder / "store").as_uri()))
    store.create(WORKSPACE, lease="objects", now=NOW)
    store.take_lease("a fuzzer", NOW)
    volume = Volume(folder / "files", folder / "state")
    volume.files.mkdir()
    for at in range(60):
        inside = volume.files / f"d{at % 7}" / f"e{at % 3}"
        inside.mkdir(parents=True, exist_ok=True)
        (inside / f"f{at}").write_bytes(b"%d" % at * (at * 30))
    (volume.files / "link").symlink_to("d1")
    os.link(volume.files / "d0" / "e0" / "f0", volume.files / "hard")
    with open(volume.files / "sparse", "wb") as file:
        file.truncate(9 * 2**20)
        file.seek(8 * 2**20 + 5)
        file.write(b"data")
    for number in range(1, 4):
        (volume.files / "changing").write_bytes(b"%d" % number * 5000)
        known = {"workspace_id": WORKSPACE, "now": NOW + timedelta(days=number), "created_by": "a fuzzer"}
        save(volume, store, store, number=number, parent=volume.base, **known)  # type: ignore[arg-type]
    store.name(1, "kept", NOW)
    store.condemn(1, ["f" * 64], NOW)
    return {key: store.store.get(key) for key, _ in store.store.list("")}


DEPTHS = (40, 60, 700, 900, 960, 990, 20_000)
#: What json.loads takes and nobody expects; the texts of ``_loose`` among them are no texts in the object.
ODD_JSON: tuple[Any, ...] = (
    float("nan"),
    float("inf"),
    -float("inf"),
    "1e999",
    "1e-999",
    "-0.0",
    1.5,
    10**4299,
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "2026-01-01",
    "\ud800",
    "a\udfffb",
    "\U0001f600",
    {"\udcff": "\udc80"},
    *(f"deep {depth}" for depth in DEPTHS),
    *(f"keys {depth}" for depth in DEPTHS),
)


class Changing:
    """Makes hostile workspaces out of a good one."""

    def __init__(self, good: dict[str, bytes], chance: random.Random) -> None:
        self.good, self.chance = good, chance
        self.blocks = sorted(key for key in good if key.startswith("blocks/"))
        self.pages = [key for key in self.blocks if self._plain(good[key])[:4] == PREFIX[:4]]

    @staticmethod
    def _plain(stored: bytes) -> bytes:
        return zstandard.decompress(stored[10:]) if stored[5] == 1 else stored[10:]

    def one(self) -> dict[str, bytes]:
        objects = dict(self.good)
        for _ in range(self.chance.choice((1, 1, 2, 5))):
            self.chance.choice(
                (self._bytes, self._bytes, self._block, self._page, self._page, self._snapshot, self._moved)
            )(objects)
        return objects

    def _bytes(self, objects: dict[str, bytes]) -> None:
        """Some object, with some bytes changed, cut, doubled or made up."""
        key = self.chance.choice(sorted(objects))
        objects[key] = self.mangled(objects[key])

    def mangled(self, body: bytes) -> bytes:
        made, chance = bytearray(body), self.chance
        how = chance.randrange(7)
        if how == 0 and made:
            for _ in range(chance.choice((1, 1, 3, 20))):
                made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)
        elif how == 1:
            del made[chance.randrange(len(made) + 1) :]
        elif how == 2:
            at = chance.randrange(len(made) + 1)
            made[at:at] = chance.randbytes(chance.choice((1, 4, 100)))
        elif how == 3 and len(made) > 12:
            at = chance.randrange(min(len(made) - 4, 40))
            made[at : at + 4] = chance.choice(NUMBERS[:14]).to_bytes(8, "big", signed=True)[-4:]
        elif how == 4:
            made += made[: chance.randrange(len(made) + 1)]
        elif how == 5:
            made = bytearray(chance.randbytes(chance.choice((0, 1, 9, 10, 11, 1000))))
        else:
            made[:10] = b"NBLK\x01\x01" + chance.choice((1, 2**23, 100)).to_bytes(4, "big")
            bomb = zstandard.ZstdCompressor(write_content_size=chance.random() < 0.5).compress(bytes(2**24))
            made[10:] = bomb
        return bytes(made)

    def _block(self, objects: dict[str, bytes]) -> None:
        """A block swapped with another, or of another kind."""
        one, other = self.chance.sample(self.blocks, 2)
        objects[one] = objects.get(other, b"")

    def _page(self, objects: dict[str, bytes]) -> None:
        """A page whose values are others, under its right name, and a snapshot that has it as its listing."""
        key = self.chance.choice(self.pages)
        try:
            value = msgpack.unpackb(self._plain(self.good[key])[5:], strict_map_key=False)
            plain = PREFIX + msgpack.packb(self._value(value))
        except (ValueError, TypeError, OverflowError, msgpack.PackException):
            return
        if not 0 < len(plain) <= 2**23:
            return
        self._commit(objects, plain, self.chance.choice((value[0], value[0], 0, 1, 6)))

    def _value(self, value: Any, depth: int = 0) -> Any:
        """value with one or several parts replaced."""
        chance = self.chance
        if isinstance(value, list) and value and (depth < 1 or chance.random() < 0.8):
            made = list(value)
            how = chance.randrange(8)
            if how == 0:
                made.pop(chance.randrange(len(made)))
            elif how == 1:
                made.insert(chance.randrange(len(made) + 1), chance.choice(made))
            elif how == 2 and depth:
                chance.shuffle(made)
            elif how == 3 and len(made) > 1:
                made = made * chance.choice((2, 100))
            else:
                at = chance.randrange(len(made))
                made[at] = self._value(made[at], depth + 1)
            return made[:20_000]
        kinds: tuple[Callable[[], Any], ...] = (
            lambda: chance.choice(NUMBERS),
            lambda: chance.choice(BYTES),
            lambda: None,
            lambda: True,
            lambda: "text",
            lambda: 1.5,
            lambda: {},
            lambda: {"x": {b"user.a": b"1" * 70_000}},
            lambda: {"n": chance.choice(BYTES)},
            lambda: {"Z": 1},
            lambda: [[]] * 10,
            lambda: [0, 0, 1] * chance.choice((1, 1000)),
            lambda: msgpack.ExtType(5, b"x"),
            lambda: self.mangled(value) if isinstance(value, bytes) else value,
        )
        return chance.choice(kinds)()

    def _commit(self, objects: dict[str, bytes], plain: bytes, level: int) -> None:
        name = hash_of(plain)
        objects[f"blocks/{name.hex()[:2]}/{name.hex()}"] = encode(plain)
        key = f"snapshots/{self.chance.randrange(1, 4):010d}"
        fields = json.loads(self.good[key])
        fields["listing"] = {"page": name.hex(), "length": len(plain), "level": level}
        objects[key] = signed(fields)

    def _snapshot(self, objects: dict[str, bytes]) -> None:
        """A snapshot or another JSON object with other fields, its check right."""
        keys = [key for key in objects if not key.startswith("blocks/")]
        key = self.chance.choice(sorted(keys))
        try:
            fields = json.loads(objects[key])
            objects[key] = written({**fields, **self._odd_field(fields)})
        except (ValueError, RecursionError):
            return  # it was made odd before

    def _odd_field(self, fields: Any) -> dict[str, Any]:
        """One of fields with another value."""
        if not isinstance(fields, dict) or not fields:
            raise ValueError("it was made odd before")
        values = (
            *NUMBERS,
            *ODD_JSON,
            "",
            "x" * 70_000,
            None,
            [],
            {},
            True,
            [[[]]] * 50,
            "../../x",
            "0" * 64,
            {"page": "f" * 64},
        )
        return {self.chance.choice(sorted(fields)): self.chance.choice(values)}

    def _moved(self, objects: dict[str, bytes]) -> None:
        """An object that is gone, or lies under another number or an odd key."""
        key = self.chance.choice(sorted(objects))
        body = objects.pop(key)
        odd = (
            "snapshots/0000000009",
            "snapshots/9999999999",
            "snapshots/x",
            "condemned/0000000002",
            "blocks/zz/zz",
            "names/0000000003",
            "leases/0000000001",
        )
        if self.chance.random() < 0.6:
            objects[self.chance.choice(odd)] = body


def signed(fields: dict[str, Any]) -> bytes:
    fields.pop("check", None)
    return canonical({**fields, "check": OPEN.check_of(canonical(fields))})


def written(fields: dict[str, Any]) -> bytes:
    """As somebody writes it who does not care what JSON is; its check, where it has one, is right."""
    fields = dict(fields)
    if "check" in fields:
        del fields["check"]
        fields["check"] = OPEN.check_of(_loose(fields))
    return _loose(fields)


def _loose(fields: dict[str, Any]) -> bytes:
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    text = text.replace('"1e999"', "1e999").replace('"-0.0"', "-0.0").replace('"1e-999"', "1e-999")
    for depth in DEPTHS:
        text = text.replace(f'"deep {depth}"', "[" * depth + "]" * depth)
        text = text.replace(f'"keys {depth}"', '{"":' * depth + "0" + "}" * depth)
    return text.encode()
