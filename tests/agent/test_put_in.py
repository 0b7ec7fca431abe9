"""What we put into a workspace may be deleted or damaged: the next start makes it anew and says so."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .harness import Notebook, kernel_of

KERNEL = ".local/share/jupyter/kernels/python3"


def _remove(path: str) -> Callable[[Path], None]:
    def act(files: Path) -> None:
        target = files / path
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink()

    return act


def _write(path: str, content: bytes) -> Callable[[Path], None]:
    def act(files: Path) -> None:
        target = files / path
        if target.is_symlink():
            target.unlink()
        target.write_bytes(content)

    return act


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_remove(".workspace.initialized"), ".workspace.initialized was missing or damaged"),
        (_write(".workspace.initialized", b"\xff\x00{"), ".workspace.initialized was missing or damaged"),
        (_remove(".venv-3.11"), "environment .venv-3.11 was missing"),
        (_remove(".venv-3.11/pyvenv.cfg"), ".venv-3.11/pyvenv.cfg was missing"),
        (_write(".venv-3.11/pyvenv.cfg", b"rubbish"), ".venv-3.11/pyvenv.cfg was damaged"),
        (_remove(".venv-3.11/bin"), ".venv-3.11/bin/python was missing"),
        (_remove(".venv-3.11/lib"), "zzz-jupyterhub-notebooks.pth was missing"),
        (_remove(".venv-3.11/bin/python"), ".venv-3.11/bin/python was missing"),
        (_write(".venv-3.11/bin/python3", b"\x7fELF"), ".venv-3.11/bin/python3 led elsewhere"),
        (_remove(".venv-3.11/bin/pip"), ".venv-3.11/bin/pip was missing"),
        (_write(".venv-3.11/bin/pip3", b"#!/nowhere/python\n"), ".venv-3.11/bin/pip3 was damaged"),
        (_remove(f"{KERNEL}/kernel.json"), "kernel Python 3"),
        (_write(f"{KERNEL}/kernel.json", b'{"argv": ["made by jupyterhub-notebooks"'), "kernel Python 3"),
        (_remove(KERNEL), "kernel Python 3"),
        (_remove(f"{KERNEL}/logo-64x64.png"), "Icons of the kernel"),
    ],
)
def test_each_is_made_anew_and_said(notebook: Notebook, damage: Callable[[Path], None], said: str) -> None:
    notebook.start().phase("running").stop()
    damage(notebook.files)
    again = notebook.start().phase("running")
    assert any(said in sentence for sentence in again.row().made_anew), again.row().made_anew
    _works(notebook.files)


def _works(files: Path) -> None:
    python = files / ".venv-3.11/bin/python"
    shown = subprocess.run(
        [python, "-c", "import sys, ipykernel; print(sys.prefix)"], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == str(files / ".venv-3.11")
    subprocess.run([files / ".venv-3.11/bin/pip", "--version"], capture_output=True, check=True)
    assert kernel_of(files)["argv"][0] == str(python)  # type: ignore[index]
    assert json.loads((files / ".workspace.initialized").read_bytes())["workspace"]


def test_all_of_it_deleted_while_the_server_runs_is_there_after_the_next_start(notebook: Notebook) -> None:
    agent = notebook.start().phase("running")
    for name in (".workspace.initialized", ".venv-3.11", ".local"):
        _remove(name)(notebook.files)
    assert agent.stop() == 0, agent.said()
    notebook.lose()
    again = notebook.start().phase("running")
    _works(notebook.files)
    assert len(again.row().made_anew) == 3


def test_a_kernel_that_the_user_wrote_is_left_alone(notebook: Notebook) -> None:
    notebook.start().phase("running").stop()
    own = {"argv": ["/usr/bin/env", "python3", "-m", "mine", "{connection_file}"], "display_name": "Mine"}
    (notebook.files / KERNEL / "kernel.json").write_text(json.dumps(own))
    again = notebook.start().phase("running")
    assert kernel_of(notebook.files) == own
    assert not again.row().made_anew


def test_a_workspace_that_moved_is_mended_and_says_so(notebook: Notebook) -> None:
    agent = notebook.start().phase("running")
    script = notebook.files / ".venv-3.11/bin/tool"
    script.write_text(f"#!{notebook.files}/.venv-3.11/bin/python\nprint('runs')\n")
    script.chmod(0o755)
    agent.stop()
    elsewhere = Notebook(notebook.service, notebook.place / "with spaces", name=notebook.name)
    again = elsewhere.start().phase("running")
    tool = elsewhere.files / ".venv-3.11/bin/tool"
    assert subprocess.run([tool], capture_output=True, text=True, check=True).stdout == "runs\n"
    _works(elsewhere.files)
    assert [sentence for sentence in again.row().made_anew if "another path" in sentence]
    assert len(again.row().made_anew) == 1
