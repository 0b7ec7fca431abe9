"""``session why`` and ``session list``: on what evidence the enforcer stopped a session, or would have."""

import json
from datetime import UTC, datetime

from click.testing import CliRunner

from jupyterhub_notebooks.cli.session import session
from jupyterhub_notebooks.ledger import Ledger, clocks, intents, losing, notebooks, sessions, upgrade, users
from jupyterhub_notebooks.names import new_id
from jupyterhub_notebooks.spawners import opening

NOW = datetime(2026, 10, 14, 14, 30, tzinfo=UTC)
EVIDENCE = {
    "verdict": "quiet",
    "sentence": "Nothing has run or been typed for 31 min.",
    "quiet_since": "2026-10-14T13:59:00Z",
    "limit_seconds": 1800.0,
    "signals": [{"name": "kernel", "state": "idle", "detail": "a.ipynb"}],
}


def made(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    upgrade(ledger)
    owner = users.seen(ledger, "mara", "2026-01-01T00:00:00Z", NOW)
    notebook = notebooks.ensure(ledger, owner.id, "", NOW)
    id = new_id(NOW, lambda length: b"1" * length)
    sessions.begin(ledger, id, notebook.id, {"profile": "p"}, "1" * 64, NOW)
    return ledger, id


def why(ledger):
    result = CliRunner().invoke(session, ["why", "mara/-", "--ledger", str(ledger.url)])
    assert result.exit_code == 0, result.output
    return result.output.replace("\u00a0", " ")


def test_the_evidence_of_an_idle_stop_is_told(tmp_path):
    ledger, id = made(tmp_path)
    clocks.ask_stop(ledger, sessions.get(ledger, id), "idle", EVIDENCE, NOW)
    sessions.close(ledger, id, NOW, "idle")
    intents.done_all(ledger, id, NOW)
    said = why(ledger)
    assert "stopped by    the idle culler (idle)" in said
    assert "verdict       quiet. Nothing has run or been typed for 31 min." in said
    assert "limit         30 min" in said
    assert "quiet since   2026-10-14 13:59:00 UTC" in said
    assert "kernel        idle: a.ipynb" in said
    ledger.close()


def test_one_that_runs_says_its_verdict_and_what_would_have_been_stopped(tmp_path):
    ledger, id = made(tmp_path)
    values = {"verdict": "working", "verdict_sentence": "A cell runs.", "observed_idle_at": NOW}
    sessions.report(ledger, [sessions.Report(id, values)])
    said = why(ledger)
    assert "verdict       working. A cell runs." in said
    assert "would have been stopped (idle)" in said
    ledger.close()


def test_files_that_were_not_saved_are_told_as_kept_then_as_saved_or_as_lost(tmp_path):
    ledger, id = made(tmp_path)
    sessions.close(ledger, id, NOW, "agent_died", pending_files=1)
    assert "not saved     1 file, kept on the volume" in why(ledger)
    notebook, later = sessions.get(ledger, id).notebook, new_id(NOW, lambda length: b"2" * length)
    next_one = sessions.begin(ledger, later, notebook, {"profile": "p"}, "2" * 64, NOW)
    assert losing.volume_was_empty(ledger, next_one, NOW) == 1
    assert losing.volume_was_empty(ledger, next_one, NOW) == 0
    sessions.close(ledger, later, NOW, "stopped", all_saved=True)
    result = CliRunner().invoke(session, ["why", id, "--ledger", str(ledger.url)])
    assert "lost          1" in result.output and "with the volume" in result.output
    ledger.close()


def test_files_that_another_session_saved_are_told_so(tmp_path):
    ledger, id = made(tmp_path)
    sessions.close(ledger, id, NOW, "agent_died", pending_files=2)
    notebook, later = sessions.get(ledger, id).notebook, new_id(NOW, lambda length: b"2" * length)
    sessions.begin(ledger, later, notebook, {"profile": "p"}, "2" * 64, NOW)
    sessions.close(ledger, later, NOW, "saved", all_saved=True)
    result = CliRunner().invoke(session, ["why", id, "--ledger", str(ledger.url)])
    assert "saved later   2" in result.output
    ledger.close()


def test_stops_that_would_have_been_are_listed_with_their_evidence(tmp_path):
    ledger, id = made(tmp_path)

    def listed(*more):
        result = CliRunner().invoke(
            session, ["list", "--observed", "--ledger", str(ledger.url), *more], env={"COLUMNS": "200"}
        )
        assert result.exit_code == 0, result.output
        return result.output.replace("\u00a0", " ")

    assert "Nothing would have been stopped" in listed()
    change = clocks.Change({"observed_idle_at": NOW}, "session.would_stop", "idle", EVIDENCE)
    clocks.change(ledger, id, lambda row: change, NOW)
    said = listed()
    assert "mara/-" in said and "2026-10-14 14:30:00" in said and "30 min" in said
    assert "quiet. Nothing has run or been typed for 31 min." in said
    [line] = [json.loads(one) for one in listed("--json").splitlines()]
    assert (line["session"], line["cause"], line["evidence"]) == (id, "idle", EVIDENCE)
    ledger.close()


def diagnosed(ledger, *more):
    result = CliRunner().invoke(session, ["diagnose", "mara/-", "--ledger", str(ledger.url), *more])
    assert result.exit_code == 0, result.output
    return result.output.replace("\u00a0", " ")


FAILED = {
    "title": "No machine has 1 GPU",
    "why": "None here has any GPU",
    "next": ["Start it with a smaller profile", "Ask ops"],
    "signals": [["not placed, Unschedulable", "0/1 nodes are available: 1 Insufficient nvidia.com/gpu"]],
}


def test_a_start_that_came_to_nothing_is_diagnosed_with_its_evidence_and_what_to_do(tmp_path):
    ledger, id = made(tmp_path)
    row = sessions.get(ledger, id)
    opening.fail(ledger, row, "no_gpu", "No machine has 1 GPU. None here has any GPU.", NOW, FAILED)
    opening.settle(ledger, row, NOW)
    sessions.add_log(ledger, id, 1, ["the last line"], NOW)
    said = diagnosed(ledger)
    assert said.splitlines()[:3] == [
        "No machine has 1 GPU.", "None here has any GPU.", "Its workspace was not touched.",
    ]  # fmt: skip
    assert "  Start it with a smaller profile\n  Ask ops\n" in said
    assert "not placed, Unschedulable: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu" in said
    assert "the last line" in said and f"Session {id}, ended, cause no_gpu" in said
    told = json.loads(diagnosed(ledger, "--json"))
    assert (told["cause"], told["state"], told["session"]) == ("no_gpu", "ENDED", id)
    ledger.close()


def test_one_that_waits_and_one_that_was_stopped_are_diagnosed_as_that(tmp_path):
    ledger, id = made(tmp_path)
    values = {"phase": "waiting", "warnings": ["A machine is being started: none that runs has a place."]}
    sessions.report(ledger, [sessions.Report(id, values)])
    said = diagnosed(ledger)
    assert said.startswith("It is starting.\nA machine is being started: none that runs has a place.")
    assert "step: waiting" in said
    clocks.ask_stop(ledger, sessions.get(ledger, id), "idle", EVIDENCE, NOW)
    sessions.close(ledger, id, NOW, "idle")
    intents.done_all(ledger, id, NOW)
    said = diagnosed(ledger)
    assert said.startswith("Idle.") and "kernel: idle: a.ipynb" in said
    ledger.close()


def test_the_session_to_diagnose_may_be_given_as_an_option(tmp_path):
    ledger, id = made(tmp_path)
    result = CliRunner().invoke(session, ["diagnose", "--session", id[-6:], "--ledger", str(ledger.url)])
    assert result.exit_code == 0 and id in result.output
    assert CliRunner().invoke(session, ["diagnose", "--ledger", str(ledger.url)]).exit_code != 0
    ledger.close()
