"""Release, log, extend, and a database or store in trouble."""

import json
import sqlite3
import threading
import time
import urllib.request

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.ledger import intents, leases, notebooks, sessions, users

from .conftest import beat, commit, fresh, hello, put


def test_a_release_closes_the_session_and_may_arrive_twice(service):
    session = fresh(service, volume="here")
    hello(service, session)
    asked = intents.ask(service.ledger, session.id, "finish", "asked", session.row.user, SYSTEM_CLOCK.now())
    body = {"number": 0, "cause": "stopped", "detail": "Stopped by you", "pending_files": 0}
    assert service.call(session, "POST", "release", body) == (200, {})
    first = sessions.get(service.ledger, session.id)
    assert first.closed_at is not None
    assert (first.cause, first.detail, first.phase) == ("stopped", "Stopped by you", "ended")
    assert leases.of_session(service.ledger, session.workspace, session.id) is None
    assert asked.id not in [one.id for one in intents.open_of(service.ledger, session.id)]
    assert service.call(session, "POST", "release", {**body, "cause": "server_died"}) == (200, {})
    assert sessions.get(service.ledger, session.id) == first


def test_an_end_has_the_cause_of_the_stop_that_the_hub_could_not_pass_on(service):
    for tell in ("heartbeat", "release"):
        session = fresh(service, volume="here")
        hello(service, session)
        intents.ask(service.ledger, session.id, "stop", "idle", None, SYSTEM_CLOCK.now())
        if tell == "heartbeat":
            beat(service, session, 1, "saving", ended={"cause": "stopped"})
            assert sessions.get(service.ledger, session.id).cause == "idle"
        assert service.call(session, "POST", "release", {"cause": "stopped"}) == (200, {})
        assert sessions.get(service.ledger, session.id).cause == "idle"


def test_a_release_with_files_pending_names_their_volume(service):
    session = fresh(service, volume="here")
    hello(service, session)
    service.call(session, "POST", "release", {"cause": "not_saved", "pending_files": 3, "pending_bytes": 9})
    space = notebooks.workspace(service.ledger, session.workspace)
    assert (space.unsaved_on, space.unsaved_files, space.unsaved_bytes) == ("here", 3, 9)


def test_a_heartbeat_that_was_on_its_way_does_not_open_a_closed_session(service, session):
    hello(service, session)
    beat(service, session, 1)
    beat(service, session, 2, saved={"pending_files": 4})
    service.call(session, "POST", "release", {})
    assert service.call(session, "POST", "heartbeat", {"sequence": 3, "phase": "running"})[0] == 401
    other = fresh(service)
    hello(service, other)
    beat(service, other, 1, progress={"done_bytes": 5})
    beat(service, other, 2, progress={"done_bytes": 6})
    end = time.monotonic() + 10
    while sessions.get(service.ledger, other.id).done_bytes != 6:  # a flush has passed
        assert time.monotonic() < end
        time.sleep(0.02)
    row = sessions.get(service.ledger, session.id)
    assert (row.phase, row.pending_files) == ("ended", 0)


def test_lines_of_the_log_are_kept_once(service, session):
    assert service.call(session, "POST", "log", {"first": 0, "lines": ["one", "two"]}) == (200, {})
    assert (
        service.call(session, "POST", "log", {"first": 1, "lines": ["two again", "<b>three\u0000"]})[0] == 200
    )
    assert [line for _, line in sessions.log(service.ledger, session.id)] == ["one", "two", "<b>three"]
    for body in ({"first": -1}, {"first": 2**40}, {"first": 0, "lines": ["x"] * 1001}):
        assert service.call(session, "POST", "log", body)[0] == 400


def test_an_end_that_does_not_exist_cannot_be_moved(service, session):
    status, answer = service.call(session, "POST", "extend", {"seconds": 600})
    assert (status, answer["error"]["reason"]) == (409, "no_limit")


def test_an_address_that_is_none_is_told_in_json(service, session):
    assert service.call(session, "GET", "nothing")[0] == 404
    assert service.call(session, "GET", "hello")[1]["error"]["reason"] == "not_found"
    assert service.call(session, "DELETE", "snapshots")[0] == 404


def test_a_database_that_is_blocked_does_not_block_the_service(own_service):
    """A writer holds the database for 3 s: health answers all the while, the heartbeat afterwards."""
    session = fresh(own_service)
    hello(own_service, session)
    other = sqlite3.connect(own_service.ledger.url.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answers = []
    late = threading.Thread(target=lambda: answers.append(beat(own_service, session, 1, "restoring")))
    began = time.monotonic()
    late.start()
    asked = 0
    while time.monotonic() - began < 3.0:
        with urllib.request.urlopen(own_service.url + "health", timeout=3) as answer:
            assert json.load(answer) == {"status": "ok"}
        asked += 1
        time.sleep(0.02)
    assert answers == []
    assert asked > 10  # had one waited for the database, there were one or two
    other.execute("COMMIT")
    other.close()
    late.join(20)
    assert len(answers) == 1
    assert sessions.get(own_service.ledger, session.id).phase == "restoring"


def test_a_store_whose_disk_is_gone_is_away_and_not_empty_and_the_commit_works_afterwards(own_service):
    from pathlib import Path
    from urllib.parse import urlsplit

    session = fresh(own_service)
    hello(own_service, session)
    root = Path(urlsplit(own_service.settings.store).path)
    aside = root.with_name("aside")
    root.rename(aside)
    for instead in (lambda: root.write_text("not a folder"), root.mkdir):
        instead()
        status, answer = commit(own_service, session, 1)
        assert (status, answer["error"]["reason"]) == (503, "storage_away")
        assert put(own_service, session, b"a block") == 503
        assert own_service.call(session, "POST", "hello", {"agent_version": "0.1"})[0] == 503
        root.unlink() if root.is_file() else root.rmdir()
    aside.rename(root)
    assert put(own_service, session, b"a block") == 200
    assert commit(own_service, session, 1)[0] == 200


def test_after_an_end_what_was_sent_without_a_save_counts_no_more(service):
    """As a notebook's user is told who changed more than may be saved at once, and removed it."""
    session = fresh(service, volume="here", launch={"workspace_bytes": 1})
    hello(service, session)

    def ask(session, salt, number):
        one = {"kind": "block", "method": "PUT", "length": 8 * 2**20, "sha256": "0" * 64}
        urls = [{**one, "hash": f"{salt + at:064x}"} for at in range(number)]
        return service.call(session, "POST", "urls", {"urls": urls})

    assert ask(session, 0, 1000)[0] == 200
    status, answer = ask(session, 1000, 1000)
    assert (status, answer["error"]["reason"]) == (429, "workspace_limit")
    assert "start it again" in answer["error"]["next"][1]
    assert ask(session, 5000, 300)[0] == 429  # a smaller save after it, too
    service.call(session, "POST", "release", {"cause": "stopped", "pending_files": 1, "pending_bytes": 9})
    book = notebooks.get(service.ledger, session.notebook)
    owner = session.row.user
    [name] = [one.hub_name for one in users.everyone(service.ledger) if one.id == owner]
    again = service.new_session(name, book.server_name, volume="here", launch={"workspace_bytes": 1})
    assert again.workspace == session.workspace
    hello(service, again)
    assert ask(again, 5000, 300)[0] == 200
