"""Each attack on a reader of a store is refused in words, by all of them in time, and writes nothing outside."""

import pytest

from .attacks import ATTACKS, MOST_SECONDS, UNHARMED, attacked


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


def test_a_short_fuzz_finds_no_crash(tmp_path):
    """The long one is a command: python -m tests.workspace.fuzz."""
    from .fuzz import Fuzz

    one = Fuzz(tmp_path, seed=7)
    for _ in range(15):
        one.round()
    assert one.failures == []
