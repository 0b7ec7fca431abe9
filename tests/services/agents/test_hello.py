"""What an agent gets to begin with."""

import json
from pathlib import Path
from urllib.parse import urlsplit

from jupyterhub_notebooks.ledger import audit, leases, notebooks, sessions
from jupyterhub_notebooks.settings import NEVER_SAVED

from .conftest import fresh, hello


def test_a_new_workspace_is_made_once_and_says_that_the_service_commits(service, session):
    first = hello(service, session)
    assert first["workspace"] == session.workspace
    file = Path(urlsplit(service.settings.store).path, "workspaces", session.workspace, "workspace.json")
    body = file.read_bytes()
    assert (json.loads(body)["id"], json.loads(body)["lease"]) == (session.workspace, "service")
    again = hello(service, session)
    assert again["lease"]["number"] == first["lease"]["number"] == 1
    assert file.read_bytes() == body


def test_hello_brings_what_the_session_starts_with(service):
    launch = {
        "startup_script": "echo hello",
        "environment": {"TEAM": "churn"},
        "save_interval_seconds": 60,
        "workspace_bytes": 5_000_000,
    }
    answer = hello(service, fresh(service, launch=launch))
    assert answer["startup_script"] == "echo hello"
    assert answer["environment"] == {"TEAM": "churn"}
    assert (answer["save_interval_seconds"], answer["limit_bytes"]) == (60.0, 5_000_000)
    assert answer["startup_script_seconds"] == service.settings.startup_script_seconds
    assert tuple(answer["never_saved"]) == NEVER_SAVED
    assert answer["next_in_seconds"] == 1.0


def test_without_words_of_the_profile_the_hubs_settings_hold(service, session):
    answer = hello(service, session)
    assert answer["limit_bytes"] == service.settings.workspace_limit_bytes
    assert answer["save_interval_seconds"] == service.settings.save_interval_seconds
    assert (answer["startup_script"], answer["environment"]) == ("", {})


def test_the_session_is_heard_of_at_once(service, session):
    hello(service, session)
    row = sessions.get(service.ledger, session.id)
    assert row.phase == "hello"
    assert row.heard_at is not None


def test_while_another_session_holds_the_workspace_there_is_no_lease_but_words(service, session):
    leases.take(service.ledger, session.workspace, "0" * 22 + "abcd", 60)
    answer = hello(service, session)
    assert "lease" not in answer
    assert answer["held_by"].startswith("Session …abcd of this notebook still writes here")


def test_newer_files_on_another_volume_keep_the_lease_back(service):
    first = fresh(service, "hanna", volume="volume-a")
    hello(service, first)
    service.call(first, "POST", "release", {"cause": "stopped", "pending_files": 1})
    name = notebooks.get(service.ledger, first.notebook).server_name
    elsewhere = service.new_session("hanna", name, volume="volume-b")
    answer = hello(service, elsewhere)
    assert "lease" not in answer
    assert "volume-a" in answer["held_by"]


def test_unsaved_files_whose_volume_is_found_empty_are_told_as_lost_once(service):
    first = fresh(service, "ines", volume="volume-i")
    hello(service, first)
    service.call(
        first,
        "POST",
        "release",
        {"cause": "stopped", "pending_files": 3, "pending_bytes": 70, "detail": "kept"},
    )
    name = notebooks.get(service.ledger, first.notebook).server_name
    second = service.new_session("ines", name, volume="volume-i")
    for _ in range(2):
        assert service.call(second, "POST", "hello", {"agent_version": "0.1", "volume": "empty"})[0] == 200
    lost = [one for one in audit.rows(service.ledger, subject=first.id) if one.action == "workspace.lost"]
    assert [(one.cause, one.evidence["files"], one.evidence["bytes"]) for one in lost] == [
        ("volume_gone", 3, 70)
    ]
    assert second.id in lost[0].subjects
    detail = sessions.get(service.ledger, first.id).detail or ""
    assert detail.replace("\u00a0", " ").startswith(
        "3 files changed after the last save (there was none) were lost"
    )
    assert notebooks.workspace(service.ledger, first.workspace).unsaved_on is None


def test_unsaved_files_whose_volume_is_there_stay_noted(service):
    first = fresh(service, "jana", volume="volume-j")
    hello(service, first)
    service.call(first, "POST", "release", {"cause": "stopped", "pending_files": 3})
    name = notebooks.get(service.ledger, first.notebook).server_name
    second = service.new_session("jana", name, volume="volume-j")
    for volume in ("kept", "restoring", "unknown"):
        assert service.call(second, "POST", "hello", {"agent_version": "0.1", "volume": volume})[0] == 200
    assert notebooks.workspace(service.ledger, first.workspace).unsaved_on == "volume-j"


def test_an_agent_that_is_too_old_gets_426_in_words(service, session):
    for path, body in (
        ("hello", {"agent_version": "0.0", "protocol": 0}),
        ("heartbeat", {"sequence": 1, "phase": "running", "protocol": 0}),
    ):
        status, answer = service.call(session, "POST", path, body)
        assert (status, answer["error"]["reason"]) == (426, "agent_too_old")
        assert answer["error"]["next"]


def test_a_newer_agent_with_fields_that_are_not_known_is_served(service, session):
    body = {"agent_version": "9.9", "protocol": 2, "wishes": ["more"]}
    assert service.call(session, "POST", "hello", body)[0] == 200


def test_what_is_no_body_is_refused_by_name(service, session):
    for raw, field in ((b"", "agent_version"), (b"[1]", "Hello"), (b"{", "Hello"), (b"\xff", "Hello")):
        status, answer = service.call(session, "POST", "hello", raw)
        assert (status, answer["error"]["reason"], answer["error"]["field"]) == (400, "bad_body", field)


def test_a_body_that_is_too_long_is_refused(service, session):
    status, answer = service.call(session, "POST", "hello", b" " * 300_000)
    assert (status, answer["error"]["reason"]) == (413, "too_big")
