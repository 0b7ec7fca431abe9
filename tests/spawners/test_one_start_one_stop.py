"""A real Hub with real agents: what a start and a stop leave in the ledger, the Hub and the process table."""

import json
import os
import subprocess
import sys

import psutil
import pytest

from jupyterhub_notebooks.ledger import audit, intents, notebooks, sessions
from jupyterhub_notebooks.spawners.local import run_dir
from jupyterhub_notebooks.spawners.processes import of_session
from tests.hub import until
from tests.processes import variables

from .conftest import last_session, notebook_of


def test_a_start_through_the_hub_makes_a_notebook_and_a_stop_closes_its_session(hub):
    hub.user("anna")
    assert hub.start("anna").status == 201
    row = last_session(hub, "anna")
    assert notebook_of(hub, "anna").title == "Main"
    assert row.profile == "notebook-cpu-small"
    assert row.allocated_at and row.ready_at and row.asked_at <= row.allocated_at <= row.ready_at
    model = hub.server("anna")
    assert model["ready"] and model["user_options"] == {"profile": "notebook-cpu-small"}
    assert model["state"]["notebook_session"]["id"] == row.id
    assert "token" not in json.dumps(model["state"])

    hub.end("anna")
    row = last_session(hub, "anna")
    assert row.cause == "stopped" and row.stop_asked_at and row.ended_at and row.closed_at
    stop = intents.last_stop(hub.ledger, row.id)
    assert stop.cause == "stopped" and stop.evidence == {"through": "hub"} and stop.done_at
    assert of_session(row.id) == [] and not run_dir(row.id).exists()
    assert hub.server("anna")["state"] == {}
    actions = [one.action for one in audit.rows(hub.ledger, subject=row.id)]
    assert actions[-1] == "session.started" and actions[0] == "session.ended"
    assert audit.broken(hub.ledger) is None


def test_folders_and_logs_of_a_session_are_for_its_account_alone(hub):
    hub.user("ada")
    hub.start("ada")
    volume = hub.state / "volumes" / notebook_of(hub, "ada").id
    log = hub.state / "logs" / "sessions" / f"{last_session(hub, 'ada').id}.log"
    run = run_dir(last_session(hub, "ada").id)
    for folder in (volume, volume / "files", volume / "state", run):
        assert folder.stat().st_mode & 0o777 == 0o700, folder
    assert log.stat().st_mode & 0o777 == 0o600
    hub.end("ada")


def test_what_a_session_left_running_is_ended_with_it_and_nothing_else_is(hub):
    for name in ("berta", "carla"):
        hub.user(name)
        hub.start(name)
    session, other = last_session(hub, "berta").id, last_session(hub, "carla").id
    sleep = [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"]
    mine = [
        subprocess.Popen(
            sleep, env={"PATH": os.environ["PATH"], "NOTEBOOK_SESSION_ID": session}, start_new_session=True
        )
        for _ in range(2)
    ]
    try:
        hub.end("berta")
        assert [one.wait(10) for one in mine] == [-9, -9]
        assert hub.server("carla")["ready"] and of_session(other)
    finally:
        for one in mine:
            one.kill()
    hub.end("carla")


def test_a_refused_start_leaves_the_notebook_as_it_was(hub):
    hub.user("emil")
    hub.start("emil", "work", {"profile": "notebook-cpu-large"})
    hub.end("emil", "work")
    refused = hub.start("emil", "work", {"profile": "notebook-gpu-t4"})
    assert refused.status == 409
    assert refused.json["message"].startswith("GPU T4 cannot run on this Hub. It needs a T4")
    assert notebook_of(hub, "emil", "work").profile == "notebook-cpu-large"
    wrong = hub.start("emil", "work", {"profile": "notebook-cpu-larg"})
    assert wrong.status == 400 and "notebook-cpu-large" in wrong.json["message"]
    assert "Traceback" not in hub.log()
    assert hub.start("emil", "work").status == 201
    assert last_session(hub, "emil", "work").profile == "notebook-cpu-large"
    assert len(sessions.of_notebook(hub.ledger, notebook_of(hub, "emil", "work").id)) == 2
    hub.end("emil", "work")


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        ({"image": "evil:latest"}, 400, "There is no such option"),
        ({"profile": ["notebook-cpu-small"]}, 400, "This must be one name"),
        ({"profile": "../../etc/passwd"}, 400, "There is no profile"),
        ({"profile": "notebook-cpu-small", "flavor": "gpu-a100-1x"}, 400, "has no flavor"),
        ({"run": "save"}, 403, "Only this Hub's own services"),
        ({"profile": "notebook-pii"}, 409, "cannot run on this Hub"),
    ],
)
def test_what_cannot_be_started_is_refused_in_words_and_makes_no_notebook(hub, options, status, words):
    hub.user("frida")
    answer = hub.start("frida", "new", options)
    assert answer.status == status and words in answer.json["message"]
    assert notebook_of(hub, "frida", "new") is None


def test_a_removed_server_is_in_the_trash_and_its_name_says_so(hub):
    hub.user("gerd")
    hub.start("gerd", "old")
    hub.end("gerd", "old", remove=True)
    until(lambda: notebook_of(hub, "gerd", "old").trashed_at, what="the trash")
    answer = hub.start("gerd", "old")
    assert answer.status == 409 and answer.json["message"].startswith("old is in the trash.")
    notebooks.put_back(
        hub.ledger, notebook_of(hub, "gerd", "old").id, None, notebook_of(hub, "gerd", "old").created_at
    )
    assert hub.start("gerd", "old").status == 201
    hub.end("gerd", "old")


def test_a_renamed_server_is_the_same_notebook(hub):
    hub.user("hanna")
    hub.start("hanna", "first")
    hub.end("hanna", "first")
    before = notebook_of(hub, "hanna", "first")
    hub.admin("PATCH", "/hub/api/users/hanna/servers/first", {"name": "second"})
    assert notebook_of(hub, "hanna", "first") is None
    assert notebook_of(hub, "hanna", "second").id == before.id


@pytest.mark.slow
def test_a_user_deleted_and_made_again_owns_nothing_of_the_first(hub):
    hub.user("ilse")
    hub.start("ilse")
    first = notebook_of(hub, "ilse")
    hub.end("ilse")
    hub.admin("DELETE", "/hub/api/users/ilse")
    assert notebooks.get(hub.ledger, first.id).trashed_at
    hub.user("ilse")
    hub.start("ilse")
    assert notebook_of(hub, "ilse").id != first.id
    hub.end("ilse")


def test_the_hubs_own_form_has_every_profile_and_a_query_starts_one(hub):
    browser = hub.browser("jonas")
    page = browser.get("/hub/spawn/jonas")
    assert page.status == 200
    for name in ("notebook-cpu-small", "notebook-gpu-a100", "notebook-pii"):
        assert f'value="{name}"' in page.text
    assert "this machine has no GPU" in page.text
    refused = browser.post("/hub/spawn/jonas", profile="notebook-gpu-a100")
    assert refused.status == 409 and "GPU A100 cannot run on this Hub" in refused.text
    assert notebook_of(hub, "jonas") is None
    browser.get("/hub/spawn/jonas?profile=notebook-cpu-large&utm_source=mail")
    until(lambda: (hub.server("jonas") or {}).get("ready"), what="the start")
    assert last_session(hub, "jonas").profile == "notebook-cpu-large"
    hub.end("jonas")


@pytest.mark.slow
def test_the_hub_answers_while_the_ledger_is_locked(hub):
    hub.user("karin")
    with hub.ledger.write() as connection:
        connection.exec_driver_sql("UPDATE hub SET value = value")
        assert hub.admin("POST", "/hub/api/users/karin/server", seconds=30).status == 202
        for _ in range(20):
            assert hub.admin("GET", "/hub/api/users/karin", seconds=2).status == 200
        assert not hub.server("karin")["ready"]
    until(lambda: hub.server("karin")["ready"], what="the start after the lock")
    hub.end("karin")


def test_the_token_is_nowhere_but_with_the_agent(hub):
    hub.user("lena")
    hub.start("lena")
    session = last_session(hub, "lena")
    tokens = [
        found for one in of_session(session.id) if (found := variables(one).get("NOTEBOOK_SESSION_TOKEN"))
    ]
    assert len(tokens) == 1
    token = tokens[0]
    assert len(token) == 64
    for path in hub.state.rglob("*"):
        if path.is_file():
            assert token.encode() not in path.read_bytes(), path
    assert all(
        token not in " ".join(one.info["cmdline"])
        for one in psutil.process_iter(["cmdline"])
        if one.info["cmdline"]
    )
    hub.end("lena")
