"""Rows that are checked column by column are the entries that they are one by one, and wrong ones are refused by both."""

import copy
import random
import tracemalloc

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyterhub_notebooks.errors import Damaged
from jupyterhub_notebooks.workspace import pages, rows
from jupyterhub_notebooks.workspace.entries import DIRECTORY, from_row, order
from jupyterhub_notebooks.workspace.pages import PREFIX, PageRef, entries_of

BLOCKS = ((b"\1" * 32, 100), (b"\2" * 32, 7))
names = st.sampled_from([b"a", b"b", b"a.b", b".c", b"...", b"..d", b"\xff", b"x" * 255, b"-"])
paths = st.lists(names, min_size=1, max_size=4).map(b"/".join)
times = st.integers(-(2**63), 2**63 - 1)
modes = st.integers(0, 0o7777)


@st.composite
def files(draw):
    number = draw(st.integers(0, 1))
    length = draw(st.integers(1, BLOCKS[number][1]))
    offset = draw(st.integers(0, BLOCKS[number][1] - length))
    return [draw(paths), 0, draw(modes), draw(times), length, bytes(32), [number, offset, length]]


others = st.one_of(
    st.tuples(paths, st.just(1), modes, times, st.just(0), st.just(b""), st.none()),
    st.tuples(paths, st.just(0), modes, times, st.just(0), st.just(bytes(32)), st.just([])),
    st.tuples(paths, st.just(0), modes, times, st.just(14), st.just(bytes(32)), st.just([0, 0, 7, -1, 0, 7])),
    st.tuples(paths, st.just(2), modes, times, st.just(0), st.just(b""), st.just(b"../t")),
    st.tuples(paths, st.just(1), modes, times, st.just(0), st.just(b""), st.none(), st.just({"x": {}})),
    st.tuples(
        paths, st.just(0), modes, times, st.just(0), st.just(bytes(32)), st.just([]), st.just({"s": True})
    ),
).map(list)
good = st.lists(st.one_of(files(), others), min_size=1, max_size=12)
wrong = st.sampled_from(
    [
        *(
            None,
            True,
            False,
            -1,
            0,
            1,
            2,
            3,
            1.0,
            0o10000,
            2**62 + 1,
            2**63,
            -(2**63) - 1,
            "a",
            b"",
            b"..",
            b"/a",
        ),
        *(
            b"a//b",
            b"a/../b",
            b"a/./b",
            b"a/",
            b"\0",
            b"a\0b",
            b"y" * 256,
            b"z/" * 2048 + b"z",
            b"\1" * 31,
            [],
            [0],
        ),
        *(
            [0, 0, 8],
            [1, 0, 8],
            [2, 0, 1],
            [-1, 0, 5],
            [-1, 1, 5],
            [0, -1, 5],
            [True, 0, 1],
            [0, 0, 1.0],
            {},
            {"q": 1},
        ),
    ]
)


def one_by_one(leaf):
    try:
        return [from_row(row, BLOCKS) for row in leaf]
    except Damaged:
        return None


@given(good)
def test_good_rows_are_the_entries_that_they_are_one_by_one(leaf):
    found = rows.at_once(leaf, BLOCKS)
    assert found == one_by_one(leaf) is not None
    assert [type(one) for one in found] == [type(one) for one in one_by_one(leaf)]


@settings(max_examples=600)
@given(good, wrong, st.randoms(use_true_random=False))
def test_a_leaf_with_a_wrong_row_is_left_to_who_looks_at_each(leaf, value, chance):
    leaf = copy.deepcopy(leaf)
    row = chance.choice(leaf)
    at = chance.randrange(len(row) + 3)
    if at < len(row):
        row[at] = value
    elif at == len(row):
        row.append(value)
    elif at == len(row) + 1:
        row.pop()
    else:
        leaf[chance.randrange(len(leaf))] = value
    found = rows.at_once(leaf, BLOCKS)
    assert found is None or found == one_by_one(leaf)


def page(leaf):
    return PREFIX + msgpack.packb([0, [list(one) for one in BLOCKS], leaf])


def read(leaves, first=b"", whole=True):
    refs = [PageRef(b"", 0, 0, first, 0, 0, 0)] * len(leaves)
    try:
        return list(entries_of(refs, map(page, leaves), whole=whole))
    except Damaged as error:
        return str(error)


@settings(max_examples=300)
@given(st.lists(good, min_size=1, max_size=3), st.randoms(use_true_random=False), st.booleans())
def test_pages_are_read_the_same_either_way(leaves, chance, whole):
    """Sorted and with their directories most of the time, so that some are whole listings."""
    if chance.random() < 0.8:
        rows_in_order = sorted(
            {row[0]: row for leaf in leaves for row in leaf}.values(), key=lambda row: order(row[0])
        )
        have, filled = set(), []
        for row in rows_in_order:
            parts = row[0].split(b"/")
            for depth in range(1, len(parts)):
                above = b"/".join(parts[:depth])
                if above not in have and chance.random() < 0.98:
                    filled.append([above, 1, 0o755, 0, 0, b"", None])
                    have.add(above)
            if row[0] not in have:
                filled.append(row)
                have.add(row[0])
        cut = chance.randrange(1, len(filled) + 1)
        leaves = [leaf for leaf in (filled[:cut], filled[cut:]) if leaf]
    first = chance.choice([b"", leaves[0][0][0], b"a"]) if len(leaves) == 1 else b""
    found = read(leaves, first, whole)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "at_once", lambda *_: None)
        assert found == read(leaves, first, whole)


def test_a_listing_of_many_leaves_is_read_without_looking_at_rows_one_by_one(monkeypatch):
    chance = random.Random(1)
    leaf, at = [], 0
    for folder in range(40):
        leaf.append([b"f%03d" % folder, 1, 0o755, 1, 0, b"", None])
        for name in range(chance.randrange(5)):
            at += 1
            leaf.append([b"f%03d/.%03d" % (folder, name), 0, 0o644, at, 7, bytes(32), [1, 0, 7]])
    monkeypatch.setattr(pages, "from_row", None)
    found = read([leaf[:30], leaf[30:60], leaf[60:]])
    assert [entry.path for entry in found] == [row[0] for row in leaf]
    assert {entry.path for entry in found if entry.kind == DIRECTORY} == {b"f%03d" % n for n in range(40)}


def test_very_many_places_of_contents_are_not_made_at_once():
    """Whoever counts them sees the first before the last is there."""
    place = [-1, 0, 1]
    leaf = [[b"%06d" % n, 0, 0o600, 0, 100_000, bytes(32), place * 100_000] for n in range(4)]
    tracemalloc.start()
    try:
        assert rows.at_once(leaf, BLOCKS) is None
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
