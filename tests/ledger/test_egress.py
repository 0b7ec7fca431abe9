"""What binds a workspace to a rule for the network, what ends that, and what was refused."""

from datetime import UTC, datetime, timedelta

import pytest

from jupyterhub_notebooks.errors import BadInput, Refusal
from jupyterhub_notebooks.ledger import audit, egress, notebooks, sessions, users
from jupyterhub_notebooks.profiles.egress import Rule

NOW = datetime(2027, 1, 4, 9, tzinfo=UTC)
LAUNCH = {"profile": "shut", "version": "v1"}


@pytest.fixture
def book(ledger):
    user = users.seen(ledger, "mara", "2027-01-01", NOW)
    return notebooks.ensure(ledger, user.id, "", NOW)


def test_a_workspace_is_bound_until_somebody_releases_it_with_a_reason(ledger, book):
    assert egress.bound(ledger, book.id) is None
    egress.bind(ledger, book.workspace, "s" * 26, Rule(("a", "b")), NOW)
    egress.bind(ledger, book.workspace, "t" * 26, Rule(("a",)), NOW)
    assert egress.bound(ledger, book.id) == Rule(("a",))
    with pytest.raises(BadInput):
        egress.release(ledger, book.id, None, "  ", NOW)
    assert egress.release(ledger, book.id, None, "checked by ops", NOW) == Rule(("a",))
    assert egress.bound(ledger, book.id) is None
    row = audit.rows(ledger, action=egress.RELEASED, limit=1)[0]
    assert row.evidence == {"hosts": ["a"], "reason": "checked by ops"} and book.id in row.subjects
    with pytest.raises(Refusal, match="no rule"):
        egress.release(ledger, book.id, None, "again", NOW)


def test_a_copy_of_the_files_is_bound_as_they_are(ledger, book):
    other = notebooks.create(ledger, book.user, "copy", "Copy", NOW, store="file:///s")
    egress.copied(ledger, book.workspace, other.workspace)
    assert egress.bound(ledger, other.id) is None
    egress.bind(ledger, book.workspace, "s" * 26, Rule(), NOW)
    egress.copied(ledger, book.workspace, other.workspace)
    assert egress.bound(ledger, other.id) == Rule()


def test_refusals_are_counted_once_however_often_they_are_told(ledger, book):
    session = sessions.begin(ledger, "0" * 26, book.id, LAUNCH, "hash", NOW).id
    later = NOW + timedelta(minutes=1)
    egress.refused(ledger, session, {"a": 1, "b:5432": 2}, NOW)
    egress.refused(ledger, session, {"a": 3, "b:5432": 2}, later)
    egress.refused(ledger, session, {"a": 2}, later)
    told = {one.host: (one.times, one.first_at, one.last_at) for one in egress.of_session(ledger, session)}
    assert told == {"a": (3, NOW, later), "b:5432": (2, NOW, NOW)}
    egress.refused(ledger, session, {f"h{n}": 1 for n in range(500)}, later)
    assert len(egress.of_session(ledger, session)) == egress.MOST_HOSTS
    assert [profile for _, profile in egress.every(ledger, 1)] == ["shut"]
