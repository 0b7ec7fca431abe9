"""Deleting a notebook for good: a person is asked, a script has to say that it is wanted."""

import subprocess
import sys

import pytest

from .test_workspace_terminal import at_a_terminal

HUB = ("--url", "http://127.0.0.1:9")


def test_a_no_deletes_nothing():
    status, seen = at_a_terminal("empty", "mara/churn", *HUB, answer="n", group="notebook")
    assert (status, seen.splitlines()[-1]) == (14, "Nothing was deleted.")
    assert "mara/churn and all its snapshots are gone for good then. Go on? [y/N]" in seen


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_script_is_told_how_to_say_that_it_is_wanted(more):
    command = [
        sys.executable,
        "-m",
        "jupyterhub_notebooks.cli",
        "notebook",
        "empty",
        "mara/churn",
        *HUB,
        *more,
    ]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "mara/churn and all its snapshots would be gone for good" in done.stderr
    assert "Say --yes if that is wanted" in done.stderr
