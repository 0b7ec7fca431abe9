"""Wrapped keys of workspaces: one each, for good, and rewrapped all at once or not at all."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from jupyterhub_notebooks.errors import Damaged
from jupyterhub_notebooks.ledger import workspace_keys

from .conftest import NOW

ONE, TWO = "0" * 26, "1" * 26


def test_a_workspace_keeps_the_first_key_that_it_was_given(ledger):
    assert workspace_keys.of_workspace(ledger, ONE) is None
    first = workspace_keys.ensure(ledger, ONE, "a" * 32, b"\x00wrapped", NOW)
    assert (first.key_id, first.wrapped, first.made_at) == ("a" * 32, b"\x00wrapped", NOW)
    assert workspace_keys.ensure(ledger, ONE, "b" * 32, b"other", NOW) == first
    assert workspace_keys.of_workspace(ledger, ONE) == first
    assert workspace_keys.of_workspace(ledger, TWO) is None


def test_of_many_that_make_a_key_at_once_all_get_the_same(ledger):
    def make(number: int) -> str:
        return workspace_keys.ensure(ledger, ONE, f"{number:032x}", b"%d" % number, NOW).key_id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(make, range(16)))) == 1


def test_rewrapping_changes_every_key_or_none(ledger):
    workspace_keys.ensure(ledger, ONE, "a" * 32, b"one", NOW)
    workspace_keys.ensure(ledger, TWO, "b" * 32, b"two", NOW)
    assert workspace_keys.rewrap(ledger, lambda row: row.wrapped + b"!") == 2
    assert workspace_keys.of_workspace(ledger, TWO).wrapped == b"two!"
    assert workspace_keys.of_workspace(ledger, TWO).key_id == "b" * 32

    def half(row):
        if row.workspace == TWO:
            raise Damaged("This one does not open")
        return b"changed"

    with pytest.raises(Damaged):
        workspace_keys.rewrap(ledger, half)
    assert workspace_keys.of_workspace(ledger, ONE).wrapped == b"one!"
