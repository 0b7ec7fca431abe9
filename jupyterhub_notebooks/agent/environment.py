"""What the server's environment is: the workspace as home, its Python first, everything of one run outside of it.

``of_server`` is pure; ``write_shell`` puts the files that it names into the run directory.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from .venv_files import MARK

TOKEN = "NOTEBOOK_SESSION_TOKEN"
#: JupyterLab's part of ours lies here: found after any way of installing, whatever Python a kernel has.
LAB = Path(__file__).parents[1] / "lab" / "share" / "jupyter"
#: What a profile's variables never replace.
_OURS = ("NOTEBOOK_", "JUPYTERHUB_")
_DROPPED = (TOKEN, "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "CONDA_PREFIX", "CONDA_DEFAULT_ENV")


def of_server(
    own: Mapping[str, str], extra: Mapping[str, str], workspace: Path, run_dir: Path, venv: Path | None
) -> dict[str, str]:
    """The environment of server and startup script. own: the agent's; extra: the profile's."""
    made = {name: value for name, value in own.items() if name not in _DROPPED}
    made |= {name: value for name, value in extra.items() if not name.startswith(_OURS)}
    made |= {
        "HOME": str(workspace),
        "TMPDIR": str(run_dir / "tmp"),
        "JUPYTER_RUNTIME_DIR": str(run_dir / "runtime"),
        "JUPYTER_CONFIG_PATH": _joined(run_dir / "config", made.get("JUPYTER_CONFIG_PATH")),
    }
    kernels = [workspace / ".local/share/jupyter"]
    if venv is not None:
        made["VIRTUAL_ENV"] = str(venv)
        made["PATH"] = _joined(venv / "bin", made.get("PATH") or os.defpath)
        kernels.append(venv / "share/jupyter")
    made["JUPYTER_PATH"] = _joined(*kernels, made.get("JUPYTER_PATH"), LAB)
    return made


def _joined(*parts: Path | str | None) -> str:
    return os.pathsep.join(str(part) for part in parts if part)


def write_shell(run_dir: Path, venv: Path | None, shell: str | None) -> None:
    """The folders of a run, our server extension turned on, and terminals with the workspace's Python first.

    A login shell, which Jupyter starts otherwise, reads /etc/profile, and that sets PATH anew.
    """
    for name in ("tmp", "runtime", "config"):
        folder = run_dir / name
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    program = shell or ("/bin/bash" if os.access("/bin/bash", os.X_OK) else "/bin/sh")
    command = [program]
    if os.path.basename(program) == "bash":
        rc = run_dir / "config" / "bashrc"
        rc.write_text(_BASHRC.format(mark=MARK, path=_first_in_path(venv)), encoding="utf-8")
        command += ["--rcfile", str(rc)]
    config = {
        "ServerApp": {"terminado_settings": {"shell_command": command}},
        # An open notebook stays in the server's memory when its last page is closed: after a minute, which is
        # the default, what a cell prints would be lost. What it had is in its file, not in a store beside it.
        "YDocExtension": {"document_cleanup_delay": None},
        "SQLiteYStore": {"db_path": str(run_dir / "runtime" / "documents.sqlite")},
    }
    (run_dir / "config" / "jupyter_server_config.json").write_text(json.dumps(config), encoding="utf-8")
    # What an image has is its administrator's: nobody here can act on news of other versions, and the question
    # whether to fetch them would lie over our notices at each notebook's first start. A person's own choice stays.
    defaults = run_dir / "config" / "labconfig"
    defaults.mkdir(exist_ok=True)
    news = {
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    }
    (defaults / "default_setting_overrides.json").write_text(json.dumps(news), encoding="utf-8")
    # Here and not among the files of the wheel, which an editable install leaves out.
    enabled = run_dir / "config" / "jupyter_server_config.d"
    enabled.mkdir(exist_ok=True)
    extensions = {"ServerApp": {"jpserver_extensions": {"jupyterhub_notebooks.lab": True}}}
    (enabled / "jupyterhub_notebooks.json").write_text(json.dumps(extensions), encoding="utf-8")


def _first_in_path(venv: Path | None) -> str:
    return f'PATH={shlex.quote(str(venv / "bin"))}:"$PATH"; export PATH\n' if venv is not None else ""


_BASHRC = """# {mark}: what a login shell reads, with the workspace's Python first
[ -r /etc/profile ] && . /etc/profile
{path}if [ -r ~/.bash_profile ]; then . ~/.bash_profile
elif [ -r ~/.bash_login ]; then . ~/.bash_login
elif [ -r ~/.profile ]; then . ~/.profile
elif [ -r ~/.bashrc ]; then . ~/.bashrc
fi
"""
