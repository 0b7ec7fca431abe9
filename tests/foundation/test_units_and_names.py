"""Sizes, durations, ids and server names."""

import os
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from jupyterhub_notebooks import clock, names, units
from jupyterhub_notebooks.errors import EXIT_CODES, BadInput, NotebooksError

NOW = datetime(2026, 10, 14, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (64_000, "64 kB"),
        (38_000_000, "38 MB"),
        (1_240_000_000, "1.2 GB"),
        (999_600, "1 MB"),
    ],
)
def test_sizes_are_shown_decimal_with_at_most_three_digits(size, shown):
    assert units.show_size(size) == shown.replace(" ", units.NBSP)


def test_progress_is_in_the_unit_of_the_total():
    assert units.show_progress(312_000_000, 840_000_000) == f"312 of 840{units.NBSP}MB"
    assert units.show_progress(400_000_000, 1_200_000_000) == f"0.4 of 1.2{units.NBSP}GB"


@pytest.mark.parametrize(
    ("text", "size"), [("8 GB", 8 * 10**9), ("500MB", 5 * 10**8), ("1.5 GiB", 3 * 2**29), ("7", None), (7, 7)]
)
def test_sizes_need_a_unit(text, size):
    if size is None:
        with pytest.raises(BadInput, match="not a size"):
            units.parse_size(text, "memory")
    else:
        assert units.parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("15min", 900), ("6h", 21600), ("1h 30min", 5400), ("90s", 90), ("0", 0), (0, 0), ("2d", 172800)],
)
def test_durations_are_read(text, seconds):
    assert units.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "15", "6 hours", "h", "-1h", "1h x", True, None])
def test_what_is_no_duration_is_refused_with_an_example(text):
    with pytest.raises(BadInput, match="15min or 6h") as caught:
        units.parse_duration(text, "idle_stop")
    assert caught.value.field == "idle_stop"


@pytest.mark.parametrize(
    ("before", "shown"),
    [
        (10, "just now"),
        (28 * 60, "28 min ago"),
        (2 * 3600, "2 h ago"),
        (86400, "Tue 14:30"),
        (10 * 86400, "4 Oct"),
    ],
)
def test_the_past_is_told_the_way_people_do(before, shown):
    assert units.show_ago(NOW - timedelta(seconds=before), NOW) == shown.replace(" min", "\u00a0min").replace(
        " h ", "\u00a0h "
    ).replace("4 Oct", "4\u00a0Oct")


def test_ids_sort_by_time_and_are_made_of_safe_letters():
    ids = [names.new_id(NOW + timedelta(milliseconds=n), os.urandom) for n in range(50)]
    assert ids == sorted(ids)
    assert all(names.is_id(id) for id in ids)


def test_an_id_is_shortened_to_its_unambiguous_end():
    one, other = "0" * 21 + "ab123", "0" * 21 + "cb123"
    assert names.short(one) == "b123"
    assert names.short(one, [one, other]) == "ab123"


@given(some.text(max_size=300), some.lists(some.text(max_size=40), max_size=3))
def test_every_title_gets_an_address_that_the_hub_accepts(title, taken):
    name = names.server_name(title, [*taken, "notebook"])
    assert name
    assert names.is_server_name(name)
    assert name not in [*taken, "notebook"]


@pytest.mark.parametrize("text", ["Ab", "a_b", "a--b", "1a", "-a", "a" * 31, "a/b", ".."])
def test_what_the_hub_refuses_as_a_server_name_is_refused_here(text):
    assert not names.is_server_name(text)


def test_times_need_a_zone_and_survive_their_text():
    assert clock.from_text(clock.to_text(NOW)) == NOW
    with pytest.raises(ValueError, match="zone"):
        clock.from_text("2026-10-14T14:30:00")


def test_every_exit_code_of_an_error_is_documented():
    def kinds(kind):
        yield kind
        for below in kind.__subclasses__():
            yield from kinds(below)

    assert {kind.exit_code for kind in kinds(NotebooksError)} <= set(EXIT_CODES)
