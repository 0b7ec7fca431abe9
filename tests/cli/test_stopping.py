"""What the end of `up` says of each notebook."""

from dataclasses import fields
from datetime import UTC, datetime

import pytest

from jupyterhub_notebooks.cli.stopping import Ended, all_saved, outcome, step
from jupyterhub_notebooks.ledger import Session

NOW = datetime(2026, 10, 14, 12, 30, tzinfo=UTC)


def session(**values):
    empty = {item.name: None for item in fields(Session)}
    numbers = {"done_bytes": 0, "total_bytes": 0, "pending_files": 0, "pending_bytes": 0}
    return Session(**{**empty, **numbers, "phase": "running", "closed_at": NOW, **values})


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (None, "stopping"),
        (session(phase="running"), "stopping"),
        (session(phase="saving"), "saving"),
        (session(phase="saving", done_bytes=4, total_bytes=100), "saving"),
        (session(phase="saving", done_bytes=41, total_bytes=100), "saving 40 %"),
        (session(phase="ended", done_bytes=41, total_bytes=100), "ending"),
        (session(phase="saving", done_bytes=130, total_bytes=100), "saving 100 %"),
    ],
)
def test_a_step_is_told_in_tens_of_percent(at, said):
    assert step(at) == said


def test_a_saved_notebook_is_told_with_its_seconds():
    assert outcome("Main of admin", session(), 1.23) == Ended(
        "Main of admin", True, "Main of admin: saved in 1.2 s."
    )


def test_a_notebook_of_another_spawner_is_only_stopped():
    assert outcome("main of ann", None, 1.0).sentence == "main of ann: stopped in 1.0 s."


def test_what_could_not_be_saved_is_told_with_where_it_is():
    at = session(pending_files=2, save_error="Storage does not answer", volume="local:x")
    ended = outcome("Main of admin", at, 60)
    assert ended.sentence == (
        "Main of admin: not saved (Storage does not answer). 2\u00a0files are kept on local:x;"
        " the next start saves them."
    )
    assert not all_saved([ended])


def test_a_session_that_was_never_closed_is_not_called_saved():
    assert outcome("Main of admin", session(closed_at=None), 60).saved is False


def test_all_is_saved_where_nothing_is_left_on_a_volume():
    assert all_saved([])
    assert all_saved([Ended("a", True, ""), Ended("b", None, "")])
