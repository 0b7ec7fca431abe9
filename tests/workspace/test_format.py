"""The stored bytes of version 1, as FORMAT.md fixes them: these constants never change."""

import os
import random
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jupyterhub_notebooks import workspace
from jupyterhub_notebooks.errors import Damaged
from jupyterhub_notebooks.names import new_id
from jupyterhub_notebooks.workspace import block_key, parse_workspace_json, snapshot_key, workspace_json
from jupyterhub_notebooks.workspace.blocks import MOST_PLAIN, decode, decode_in_place, encode, hash_of
from jupyterhub_notebooks.workspace.comparing import BUNDLE_BYTES, FILE_BYTES, SLICE_BYTES
from jupyterhub_notebooks.workspace.entries import (
    DIRECTORY,
    FILE,
    MOST_COMPONENT,
    MOST_PATH,
    MOST_PIECES,
    MOST_XATTR_NAMES,
    MOST_XATTRS,
    SYMLINK,
    Entry,
    Piece,
    content_of,
    order,
)
from jupyterhub_notebooks.workspace.keys import OPEN
from jupyterhub_notebooks.workspace.layout import parse_store_json, store_json
from jupyterhub_notebooks.workspace.pages import (
    MOST_BYTES,
    MOST_LEVEL,
    MOST_ROWS,
    ONE_IN,
    PREFIX,
    build,
    entries_of,
    read,
)
from jupyterhub_notebooks.workspace.snapshots import (
    SnapshotHead,
    compose_snapshot,
    parse_snapshot,
)

FORMAT = Path(workspace.__file__).parent / "FORMAT.md"
PLAIN = b"0123456789"
BLOCK = bytes.fromhex("53b63a6fc8605d0c0ce559317a00177d72adb24d669235e4c914f443a8831ca1")
NOW = datetime(2026, 10, 14, 12, 30, tzinfo=UTC)

PIECES = (Piece(b"", 0, 0, 10), Piece(BLOCK, 10, 0, 10))
ENTRIES = [
    Entry(b"a", DIRECTORY, 0o755, 1),
    Entry(b"a/b", FILE, 0o644, -1, 10, BLOCK, (Piece(BLOCK, 10, 0, 10),), xattrs=((b"user.t", b"v"),)),
    Entry(b"a-b", SYMLINK, 0o777, 2, target=b"a/b"),
    Entry(b"c", FILE, 0o600, 3, 10, BLOCK, (Piece(BLOCK, 10, 0, 10),), hard_link_to=b"a/b"),
    Entry(b"hole", FILE, 0o600, 4, 20, content_of(PIECES), PIECES, sparse=True),
]
PAGE = bytes.fromhex(
    "4e4250470193009192c42053b63a6fc8605d0c0ce559317a00177d72adb24d669235e4c914f443a8831ca10a9597c4016101cd01ed01"
    "00c400c098c403612f6200cd01a4ff0ac42053b63a6fc8605d0c0ce559317a00177d72adb24d669235e4c914f443a8831ca19300000a"
    "81a17881c406757365722e74c4017697c403612d6202cd01ff0200c400c403612f6298c4016300cd0180030ac42053b63a6fc8605d0c"
    "0ce559317a00177d72adb24d669235e4c914f443a8831ca19300000a81a16ec403612f6298c404686f6c6500cd01800414c420544f5a"
    "680194b3e75ea7a3e2eae37ab784828136681f2053c80a98f473df22d796ff000a00000a81a173c3"
)
SNAPSHOT = (
    b'{"at":"2026-10-14T12:30:00Z","check":"bb15924ce38394c26407d8651b848ef032e017bfb1c0bb94ef74e732f0c2ba05",'
    b'"created_by":"jupyterhub-notebooks 0.1.0","encryption":null,"entries":5,"files":3,"format":1,"kind":"save",'
    b'"lease":2,"listing":{"length":256,"level":0,"page":'
    b'"e3f21a5ec1d5b5295383963d02770677650a1ed6fd499c9008cfc47ec7e8ef5e"},"magic":"jupyterhub-notebooks snapshot",'
    b'"nonce":"00000000000000000000000000000000","number":7,"parent":6,"size_bytes":30,"skipped":0,'
    b'"stored_bytes":123,"workspace":"00000000000000000000000000"}'
)


def test_the_name_of_a_block_is_the_blake3_of_its_plaintext():
    assert hash_of(PLAIN) == BLOCK


def test_a_plain_block_has_these_bytes():
    assert encode(PLAIN).hex() == "4e424c4b01000000000a" + PLAIN.hex()
    assert decode(BLOCK, encode(PLAIN), 10) == PLAIN


def test_a_compressed_block_of_an_earlier_version_is_read():
    stored = bytes.fromhex("4e424c4b01010000006428b52ffd206445000010616101003f012c")
    assert decode(hash_of(b"a" * 100), stored, 100) == b"a" * 100


@pytest.mark.parametrize("plain", [b"a" * 100, bytes(range(256)) * 4000 + os.urandom(300_000), b"x"])
def test_a_block_is_read_into_memory_that_is_given_and_only_whole(plain):
    stored, room = encode(plain), memoryview(bytearray(MOST_PLAIN))
    assert decode_in_place(hash_of(plain), stored, len(plain), OPEN, room) == plain
    for body in (stored[:-1], stored + b"\0", stored[: len(stored) // 2], stored[:11]):
        if body != stored:
            with pytest.raises(Damaged):
                decode_in_place(hash_of(plain), body, len(plain), OPEN, room)


def test_a_page_has_these_bytes_and_reads_back():
    listing = build(ENTRIES)
    assert listing.pages[0].plain.hex() == PAGE.hex()
    assert list(entries_of([listing.root], [PAGE])) == ENTRIES


def test_a_snapshot_has_these_bytes_and_reads_back():
    root = build(ENTRIES).root
    by = "jupyterhub-notebooks 0.1.0"
    head = SnapshotHead("0" * 26, 7, "save", 6, 2, NOW, by, 30, 3, 5, 123, 0, root)
    assert compose_snapshot(head, bytes(16)) == SNAPSHOT
    back = parse_snapshot(SNAPSHOT, number=7, workspace="0" * 26)
    assert (back.number, back.kind, back.parent, back.at, back.files) == (7, "save", 6, NOW, 3)
    assert back.root.name == root.name


@pytest.mark.parametrize(
    "old, new",
    [
        (b'"number":7', b'"number":8'),
        (b'"size_bytes":30', b'"size_bytes":31'),
        (b'"format":1', b'"format":2'),
        (b'"kind":"save"', b'"kind":"best"'),
        (b'"encryption":null', b'"encryption":"k1"'),
        (b'"level":0', b'"level":99'),
        (b"}", b""),
        (b'"magic":"jupyterhub-notebooks snapshot"', b'"magic":"a picture"'),
    ],
)
def test_a_snapshot_with_one_thing_changed_is_refused(old, new):
    with pytest.raises(Damaged):
        parse_snapshot(SNAPSHOT.replace(old, new, 1), number=7)


def test_a_field_that_comes_later_is_ignored_and_guarded():
    import json

    from jupyterhub_notebooks.workspace.snapshots import canonical

    fields = json.loads(SNAPSHOT) | {"colour": "red"}
    del fields["check"]
    body = canonical({**fields, "check": hash_of(canonical(fields)).hex()})
    assert parse_snapshot(body, number=7).files == 3
    with pytest.raises(Damaged):
        parse_snapshot(body.replace(b"red", b"tea"), number=7)


def test_keys_are_built_from_hash_and_number_and_nothing_else():
    id = new_id(NOW, lambda count: bytes(count))
    name = BLOCK.hex()
    assert block_key(id, name) == f"workspaces/{id}/blocks/53/{name}"
    assert snapshot_key(id, 12) == f"workspaces/{id}/snapshots/0000000012"
    for bad in ("", "..", name.upper(), name[:-1], name + "/..", "../" + name[3:]):
        with pytest.raises(ValueError):
            block_key(id, bad)
    for number in (0, -1, 10**10):
        with pytest.raises(ValueError):
            snapshot_key(id, number)
    for workspace_id in ("", "..", "mara", id.upper(), id + "/"):
        with pytest.raises(ValueError):
            snapshot_key(workspace_id, 1)


def test_workspace_json_says_how_the_workspace_is_stored():
    id = new_id(NOW, lambda count: bytes(count))
    body = workspace_json(id, lease="service", now=NOW, created_by="a test")
    facts = parse_workspace_json(body)
    assert (facts.id, facts.lease) == (id, "service")
    for old, new in (
        (b'"blake3"', b'"md5"'),
        (b'"encryption":null', b'"encryption":{"key":"k"}'),
        (b"1", b"2"),
    ):
        with pytest.raises(Damaged):
            parse_workspace_json(
                body.replace(b'"format":1', b'"format":2') if old == b"1" else body.replace(old, new)
            )


def test_the_root_says_whose_store_it_is():
    assert parse_store_json(store_json("hub-one", NOW, "a test")).hub == "hub-one"
    with pytest.raises(Damaged):
        parse_store_json(b"{}")


def test_the_limits_in_the_document_are_those_of_the_code():
    text = FORMAT.read_text()
    table = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|$", text.split("## Limits")[1], re.M))
    assert table["plaintext of a block, page"] == f"{MOST_PLAIN:,} bytes"
    assert table["rows in a page"] == f"{MOST_ROWS:,}"
    assert table["level of the root"] == str(MOST_LEVEL)
    assert table["pieces of a file"].startswith(f"{MOST_PIECES:,} ")
    assert table["path, component"] == f"{MOST_PATH:,} bytes, {MOST_COMPONENT} bytes"
    assert table["extended attributes of an entry"] == f"{MOST_XATTRS:,} bytes"
    assert table["their number"] == f"{MOST_XATTR_NAMES:,}"
    assert f'"bytes": {SLICE_BYTES}' in text
    assert f'"file_bytes": {FILE_BYTES}, "block_bytes": {BUNDLE_BYTES}' in text
    assert f'"one_in": {ONE_IN}, "most_rows": {MOST_ROWS}, "most_bytes": {MOST_BYTES}' in text
    assert f"2^32 / {ONE_IN}" in text


def many(count: int, seed: int = 1) -> list[Entry]:
    chance = random.Random(seed)
    folders = [f"folder-{number:03d}".encode() for number in range(count // 100)]
    entries = [Entry(folder, DIRECTORY, 0o755, 0) for folder in folders]
    for number in range(count):
        path = chance.choice(folders) + b"/file-%d" % number
        block = chance.randbytes(32)
        entries.append(Entry(path, FILE, 0o644, number, 5, block, (Piece(block, 5, 0, 5),)))
    return sorted(entries, key=lambda entry: order(entry.path))


def fetch_of(*listings):
    plains = {page.ref.name: page.plain for listing in listings for page in listing.pages}
    return lambda wanted: iter([plains[name] for name, _ in wanted])


def test_a_listing_of_many_pages_reads_back_and_says_what_lies_below():
    entries = many(30_000)
    listing = build(entries)
    assert listing.root.level >= 1
    assert listing.root.entries == len(entries)
    assert listing.root.size_bytes == 150_000
    assert list(read(listing.root, fetch_of(listing))) == entries
    assert all(page.plain.startswith(PREFIX) and len(page.plain) <= MOST_PLAIN for page in listing.pages)


def test_adding_or_removing_one_entry_changes_only_the_pages_on_its_way():
    entries = many(30_000)
    before = {page.ref.name for page in build(entries).pages}
    chance = random.Random(2)
    for _ in range(5):
        less = list(entries)
        del less[chance.randrange(1000, 29_000)]
        new = {page.ref.name for page in build(less).pages} - before
        assert len(new) <= 5


def test_a_listing_does_not_depend_on_what_was_saved_before():
    entries = many(5_000)
    assert build(entries) == build(list(entries))


def test_a_file_of_the_most_pieces_still_fits_into_a_page():
    pieces = tuple(
        Piece(number.to_bytes(32, "big"), MOST_PLAIN, 0, MOST_PLAIN) for number in range(1, MOST_PIECES + 1)
    )
    size = MOST_PIECES * MOST_PLAIN
    filler = many(3_000)
    entries = [*filler, Entry(b"zz", FILE, 0o644, 0, size, content_of(pieces), pieces)]
    listing = build(entries)
    assert max(len(page.plain) for page in listing.pages) <= MOST_PLAIN
    assert list(read(listing.root, fetch_of(listing)))[-1].size == size


def test_paths_of_the_greatest_length_still_fit_into_nodes():
    component = b"n" * MOST_COMPONENT
    deep = b"/".join([component] * 15)
    folders = [Entry(b"/".join([component] * depth), DIRECTORY, 0o755, 0) for depth in range(1, 16)]
    files = [Entry(deep + b"/%05d" % number, SYMLINK, 0o777, 0, target=b"x") for number in range(3000)]
    listing = build([*folders, *files])
    assert max(len(page.plain) for page in listing.pages) <= MOST_PLAIN
    assert len(list(read(listing.root, fetch_of(listing)))) == 3015
