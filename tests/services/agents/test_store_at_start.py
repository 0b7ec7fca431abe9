"""What the service does with the store when it starts: looks at it, every time, and refuses one that lies."""

import os

import pytest

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.errors import NoSpace, StorageAway
from jupyterhub_notebooks.services.agents.storage import look_at
from jupyterhub_notebooks.workspace import open_store, read_root
from jupyterhub_notebooks.workspace.layout import StoreFacts
from jupyterhub_notebooks.workspace.store import keep_validated
from jupyterhub_notebooks.workspace.store.directory import DirectoryStore
from tests import certificates, s3
from tests.agents_service import start_agents_service
from tests.workspace.overwriting import overwriting

from .conftest import commit, commit_of, fresh, get, hello, looked_at_before, put, sign, snapshot, to_put


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with s3.running(tmp_path_factory.mktemp("s3")) as made:
        yield made


def on(server, tmp_path, **options):
    where = f"s3://notebooks/{os.urandom(4).hex()}"
    return start_agents_service(
        tmp_path, started=False, store=where, store_options={**server.options, **options}
    )


def test_a_store_that_came_to_overwrite_silently_ends_the_service_with_the_remedy(server, tmp_path):
    with overwriting(server) as address:
        service = on(server, tmp_path, endpoint_url=address)
        try:
            looked_at_before(service)
            with pytest.raises(AssertionError) as ended:
                service.start()
        finally:
            service.close()
    said = str(ended.value)
    assert "check 2 of `jupyterhub-notebooks store validate`, failed" in said
    assert "conditional" in said
    assert server.secret not in said and "Traceback" not in said


def test_with_conditional_none_the_ledger_alone_lets_one_commit_take_a_number(server, tmp_path):
    with overwriting(server) as address:
        service = on(server, tmp_path, endpoint_url=address, conditional="none")
        try:
            looked_at_before(service)
            service.start()
            session = fresh(service)
            hello(service, session)
            name = "ab" * 32
            [url] = sign(service, session, to_put(b"first", name))
            assert "if-none-match" not in url["headers"]
            assert put(service, session, b"first", name) == 200
            assert (
                put(service, session, b"other", name) == 200
            )  # its own block, and a session can damage only that
            assert get(service, session, name) == (200, b"other")
            assert commit(service, session, 1)[0] == 200
            status, answer = service.call(session, "POST", "commit", commit_of(snapshot(session, 1), 1))
            assert (status, answer["error"]["field"]) == (409, "number")
        finally:
            service.close()


@pytest.mark.slow
def test_a_start_with_another_way_to_the_store_looks_at_all_and_keeps_what_it_found(tmp_path):
    made = certificates.make(tmp_path / "certificates")
    with s3.running(tmp_path / "s3", certificates=made) as server:
        service = on(server, tmp_path)
        try:
            store = looked_at_before(service)
            keep_validated(store, {"at": "before", "reached": {"endpoint": "http://elsewhere"}, "checks": {}})
            service.start()
            found = read_root(store).validated
            assert set(found["checks"].values()) == {"passed"}
            assert len(found["checks"]) == 13
            answer = hello(service, fresh(service))
            assert answer["store_authority"] == made.authority.read_text()
            service.stop()
            service.start()
            assert read_root(store).validated == found
        finally:
            service.close()


@pytest.mark.parametrize(
    "trouble", [NoSpace("The disk of the store is full"), StorageAway("It does not answer")]
)
def test_a_full_store_that_was_good_before_is_used_for_reading_and_a_new_one_is_refused(
    tmp_path, monkeypatch, trouble
):
    service = start_agents_service(tmp_path, started=False)
    try:

        def full(*_):
            raise trouble

        monkeypatch.setattr(DirectoryStore, "put_new", full)
        store = open_store(service.settings.store)
        with pytest.raises(type(trouble)):
            look_at(store, StoreFacts("a hub", ""), service.settings, SYSTEM_CLOCK)
        before = {"reached": {}, "checks": {"1": "passed"}}
        look_at(store, StoreFacts("a hub", "", before), service.settings, SYSTEM_CLOCK)
    finally:
        service.close()


def test_a_directory_is_looked_at_too(own_service):
    found = read_root(open_store(own_service.settings.store)).validated
    assert found["checks"] == {"1": "passed", "2": "passed", "3": "passed"}
    assert found["at"][:4] == SYSTEM_CLOCK.now().strftime("%Y")
