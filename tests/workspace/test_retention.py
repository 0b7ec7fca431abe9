"""Which snapshots are kept."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_notebooks.errors import BadInput
from jupyterhub_notebooks.workspace.retention import Dated, Rule, keep

NOW = datetime(2026, 10, 14, 12, 30, tzinfo=UTC)


def hours_ago(*hours, **more):
    """Snapshots 1, 2, … in the order of time."""
    return [
        Dated(number, NOW - timedelta(hours=ago), **more)
        for number, ago in enumerate(sorted(hours, reverse=True), 1)
    ]


def test_every_snapshot_of_the_last_24_hours_stays():
    snapshots = hours_ago(*[n / 4 for n in range(4 * 24)])
    assert keep(snapshots, NOW) == {one.number for one in snapshots}


def test_one_a_day_stays_for_30_days_and_one_a_week_for_12_weeks():
    snapshots = hours_ago(*range(24 * 365))
    numbers = keep(snapshots, NOW)
    kept = {one.at for one in snapshots if one.number in numbers}
    days = {at.date() for at in kept}
    assert {(NOW - timedelta(days=n)).date() for n in range(31)} <= days
    older = sorted(at for at in kept if at < NOW - timedelta(days=31))
    assert len({at.isocalendar()[:2] for at in older}) == len(older)
    assert older[0] > NOW - timedelta(weeks=12)
    assert len(kept) - len(older) in (25 + 29, 25 + 30)
    assert 7 <= len(older) <= 9


def test_of_a_day_the_newest_stays():
    morning, evening = NOW - timedelta(days=3, hours=4), NOW - timedelta(days=3, hours=-4)
    snapshots = [Dated(1, morning), Dated(2, evening), Dated(3, NOW)]
    assert keep(snapshots, NOW) == {2, 3}


def test_a_named_snapshot_stays_for_ever():
    snapshots = [
        Dated(1, NOW - timedelta(days=4000), named=True),
        Dated(2, NOW - timedelta(days=3999)),
        Dated(3, NOW),
    ]
    assert keep(snapshots, NOW) == {1, 3}


def test_the_head_stays_however_old_it_is_and_the_highest_number_is_never_used_again():
    old = NOW - timedelta(days=1000)
    snapshots = [Dated(1, old), Dated(2, old), Dated(3, old, kind="recovery"), Dated(4, old, kind="recovery")]
    assert keep(snapshots, NOW) == {2, 4}


def test_a_recovery_snapshot_takes_no_saves_place():
    day = NOW - timedelta(days=3)
    snapshots = [
        Dated(1, day - timedelta(hours=6)),
        Dated(2, day - timedelta(hours=1)),
        Dated(3, day + timedelta(hours=6), kind="recovery"),
        Dated(4, NOW),
    ]
    assert keep(snapshots, NOW) == {2, 3, 4}
    assert keep(snapshots, NOW, Rule(24, 0, 12)) == {2, 4}


def test_every_recovery_snapshot_stays_as_long_as_days_go():
    snapshots = hours_ago(*range(1, 24 * 40, 5), kind="recovery")
    kept = keep([*snapshots, Dated(1000, NOW)], NOW)
    assert kept == {1000} | {one.number for one in snapshots if one.at > NOW - timedelta(days=30)}


def test_each_number_of_the_rule_can_be_set_and_0_leaves_its_part_out():
    snapshots = hours_ago(*range(24 * 20))
    assert keep(snapshots, NOW, Rule(0, 0, 0)) == {len(snapshots)}
    assert len(keep(snapshots, NOW, Rule(5, 0, 0))) == 6
    assert len(keep(snapshots, NOW, Rule(0, 3, 0))) == 4
    assert len(keep(snapshots, NOW, Rule(0, 0, 2))) == 3


def test_nothing_is_kept_of_nothing():
    assert keep([], NOW) == set()


@pytest.mark.parametrize("field", ["every_hours", "days", "weeks"])
def test_a_number_that_cannot_be_is_named(field):
    with pytest.raises(BadInput) as refused:
        Rule(**{field: -1})
    assert refused.value.field == field


HISTORY = st.lists(
    st.tuples(st.integers(0, 200 * 24 * 60), st.sampled_from(["save", "recovery"]), st.booleans()),
    max_size=60,
)


@given(
    HISTORY,
    st.integers(0, 100 * 24),
    st.builds(Rule, st.integers(0, 48), st.integers(0, 30), st.integers(0, 12)),
)
def test_what_a_later_run_keeps_an_earlier_run_has_kept(history, hours, rule):
    snapshots = [
        Dated(number, NOW - timedelta(minutes=ago), kind, named)
        for number, (ago, kind, named) in enumerate(history, 1)
    ]
    later = NOW + timedelta(hours=hours)
    once = keep(snapshots, later, rule)
    before = keep(snapshots, NOW, rule)
    twice = keep([one for one in snapshots if one.number in before], later, rule)
    assert once == twice
    if snapshots:
        assert max(one.number for one in snapshots) in once
