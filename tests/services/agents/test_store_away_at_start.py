"""services/agents started while its store does not answer: it answers, says so to agents, and goes on by itself."""

import os
import time

import pytest

from tests import s3
from tests.agents_service import start_agents_service
from tests.faults import faulty

from .conftest import commit, fresh, hello


@pytest.fixture
def behind_a_fault(tmp_path):
    with s3.running(tmp_path / "s3") as server, faulty(server.endpoint) as proxy:
        where = f"s3://notebooks/{os.urandom(4).hex()}"
        options = {**server.options, "endpoint_url": proxy.url}
        service = start_agents_service(tmp_path, started=False, store=where, store_options=options)
        yield service, proxy
        service.close()


def answered(service, session):
    """The first hello that is not told to come again."""
    end = time.monotonic() + 60
    while True:
        status, answer = service.call(session, "POST", "hello", {"agent_version": "0.1"})
        if status != 503 or time.monotonic() > end:
            return status, answer
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "mode",
    ["away", "silent", "busy"],
)
def test_it_starts_without_its_store_says_so_and_goes_on_when_that_answers(behind_a_fault, mode):
    service, proxy = behind_a_fault
    proxy.mode = mode
    service.start()
    assert service.answers()
    session = fresh(service)
    status, answer = service.call(session, "POST", "hello", {"agent_version": "0.1"})
    assert (status, answer["error"]["reason"]) == (503, "storage_away")
    assert answer["error"]["title"]
    status, answer = service.call(session, "POST", "heartbeat", {"sequence": 1, "phase": "hello"})
    assert status == 200, answer
    assert proxy.met[mode] > 0
    proxy.mode = "through"
    assert answered(service, session)[0] == 200
    assert commit(service, session, 1)[0] == 200
    assert "the store answers" in service.log.read_text()


@pytest.mark.slow
def test_a_store_that_cannot_be_used_is_told_when_it_answers_at_last(tmp_path):
    with s3.running(tmp_path / "s3") as server, faulty(server.endpoint) as proxy:
        options = {**server.options, "endpoint_url": proxy.url, "secret": "wrong" * 8}
        where = f"s3://notebooks/{os.urandom(4).hex()}"
        service = start_agents_service(tmp_path, started=False, store=where, store_options=options)
        try:
            proxy.mode = "away"
            service.start()
            proxy.mode = "through"
            session = fresh(service)
            end = time.monotonic() + 60
            while True:
                _, answer = service.call(session, "POST", "hello", {"agent_version": "0.1"})
                if "refuses access" in answer["error"]["title"] or time.monotonic() > end:
                    break
                time.sleep(0.2)
            assert "refuses access" in answer["error"]["title"], answer
            assert "wrong" not in str(answer)
        finally:
            service.close()


@pytest.mark.slow
def test_a_store_that_goes_away_later_is_told_as_such_within_an_agent_s_patience(behind_a_fault):
    service, proxy = behind_a_fault
    service.start()
    session = fresh(service)
    assert hello(service, session)["lease"]
    for mode in ("away", "silent", "busy", "full"):
        proxy.mode = mode
        status, answer = commit(service, session, 1)
        assert status in (503, 507), (mode, answer)
        assert answer["error"]["reason"] in ("storage_away", "disk_full"), (mode, answer)
        assert proxy.met[mode] > 0
    proxy.mode = "through"
    assert commit(service, session, 1)[0] == 200
