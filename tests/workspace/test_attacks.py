"""Each attack on a reader of a store is refused in words, by all of them in time, and writes nothing outside."""

import json

import pytest

from jupyterhub_notebooks.errors import Damaged
from jupyterhub_notebooks.workspace import WorkspaceStore, check
from jupyterhub_notebooks.workspace.snapshots import canonical

from .attacks import ATTACKS, MOST_SECONDS, UNHARMED, attacked
from .conftest import NOW


@pytest.mark.parametrize(
    "what", [what for what in ATTACKS if not what.startswith(("listing: ", "all blocks: "))]
)
def test_an_attack_is_refused_by_every_reader_in_words(tmp_path, what):
    outcome = attacked(tmp_path, ATTACKS[what])
    assert outcome.said["restore"] or what in UNHARMED
    assert outcome.seconds < MOST_SECONDS


@pytest.mark.slow
@pytest.mark.parametrize("what", ATTACKS)
def test_every_attack_is_refused_by_restore_and_harms_no_other_reader(tmp_path, what):
    outcome = attacked(tmp_path, ATTACKS[what])
    assert outcome.said["restore"] or what in UNHARMED
    assert outcome.seconds < MOST_SECONDS


def test_a_store_that_claims_billions_of_snapshots_is_checked_at_once_and_told_when_it_is_saved(
    space, volume
):
    space.save(volume)
    space.store.store.put_new("snapshots/9999999999", space.store.get(1))
    report = check(space.store, space.store, stored=space.store.block_sizes())
    assert [problem.what for problem in report.hints] == ["9999999997 numbers have no snapshot"]
    (volume.files / "x").write_text("x")
    with pytest.raises(Damaged, match="no number left in snapshots"):
        space.save(volume)


def test_a_lease_that_lies_about_its_number_is_ended_all_the_same(space):
    raw = space.store.store
    fields = {**json.loads(raw.get("leases/0000000001")), "number": -(2**63)}
    raw.replace("leases/0000000001", canonical(fields))
    other = WorkspaceStore(raw)
    assert other.break_lease("another", NOW).number == 1
    assert other.take_lease("another", NOW).number == 2


def test_a_short_fuzz_finds_no_crash(tmp_path):
    """The long one is a command: python -m tests.workspace.fuzz."""
    from .fuzz import Fuzz

    one = Fuzz(tmp_path, seed=7)
    for _ in range(15):
        one.round()
    assert one.failures == []
