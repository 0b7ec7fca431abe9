"""What is told of a start whose process ended: values in, words out."""

from types import SimpleNamespace

import pytest

from jupyterhub_notebooks.spawners import progress


def ended(code, log=(), cause=None, detail=None):
    return progress.ended(SimpleNamespace(cause=cause, detail=detail), code, list(log), "Ada")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-9, "It was ended by SIGKILL before the server answered: most often the machine ran out of memory"),
        (-15, "It was ended by SIGTERM before the server answered"),
        (-99, "It was ended by signal 99 before the server answered"),
    ],
)
def test_a_process_that_was_killed_in_a_start_died_and_its_last_line_is_not_its_reason(code, words):
    error = ended(code, ["Fetching the workspace"])
    assert error.cause == "agent_died"
    assert error.why.replace("\u00a0", " ") == words


def test_a_process_that_ended_by_itself_did_not_start_and_its_last_line_says_why():
    error = ended(1, ["No module named jupyterhub", ""])
    assert (error.cause, error.why) == ("did_not_start", "No module named jupyterhub")
    assert ended(3).why == "It ended with status\u00a03"


def test_what_the_agent_itself_said_stays_the_reason():
    error = ended(-9, ["x"], cause="not_restored", detail="Storage does not answer.")
    assert (error.cause, error.why) == ("not_restored", "Storage does not answer.")
