"""The table of begin.py, row by row, and what stands in the environment and on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyterhub_notebooks.agent import environment, options
from jupyterhub_notebooks.agent.begin import Plan, plan
from jupyterhub_notebooks.agent.server import end_in_words
from jupyterhub_notebooks.agent.venv_files import moved, script_head
from jupyterhub_notebooks.errors import BadInput


@pytest.mark.parametrize(
    ("situation", "base", "head", "foreign", "expected"),
    [
        ("empty", None, 0, False, Plan()),
        ("empty", None, 4, False, Plan(restore=True)),
        ("empty", 3, 4, False, Plan(restore=True)),
        ("kept", 0, 0, False, Plan()),
        ("kept", 4, 4, False, Plan()),
        ("kept", 3, 4, False, Plan("recovery", True)),
        ("kept", 5, 4, False, Plan("recovery", True)),
        ("kept", None, 4, False, Plan("recovery", True)),
        ("kept", None, 0, False, Plan("save")),
        ("kept", 4, 4, True, Plan("recovery", True)),
        ("restoring", 3, 4, False, Plan(restore=True)),
        ("restoring", None, 4, True, Plan(restore=True)),
        ("unknown", None, 4, False, Plan("recovery", True)),
        ("unknown", None, 0, False, Plan("save")),
    ],
)
def test_what_happens_to_each_volume(
    situation: str, base: int | None, head: int, foreign: bool, expected: Plan
) -> None:
    assert plan(situation, base, head, foreign=foreign) == expected


def test_a_profile_may_not_replace_what_is_ours() -> None:
    extra = {"NOTEBOOK_SESSION_ID": "x", "JUPYTERHUB_USER": "x", "HOME": "/x", "PATH": "/tools", "LANG": "C"}
    own = {
        "NOTEBOOK_SESSION_ID": "s",
        "NOTEBOOK_SESSION_TOKEN": "secret",
        "JUPYTERHUB_USER": "mara",
        "PATH": "/bin",
    }
    made = environment.of_server(own, extra, Path("/w"), Path("/run/s"), Path("/w/.venv-3.11"))
    assert (made["NOTEBOOK_SESSION_ID"], made["JUPYTERHUB_USER"], made["HOME"]) == ("s", "mara", "/w")
    assert made["PATH"] == "/w/.venv-3.11/bin:/tools"
    assert made["LANG"] == "C"
    assert "secret" not in made.values()
    assert own["NOTEBOOK_SESSION_TOKEN"] == "secret"


@pytest.mark.parametrize(
    ("status", "out_of_memory", "cause", "words"),
    [
        (0, False, "server_exited", "by itself"),
        (1, False, "server_died", "exit status 1"),
        (-9, False, "server_died", "SIGKILL"),
        (-9, True, "server_died", "ran out of memory"),
        (-11, False, "server_died", "SIGSEGV"),
    ],
)
def test_the_end_of_a_server_is_told_in_words(
    status: int, out_of_memory: bool, cause: str, words: str
) -> None:
    got = end_in_words(status, out_of_memory)
    assert got[0] == cause and words in got[1]


GOOD = ["run", "--state", "/s", "--run-dir=/r", "--", "server", "--port", "1"]
SET = {
    "NOTEBOOK_WORKSPACE": "/w",
    "NOTEBOOK_SESSION_ID": "s",
    "NOTEBOOK_SESSION_TOKEN": "t",
    "NOTEBOOK_SERVICE_URL": "http://h/",
}


def test_the_command_line_is_read() -> None:
    read = options.read(GOOD, SET)
    assert (read.state, read.run_dir, read.log) == (Path("/s"), Path("/r"), None)
    assert read.command == ("server", "--port", "1")


@pytest.mark.parametrize(
    ("arguments", "without", "field"),
    [
        ([], "", None),
        (["save"], "", None),
        (["run", "--state", "/s", "--", "x"], "", "--run-dir"),
        (["run", "--state", "/s", "--run-dir"], "", "--run-dir"),
        (["run", "--state", "/s", "--run-dir", "/r", "--"], "", "COMMAND"),
        (["run", "--stat", "/s"], "", "--stat"),
        *((GOOD, name, name) for name in SET),
    ],
)
def test_what_is_wrong_on_the_command_line_is_named(
    arguments: list[str], without: str, field: str | None
) -> None:
    with pytest.raises(BadInput) as told:
        options.read(arguments, {name: value for name, value in SET.items() if name != without})
    assert told.value.field == field
    assert "t" not in told.value.sentence().split()


@pytest.mark.parametrize("new", ["/new/.venv-3.11", "/new place/.venv-3.11", "/" + "n" * 200 + "/.venv-3.11"])
@pytest.mark.parametrize("old", ["/old/.venv-3.11", "/old place/.venv-3.11"])
def test_heads_of_scripts_follow_a_workspace_that_moved(old: str, new: str) -> None:
    script = script_head(f"{old}/bin/python").encode() + b"print()\n"
    assert moved(script, old, new) == script_head(f"{new}/bin/python").encode() + b"print()\n"


@pytest.mark.parametrize(
    "text", [b"#!/usr/bin/python\nx\n", b"#!/bin/sh\necho\n", b"\x7fELF", b"", b"#!/oldish/bin/p\n"]
)
def test_other_scripts_stay_as_they_are(text: bytes) -> None:
    assert moved(text, "/old", "/new") == text
