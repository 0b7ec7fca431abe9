"""Sessions with a real agent, a real services/agents and a small server: start, stop, come back."""

from __future__ import annotations

import json
import os
import signal

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.ledger import intents

from .harness import Notebook, until


def test_a_first_start_makes_the_workspace_and_its_stop_saves_it(notebook: Notebook) -> None:
    agent = notebook.start().phase("running")
    assert (notebook.files / ".venv-3.11/bin/python").exists()
    agent.get()
    (notebook.files / "work.txt").write_text("mine")
    assert agent.stop() == 0, agent.said()
    row = agent.row()
    assert (row.phase, row.cause, row.pending_files) == ("ended", "stopped", 0)
    assert row.made_anew in (None, [], ())
    assert [one.number for one in agent.snapshots()] == [1]
    assert not agent.left()


def test_a_lost_volume_comes_back_with_the_next_start(notebook: Notebook) -> None:
    agent = notebook.start().phase("running")
    (notebook.files / "deep/er").mkdir(parents=True)
    (notebook.files / "deep/er/work.bin").write_bytes(os.urandom(3_000_000))
    want = (notebook.files / "deep/er/work.bin").read_bytes()
    assert agent.stop() == 0, agent.said()
    notebook.lose()
    again = notebook.start().phase("running")
    assert (notebook.files / "deep/er/work.bin").read_bytes() == want
    assert (notebook.files / ".venv-3.11/bin/python").exists()
    assert not again.row().made_anew
    again.get()


def test_a_session_that_changed_nothing_makes_no_snapshot(notebook: Notebook) -> None:
    notebook.start().phase("running").stop()
    again = notebook.start().phase("running")
    assert again.stop() == 0, again.said()
    assert [one.number for one in again.snapshots()] == [1]


def test_the_server_sees_its_workspace_and_no_token(notebook: Notebook) -> None:
    show = "import json, os; json.dump(dict(os.environ), open('seen.json', 'w')); import time; time.sleep(60)"
    agent = notebook.start(["python3", "-c", show], {"JUPYTERHUB_SERVICE_URL": ""}).phase("running")
    until(lambda: (notebook.files / "seen.json").exists(), "the server writes")
    until(lambda: (notebook.files / "seen.json").read_text().endswith("}"), "the server has written")
    seen = json.loads((notebook.files / "seen.json").read_text())
    assert "NOTEBOOK_SESSION_TOKEN" not in seen
    assert seen["NOTEBOOK_SESSION_ID"] == agent.session.id
    assert seen["HOME"] == str(notebook.files)
    assert seen["PATH"].startswith(f"{notebook.files}/.venv-3.11/bin:")
    assert seen["VIRTUAL_ENV"] == f"{notebook.files}/.venv-3.11"
    for name in ("TMPDIR", "JUPYTER_RUNTIME_DIR"):
        assert seen[name].startswith(str(agent.run_dir))


def test_what_changes_is_saved_while_the_server_runs(notebook: Notebook) -> None:
    notebook.launch = {"save_interval_seconds": 0.5}
    agent = notebook.start().phase("running")
    until(lambda: len(agent.snapshots()) == 1, "the first periodic save")
    (notebook.files / "later.txt").write_text("later")
    until(lambda: len(agent.snapshots()) >= 2, "a save of what changed")
    agent.die()
    notebook.lose()
    notebook.start().phase("running")
    assert (notebook.files / "later.txt").read_text() == "later"


def test_an_order_to_save_is_carried_out_at_once(notebook: Notebook) -> None:
    agent = notebook.start().phase("running")
    ledger = notebook.service.ledger
    asked = intents.ask(ledger, agent.session.id, "save", "asked", agent.row().user, SYSTEM_CLOCK.now())
    until(lambda: len(agent.snapshots()) == 1, "the save")
    until(lambda: not intents.open_of(ledger, agent.session.id), f"order {asked} is done")


def test_an_order_to_finish_saves_and_ends(notebook: Notebook) -> None:
    agent = notebook.start().phase("running")
    ledger = notebook.service.ledger
    intents.ask(ledger, agent.session.id, "finish", "idle", agent.row().user, SYSTEM_CLOCK.now())
    assert agent.wait() == 0, agent.said()
    assert (agent.row().phase, agent.row().cause) == ("ended", "idle")
    assert len(agent.snapshots()) == 1


def test_a_second_sigterm_does_not_interrupt_the_save(notebook: Notebook) -> None:
    agent = notebook.start().phase("running")
    (notebook.files / "big.bin").write_bytes(os.urandom(30_000_000))
    agent.ask_to_end()
    agent.phase("saving", "ended")
    agent.process.send_signal(signal.SIGTERM)
    agent.process.send_signal(signal.SIGINT)
    assert agent.wait() == 0, agent.said()
    assert len(agent.snapshots()) == 1


def test_output_of_the_server_is_in_the_sessions_log(notebook: Notebook) -> None:
    from jupyterhub_notebooks.ledger import sessions

    agent = notebook.start().phase("running")
    agent.stop()
    lines = [line for _, line in sessions.log(notebook.service.ledger, agent.session.id)]
    assert f"server in {notebook.files}" in lines
    assert any("Saved as snapshot 1" in line for line in lines)
    assert agent.session.token not in agent.said()


def test_an_unusable_command_line_is_one_sentence(notebook: Notebook) -> None:
    import subprocess
    import sys

    said = subprocess.run(
        [sys.executable, "-m", "jupyterhub_notebooks.agent", "run", "--stat", "x"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert said.returncode == 2
    assert said.stderr.startswith(
        "--stat: There is no such option. Usage: python -m jupyterhub_notebooks.agent"
    )
    assert said.stderr.count("\n") == 1
