"""An encrypted workspace: what a bucket alone shows, and what a wrong key does."""

import base64
import os
import re
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
import zstandard

import jupyterhub_notebooks.workspace as engine
from jupyterhub_notebooks.errors import Damaged
from jupyterhub_notebooks.names import new_id
from jupyterhub_notebooks.workspace import Volume, WorkspaceStore, check, listing, open_store, restore, save
from jupyterhub_notebooks.workspace.blocks import decode, encode
from jupyterhub_notebooks.workspace.browsing import Contents, read_file
from jupyterhub_notebooks.workspace.differing import differences
from jupyterhub_notebooks.workspace.keys import Keys, WrongKey, key_of_text, new_key, unwrap, wrap
from jupyterhub_notebooks.workspace.pruning import prune
from jupyterhub_notebooks.workspace.repairing import repair
from jupyterhub_notebooks.workspace.retention import Rule
from jupyterhub_notebooks.workspace.snapshots import compose_snapshot, parse_snapshot

from .conftest import NOW, WORKSPACE, Space, tree

FORMAT = Path(engine.__file__).with_name("FORMAT.md")
KEY = bytes(range(32))
NAMES = ["quarterly-churn-forecast.ipynb", "patients-of-ward-seven.csv", "model-weights-of-ours.bin"]
CONTENT = b"The merger is announced on Tuesday. "


def sealed(folder: Path, key: bytes, id: str = WORKSPACE) -> Space:
    store = WorkspaceStore(open_store((folder / "store").as_uri()))
    store.unlock(key)
    store.create(id, lease="objects", now=NOW)
    store.take_lease("a test", NOW)
    return Space(folder, store)


@pytest.fixture
def key():
    return new_key()


@pytest.fixture
def sealed_space(tmp_path, key):
    return sealed(tmp_path, key)


def fill(volume: Volume) -> None:
    deep = volume.files / "board" / "confidential-plans"
    deep.mkdir(parents=True)
    (volume.files / NAMES[0]).write_bytes(CONTENT * 3)
    (volume.files / NAMES[1]).write_bytes(CONTENT * 5000)
    (deep / NAMES[2]).write_bytes(CONTENT + os.urandom(9 * 2**20))
    (deep / "empty").touch()
    (volume.files / "link-to-the-plans").symlink_to("board/confidential-plans")
    os.setxattr(volume.files / NAMES[0], "user.classification", b"secret-of-the-board")


def stored(space: Space) -> bytes:
    """All keys and all bytes of the store."""
    root = space.folder / "store"
    return b"".join(
        os.fsencode(path.relative_to(root)) + b"\n" + (path.read_bytes() if path.is_file() else b"")
        for path in sorted(root.rglob("*"))
    )


def test_an_encrypted_workspace_comes_back_as_it_was(sealed_space):
    volume = sealed_space.volume()
    fill(volume)
    assert sealed_space.save(volume).number == 1
    back = sealed_space.volume("back")
    sealed_space.restore(back)
    assert tree(back.files) == tree(volume.files)
    again = sealed_space.restore(back)
    assert (again.fetched_bytes, again.kept_files) == (0, 4)
    report = check(
        sealed_space.store, sealed_space.store, read_data=True, stored=sealed_space.store.block_sizes()
    )
    assert (report.errors, report.hints) == ((), ())


def test_nothing_changed_means_nothing_saved_and_a_change_saves_its_own_bytes_only(sealed_space):
    volume = sealed_space.volume()
    fill(volume)
    sealed_space.save(volume)
    assert sealed_space.save(volume).number == 0
    (volume.state / "scan").unlink()
    assert sealed_space.save(volume).number == 0
    (volume.files / "new").write_bytes(b"new")
    report = sealed_space.save(volume)
    assert report.number == 2
    assert report.stored_bytes < 5000


def test_a_search_of_the_whole_store_finds_no_name_and_no_content(sealed_space, key):
    volume = sealed_space.volume()
    fill(volume)
    sealed_space.save(volume)
    (volume.files / NAMES[0]).rename(volume.files / "renamed-plan.txt")
    sealed_space.save(volume)
    found = stored(sealed_space)
    words = [b"churn", b"patients", b"weights", b"confidential", b"board", b"renamed", b"link-to", b"empty"]
    words += [b"merger", b"announced", b"Tuesday", b"classification", b"secret", b"NBPG", key, b"churn-f"]
    assert [word for word in words if word in found] == []
    assert key.hex().encode() not in found
    assert Keys(key).id.encode() in found


def test_the_state_beside_the_files_does_not_hold_the_key(sealed_space, key):
    volume = sealed_space.volume()
    fill(volume)
    sealed_space.save(volume)
    kept = b"".join(path.read_bytes() for path in volume.state.iterdir())
    assert key not in kept
    assert key.hex().encode() not in kept
    assert key.hex() not in repr(Keys(key)) + str(vars(sealed_space.store))


def test_equal_files_in_two_workspaces_have_different_names(tmp_path):
    names = []
    for one in ("first", "second"):
        space = sealed(tmp_path / one, new_key(), new_id(NOW, os.urandom))
        volume = space.volume()
        (volume.files / "same").write_bytes(CONTENT * 100)
        space.save(volume, workspace_id=space.store.facts().id)
        names.append({path.name for path in space.blocks()})
    assert names[0].isdisjoint(names[1])
    assert len(names[0]) == len(names[1]) == 2


def test_the_same_content_twice_is_still_stored_once(sealed_space):
    volume = sealed_space.volume()
    data = os.urandom(100_000)
    (volume.files / "one").write_bytes(data)
    (volume.files / "two").write_bytes(data)
    assert sealed_space.save(volume).stored_bytes < 110_000


@pytest.mark.parametrize("given", [None, new_key()], ids=["no key", "another key"])
def test_without_the_right_key_nothing_is_restored_and_the_reason_is_said(sealed_space, given):
    volume = sealed_space.volume()
    fill(volume)
    sealed_space.save(volume)
    other = WorkspaceStore(sealed_space.store.store)
    with pytest.raises(WrongKey, match="This workspace is encrypted"):
        other.unlock(given)
    other.keys = Keys(given)
    back = sealed_space.volume("back")
    for act in (
        lambda: restore(back, other, other, 1),
        lambda: list(listing(other, other, 1)),
        lambda: save(
            volume, other, other, number=2, parent=1, workspace_id=WORKSPACE, now=NOW, created_by=""
        ),
    ):
        with pytest.raises(WrongKey) as refused:
            act()
        assert refused.value.exit_code == 5
        assert Keys(sealed_space.store.keys._key).id in refused.value.sentence()
    assert list(back.files.iterdir()) == []
    assert back.restoring is None
    assert len(check(other, other).errors) == 1
    assert other.numbers() == [1]


def test_a_key_for_a_workspace_that_is_not_encrypted_is_refused(space, key):
    with pytest.raises(WrongKey, match="not encrypted"):
        WorkspaceStore(space.store.store).unlock(key)


def test_what_was_put_there_unencrypted_is_refused(sealed_space, volume_of_another):
    """Somebody with the bucket writes a snapshot of their own making."""
    volume = sealed_space.volume()
    fill(volume)
    sealed_space.save(volume)
    theirs = volume_of_another.store.get(1)
    sealed_space.store.put_snapshot(2, theirs)
    for path in volume_of_another.blocks():
        sealed_space.store.put(path.name, path.read_bytes())
    back = sealed_space.volume("back")
    with pytest.raises(Damaged, match="Snapshot 2 is damaged"):
        sealed_space.restore(back, 2)
    assert list(back.files.iterdir()) == []
    forged = theirs.replace(b'"encryption":null', b'"encryption":"%s"' % sealed_space.store.keys.id.encode())
    with pytest.raises(Damaged, match="damaged"):
        parse_snapshot(forged, number=1, keys=sealed_space.store.keys)


@pytest.fixture
def volume_of_another(tmp_path):
    folder = tmp_path / "another"
    store = WorkspaceStore(open_store((folder / "store").as_uri()))
    store.create(WORKSPACE, lease="objects", now=NOW)
    store.take_lease("a test", NOW)
    made = Space(folder, store)
    volume = made.volume()
    (volume.files / "evil").write_bytes(b"evil")
    made.save(volume)
    return made


@pytest.mark.parametrize("at", [0, 5, 6, 9, 10, 15, 22, 40, -1])
def test_one_bit_changed_anywhere_in_a_block_is_found(at):
    keys = Keys(KEY)
    plain = CONTENT * 20
    name = keys.hash_of(plain)
    body = bytearray(encode(plain, keys))
    assert decode(name, bytes(body), len(plain), keys) == plain
    body[at] ^= 1
    with pytest.raises(Damaged):
        decode(name, bytes(body), len(plain), keys)


def test_a_block_in_the_place_of_another_and_one_cut_off_are_found():
    keys = Keys(KEY)
    one, two = b"one" * 100, b"two" * 100
    with pytest.raises(Damaged, match="changed, or sealed with another key"):
        decode(keys.hash_of(one), encode(two, keys), 300, keys)
    for length in range(0, 40):
        with pytest.raises(Damaged):
            decode(keys.hash_of(one), encode(one, keys)[:length], 300, keys)
    with pytest.raises(Damaged, match="not encrypted, and this workspace is"):
        decode(keys.hash_of(one), encode(one), 300, keys)


def test_the_example_bytes_of_the_document_are_those_of_the_code(monkeypatch):
    text = FORMAT.read_text().split("## Example bytes of an encrypted workspace")[1].split("\n## ")[0]
    rows = [bytes.fromhex(value) for value in re.findall(r"^\| .* \| `([0-9a-f]+)` \|$", text, re.M)]
    id, small, small_block, packed, packed_block, empty, wrapped = rows
    keys = Keys(KEY)
    assert (keys.id, keys.hash_of(b"# Churn, Q3\n"), keys.empty) == (id.hex(), small, empty)
    assert keys.hash_of(b"a" * 100) == packed
    assert decode(small, small_block, 12, keys) == b"# Churn, Q3\n"
    assert decode(packed, packed_block, 100, keys) == b"a" * 100
    assert unwrap(wrapped, bytes(32), "0" * 26) == KEY
    body = re.search(r"^A snapshot: `(.*)`$", text, re.M).group(1).encode()
    head = parse_snapshot(body, number=1, workspace="0" * 26, keys=keys)
    monkeypatch.setattr(os, "urandom", lambda count: bytes(range(count)))
    assert encode(b"# Churn, Q3\n", keys) == small_block
    assert wrap(KEY, bytes(32), "0" * 26) == wrapped
    assert compose_snapshot(head, bytes(16), keys) == body


def test_a_wrapped_key_opens_for_its_own_workspace_and_its_own_wrapping_key_only(key):
    wrapping = new_key()
    wrapped = wrap(key, wrapping, "a" * 26)
    assert key not in wrapped
    assert unwrap(wrapped, wrapping, "a" * 26) == key
    for bad in (
        (wrapped, new_key(), "a" * 26),
        (wrapped, wrapping, "b" * 26),
        (wrapped[:-1], wrapping, "a" * 26),
    ):
        with pytest.raises(WrongKey, match="cannot be opened"):
            unwrap(*bad)


@pytest.mark.parametrize("text", ["", "secret words", "ab" * 31, "zz" * 32])
def test_what_is_no_key_is_refused_without_being_shown(text):
    with pytest.raises(Exception) as refused:
        key_of_text(text, "encryption_key")
    assert not text or text not in refused.value.sentence()
    assert key_of_text(" " + "AB" * 32 + "\n", "x") == bytes([0xAB] * 32)


def test_history_and_care_work_where_everything_is_encrypted(sealed_space):
    volume = sealed_space.volume()
    fill(volume)
    store = sealed_space.store
    sealed_space.save(volume)
    (volume.files / NAMES[0]).write_bytes(CONTENT)
    sealed_space.save(volume, now=NOW + timedelta(days=1))
    store.name(1, "before the secret meeting", NOW)
    assert store.names() == {1: "before the secret meeting"}
    assert b"secret meeting" not in stored(sealed_space)
    assert [one.path for one in differences(store, store, 1, 2)] == [NAMES[0].encode()]
    assert b"".join(read_file(store, Contents(store, store, 1).entry(NAMES[0].encode()))) == CONTENT * 3
    later = NOW + timedelta(days=3)
    assert prune(store, now=later, rule=Rule(0, 0, 0)).removed_snapshots == (1,)
    assert prune(store, now=later + timedelta(days=2), rule=Rule(0, 0, 0)).deleted_blocks > 0
    victim = max((sealed_space.folder / "store" / "blocks").glob("*/*"), key=lambda path: path.stat().st_size)
    victim.write_bytes(victim.read_bytes()[:-1])
    report = repair(store, now=later, created_by="a test")
    assert (report.number, len(report.lost), report.removed_blocks) == (3, 1, 1)
    sealed_space.restore(sealed_space.volume("back"), 3)


def test_an_encrypted_workspace_on_s3_comes_back_and_shows_nothing(s3_server, tmp_path, key):
    store = WorkspaceStore(open_store(s3_server.url + "/encrypted", s3_server.options))
    store.unlock(key)
    store.create(WORKSPACE, lease="objects", now=NOW)
    store.take_lease("a test", NOW)
    space = Space(tmp_path, store)
    volume = space.volume()
    fill(volume)
    space.save(volume)
    back = space.volume("back")
    space.restore(back)
    assert tree(back.files) == tree(volume.files)
    objects = [(name, store.store.get(name)) for name, _ in store.store.list("")]
    found = b"".join(name.encode() + body for name, body in objects)
    assert [
        word for word in (b"churn", b"patients", b"confidential", b"merger", b"Tuesday") if word in found
    ] == []


def test_after_a_whole_life_no_key_and_no_byte_of_the_bucket_shows_a_name_or_a_content(sealed_space, key):
    """Saved twice, named, pruned in both steps, repaired: searched as it lies there, as hex, as base64, and unpacked."""
    volume, store = sealed_space.volume(), sealed_space.store
    fill(volume)
    sealed_space.save(volume)
    (volume.files / NAMES[1]).write_bytes(CONTENT * 9000)
    sealed_space.save(volume, now=NOW + timedelta(days=3))
    store.name(2, "before the merger", NOW)
    for days in (4, 6):
        done = prune(store, now=NOW + timedelta(days=days), rule=Rule(0, 0, 0), named=store.names())
    assert done.deleted_blocks
    repair(store, now=NOW, created_by="a test")
    bucket = stored(sealed_space)
    places = sorted((sealed_space.folder / "store").rglob("*"))
    for path in places:
        if path.is_file():
            body = path.read_bytes()
            for skip in (0, 10, 22):
                with suppress(zstandard.ZstdError):
                    bucket += zstandard.ZstdDecompressor().decompress(body[skip:], max_output_size=2**24)
    words = [name.encode() for name in NAMES] + [part for name in NAMES for part in name.encode().split(b"-")]
    words += [
        CONTENT,
        CONTENT.strip(),
        b"merger",
        b"confidential",
        b"link-to-the-plans",
        b"secret-of-the-board",
    ]
    words += [b"classification", b"before the", key]
    for word in words:
        if len(word) < 5:
            continue
        forms = [word, word.hex().encode(), word.upper(), word.decode("latin-1").encode("utf-16-le")]
        forms += [base64.b64encode(bytes(shift) + word)[4 * (shift > 0) + 2 : -4] for shift in range(3)]
        for form in forms:
            assert len(form) < 6 or form not in bucket, word
