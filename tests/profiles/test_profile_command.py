"""The commands that list, show and check profiles."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyterhub_notebooks.cli.main import run
from jupyterhub_notebooks.cli.profile import profile
from jupyterhub_notebooks.profiles.catalog import SHIPPED


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = run(profile, arguments)
    out, err = capsys.readouterr()
    return status, out, err


def test_list_shows_every_shipped_profile(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = ran(capsys, "list")
    assert status == 0
    assert "notebook-cpu-small" in out and "€0.10" in out
    assert len(json.loads(ran(capsys, "list", "--json")[1])) == 5


def test_show_tells_one_profile_and_a_wrong_name_gets_a_suggestion(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "no public internet" in ran(capsys, "show", "notebook-pii")[1]
    status, _, err = ran(capsys, "show", "notebook-pi")
    assert status == 4 and "Did you mean notebook-pii?" in err


def test_check_answers_by_exit_code_and_names_each_mistake(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert ran(capsys, "check", str(SHIPPED))[0] == 0
    wrong = tmp_path / "profiles.yaml"
    wrong.write_text(SHIPPED.read_text().replace("flavor: std-2x8", "flavor: std-2x9", 1))
    status, _, err = ran(capsys, "check", str(wrong))
    assert status == 3
    assert "profiles.notebook-cpu-small.flavor: There is no flavor 'std-2x9'. Did you mean std-2x8?" in err
    assert "Traceback" not in err
    status, out, _ = ran(capsys, "check", "--json", str(wrong))
    assert status == 3 and json.loads(out)["problems"][0]["path"] == "profiles.notebook-cpu-small.flavor"
