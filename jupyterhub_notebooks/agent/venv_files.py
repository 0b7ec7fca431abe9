"""What stands in a workspace's virtualenv before anything is installed into it: names, links and texts. Pure.

Promises: everything lies below the virtualenv; its own packages come before those of the environment that runs the
server; nothing here is written by pip, so it takes milliseconds and needs no ensurepip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .interpreter import Interpreter

#: Stands in every text that we put into a workspace: what has it is ours to mend.
MARK = "made by jupyterhub-notebooks"
LAYOUT = "1"  # grows when these texts change: older ones are then replaced without a word
PTH = "zzz-jupyterhub-notebooks.pth"  # last by name: packages that a user develops come first
_LONGEST_HEAD = 127  # what Linux reads of a ``#!`` line


@dataclass(frozen=True)
class File:
    """A text of ours. mode: 0o755 for scripts. Kept as it is where it has become somebody else's."""

    text: str
    mode: int = 0o644


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True)
class Wanted:
    """Everything that a virtualenv needs, by path relative to it."""

    config: str
    links: dict[str, str] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)


def wanted(venv: str, python: Interpreter, *, pip_wheel: str | None, has_ipython: bool) -> Wanted:
    """What ``venv`` (an absolute path) must hold on this Python."""
    heads = script_head(f"{venv}/bin/python")
    files = {f"lib/python{python.minor}/site-packages/{PTH}": File(_pth(python.packages, pip_wheel))}
    pip = File(_script(heads, "from pip._internal.cli.main import main"), 0o755)
    files |= {f"bin/{name}": pip for name in ("pip", "pip3", f"pip{python.minor}")}
    if has_ipython:
        shell = File(_script(heads, "from IPython import start_ipython as main"), 0o755)
        files |= {f"bin/{name}": shell for name in ("ipython", "ipython3")}
    files["bin/activate"] = File(_ACTIVATE.format(mark=MARK, venv=_quoted(venv)))
    files["bin/activate.fish"] = File(_FISH.format(mark=MARK, venv=_quoted(venv)))
    links = {"bin/python": python.executable, "bin/python3": "python", f"bin/python{python.minor}": "python"}
    return Wanted(config(venv, python), links, files)


def config(venv: str, python: Interpreter) -> str:
    """``pyvenv.cfg``; ``notebooks-path`` is where the virtualenv was when its absolute paths were written."""
    home, _, _ = python.executable.rpartition("/")
    return (
        f"home = {home}\n"
        "include-system-site-packages = false\n"
        f"version = {python.version}\n"
        f"executable = {python.executable}\n"
        f"prompt = {venv.rpartition('/')[2]}\n"
        f"notebooks = {MARK}\n"
        f"notebooks-layout = {LAYOUT}\n"
        f"notebooks-path = {venv}\n"
    )


def read_config(text: str) -> dict[str, str]:
    """The keys of a ``pyvenv.cfg``; lines that are none are left out."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {key.strip().lower(): value.strip() for key, equals, value in pairs if equals}


def script_head(python: str) -> str:
    """First lines that make a script run by python, also where its path is long or has spaces."""
    if len(python) + 3 <= _LONGEST_HEAD and " " not in python:
        return f"#!{python}\n"
    return f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n"


def moved(text: bytes, old: str, new: str) -> bytes:
    """A script whose first lines name a Python below ``old``, naming the one below ``new``; others unchanged."""
    plain = f"#!{old}/bin/".encode()
    if text.startswith(plain):
        line, _, rest = text.partition(b"\n")
        command, space, options = line[2:].partition(b" ")
        python = new + command.decode("utf-8", "replace").removeprefix(old)
        head = script_head(python)
        return (f"#!{python} {options.decode()}\n" if space and options else head).encode() + rest
    start = b"#!/bin/sh\n'''exec' "
    if text.startswith(start):
        second, newline, rest = text[len(start) :].partition(b"\n")
        third, _, tail = rest.partition(b"\n")
        python = second.decode("utf-8", "replace").lstrip('"').split('"')[0].split(' "$0"')[0]
        if newline and third == b"' '''" and python.startswith(f"{old}/bin/"):
            return script_head(new + python.removeprefix(old)).encode() + tail
    return text


def _pth(packages: Sequence[str], pip_wheel: str | None) -> str:
    """Lines that ``site`` runs at each start of the Python: the folders, with what their own .pth files add."""
    lines = [f"# {MARK}: packages of the environment that runs the server, after those of this one"]
    lines += [f"import site; site.addsitedir({folder!r})" for folder in packages]
    lines += [pip_wheel] if pip_wheel else []
    return "\n".join(lines) + "\n"


def _script(head: str, line: str) -> str:
    return f'{head}# {MARK}\nimport sys\n\n{line}\n\nif __name__ == "__main__":\n    sys.exit(main())\n'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


_ACTIVATE = """# {mark}
# Use it with: . bin/activate
deactivate () {{
    if [ -n "${{_OLD_VIRTUAL_PATH:-}}" ]; then PATH="$_OLD_VIRTUAL_PATH"; export PATH; unset _OLD_VIRTUAL_PATH; fi
    if [ -n "${{_OLD_VIRTUAL_PS1+set}}" ]; then PS1="$_OLD_VIRTUAL_PS1"; unset _OLD_VIRTUAL_PS1; fi
    hash -r 2> /dev/null
    unset VIRTUAL_ENV VIRTUAL_ENV_PROMPT
    if [ "${{1:-}}" != nondestructive ]; then unset -f deactivate; fi
}}
deactivate nondestructive
VIRTUAL_ENV={venv}
export VIRTUAL_ENV
_OLD_VIRTUAL_PATH="$PATH"
PATH="$VIRTUAL_ENV/bin:$PATH"
export PATH
if [ -z "${{VIRTUAL_ENV_DISABLE_PROMPT:-}}" ]; then
    VIRTUAL_ENV_PROMPT="(${{VIRTUAL_ENV##*/}}) "
    export VIRTUAL_ENV_PROMPT
    _OLD_VIRTUAL_PS1="${{PS1:-}}"
    PS1="$VIRTUAL_ENV_PROMPT${{PS1:-}}"
fi
hash -r 2> /dev/null
"""

_FISH = """# {mark}
# Use it with: source bin/activate.fish
function deactivate
    if set -q _OLD_VIRTUAL_PATH
        set -gx PATH $_OLD_VIRTUAL_PATH
        set -e _OLD_VIRTUAL_PATH
    end
    set -e VIRTUAL_ENV
    functions -e deactivate
end
set -gx VIRTUAL_ENV {venv}
set -gx _OLD_VIRTUAL_PATH $PATH
set -gx PATH $VIRTUAL_ENV/bin $PATH
"""
