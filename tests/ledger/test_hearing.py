"""Many sessions in one transaction: the same answers as one at a time."""

from jupyterhub_notebooks.ledger import hearing, intents, leases, sessions
from jupyterhub_notebooks.ledger.hearing import Holder

from .conftest import NOW


def test_sessions_with_their_lease_and_orders_come_by_their_tokens(ledger, made):
    user = made.user()
    runs = [made.session(made.notebook(user, f"n{number}")) for number in range(3)]
    hashes = [f"{number:064d}" for number in range(3)]
    assert leases.take(ledger, runs[0].workspace, runs[0].id, 60).number == 1
    leases.take(ledger, runs[1].workspace, "another", 60)
    first = intents.ask(ledger, runs[0].id, "save", "asked", None, NOW)
    done = intents.ask(ledger, runs[0].id, "report", "idle", None, NOW)
    intents.done(ledger, done.id, NOW)
    sessions.close(ledger, runs[2].id, NOW, "stopped")
    known = hearing.by_tokens(ledger, [*hashes, "f" * 64])
    assert sorted(known) == hashes
    for token_hash, run in zip(hashes, runs, strict=True):
        assert known[token_hash].session == sessions.get(ledger, run.id)
    assert known[hashes[0]].lease.number == 1
    assert 50 < known[hashes[0]].lease.ends_in_seconds <= 60
    assert [one.id for one in known[hashes[0]].asked] == [first.id]
    assert known[hashes[1]].lease is None and known[hashes[1]].asked == ()
    assert known[hashes[2]].session.closed_at == NOW
    assert hearing.by_tokens(ledger, ["f" * 64]) == {}


def test_leases_are_renewed_together_and_a_lost_one_is_not(ledger, made):
    user = made.user()
    runs = [made.session(made.notebook(user, f"n{number}")) for number in range(3)]
    for run in runs:
        leases.take(ledger, run.workspace, run.id, 1)
    leases.end(ledger, runs[1].workspace, runs[1].id)
    assert leases.take(ledger, runs[1].workspace, "another", 60).number == 2
    kept = hearing.renew(ledger, [Holder(run.workspace, run.id, 100.0) for run in runs])
    assert {one.session for one in kept} == {runs[0].id, runs[2].id}
    for run in (runs[0], runs[2]):
        held = leases.of_session(ledger, run.workspace, run.id)
        assert held.number == 1 and 90 < held.ends_in_seconds <= 100
    assert leases.of_session(ledger, runs[1].workspace, "another").ends_in_seconds <= 60


def test_reports_with_different_columns_are_written_together(ledger, made):
    user = made.user()
    runs = [made.session(made.notebook(user, f"n{number}")) for number in range(3)]
    sessions.close(ledger, runs[2].id, NOW, "stopped")
    sessions.report(
        ledger,
        [
            sessions.Report(runs[0].id, {"done_bytes": 5, "signals": [{"name": "kernel"}], "heard_at": NOW}),
            sessions.Report(runs[1].id, {"phase": "running"}),
            sessions.Report(runs[2].id, {"phase": "running"}),
        ],
    )
    rows = [sessions.get(ledger, run.id) for run in runs]
    assert (rows[0].done_bytes, rows[0].signals, rows[0].heard_at) == (5, [{"name": "kernel"}], NOW)
    assert [row.phase for row in rows[1:]] == ["running", "ended"]
