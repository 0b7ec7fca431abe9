"""What did not pass is run again alone, and that is said."""

import json

from tests.tools.again import MOST, again, failed


def never(test: str) -> bool:
    raise AssertionError(f"{test} was run")


def test_what_passes_alone_is_named_and_lets_the_suite_pass():
    status, lines = again(1, ["a.py::test_a", "b.py::test_b"], lambda test: True)
    assert status == 0
    assert lines == [
        f"unsteady: {test} passed alone, after it had not passed beside others."
        for test in ("a.py::test_a", "b.py::test_b")
    ]


def test_what_does_not_pass_alone_either_fails_the_suite():
    status, lines = again(1, ["a.py::test_a", "b.py::test_b"], lambda test: test.startswith("a"))
    assert status == 1
    assert lines[1] == "not passed, also alone: b.py::test_b"


def test_many_are_not_run_again():
    status, lines = again(1, [f"a.py::test_{number}" for number in range(MOST + 1)], never)
    assert status == 1
    assert lines == ["5 tests did not pass: too many to be accidents, none is run again."]


def test_an_end_that_no_test_caused_stays_as_it_is():
    assert again(2, ["a.py::test_a"], never) == (2, [])
    assert again(1, [], never) == (1, [])


def test_pytests_list_is_read(tmp_path):
    path = tmp_path / "lastfailed"
    assert failed(path) == []
    path.write_text(json.dumps({"b.py::test_b": True, "a.py::test_a[1]": True}))
    assert failed(path) == ["a.py::test_a[1]", "b.py::test_b"]
