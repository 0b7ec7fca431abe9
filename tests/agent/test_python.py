"""The workspace's Python as people use it: pip, kernels and terminals of a real Jupyter server install into it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from jupyterhub_notebooks.agent import interpreter, venv
from jupyterhub_notebooks.agent.interpreter import Interpreter

from .harness import Notebook, until


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A package ``tinything`` with a console script, newer than one that the server's environment has, by no index."""
    return _wheel(tmp_path / "wheels", "tinything", "2.0")


def _wheel(folder: Path, name: str, version: str) -> Path:
    import zipfile

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": f"version = {version!r}\ndef main(): print({name!r}, version, __file__)\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name}-run = {name}:main\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(inside, text)
    return path


def _made(tmp_path: Path) -> tuple[Path, Path]:
    workspace = tmp_path / "work space"
    workspace.mkdir()
    return workspace, venv.make(workspace, interpreter.own()).path


def _run(*command: object, **environment: str) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        env={**os.environ, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_pip_installs_into_the_workspace_and_never_into_the_servers_environment(
    tmp_path: Path, wheel: Path
) -> None:
    before = _run(sys.executable, "-m", "pip", "freeze")
    workspace, made = _made(tmp_path)
    for pip in ([made / "bin/pip"], [made / "bin/python", "-m", "pip"], [made / "bin/pip3.11"]):
        _run(*pip, "install", "--force-reinstall", wheel, HOME=str(workspace))
        assert str(made) in _run(made / "bin/tinything-run")
    assert _run(sys.executable, "-m", "pip", "freeze") == before


def test_a_package_that_the_server_has_too_is_upgraded_in_the_workspace_only(tmp_path: Path) -> None:
    """pip takes what lies outside the virtualenv for somebody else's, and does not remove it."""
    before = _run(sys.executable, "-c", "import click; print(click.__file__)").strip()
    _, made = _made(tmp_path)
    newer = _wheel(tmp_path / "wheels", "click", "99.0")
    _run(made / "bin/pip", "install", "--no-deps", newer)
    assert _run(made / "bin/python", "-c", "import click; print(click.version)").strip() == "99.0"
    assert Path(before).exists()
    assert "99.0" not in _run(sys.executable, "-m", "pip", "show", "click")
    _run(made / "bin/pip", "uninstall", "-y", "click")
    assert _run(made / "bin/python", "-c", "import click; print(click.__file__)").strip() == before


def test_an_environment_without_pip_gets_the_one_that_python_brings(tmp_path: Path, wheel: Path) -> None:
    own = interpreter.own()
    bare = tmp_path / "bare/site-packages"
    bare.mkdir(parents=True)
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    made = venv.make(workspace, Interpreter(own.executable, own.version, str(tmp_path), (str(bare),))).path
    _run(made / "bin/pip", "install", wheel)
    assert str(made) in _run(made / "bin/tinything-run")


def test_another_python_gets_a_fresh_environment_and_the_old_one_is_kept(tmp_path: Path) -> None:
    workspace, made = _made(tmp_path)
    own = interpreter.own()
    other = venv.make(workspace, Interpreter(own.executable, "3.99.0", own.prefix, own.packages))
    assert other.path.name == ".venv-3.99" and other.fresh and made.is_dir()
    assert "Python 3.99" in other.notes[0] and made.name in other.notes[0]
    again = venv.make(workspace, Interpreter(own.executable, "3.99.1", own.prefix, own.packages))
    assert again.mended == (
        "This notebook runs another Python than before (3.99.1 instead of 3.99.0): .venv-3.99 leads to it now",
    )


def test_a_folder_of_that_name_that_is_the_users_own_is_left_alone(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    (workspace / ".venv-3.11").mkdir(parents=True)
    (workspace / ".venv-3.11/pyvenv.cfg").write_text("home = /opt/mine\n")
    made = venv.make(workspace, interpreter.own())
    assert made.path.name == ".venv-3.11-2"
    assert (workspace / ".venv-3.11/pyvenv.cfg").read_text() == "home = /opt/mine\n"
    assert venv.make(workspace, interpreter.own()).path == made.path


def test_pip_that_the_user_upgraded_stays(tmp_path: Path) -> None:
    workspace, made = _made(tmp_path)
    own = f"#!/bin/sh\n'''exec' \"{made}/bin/python\" \"$0\" \"$@\"\n' '''\nprint('newer pip')\n"
    (made / "bin/pip").write_text(own)
    again = venv.make(workspace, interpreter.own())
    assert not again.mended
    assert (made / "bin/pip").read_text() == own


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "-c", "pass"],
        [str(Path(sys.executable).with_name("pytest"))],
        ["no-such-program"],
        ["/bin/true"],
    ],
)
def test_the_servers_python_is_found_from_its_command(command: list[str]) -> None:
    found = interpreter.of_command(command, os.environ["PATH"])
    assert found.prefix == sys.prefix


class Jupyter:
    """A Jupyter server behind an agent, as its user's browser sees it."""

    def __init__(self, port: int) -> None:
        self.port = port

    def call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": "token secret"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def socket(self, path: str) -> Any:
        from tornado.httpclient import HTTPRequest
        from tornado.websocket import websocket_connect

        url = f"ws://127.0.0.1:{self.port}/{path}"
        return websocket_connect(HTTPRequest(url, headers={"Authorization": "token secret"}))


async def _cell(jupyter: Jupyter, kernel: str, code: str) -> str:
    """What a cell printed."""
    from jupyter_client.session import Session

    session = Session()
    socket = await jupyter.socket(f"api/kernels/{kernel}/channels")
    message = session.msg("execute_request", {"code": code, "silent": False, "store_history": False})
    message["channel"] = "shell"
    await socket.write_message(json.dumps(message, default=str))
    printed = ""
    while True:
        got = json.loads(await socket.read_message())
        if got["parent_header"].get("msg_id") != message["header"]["msg_id"]:
            continue
        if got["msg_type"] == "stream":
            printed += got["content"]["text"]
        elif got["msg_type"] == "error":
            raise AssertionError("\n".join(got["content"]["traceback"]))
        elif got["msg_type"] == "status" and got["content"]["execution_state"] == "idle":
            socket.close()
            return printed


async def _typed(jupyter: Jupyter, line: str, end: str) -> str:
    """What a new terminal shows after line, up to end."""
    name = jupyter.call("POST", "terminals", {})["name"]
    socket = await jupyter.socket(f"terminals/websocket/{name}")
    await socket.write_message(json.dumps(["stdin", line + "\n"]))
    shown = ""
    limit = time.monotonic() + 60
    while end not in shown and time.monotonic() < limit:
        kind, *rest = json.loads(await socket.read_message())
        shown += rest[0] if kind == "stdout" else ""
    socket.close()
    return shown


@pytest.mark.skipif(shutil.which("bash") is None, reason="terminals are shown with bash")
async def test_cells_and_terminals_of_a_real_server_install_into_the_workspace(
    notebook: Notebook, tmp_path: Path
) -> None:
    command = [
        *(
            sys.executable,
            "-m",
            "jupyter_server",
            "--port=PORT",
            "--ServerApp.port_retries=0",
            "--no-browser",
        ),
        *("--allow-root", "--IdentityProvider.token=secret"),
    ]
    environment = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "wheels"), "SHELL": "/bin/bash"}
    for name in ("one", "two", "three"):
        _wheel(tmp_path / "wheels", f"tiny{name}", "1.0")
    before = _run(sys.executable, "-m", "pip", "freeze")
    agent = notebook.start(command, environment).phase("running")
    jupyter = Jupyter(agent.port)
    specs = jupyter.call("GET", "kernelspecs")["kernelspecs"]
    made = notebook.files / ".venv-3.11"
    assert specs["python3"]["spec"]["argv"][0] == str(made / "bin/python")
    kernel = jupyter.call("POST", "kernels", {"name": "python3"})["id"]
    await _cell(jupyter, kernel, "%pip install -q tinyone")
    await _cell(jupyter, kernel, "!pip install -q tinytwo")
    shown = await _typed(jupyter, "pip install -q tinythree; echo do''ne", "done")
    where = (
        "import tinyone, tinytwo, tinythree; print(tinyone.__file__, tinytwo.__file__, tinythree.__file__)"
    )
    printed = (await _cell(jupyter, kernel, where)).split()
    assert len(printed) == 3 and all(path.startswith(str(made)) for path in printed), (printed, shown)
    assert str(made / "bin/tinythree-run") in await _typed(
        jupyter, "command -v tinythree-run; echo do''ne", "done"
    )
    assert _run(sys.executable, "-m", "pip", "freeze") == before
    assert agent.stop() == 0, agent.said()
    until(lambda: not agent.left(), "the kernel and the terminals are ended")
    notebook.lose()
    again = notebook.start(command, environment).phase("running")
    jupyter = Jupyter(again.port)
    kernel = jupyter.call("POST", "kernels", {"name": "python3"})["id"]
    assert str(made) in await _cell(jupyter, kernel, where)
