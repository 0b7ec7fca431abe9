"""Blocks and snapshots over signed URLs, against the real service behind a gate that makes trouble."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from jupyterhub_notebooks.agent.errors import LeaseLost, ServiceAway, SessionClosed, TooOld
from jupyterhub_notebooks.agent.lease import HeldLease
from jupyterhub_notebooks.agent.log import SessionLog
from jupyterhub_notebooks.agent.remote import Patience, RemoteBlocks, RemoteSnapshots, Signer
from jupyterhub_notebooks.agent.service import Service
from jupyterhub_notebooks.contract import Hello, HelloAnswer, Lease
from jupyterhub_notebooks.errors import BadInput, NotFound, StorageAway
from jupyterhub_notebooks.workspace import blocks as engine_blocks
from jupyterhub_notebooks.workspace.pool import threads
from jupyterhub_notebooks.workspace.ports import Cancelled, CommitFacts

from .gate import Gate
from .harness import Notebook, until


class Store:
    """A session's blocks and snapshots as its agent has them."""

    def __init__(self, notebook: Notebook, patience_seconds: float = 5.0) -> None:
        session = notebook.service.new_session(notebook.user, notebook.name)
        self.workspace = session.workspace
        self.service = Service(notebook.url, session.token)
        self.session = session
        self.lease = HeldLease()
        asked_at = time.monotonic()
        answer = self.service.post("v1/hello", Hello("test"), HelloAnswer)
        assert answer.lease is not None
        self.lease.renewed(answer.lease, asked_at)
        signer, patience = Signer(self.service), Patience(patience_seconds)
        self.blocks = RemoteBlocks(signer, self.service.wire, patience)
        self.snapshots = RemoteSnapshots(self.service, signer, self.service.wire, patience, self.lease)


@pytest.fixture
def store(behind: Notebook, gate: Gate) -> Iterator[Store]:
    made = Store(behind)
    gate.seen.clear()
    yield made


def _block(size: int = 1000) -> tuple[str, bytes]:
    plain = os.urandom(size)
    return engine_blocks.hash_of(plain).hex(), engine_blocks.encode(plain)


def test_blocks_that_are_not_there_are_found_without_the_bytes_of_the_others(store: Store) -> None:
    there = [_block(200_000) for _ in range(30)]
    for name, body in there:
        store.blocks.put(name, body)
    others = [os.urandom(32).hex() for _ in range(5)]
    names = [name for pair in zip(others, [name for name, _ in there], strict=False) for name in pair]
    assert store.blocks.not_there([*names, there[-1][0]]) == others
    assert store.blocks.not_there([]) == []


def test_who_asks_for_many_blocks_and_is_stopped_asks_for_no_more_of_them(store: Store, gate: Gate) -> None:
    names = [os.urandom(32).hex() for _ in range(400)]
    stop = threading.Event()
    store.blocks._patience = Patience(5.0, stop.is_set)
    ended: list[BaseException] = []

    def ask() -> None:
        try:
            store.blocks.not_there(names)
        except Cancelled as error:
            ended.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    with gate.holding("GET", "/blocks/"):
        asking.start()
        assert gate.held.wait(30)
        stop.set()
        asking.join(30)
        assert not asking.is_alive() and ended, "it still asks"
    until(lambda: not any(one.name.startswith("blocks-there") for one in threading.enumerate()), "they end")
    assert gate.count("GET", "/blocks/") <= threads()


def test_a_block_is_written_once_and_read_back(store: Store) -> None:
    name, body = _block()
    assert store.blocks.put(name, body) is True
    assert store.blocks.put(name, body) is False
    assert store.blocks.get(name) == body


def test_a_block_is_read_into_memory_that_is_there(store: Store, gate: Gate) -> None:
    name, body = _block(300_000)
    store.blocks.put(name, body)
    room = memoryview(bytearray(len(body) + 100))
    assert store.blocks.get_into(name, room) == body == room[: len(body)]
    assert store.blocks.get_into(name, memoryview(bytearray(10))) == body
    with pytest.raises(NotFound):
        store.blocks.get_into("ab" * 32, room)
    assert room[: len(body)] == body


def test_a_block_that_is_not_there_is_said_to_be_missing(store: Store) -> None:
    with pytest.raises(NotFound):
        store.blocks.get("ab" * 32)
    with pytest.raises(NotFound):
        store.snapshots.get(7)


def test_expected_blocks_are_signed_in_one_request(store: Store, gate: Gate) -> None:
    made = dict(_block() for _ in range(40))
    for name, body in made.items():
        store.blocks.put(name, body)
    gate.seen.clear()
    store.blocks.expect(list(made))
    assert {name: store.blocks.get(name) for name in made} == made
    assert gate.count("POST", "v1/urls") == 1
    assert gate.count("GET", "/blocks/") == 40


def test_what_many_threads_write_at_once_is_signed_together(store: Store, gate: Gate) -> None:
    made = [_block() for _ in range(200)]
    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(lambda one: store.blocks.put(*one), made))
    assert gate.count("PUT", "/blocks/") == 200
    assert gate.count("POST", "v1/urls") < 150


def test_an_address_that_ran_out_is_signed_again(store: Store, gate: Gate) -> None:
    name, body = _block()
    refused = iter([403])
    gate.rule = lambda method, path: next(refused, None) if "/blocks/" in path else None
    assert store.blocks.put(name, body) is True
    refused = iter([403])
    assert store.blocks.get(name) == body
    assert gate.count("POST", "v1/urls") == 4


def test_storage_that_stumbles_is_asked_again(store: Store, gate: Gate) -> None:
    name, body = _block()
    troubles = iter([503, 500, 503])
    gate.rule = lambda method, path: next(troubles, None) if "/blocks/" in path else None
    assert store.blocks.put(name, body) is True
    assert gate.count("PUT", "/blocks/") == 4


def test_storage_that_stays_away_is_given_up_in_words(behind: Notebook, gate: Gate) -> None:
    store = Store(behind, patience_seconds=0.3)
    gate.rule = lambda method, path: 503 if "/blocks/" in path else None
    with pytest.raises(StorageAway, match=r"Storage does not answer\. It answered 503"):
        store.blocks.put(*_block())


def test_a_service_that_is_away_is_waited_for(store: Store, gate: Gate) -> None:
    troubles = iter([503, 503])
    gate.rule = lambda method, path: next(troubles, None) if "v1/urls" in path else None
    name, body = _block()
    assert store.blocks.put(name, body) is True


def test_bytes_that_changed_on_the_way_are_refused(store: Store) -> None:
    name, body = _block()
    other = bytes(reversed(body))
    from jupyterhub_notebooks.contract import UrlRequest

    signer = Signer(store.service)
    import hashlib

    signed = signer.sign(
        UrlRequest("block", "PUT", hash=name, length=len(body), sha256=hashlib.sha256(body).hexdigest())
    )
    assert store.service.wire.request("PUT", signed.url, signed.headers, other).status == 400
    with pytest.raises(NotFound):
        store.blocks.get(name)


def test_nothing_is_committed_without_a_lease_that_lasts(store: Store, gate: Gate) -> None:
    facts = CommitFacts("save", 0, 0, 0)
    late = HeldLease()
    late.renewed(Lease(1, 120.0), time.monotonic() - 101.0)
    store.snapshots._lease = late
    store.snapshots._patience = Patience(0.1)
    with pytest.raises(ServiceAway, match="has not answered"):
        store.snapshots.commit(1, b"{}", facts)
    late.renewed(Lease(1, 120.0), time.monotonic())
    late.lose()
    with pytest.raises(LeaseLost):
        store.snapshots.commit(1, b"{}", facts)
    assert gate.count("POST", "v1/commit") == 0


def test_a_short_lease_has_a_short_margin() -> None:
    lease = HeldLease(monotonic=lambda: 100.0)
    lease.renewed(Lease(1, 12.0), 100.0)
    assert lease.may_commit() and lease.seconds_left() == 10.0


def test_another_number_means_that_the_lease_is_lost() -> None:
    lease = HeldLease(monotonic=lambda: 100.0)
    lease.renewed(Lease(3, 120.0), 90.0)
    assert lease.may_commit() and lease.seconds_left() == 90.0
    lease.renewed(Lease(4, 120.0), 95.0)
    assert lease.lost and not lease.may_commit()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (426, TooOld),
        (401, SessionClosed),
        (403, SessionClosed),
        (400, BadInput),
        (502, ServiceAway),
        (429, ServiceAway),
    ],
)
def test_each_refusal_of_the_service_has_its_own_error(
    store: Store, gate: Gate, status: int, kind: type[Exception]
) -> None:
    gate.rule = lambda method, path: status
    with pytest.raises(kind, match=str(status)):
        store.service.post("v1/hello", Hello("test"), HelloAnswer)


def test_the_log_goes_on_with_the_numbers_of_an_agent_before(store: Store, behind: Notebook) -> None:
    from jupyterhub_notebooks.ledger import sessions

    run_dir = behind.place / "run"
    run_dir.mkdir()
    for text in ("first", "second"):
        log = SessionLog(run_dir / "a.log", run_dir)
        log.start(store.service)
        log.write(text)
        log.close()
    lines = [line for _, line in sessions.log(behind.service.ledger, store.session.id)]
    assert lines == ["first", "second"]
    assert (run_dir / "a.log").read_text() == "first\nsecond\n"


def test_lines_that_cannot_be_sent_are_kept_and_sent_later(
    store: Store, behind: Notebook, gate: Gate
) -> None:
    from jupyterhub_notebooks.ledger import sessions

    run_dir = behind.place / "run"
    run_dir.mkdir()
    gate.rule = lambda method, path: 503
    log = SessionLog(run_dir / "a.log", run_dir)
    log.start(store.service)
    writers = [threading.Thread(target=log.write, args=(f"line {n}",)) for n in range(30)]
    for writer in writers:
        writer.start()
    until(lambda: gate.count("POST", "v1/log") >= 1, "a try")
    gate.rule = lambda method, path: None
    until(lambda: len(sessions.log(behind.service.ledger, store.session.id)) == 30, "all lines")
    log.close()


def test_an_agent_that_is_too_old_goes_on_with_the_files_it_has(behind: Notebook, gate: Gate) -> None:
    behind.start().phase("running").stop()
    gate.rule = lambda method, path: 426 if "v1/hello" in path else None
    agent = behind.start()
    agent.logged("The server was started")
    (behind.files / "kept.txt").write_text("kept")
    agent.ask_to_end()
    assert agent.wait() == 75
    assert "on this machine only" in agent.said()
    assert json.loads((behind.state / "base.json").read_bytes())["base"] == 1


def test_an_agent_that_is_too_old_does_not_begin_on_an_empty_volume(behind: Notebook, gate: Gate) -> None:
    gate.rule = lambda method, path: 426 if "v1/hello" in path else None
    agent = behind.start()
    assert agent.wait() == 1, agent.said()
    assert "did not start" in agent.said()
