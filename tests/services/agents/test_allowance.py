"""How much one notebook may have signed."""

import pytest

from jupyterhub_notebooks.services.agents.allowance import (
    BYTES_OF_A_URL,
    EXTRA_BYTES,
    LEAST_BLOCK_BYTES,
    REQUESTS_A_MINUTE,
    URLS_A_MINUTE,
    Allowance,
)
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


def test_a_request_counts_by_its_body_before_it_is_read():
    allowance = Allowance()
    assert allowance.body("w", 10, 0.0) == 1
    assert allowance.body("w", 1000 * BYTES_OF_A_URL, 0.0) == 1000
    allowance.take("w", 5 - 1, [], 0, 0.0)
    allowance.take("w", -3, [], 0, 0.0)  # counted as more than it asked for
    for _ in range((URLS_A_MINUTE - 1005) // 1000):
        allowance.body("w", 1000 * BYTES_OF_A_URL, 0.0)
    with pytest.raises(TooMuch) as refused:
        allowance.body("w", 1000 * BYTES_OF_A_URL, 59.0)
    assert refused.value.label == "rate"
    allowance.body("other", 1000 * BYTES_OF_A_URL, 59.0)
    allowance.body("w", 1000 * BYTES_OF_A_URL, 60.0)


def test_requests_are_bounded_by_the_minute():
    allowance = Allowance()
    for _ in range(REQUESTS_A_MINUTE):
        allowance.request("s", 1.0)
    with pytest.raises(TooMuch):
        allowance.request("s", 60.0)
    allowance.request("other", 60.0)
    allowance.request("s", 61.0)


def test_many_tiny_blocks_are_bounded_too():
    allowance, limit = Allowance(), 20 * 10**9
    most = (2 * limit + EXTRA_BYTES) // LEAST_BLOCK_BYTES
    now = 0.0
    for first in range(0, most - 50_000, 50_000):
        allowance.take("w", 50_000, [(str(n), 1) for n in range(first, first + 50_000)], limit, now)
        now += 60.0
    with pytest.raises(TooMuch) as refused:
        allowance.take("w", 60_000, [(f"more {n}", 1) for n in range(60_000)], limit, now)
    assert refused.value.label == "workspace_limit"
