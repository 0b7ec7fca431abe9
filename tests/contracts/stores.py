"""What every store must do; each implementation's test class inherits this and gives the fixture ``store``."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from jupyterhub_notebooks.errors import Damaged, NotFound
from jupyterhub_notebooks.workspace.blocks import MOST_STORED


class StoreContract:
    def test_what_was_put_is_got(self, store):
        body = os.urandom(MOST_STORED)
        assert store.put("blocks/ab/one", body) is True
        assert store.get("blocks/ab/one") == body
        assert store.size("blocks/ab/one") == len(body)
        assert store.exists("blocks/ab/one")

    @pytest.mark.parametrize("size", [0, 1, 100_000, MOST_STORED])
    def test_what_was_put_is_got_into_memory_that_is_there(self, store, size):
        body = os.urandom(size)
        store.put("blocks/ab/one", body)
        for room in (memoryview(bytearray(size)), memoryview(bytearray(size + 1000))):
            found = store.get_into("blocks/ab/one", room)
            assert found == body == room[:size]
            assert room[size:] == bytes(len(room) - size)
        if size:
            small = memoryview(bytearray(size - 1))
            assert store.get_into("blocks/ab/one", small) == body

    def test_what_is_not_there_or_too_large_is_not_got_into_memory_either(self, store):
        room = memoryview(bytearray(100))
        with pytest.raises(NotFound):
            store.get_into("blocks/ab/none", room)
        store.replace("blocks/ab/large", bytes(MOST_STORED + 1))
        with pytest.raises(Damaged, match="more than"):
            store.get_into("blocks/ab/large", memoryview(bytearray(MOST_STORED + 1)))
        assert room == bytes(100)

    def test_an_empty_object_is_an_object(self, store):
        assert store.put("empty", b"") is True
        assert store.get("empty") == b""

    def test_what_is_not_there_is_not_found(self, store):
        assert not store.exists("blocks/ab/none")
        with pytest.raises(NotFound):
            store.get("blocks/ab/none")
        with pytest.raises(NotFound):
            store.size("blocks/ab/none")

    def test_a_second_put_says_so_and_changes_nothing(self, store):
        assert store.put("blocks/ab/one", b"first") is True
        assert store.put("blocks/ab/one", b"other") is False
        assert store.get("blocks/ab/one") == b"first"

    def test_a_key_is_created_once(self, store):
        assert store.put_new("snapshots/0000000001", b"ours") is True
        assert store.put_new("snapshots/0000000001", b"theirs") is False
        assert store.get("snapshots/0000000001") == b"ours"

    def test_the_same_body_created_again_is_still_ours(self, store):
        assert store.put_new("snapshots/0000000001", b"ours") is True
        assert store.put_new("snapshots/0000000001", b"ours") is True

    def test_of_twenty_writers_exactly_one_wins_and_its_bytes_are_there(self, store):
        bodies = [f"writer {number} ".encode() * 1000 for number in range(20)]
        for key in ("snapshots/0000000001", "snapshots/0000000002", "leases/0000000001"):
            with ThreadPoolExecutor(20) as writers:
                won = list(writers.map(lambda body, key=key: store.put_new(key, body), bodies))
            assert won.count(True) == 1
            assert store.get(key) == bodies[won.index(True)]

    def test_replacing_shows_the_new_bytes_at_once(self, store):
        store.replace("condemned/0000000001", b"one")
        store.replace("condemned/0000000001", b"two")
        assert store.get("condemned/0000000001") == b"two"

    def test_a_list_has_every_key_below_a_folder_in_order_with_its_size(self, store):
        for number in (3, 1, 2):
            store.put(f"snapshots/{number:010d}", b"x" * number)
        store.put("leases/0000000001", b"l")
        store.put("leases/0000000001-ended", b"l")
        store.put("workspace.json", b"{}")
        assert list(store.list("snapshots/")) == [(f"snapshots/{n:010d}", n) for n in (1, 2, 3)]
        assert [key for key, _ in store.list("")] == [
            "leases/0000000001",
            "leases/0000000001-ended",
            "snapshots/0000000001",
            "snapshots/0000000002",
            "snapshots/0000000003",
            "workspace.json",
        ]
        assert list(store.list("condemned/")) == []

    def test_what_is_larger_than_any_object_of_its_kind_is_damaged_and_not_ours(self, store):
        for key, most in (
            ("snapshots/0000000001", 65535),
            ("leases/0000000001", 65535),
            ("w/names/0000000001", 65535),
        ):
            store.replace(key, bytes(most))
            assert len(store.get(key)) == most
            store.replace(key, bytes(most + 1))
            with pytest.raises(Damaged, match="more than 65535 bytes"):
                store.get(key)
            assert store.put_new(key, b"ours") is False
        with pytest.raises(Damaged):
            store.get(key, 100)
        assert store.get(key, 65536) == bytes(65536)

    def test_a_list_of_more_than_a_thousand_keys_is_whole(self, store):
        keys = [f"blocks/{number % 256:02x}/{number:064x}" for number in range(1100)]
        with ThreadPoolExecutor(16) as writers:
            assert all(writers.map(lambda key: store.put(key, b"b"), keys))
        assert [key for key, _ in store.list("blocks/")] == sorted(keys)

    def test_what_was_deleted_is_gone_and_deleting_again_is_no_error(self, store):
        store.put("blocks/ab/one", b"x")
        store.delete("blocks/ab/one")
        store.delete("blocks/ab/one")
        assert not store.exists("blocks/ab/one")
        assert list(store.list("blocks/")) == []
        assert store.put("blocks/ab/one", b"again") is True
