"""Safe mode: an editor that works whatever stands in the workspace, with the user's files in it.

Promises: runtime, caches, settings and kernels lie in the run directory, outside the workspace; nothing of the user's
packages, settings and startup files is read; nothing is made in the workspace or changed there. What it is that
may be broken is said, with what to remove or to install again. ``of_server`` is pure, ``suspects`` only reads.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..units import count, show_size
from .environment import _DROPPED, _OURS, LAB

SAID = (
    "Safe mode: your packages, settings and startup script are not used, and kernels are the server's own."
    " Your files are all here. Mend what is broken, stop it, and start it as always"
)
#: Variables that decide what Python, Jupyter or the loader take from where: a profile's are left out.
_DECIDING = ("PYTHON", "JUPYTER", "IPYTHON", "LD_", "VIRTUAL_ENV", "CONDA")
#: Below this a disk is as good as full.
FULL_BYTES = 20 * 10**6
#: So long a Python of the workspace may take to say that it works.
TRY_SECONDS = 10.0
MOST_SAID = 8
#: JupyterLab's settings of its file browser.
BROWSER = Path("@jupyterlab") / "filebrowser-extension" / "browser.jupyterlab-settings"
CONFIGS = (
    "jupyter_server_config",
    "jupyter_lab_config",
    "jupyter_notebook_config",
    "jupyter_config",
    "jupyterhub_singleuser_config",
)


def of_server(
    own: Mapping[str, str], extra: Mapping[str, str], workspace: Path, run_dir: Path
) -> dict[str, str]:
    """The environment of the server. own: the agent's; extra: the profile's."""
    home = run_dir / "safe"
    made = {name: value for name, value in own.items() if name not in _DROPPED}
    made |= {name: value for name, value in extra.items() if not name.startswith((*_OURS, *_DECIDING))}
    for name in ("PYTHONPATH", "PYTHONSTARTUP", "LD_PRELOAD", "VIRTUAL_ENV"):
        made.pop(name, None)
    return made | {
        "HOME": str(home),
        "TMPDIR": str(run_dir / "tmp"),
        "PYTHONNOUSERSITE": "1",
        "PYTHONSAFEPATH": "1",
        "JUPYTERHUB_ROOT_DIR": str(workspace),
        "JUPYTER_RUNTIME_DIR": str(run_dir / "runtime"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_CONFIG_PATH": str(run_dir / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_PATH": str(LAB),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "lab" / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "lab" / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_DATA_HOME": str(home / "share"),
    }


def prepare(run_dir: Path, workspace: Path) -> Path:
    """The home of safe mode, beside what ``environment.write_shell`` made; the server starts in it, because Jupyter
    also reads settings from the folder that it starts in."""
    home = run_dir / "safe"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    rc = run_dir / "config" / "bashrc"
    if rc.exists():
        rc.write_text("[ -r /etc/profile ] && . /etc/profile\n", encoding="utf-8")
    path = run_dir / "config" / "jupyter_server_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["ServerApp"]["root_dir"] = str(workspace)
    # A trash would need space where there is none; what was deleted is in a snapshot.
    config["FileContentsManager"] = {"delete_to_trash": False, "always_delete_dir": True}
    # What is to be removed mostly lies in hidden folders: they are shown, and can be deleted there.
    config["ContentsManager"] = {**config.get("ContentsManager", {}), "allow_hidden": True}
    path.write_text(json.dumps(config), encoding="utf-8")
    shown = home / "lab" / "settings" / BROWSER
    shown.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shown.write_text(json.dumps({"showHiddenFiles": True}), encoding="utf-8")
    return home


def suspects(files: Path, extra: Mapping[str, str], never_saved: Sequence[str] = ()) -> tuple[str, ...]:
    """What in the workspace may keep its editor or kernels from starting, worst first, a sentence each with its remedy."""
    found = [*_disk(files, never_saved), *_settings(files), *_python_path(extra), *_environments(files)]
    found += [*_kernels(files), *_startup(files), *_packages(files), *_hiding(files)]
    return tuple(found[:MOST_SAID])


def is_full(files: Path) -> bool:
    """Whether the disk of the workspace takes nothing more."""
    try:
        there = os.statvfs(files)
    except OSError:
        return False
    return there.f_bavail * there.f_frsize < FULL_BYTES and there.f_blocks > 0


def _disk(files: Path, never_saved: Sequence[str]) -> Iterator[str]:
    if not is_full(files):
        return
    from ..workspace import fills

    try:
        parts = fills.look(files, never_saved).fills
    except OSError:
        parts = ()
    caches = [one for one in parts if one.safe == fills.YES]
    if caches:
        size = show_size(sum(one.size_bytes for one in caches))
        names = ", ".join(one.path for one in caches[:3])
        yield f"No space is left: {size} of caches can go, in {names}. Delete them in the file browser or a terminal"
    else:
        largest = sorted(parts, key=lambda one: -one.size_bytes)[:3]
        names = ", ".join(f"{one.path} ({show_size(one.size_bytes)})" for one in largest)
        yield "No space is left: delete what you do not need" + (f"; largest: {names}" if names else "")


def _settings(files: Path) -> Iterator[str]:
    """Settings of the server, of which one mistake keeps it from starting; the broken ones first."""
    there = [
        folder / f"{name}.{kind}"
        for folder in (files, files / ".jupyter")
        for name in CONFIGS
        for kind in ("py", "json")
        if (folder / f"{name}.{kind}").is_file()
    ]
    told = [(path.relative_to(files), _mistake(path)) for path in there]
    for shown, mistake in sorted(told, key=lambda one: one[1] == ""):
        if mistake:
            yield f"{shown} cannot be read ({mistake}): mend it, or remove it"
        else:
            yield f"{shown} is run by the server at each start: mend it, or remove it"


def _mistake(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            json.loads(text)
        else:
            compile(text, str(path), "exec")
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except (OSError, ValueError) as error:
        return str(error)[:120]
    return ""


def _python_path(extra: Mapping[str, str]) -> Iterator[str]:
    for name in ("PYTHONPATH", "PYTHONSTARTUP", "LD_PRELOAD"):
        if extra.get(name):
            yield f"{name} is set to {extra[name]} by the profile: remove or rename what lies there and is broken"


def _environments(files: Path) -> Iterator[str]:
    for folder in sorted(files.glob(".venv-*")):
        python = folder / "bin" / "python"
        why = _not_working(python) if python.exists() else "it has no bin/python"
        if why:
            yield (
                f"The Python environment {folder.name} does not work ({why}): remove it with `rm -r {folder.name}`;"
                " the next start makes a new one, and your packages are installed in it again with pip"
            )


def _not_working(python: Path) -> str:
    """'' where a kernel would start with it, else the last line that it printed."""
    try:
        done = subprocess.run(
            [str(python), "-c", "import ipykernel, jupyter_client, zmq"],
            capture_output=True,
            text=True,
            timeout=TRY_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return f"it does not answer within {TRY_SECONDS:.0f} s"
    except OSError as error:
        return error.strerror or str(error)
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1][:160]


def _kernels(files: Path) -> Iterator[str]:
    """Kernels that the user put there; what starts without end cannot be told from what starts, so each is named."""
    for path in sorted((files / ".local/share/jupyter/kernels").glob("*/kernel.json")):
        folder = path.parent.relative_to(files)
        try:
            argv = json.loads(path.read_text(encoding="utf-8")).get("argv") or []
            words = " ".join(str(word) for word in argv)[:120]
        except (OSError, ValueError, AttributeError) as error:
            yield f"The kernel in {folder} cannot be read ({str(error)[:80]}): remove the folder"
            continue
        if not words.startswith(str(files)) and not words.startswith(sys.prefix):
            yield f"The kernel in {folder} runs `{words}`: remove the folder if it does not come up"


def _startup(files: Path) -> Iterator[str]:
    profile = files / ".ipython" / "profile_default"
    scripts = [*sorted((profile / "startup").glob("*.py")), *sorted(profile.glob("ipython*_config.py"))]
    for path in scripts:
        mistake = _mistake(path)
        why = f"cannot be read ({mistake})" if mistake else "is run by each Python kernel"
        yield f"{path.relative_to(files)} {why}: remove it if kernels do not come up"


def _packages(files: Path) -> Iterator[str]:
    for folder in sorted((files / ".local" / "lib").glob("python3*/site-packages")):
        number = len(list(folder.glob("*.dist-info")))
        if number:
            come = "comes" if number == 1 else "come"
            yield (
                f"{count(number, 'package')} in {folder.relative_to(files)} {come} before the notebook's own:"
                " remove the folder, and install again what you need"
            )


def _hiding(files: Path) -> Iterator[str]:
    for path in sorted(files.glob("*.py")):
        if path.stem in sys.stdlib_module_names or path.stem in ("jupyter_server", "jupyterlab", "IPython"):
            yield f"{path.name} hides the module {path.stem} of that name: rename it"
