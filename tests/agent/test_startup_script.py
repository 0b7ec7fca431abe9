"""The profile's startup script: it runs in the workspace, and neither its failure nor its hanging blocks a start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents_service import RunningAgents, start_agents_service

from .harness import Notebook, until


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgents]:
    running = start_agents_service(tmp_path_factory.mktemp("agents"), startup_script_seconds=1.0)
    yield running
    running.close()


def test_it_runs_in_the_workspace_with_its_python_before_the_server(notebook: Notebook) -> None:
    notebook.launch = {"startup_script": "python -c 'import sys; print(sys.prefix)' > where\npwd >> where"}
    notebook.start().phase("running")
    assert (notebook.files / "where").read_text().split() == [
        str(notebook.files / ".venv-3.11"),
        str(notebook.files),
    ]


def test_a_failing_one_is_told_with_its_last_line_and_the_server_starts(notebook: Notebook) -> None:
    notebook.launch = {"startup_script": "echo one\nls /no/such/place\ntouch never"}
    agent = notebook.start().phase("running")
    (warning,) = agent.row().warnings
    assert warning.startswith("Running, but the startup script ended with an error: ")
    assert "/no/such/place" in warning
    assert not (notebook.files / "never").exists()
    agent.get()


def test_a_hanging_one_is_ended_with_all_it_started(notebook: Notebook) -> None:
    notebook.launch = {"startup_script": "echo waiting for a licence\nsleep 611 &\nsleep 612"}
    agent = notebook.start().phase("running")
    (warning,) = agent.row().warnings
    assert "did not end within 1" in warning and "waiting for a licence" in warning
    until(lambda: len(agent.left()) == 1, "only the server is left")


def test_a_stop_ends_it_and_saves(notebook: Notebook, tmp_path: Path) -> None:
    notebook.launch = {"startup_script": "touch begun; sleep 613"}
    agent = notebook.start()
    until((notebook.files / "begun").exists, "the script runs")
    assert agent.stop() == 0, agent.said()
    assert "The server was started" not in agent.said()
    assert not agent.left()
