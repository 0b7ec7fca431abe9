"""The stores there are keep the contract; and what each adds of its own."""

import os

import pytest

from jupyterhub_notebooks.errors import (
    BadInput,
    ConfigError,
    Denied,
    NotFound,
    StorageAway,
)
from jupyterhub_notebooks.workspace import WorkspaceStore, claim_root, open_store

from ..contracts.stores import StoreContract
from ..s3 import free_port
from .conftest import NOW, WORKSPACE


class TestDirectoryStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        return open_store((tmp_path / "a store").as_uri())

    def test_nothing_but_the_object_is_left_in_its_folder(self, store):
        store.put_new("snapshots/0000000001", b"one")
        store.put_new("snapshots/0000000001", b"two")
        left = [path for path in store.root.rglob("*") if path.is_file()]
        assert left == [store.root / "snapshots/0000000001"]

    @pytest.mark.parametrize(
        "key", ["../out", "/etc/passwd", "a//b", "a/../b", ".hidden", "a/.b", "", "a\0b", "é"]
    )
    def test_a_key_that_leads_elsewhere_is_refused(self, store, key):
        with pytest.raises(ValueError, match="is no key"):
            store.put(key, b"x")

    def test_a_link_whose_answer_was_lost_is_still_ours(self, store, monkeypatch):
        real, fired = os.link, []

        def link(source, target):
            real(source, target)
            fired.append(target)
            raise FileExistsError(17, "made, but the answer said otherwise", target)

        monkeypatch.setattr(os, "link", link)
        assert store.put_new("snapshots/0000000001", b"ours") is True
        assert fired

    def test_a_directory_that_may_not_be_written_is_denied_in_words(self, store, monkeypatch):
        def refuse(*_, **__):
            raise PermissionError(13, "Permission denied", "/store")

        monkeypatch.setattr(os, "link", refuse)
        with pytest.raises(Denied, match="may not be used by this account"):
            store.put_new("a", b"x")


class TestS3Store(StoreContract):
    @pytest.fixture
    def store(self, s3_server, request):
        prefix = "".join(char if char.isalnum() else "-" for char in request.node.name)
        return open_store(f"s3://notebooks/{prefix}/{os.urandom(4).hex()}", s3_server.options)

    def test_when_the_answer_to_a_creation_is_lost_it_is_still_ours(self, store, monkeypatch):
        fired = _lose_answers(store, monkeypatch, 1)
        assert store.put_new("snapshots/0000000001", b"ours") is True
        assert fired
        assert store.put_new("snapshots/0000000001", b"theirs") is False

    def test_when_the_answer_is_lost_and_another_was_first_it_is_not_ours(self, store, monkeypatch):
        store.put_new("snapshots/0000000001", b"theirs")
        fired = _lose_answers(store, monkeypatch, 1)
        assert store.put_new("snapshots/0000000001", b"ours") is False
        assert store.get("snapshots/0000000001") == b"theirs"
        assert not fired  # a refusal is an answer

    def test_two_prefixes_of_a_bucket_share_nothing(self, store, s3_server):
        store.put("blocks/ab/one", b"x")
        other = open_store("s3://notebooks/elsewhere", s3_server.options)
        assert not other.exists("blocks/ab/one")


def _lose_answers(store, monkeypatch, times):
    """The first successful PUTs are made, and their answers lost."""
    real, fired = store._fs.call_s3, []

    def call(method, *arguments, **more):
        answer = real(method, *arguments, **more)
        if method == "put_object" and len(fired) < times:
            fired.append(more["Key"])
            raise ConnectionResetError("the answer was lost")
        return answer

    monkeypatch.setattr(store._fs, "call_s3", call)
    return fired


def test_a_bucket_that_is_not_there_is_named(s3_server):
    store = open_store("s3://no-such-bucket/x", s3_server.options)
    with pytest.raises(BadInput, match="There is no bucket 'no-such-bucket'"):
        store.get("workspace.json")


def test_a_wrong_secret_is_denied_in_words(s3_server):
    store = open_store("s3://notebooks/x", {**s3_server.options, "secret": "wrong"})
    with pytest.raises(Denied, match="refuses access") as refused:
        store.get("workspace.json")
    assert "wrong" not in refused.value.sentence()


def test_a_server_that_does_not_answer_is_away(s3_server):
    options = {**s3_server.options, "endpoint_url": f"http://127.0.0.1:{free_port()}"}
    store = open_store("s3://notebooks/x", options)
    store.patience_seconds = 0.2
    with pytest.raises(StorageAway, match="does not answer"):
        store.get("workspace.json")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "ftp://host/x",
        "file://host/x",
        "file:relative",
        "s3://",
        "s3://b/../x",
        "s3://key@b/x",
        "s3://b/x?y=1",
    ],
)
def test_a_wrong_address_is_refused_with_the_right_form(url):
    with pytest.raises(BadInput, match="is not the address of a store"):
        open_store(url)


def test_a_file_in_the_place_of_the_store_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match="is no directory"):
        open_store((tmp_path / "file").as_uri())


def test_an_unknown_option_of_s3_is_named():
    with pytest.raises(BadInput, match="no option 'colour'"):
        open_store("s3://b/x", {"colour": "red"})


def test_a_wrong_address_of_the_server_is_refused():
    with pytest.raises(BadInput, match="'nonsense' is not the address of an S3 server"):
        open_store("s3://b/x", {"endpoint_url": "nonsense"})


def test_a_store_without_conditional_writes_is_only_for_a_service():
    options = {"conditional": "none", "key": "k", "secret": "s"}
    with pytest.raises(ConfigError, match="without conditional writes"):
        open_store("s3://b/x", options)
    assert open_store("s3://b/x", options, serialized=True)


def test_without_conditional_writes_a_service_still_creates_once(s3_server):
    store = open_store(
        "s3://notebooks/serialized", {**s3_server.options, "conditional": "none"}, serialized=True
    )
    assert store.put_new("snapshots/0000000001", b"ours") is True
    assert store.put_new("snapshots/0000000001", b"ours") is True
    assert store.put_new("snapshots/0000000001", b"theirs") is False
    assert store.put("snapshots/0000000001", b"theirs") is False


def test_a_store_that_overwrites_silently_is_refused_at_the_first_workspace(s3_server):
    lying = open_store("s3://notebooks/lying", {**s3_server.options, "conditional": "none"}, serialized=True)
    lying.put_new = lambda key, body: lying._create(key, body)
    with pytest.raises(ConfigError, match="overwrites what it was asked to create only once"):
        WorkspaceStore(lying).create(WORKSPACE, lease="objects", now=NOW)


def test_another_hubs_store_is_refused_with_the_remedy(tmp_path):
    store = open_store(tmp_path.as_uri())
    assert claim_root(store, "hub-one", NOW).hub == "hub-one"
    assert claim_root(store, "hub-one", NOW).hub == "hub-one"
    with pytest.raises(ConfigError, match="belongs to another Hub") as refused:
        claim_root(store, "hub-two", NOW)
    assert "notebooks-store.json" in refused.value.sentence()


def test_a_workspace_of_a_service_is_not_written_by_the_command(tmp_path):
    space = WorkspaceStore(open_store(tmp_path.as_uri()), "workspaces/one")
    space.create(WORKSPACE, lease="service", now=NOW)
    with pytest.raises(Exception, match="written by a Hub"):
        space.take_lease("me", NOW)


def test_a_workspace_that_is_not_there_has_no_facts(tmp_path):
    space = WorkspaceStore(open_store(tmp_path.as_uri()))
    assert space.facts() is None
    with pytest.raises(NotFound):
        space.get(1)
