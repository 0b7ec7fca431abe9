"""The extension that is installed is the one whose sources lie here, and JupyterLab takes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from jupyterhub_notebooks.agent.environment import LAB
from tests.tools import lab_ui

NAME = "jupyterhub-notebooks"


def test_what_is_installed_was_built_of_these_sources() -> None:
    assert lab_ui.RECORD.read_text() == lab_ui.record(), "run: make lab"


def test_every_version_of_the_extension_s_tools_is_pinned() -> None:
    package = json.loads((lab_ui.UI / "package.json").read_text())
    wanted = {**package["dependencies"], **package["devDependencies"], **package["overrides"]}
    assert all(version[0].isdigit() for version in wanted.values()), wanted
    locked = json.loads((lab_ui.UI / "package-lock.json").read_text())["packages"]
    for name, version in wanted.items():
        assert locked[f"node_modules/{name}"]["version"] == version
    assert not any("resolved" in one for one in locked.values())


def test_the_agent_s_environment_shows_it_to_jupyterlab(tmp_path: Path) -> None:
    assert (LAB / "labextensions" / NAME / "package.json").is_file()
    listed = subprocess.run(
        [sys.executable, "-m", "jupyter", "labextension", "list"],
        env={**os.environ, "HOME": str(tmp_path), "JUPYTER_PATH": str(LAB)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    said = listed.stdout + listed.stderr
    line = next(one for one in said.splitlines() if NAME in one)
    assert "enabled" in line and "OK" in line, said
