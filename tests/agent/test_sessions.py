"""Sessions with a real agent, a real services/agents and a small server: start, stop, deaths."""

from __future__ import annotations

from .harness import Notebook


def test_a_first_start_makes_the_workspace_and_its_stop_saves_it(notebook: Notebook) -> None:
    agent = notebook.start().phase("running")
    assert (notebook.files / ".venv-3.11/bin/python").exists()
    agent.get()
    (notebook.files / "work.txt").write_text("mine")
    assert agent.stop() == 0, agent.said()
    row = agent.row()
    assert (row.phase, row.cause, row.pending_files) == ("ended", "stopped", 0)
    assert [one.number for one in agent.snapshots()] == [1]
    assert not agent.left()
