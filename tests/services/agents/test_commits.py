"""One commit, one writer: the object is the commit, the row its index, whatever dies in between."""

import base64
import dataclasses
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.contract import Commit, UrlRequest
from jupyterhub_notebooks.ledger import leases, notebooks, sessions, snapshots
from jupyterhub_notebooks.services.agents.committing import facts_of
from jupyterhub_notebooks.workspace import WorkspaceStore, open_store
from jupyterhub_notebooks.workspace.blocks import MOST_STORED
from jupyterhub_notebooks.workspace.snapshots import parse_snapshot
from tests.agents_service import open_url

from .conftest import commit, commit_of, fresh, hello, name_of, put, sign, snapshot


def place(service, session, number):
    root = Path(urlsplit(service.settings.store).path)
    return root / "workspaces" / session.workspace / "snapshots" / f"{number:010d}"


def rows(service, session):
    return snapshots.of_workspace(service.ledger, session.workspace, committed=False)


def test_a_commit_writes_the_object_and_its_row(service, session):
    hello(service, session)
    body = snapshot(session, 1)
    status, answer = service.call(session, "POST", "commit", commit_of(body, 1))
    assert (status, answer["number"], answer["missing"]) == (200, 1, [])
    assert place(service, session, 1).read_bytes() == body
    [row] = rows(service, session)
    assert (row.state, row.size_bytes, row.files, row.stored_bytes) == ("committed", 1200, 3, 900)
    [url] = sign(service, session, UrlRequest("snapshot", number=1))
    assert open_url("GET", url["url"])[:2] == (200, body)


def test_the_same_commit_twice_is_one_commit(service, session):
    hello(service, session)
    same = commit_of(snapshot(session, 1), 1)
    first = service.call(session, "POST", "commit", same)
    assert first[0] == 200
    assert service.call(session, "POST", "commit", same) == first
    assert len(rows(service, session)) == 1


def test_another_snapshot_of_a_committed_number_is_refused(service, session):
    hello(service, session)
    assert commit(service, session, 1)[0] == 200
    status, answer = commit(service, session, 1)
    assert (status, answer["error"]["field"]) == (409, "number")
    status, answer = commit(service, session, 3)
    assert (status, answer["error"]["title"]) == (409, "The next snapshot is 2, not 3")
    assert commit(service, session, 2)[0] == 200


def test_a_lost_lease_gets_409_in_words_and_writes_nothing(service, session):
    hello(service, session)
    leases.end(service.ledger, session.workspace, session.id)
    leases.take(service.ledger, session.workspace, "0" * 26, 120)
    status, answer = commit(service, session, 1)
    assert (status, answer["error"]["field"]) == (409, "lease")
    assert answer["error"]["title"] == "Another session writes this workspace now"
    assert "recovery snapshot" in answer["error"]["why"]
    assert not place(service, session, 1).exists()
    assert rows(service, session) == []


def test_a_commit_without_hello_has_no_lease(service, session):
    assert commit(service, session, 1)[0] == 409


def test_a_commit_under_an_older_lease_number_is_refused(service, session):
    hello(service, session)
    leases.end(service.ledger, session.workspace, session.id)
    assert hello(service, session)["lease"]["number"] == 2
    assert commit(service, session, 1, lease=1)[0] == 409
    assert commit(service, session, 1, lease=2)[0] == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"body": "no base64"}, "body"),
        ({"body": base64.b64encode(b"{}").decode()}, "body"),
        ({"body": base64.b64encode(b"x" * 65536).decode()}, "body"),
        ({"number": 2}, "body"),
        ({"number": -1}, "number"),
        ({"kind": "recovery"}, "kind"),
        ({"lease": 7}, "lease"),
    ],
)
def test_a_commit_that_is_not_what_it_says_is_refused_by_name(service, session, change, field):
    hello(service, session)
    whole = {**commit_of(snapshot(session, 1), 1).to_json(), **change}
    status, answer = service.call(session, "POST", "commit", whole)
    assert (status, answer["error"]["field"]) == (400, field)
    assert rows(service, session) == []


def test_a_recovery_snapshot_is_committed_and_is_not_head(service, session):
    hello(service, session)
    commit(service, session, 1)
    body = commit_of(snapshot(session, 2, kind="recovery"), 2, kind="recovery")
    assert service.call(session, "POST", "commit", body)[0] == 200
    answer = hello(service, session)
    assert (answer["head"], answer["next_number"]) == (1, 3)
    kinds = [row["kind"] for row in service.call(session, "GET", "snapshots")[1]["snapshots"]]
    assert kinds == ["recovery", "save"]


def test_of_two_commits_at_once_one_wins(service, session):
    hello(service, session)
    answers = []
    writers = [
        threading.Thread(target=lambda: answers.append(commit(service, session, 1)[0])) for _ in range(6)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(answers) == [200] + [409] * 5


def reserve(service, session, body, number=1):
    facts = facts_of(body, parse_snapshot(body))
    now = SYSTEM_CLOCK.now()
    snapshots.reserve(service.ledger, session.id, session.workspace, number, 1, facts, now)


def test_a_reserved_row_whose_object_was_written_is_committed_at_the_next_hello(service, session):
    """Killed between the object and its row."""
    hello(service, session)
    body = snapshot(session, 1)
    reserve(service, session, body)
    place(service, session, 1).parent.mkdir(parents=True)
    place(service, session, 1).write_bytes(body)
    answer = hello(service, session)
    assert (answer["head"], answer["next_number"]) == (1, 2)
    same = service.call(session, "POST", "commit", commit_of(body, 1))
    assert same[0] == 200


def test_a_reserved_row_without_an_object_goes_and_its_number_is_free(service, session):
    """Killed between the row and the object."""
    hello(service, session)
    reserve(service, session, snapshot(session, 1))
    answer = hello(service, session)
    assert (answer["head"], answer["next_number"]) == (0, 1)
    assert commit(service, session, 1)[0] == 200


def test_a_new_save_after_an_unknown_one_settles_it_first(service, session):
    hello(service, session)
    reserve(service, session, snapshot(session, 1))
    assert commit(service, session, 1)[0] == 200


def test_a_snapshot_in_the_store_that_the_ledger_does_not_know_is_taken_up(service, session):
    """A ledger put back from an older copy, or an answer that came after everybody gave up."""
    hello(service, session)
    commit(service, session, 1)
    late = snapshot(session, 2)
    place(service, session, 2).write_bytes(late)
    status, answer = commit(service, session, 2)
    assert (status, answer["error"]["field"]) == (409, "number")
    assert place(service, session, 2).read_bytes() == late
    answer = hello(service, session)
    assert (answer["head"], answer["next_number"]) == (2, 3)


def test_a_number_taken_by_an_object_that_cannot_be_read_is_never_used_again(service, session):
    hello(service, session)
    commit(service, session, 1)
    place(service, session, 2).write_bytes(b"not a snapshot")
    answer = hello(service, session)
    assert (answer["head"], answer["next_number"]) == (1, 3)
    assert commit(service, session, 3)[0] == 200
    assert hello(service, session)["head"] == 3
    assert place(service, session, 2).read_bytes() == b"not a snapshot"


def test_a_number_taken_by_an_object_of_fifty_gigabytes_is_never_used_again_and_not_read(service, session):
    hello(service, session)
    commit(service, session, 1)
    with open(place(service, session, 2), "wb") as file:
        file.truncate(50 * 2**30)
    answer = hello(service, session)
    assert (answer["head"], answer["next_number"]) == (1, 3)
    [url] = sign(service, session, UrlRequest("snapshot", number=2))
    status, body, *_ = open_url("GET", url["url"])
    assert (status, len(body)) == (200, MOST_STORED + 1)
    assert commit(service, session, 3)[0] == 200


def test_a_commit_clears_what_was_unsaved_and_settling_for_others_does_not(service):
    first = fresh(service, volume="here")
    hello(service, first)
    body = snapshot(first, 1)
    reserve(service, first, body)
    place(service, first, 1).parent.mkdir(parents=True)
    place(service, first, 1).write_bytes(body)
    service.call(first, "POST", "release", {"cause": "stopped", "pending_files": 2, "pending_bytes": 10})
    space = notebooks.workspace(service.ledger, first.workspace)
    assert (space.unsaved_on, space.unsaved_files) == ("here", 2)
    row = notebooks.get(service.ledger, first.notebook)
    owner = sessions.get(service.ledger, first.id).user
    from jupyterhub_notebooks.ledger import users

    second = service.new_session(users.get(service.ledger, owner).hub_name, row.server_name, volume="here")
    answer = hello(service, second, volume="kept", base=1)
    assert (answer["head"], answer["lease"]["number"]) == (1, 2)
    assert notebooks.workspace(service.ledger, first.workspace).unsaved_on == "here"
    assert commit(service, second, 2, lease=2)[0] == 200
    assert notebooks.workspace(service.ledger, first.workspace).unsaved_on is None


def test_a_service_killed_after_a_commit_answers_it_again_the_same_way(own_service):
    session = fresh(own_service)
    hello(own_service, session)
    same: Commit = commit_of(snapshot(session, 1), 1)
    first = own_service.call(session, "POST", "commit", same)
    own_service.kill()
    own_service.start()
    assert own_service.call(session, "POST", "commit", same) == first


def test_blocks_that_a_save_found_there_are_taken_off_the_list_of_what_is_to_be_removed(service, session):
    hello(service, session)
    body = b"block " * 100
    assert put(service, session, body) == 200
    there, gone = name_of(body), "f" * 64
    space = WorkspaceStore(open_store(service.settings.store), f"workspaces/{session.workspace}")
    space.condemn(1, [there, gone], SYSTEM_CLOCK.now())
    made = snapshot(session, 1)
    both = dataclasses.replace(commit_of(made, 1), present=(there, gone))
    status, answer = service.call(session, "POST", "commit", both)
    assert (status, answer["number"], answer["missing"]) == (200, 0, [gone])
    assert rows(service, session) == []
    assert not place(service, session, 1).exists()
    status, answer = service.call(session, "POST", "commit", dataclasses.replace(both, present=(there,)))
    assert (status, answer["number"], answer["missing"]) == (200, 1, [])
    assert there.encode() not in space.condemned_object(1)
    odd = dataclasses.replace(both, number=2, present=("../x",))
    assert service.call(session, "POST", "commit", odd)[0] == 400


def test_a_workspace_over_its_size_is_saved_and_started_all_the_same(service):
    session = service.new_session("over", "its-size", launch={"workspace_bytes": 1000})
    assert hello(service, session)["limit_bytes"] == 1000
    assert commit(service, session, 1)[0] == 200  # which says 1,200 bytes
    leases.end(service.ledger, session.workspace, session.id)
    sessions.close(service.ledger, session.id, SYSTEM_CLOCK.now(), "stopped", "", all_saved=True)
    again = service.new_session("over", "its-size", launch={"workspace_bytes": 1000})
    assert again.workspace == session.workspace
    answer = hello(service, again)
    assert (answer["lease"] is not None, answer["head"]) == (True, 1)
