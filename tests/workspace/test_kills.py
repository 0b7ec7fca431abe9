"""``kill -9`` in every phase of a save, a prune and a restore: no committed snapshot is ever harmed."""

import os

import pytest

from .killing import deaths, killed, place, show


@pytest.mark.slow
def test_one_kill_of_each_kind_leaves_every_snapshot_whole(tmp_path):
    url, options = (tmp_path / "store").as_uri(), {}
    assert deaths(killed(tmp_path, url, options, 4, seed=int.from_bytes(os.urandom(3))).hit) == 4


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("kind", "rounds"), [("directory", 210), ("s3", 100)])
def test_two_hundred_kills_in_all_phases_leave_every_snapshot_whole(tmp_path, kind, rounds):
    with place(tmp_path, kind) as (url, options):
        one = killed(tmp_path, url, options, rounds, seed=int.from_bytes(os.urandom(3)))
    print(show(one.hit))
    assert deaths(one.hit) >= rounds
    assert all(all(phases.values()) for phases in one.hit.values()), show(one.hit)
