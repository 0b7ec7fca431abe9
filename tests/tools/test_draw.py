"""Which of the slow tests are drawn: values in, values out."""

from collections import Counter

import pytest

from tests.tools.draw import KILL_TABLE, Drawn, changed_rooms, draw, room_of

CELLS = [
    f"{KILL_TABLE}::test_it[round1-{phase}-{victim}]"
    for phase in ("running", "saving")
    for victim in ("agent", "Hub", "services-agents", "proxy")
]
OTHERS = ["tests/ledger/test_at_once.py::test_a", "tests/ledger/test_at_once.py::test_b", "tests/lab/t.py::c"]


@pytest.mark.parametrize(
    ("path", "room"),
    [
        ("jupyterhub_notebooks/agent/run.py", "agent"),
        ("jupyterhub_notebooks/workspace/store/s3.py", "workspace"),
        ("jupyterhub_notebooks/settings.py", "foundation"),
        ("services/janitor/app.py", "services/janitor"),
        ("services/running.py", "services"),
        ("tests/services/janitor/test_janitor.py", "services/janitor"),
        ("tests/services/test_running.py", "services"),
        ("tests/ledger/test_hub.py", "ledger"),
        ("tests/tools/draw.py", ""),
        ("tests/hub.py", ""),
        ("services/janitor/README.md", ""),
        ("Makefile", ""),
    ],
)
def test_a_file_belongs_to_the_room_that_its_tests_stand_in(path, room):
    assert room_of(path) == room


def test_a_commit_counts_once_for_a_room():
    commits = [["jupyterhub_notebooks/agent/run.py", "tests/agent/test_begin.py"], ["README.md"], []]
    assert changed_rooms(commits) == Counter(agent=1)


def test_one_kill_of_each_row_is_drawn_whose_rooms_changed():
    drawn = draw(CELLS + OTHERS, Counter({"services/agents": 2}), "abc")
    assert len(drawn) == 1 and drawn[0].test.endswith("services-agents]")
    assert "services/agents changed in 2 of the last 20 commits" in drawn[0].why


def test_one_test_of_each_slow_file_of_a_changed_room_is_drawn_after_the_kills():
    drawn = draw(CELLS + OTHERS, Counter(ledger=1, agent=1), "abc")
    assert [one.test.partition("::")[0] for one in drawn][-1] == "tests/ledger/test_at_once.py"
    assert sum(one.test.startswith("tests/ledger") for one in drawn) == 1
    assert next(one.test for one in drawn if KILL_TABLE in one.test).endswith("agent]")


def test_the_same_commit_draws_the_same_and_others_draw_all_in_time():
    rooms = Counter(ledger=1, agent=1)
    assert draw(CELLS + OTHERS, rooms, "a") == draw(list(reversed(CELLS + OTHERS)), rooms, "a")
    of_all: set[Drawn] = set()
    for number in range(40):
        of_all |= set(draw(CELLS + OTHERS, rooms, str(number)))
    assert {one.test for one in of_all} >= {*OTHERS[:2], CELLS[0], CELLS[4]}


def test_nothing_is_drawn_where_nothing_changed():
    assert draw(CELLS + OTHERS, Counter(), "a") == []
