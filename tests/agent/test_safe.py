"""Safe mode's environment and what it finds in a workspace; a real editor in it is in tests/end_to_end/test_safe_mode.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from jupyterhub_notebooks.agent import environment, safe

OWN = {
    "PATH": "/bin",
    "JUPYTERHUB_API_URL": "http://hub",
    "PYTHONPATH": "/old",
    "NOTEBOOK_SESSION_TOKEN": "t",
}
EXTRA = {"PYTHONPATH": "lib", "LD_PRELOAD": "x.so", "https_proxy": "http://proxy", "JUPYTER_PATH": "/mine"}


def test_nothing_of_the_user_decides_what_python_and_jupyter_take_from_where(tmp_path: Path) -> None:
    files, run = tmp_path / "files", tmp_path / "run"
    made = safe.of_server(OWN, EXTRA, files, run)
    assert made["https_proxy"] == "http://proxy" and made["JUPYTERHUB_API_URL"] == "http://hub"
    assert "PYTHONPATH" not in made and "LD_PRELOAD" not in made and "NOTEBOOK_SESSION_TOKEN" not in made
    assert made["PYTHONNOUSERSITE"] == made["PYTHONSAFEPATH"] == "1"
    inside = {name for name, value in made.items() if str(files) in value}
    assert inside == {"JUPYTERHUB_ROOT_DIR"}  # the files are shown, and nothing else lies there


def test_the_editor_shows_the_workspace_and_terminals_read_nothing_of_it(tmp_path: Path) -> None:
    run, files = tmp_path / "run", tmp_path / "files"
    environment.write_shell(run, None, "/bin/bash")
    home = safe.prepare(run, files)
    config = json.loads((run / "config" / "jupyter_server_config.json").read_text())
    assert config["ServerApp"]["root_dir"] == str(files) and home.is_dir()
    assert config["FileContentsManager"]["delete_to_trash"] is False
    assert config["ContentsManager"]["allow_hidden"] is True
    settings = Path(safe.of_server(OWN, EXTRA, files, run)["JUPYTERLAB_SETTINGS_DIR"])
    assert json.loads((settings / safe.BROWSER).read_text()) == {"showHiddenFiles": True}
    assert "~" not in (run / "config" / "bashrc").read_text()


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        (".jupyter/jupyter_server_config.py", "c.x = (", "cannot be read (line 1"),
        (".jupyter/jupyter_server_config.py", "c.x = 1", "is run by the server at each start"),
        ("jupyter_server_config.json", "{", "cannot be read"),
        (".local/share/jupyter/kernels/mine/kernel.json", '{"argv": ["sh", "-c", "x"]}', "runs `sh -c x`"),
        (".local/share/jupyter/kernels/mine/kernel.json", "[]", "cannot be read"),
        (".ipython/profile_default/startup/00.py", "raise ValueError", "is run by each Python kernel"),
        ("random.py", "x = 1", "hides the module random"),
        (".venv-3.11/bin/python", "#!/bin/sh\nexit 3\n", "does not work"),
        (".venv-3.11/pyvenv.cfg", "home = /gone", "it has no bin/python"),
        (
            ".local/lib/python3.11/site-packages/a-1.dist-info/METADATA",
            "",
            "1\u00a0package in .local/lib/python3.11",
        ),
    ],
)
def test_what_may_be_broken_is_named_with_its_remedy(
    tmp_path: Path, path: str, text: str, words: str
) -> None:
    put(tmp_path / path, text)
    if path.endswith("bin/python"):
        (tmp_path / path).chmod(0o755)
    (said,) = safe.suspects(tmp_path, {})
    assert words in said and any(verb in said for verb in ("remove", "rename", "mend", "install")), said


def test_a_whole_workspace_has_nothing_to_name(tmp_path: Path) -> None:
    put(tmp_path / "analysis.py", "x = 1")
    kernel = {"argv": [sys.executable, "-m", "ipykernel_launcher"]}
    put(tmp_path / ".local/share/jupyter/kernels/python3/kernel.json", json.dumps(kernel))
    assert safe.suspects(tmp_path, {"https_proxy": "x"}) == ()
    assert "PYTHONPATH is set to lib" in safe.suspects(tmp_path, {"PYTHONPATH": "lib"})[0]
