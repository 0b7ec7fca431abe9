"""What became of variables at a stop, in words."""

import pytest

from jupyterhub_notebooks.enforcement.variables import in_lines, in_words

CON = {"notebook": "a.ipynb", "name": "con", "why": "an open connection; it cannot be stored"}


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (None, ""),
        ({"saved": 0, "lost": []}, ""),
        ({"saved": 1, "lost": []}, "1 variable can come back."),
        ({"saved": 6, "lost": []}, "All 6 variables can come back."),
        ({"saved": 5, "lost": [CON]}, "5 of 6 variables can come back; con was not kept."),
        ({"saved": 0, "lost": [CON]}, "No variables can come back: con was not kept."),
        (
            {"saved": 2, "lost": [{"notebook": "b.ipynb", "name": "", "why": "a cell still ran"}]},
            "2 of 2 variables can come back; b.ipynb was not kept.",
        ),
        (
            {"saved": 1, "lost": [{"name": name} for name in "abcde"]},
            "1 of 6 variables can come back; a, b, c and 2 more were not kept.",
        ),
    ],
)
def test_how_many_can_come_back_and_which_cannot(kept, words) -> None:
    assert in_words(kept) == words


def test_each_lost_one_is_told_with_why() -> None:
    assert in_lines({"lost": [CON]}) == ["con of a.ipynb: an open connection; it cannot be stored."]
    assert in_lines(None) == []
