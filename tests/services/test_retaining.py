"""Which rule holds for a notebook: one that keeps less holds only some days after the first start with it."""

import os
from datetime import UTC, datetime, timedelta

from jupyterhub_notebooks.ledger import notebooks, sessions, users
from jupyterhub_notebooks.ledger.sessions import Ready
from jupyterhub_notebooks.names import new_id
from jupyterhub_notebooks.services.retaining import Standing, of_notebook, standing
from jupyterhub_notebooks.settings import Settings
from jupyterhub_notebooks.workspace.retention import Rule, show_rule, widest

NOW = datetime(2026, 10, 14, 12, 30, tzinfo=UTC)
DAY = timedelta(days=1)
YEAR = {"days": 365}


def settings(**more) -> Settings:
    known = {"agents_url": "http://127.0.0.1:1", "agents_api_token": "a", "signing_key": "k"}
    return Settings(ledger="sqlite://", store="file:///nowhere", profiles="x", **{**known, **more})


def runs(*given):
    """(days ago, retention), newest first."""
    return [Ready(NOW - ago * DAY, "p", retention) for ago, retention in given]


def test_a_narrower_rule_waits_for_its_days_and_a_wider_one_holds_at_once():
    wide, narrow = Rule(24, 365, 12), Rule(24, 30, 12)
    assert standing(settings(), runs((1, None), (200, YEAR)), NOW) == Standing(wide, narrow, NOW + 6 * DAY)
    assert standing(settings(), runs((7, None), (200, YEAR)), NOW) == Standing(narrow, narrow)
    assert standing(settings(), runs((1, YEAR), (200, None)), NOW) == Standing(wide, wide)
    assert standing(settings(retention_wait_days=0), runs((0, None), (2, YEAR)), NOW).rule == narrow


def test_the_days_count_from_the_first_start_on_that_profile_and_going_back_ends_them():
    narrow_for_long = runs((0.1, None), (3, None), (6.9, None), (100, YEAR))
    assert standing(settings(), narrow_for_long, NOW).rule.days == 365
    assert standing(settings(), runs((0.1, None), (3, None), (7.1, None), (100, YEAR)), NOW).rule.days == 30
    back = runs((0.1, YEAR), (3, None), (100, YEAR))
    assert standing(settings(), back, NOW) == Standing(Rule(24, 365, 12), Rule(24, 365, 12))


def test_each_number_is_judged_by_itself():
    found = standing(settings(), runs((1, {"hours": 48, "days": 7}), (9, YEAR)), NOW)
    assert found.rule == widest(Rule(48, 7, 12), Rule(24, 365, 12)) == Rule(48, 365, 12)
    assert found.later == Rule(48, 7, 12)


def test_the_rule_is_said_in_words():
    assert show_rule(Rule(24, 30, 1)).replace("\u00a0", " ") == (
        "all of 24 hours, one a day for 30 days, one a week for 1 week"
    )
    assert show_rule(Rule(0, 0, 0)) == "the newest alone"


def test_starts_that_failed_and_runs_that_only_save_change_no_rule(ledger):
    owner = users.seen(ledger, "mara", "2026-01-01T00:00:00Z", NOW)
    book = notebooks.ensure(ledger, owner.id, "churn", NOW)

    def ran(days_ago, retention, *, ready=True, kind="work"):
        at = NOW - days_ago * DAY
        launch = {"profile": "p", "version": "v", "retention": retention}
        id = new_id(at, os.urandom)
        sessions.begin(ledger, id, book.id, launch, id * 2, at, kind=kind)
        if ready:
            sessions.allocated(ledger, id, at)
            sessions.ready(ledger, id, at)
        sessions.close(ledger, id, at, "stopped", "")

    assert of_notebook(ledger, settings(), book.id, NOW).rule == Rule()
    ran(300, {"days": 700})
    ran(200, YEAR)
    for days in (100, 50, 2):
        ran(days, None, ready=False)
        ran(days, None, kind="save")
    assert of_notebook(ledger, settings(), book.id, NOW) == Standing(Rule(24, 365, 12), Rule(24, 365, 12))
    ran(1, None)
    assert of_notebook(ledger, settings(), book.id, NOW).rule.days == 365
    assert of_notebook(ledger, settings(), book.id, NOW + 6.1 * DAY).rule.days == 30
