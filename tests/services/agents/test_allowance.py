"""How much one notebook may have signed."""

import pytest

from jupyterhub_notebooks.services.agents.allowance import EXTRA_BYTES, URLS_A_MINUTE, Allowance
from jupyterhub_notebooks.services.agents.refusals import TooMuch


def test_what_is_signed_and_not_committed_is_bounded_until_a_commit():
    allowance = Allowance()
    most = 2 * 1000 + EXTRA_BYTES
    allowance.take("w", 1, [("a", most)], 1000, 0.0)
    with pytest.raises(TooMuch) as refused:
        allowance.take("w", 1, [("b", 1)], 1000, 0.0)
    assert refused.value.label == "workspace_limit"
    assert refused.value.http_status == 429
    allowance.take("other", 1, [("b", 1)], 1000, 0.0)
    allowance.committed("w")
    allowance.take("w", 1, [("b", 1)], 1000, 0.0)


def test_a_block_that_is_asked_for_again_counts_once():
    allowance = Allowance()
    for _ in range(5):
        allowance.take("w", 1, [("a", EXTRA_BYTES)], 0, 0.0)


def test_what_is_refused_is_not_counted():
    allowance = Allowance()
    with pytest.raises(TooMuch):
        allowance.take("w", 1, [("a", EXTRA_BYTES + 1)], 0, 0.0)
    allowance.take("w", 1, [("b", EXTRA_BYTES)], 0, 0.0)


def test_urls_are_bounded_by_the_minute():
    allowance = Allowance()
    allowance.take("w", URLS_A_MINUTE, [], 0, 100.0)
    with pytest.raises(TooMuch) as refused:
        allowance.take("w", 1, [], 0, 159.0)
    assert refused.value.label == "rate"
    allowance.take("w", 1, [], 0, 160.0)
